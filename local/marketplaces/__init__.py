"""Stand-in marketplaces: Shopify, Amazon and eBay in their real wire formats, with invented buyers.

`Marketplaces` (world.py) is deterministic and opens no socket, so that tests and the simulation can use it
as a transport; `python -m local.marketplaces` serves it over HTTP and lets it sell.
"""
