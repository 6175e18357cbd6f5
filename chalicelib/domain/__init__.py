"""DECIDE: orders, stock, money and the decisions about them. Pure: no I/O, no clock, no randomness, no AWS."""
