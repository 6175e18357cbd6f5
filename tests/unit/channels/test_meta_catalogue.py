from __future__ import annotations

from chalicelib.channels.meta.catalogue import MOST_ITEMS, CatalogueItem, items_batches


def requests(*items: CatalogueItem) -> list[dict[str, object]]:
    return [request for batch in items_batches(items) for request in batch["requests"]]


def test_what_is_sold_out_is_out_of_stock() -> None:
    (sold_out, there) = requests(CatalogueItem("MUG", 0), CatalogueItem("CUP", 3, 999, "USD"))
    assert sold_out["data"] == {"id": "MUG", "availability": "out of stock", "quantity_to_sell_on_facebook": 0}
    assert there["data"] == {
        "id": "CUP",
        "availability": "in stock",
        "quantity_to_sell_on_facebook": 3,
        "price": "9.99 USD",
    }


def test_a_quantity_below_nothing_is_nothing_and_a_price_has_the_places_of_its_currency() -> None:
    (request,) = requests(CatalogueItem("MUG", -2, 500, "JPY"))
    assert request["data"] == {
        "id": "MUG",
        "availability": "out of stock",
        "quantity_to_sell_on_facebook": 0,
        "price": "500 JPY",
    }


def test_what_is_gone_is_deleted() -> None:
    assert requests(CatalogueItem("MUG", 5, gone=True)) == [{"method": "DELETE", "data": {"id": "MUG"}}]


def test_no_batch_is_larger_than_advised_and_none_is_lost() -> None:
    items = [CatalogueItem(str(n), 1) for n in range(2 * MOST_ITEMS + 1)]
    assert [len(batch["requests"]) for batch in items_batches(items)] == [MOST_ITEMS, MOST_ITEMS, 1]
