"""eBay: reading its orders, and speaking to its Sell APIs."""
