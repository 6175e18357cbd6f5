"""ADVANCE: entry, funding, allocation, shipping, settlement; one Lambda each."""
