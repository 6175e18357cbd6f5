"""make bench-cost: what the handlers spend, counted as AWS bills it and priced at its list prices."""
