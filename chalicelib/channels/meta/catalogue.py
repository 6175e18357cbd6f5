"""Meta's catalogue: what an item should show, as requests of `POST /{catalogue}/items_batch`, keyed by our own id.

Sources: Meta, catalogue batch API (at most 5,000 items a call, under 3,000 advised); official model ProductCatalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.money import to_text

MOST_ITEMS = 2_999


@dataclass(frozen=True)
class CatalogueItem:
    """What one item should show. `price_minor` None: the price stays as it is; `gone`: it is not sold any more."""

    retailer_id: str
    quantity: int
    price_minor: int | None = None
    currency: str = ""
    gone: bool = False


def items_batches(items: Sequence[CatalogueItem]) -> Iterator[dict[str, Any]]:
    """The bodies to be sent, each within what a call takes. An update creates what Meta does not know yet."""
    for start in range(0, len(items), MOST_ITEMS):
        requests = [_request(item) for item in items[start : start + MOST_ITEMS]]
        yield {"item_type": "PRODUCT_ITEM", "allow_upsert": True, "requests": requests}


def _request(item: CatalogueItem) -> dict[str, Any]:
    if item.gone:
        return {"method": "DELETE", "data": {"id": item.retailer_id}}
    quantity = max(item.quantity, 0)
    data: dict[str, Any] = {
        "id": item.retailer_id,
        "availability": "in stock" if quantity else "out of stock",
        "quantity_to_sell_on_facebook": quantity,
    }
    if item.price_minor is not None:
        data["price"] = f"{to_text(item.price_minor, item.currency)} {item.currency}"
    return {"method": "UPDATE", "data": data}
