"""The Shopify client against the stand-in shop and the official schema: what buyers send back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chalicelib.channels.facts import ChannelReturn
from chalicelib.channels.shopify import documents_returns
from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify_back_office import ReturnMade
from local.marketplaces.shopify_rest import rest_order
from local.marketplaces.shopify_returns import open_by_buyer, set_status
from local.marketplaces.wire import to_json
from tests.contract.marketplaces_models import shopify_document, shopify_schema
from tests.contract.shopify_seller import Seller, answer, confirmation, long_order, sold
from tests.contract.test_channel_shopify_money import Later

DENIED = {"data": {"orders": None}, "errors": [{"extensions": {"code": "ACCESS_DENIED"}}]}


class Shop:
    """A shop with a sale of which two units of the first line, and one of the second, have left in parcels of one."""

    def __init__(self) -> None:
        self.on, self.sale = sold(lines=2, units=2)
        self.client = Later(self.on)
        for n, place in enumerate((0, 0, 1), start=1):
            self.client().confirm_shipment(self.sale.order_id, confirmation(self.sale, (place, 1), sequence=n))
        self.lines = [line.line_id for line in self.sale.lines]
        self.on.wire.operations.clear()
        self.on.wire.sent.clear()

    def opened(self, *units: int) -> ReturnMade:
        """The buyer asks to send so many units of each line back."""
        self.on.time.pass_(minutes=1)
        wanted = {line_id: count for line_id, count in zip(self.lines, units, strict=False) if count}
        return open_by_buyer(self.on.market, self.sale, wanted, self.on.time.now)

    def read(self, since_ms: int = 0) -> list[ChannelReturn]:
        return list(self.client().returns(since_ms))

    def says(self, made: ReturnMade, status: str, *items: tuple[str, int]) -> None:
        self.client().answer_return(self.sale.order_id, str(made.number), status, items)

    def sent(self, *operations: str) -> list[str]:
        return [each for each in self.on.wire.operations if each in operations]


MUTATIONS = ("ApproveReturn", "DeclineReturn", "ProcessReturn", "CloseReturn")


@pytest.mark.parametrize("document", documents_returns.ALL)
def test_every_document_is_one_of_2026_10(document: str) -> None:
    assert shopify_document(document) == []


# --- returns in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "step"),
    [("REQUESTED", "request"), ("OPEN", "approve"), ("CLOSED", "receive")],
)
def test_a_return_is_read_with_its_lines_reason_and_step(status: str, step: str) -> None:
    shop = Shop()
    made = shop.opened(2, 1)
    set_status(shop.on.market, made, status)
    (back,) = shop.read()
    assert (back.return_id, back.external_id, back.step) == (str(made.number), shop.sale.order_id, step)
    assert dict(back.items) == {shop.lines[0]: 2, shop.lines[1]: 1}, "two parcels of one line are one line"
    assert back.reason == "unwanted"
    assert back.changed_ms == int(shop.sale.updated_at.timestamp()) * 1000


@pytest.mark.parametrize("status", ["DECLINED", "CANCELED"])
def test_a_return_that_no_search_finds_any_more_is_told_once_as_declined(status: str) -> None:
    shop = Shop()
    made, kept = shop.opened(1), shop.opened(1)
    assert [back.step for back in shop.read()] == ["request", "request"]
    set_status(shop.on.market, made, status)
    set_status(shop.on.market, kept, status)
    assert sorted((back.return_id, back.step) for back in shop.read()) == [
        (str(each.number), "decline") for each in (made, kept)
    ]
    assert shop.read() == []


def test_a_return_of_an_order_that_was_not_touched_stays_known_as_open() -> None:
    shop = Shop()
    made = shop.opened(1)
    assert len(shop.read()) == 1
    much_later_ms = int(shop.on.time.now.timestamp() * 1000) + 86_400_000
    assert shop.read(much_later_ms) == []
    made.status = "DECLINED"
    assert [back.step for back in shop.read(much_later_ms)] == ["decline"]


def test_orders_without_returns_are_not_looked_through() -> None:
    shop = Shop()
    assert shop.read() == []
    assert shop.on.wire.operations == ["Returns"]


def test_an_order_with_many_returns_and_a_return_with_many_lines_are_read_to_the_end() -> None:
    on, sale = long_order(23)
    client = Later(on)
    client().confirm_shipment(sale.order_id, confirmation(sale, *((place, 1) for place in range(23))))
    open_by_buyer(on.market, sale, {line.line_id: 1 for line in sale.lines[:15]}, on.time.now)
    for line in sale.lines[15:]:
        open_by_buyer(on.market, sale, {line.line_id: 1}, on.time.now)
    found = list(client().returns(0))
    assert [len(back.items) for back in found] == [15, *[1] * 8]
    assert [line_id for back in found for line_id, _ in back.items] == [line.line_id for line in sale.lines]
    assert {"OrderReturns", "ReturnLines"} <= set(on.wire.operations)


def test_what_nobody_knows_yet_and_what_cannot_be_read_stop_nothing() -> None:
    shop = Shop()
    back = {"id": "gid://shopify/Return/1", "status": "ESCALATED", "order": {"id": "gid://shopify/Order/7"}}
    back["order"]["updatedAt"] = "2026-05-04T12:00:00Z"  # type: ignore[index]
    unverified = {"quantity": 1, "returnReasonDefinition": None}
    back["returnLineItems"] = {"nodes": [unverified], "pageInfo": {"hasNextPage": False}}  # type: ignore[assignment]
    broken = {**back, "id": "gid://shopify/Return/2", "returnLineItems": {"nodes": [{"quantity": "many"}]}}
    page = {"hasNextPage": False, "endCursor": None}
    orders = [{"id": "gid://shopify/Order/7", "returns": {"nodes": [broken, back], "pageInfo": page}}]
    shop.on.wire.instead["Returns"] = [answer({"data": {"orders": {"nodes": orders, "pageInfo": page}}})]
    assert [(each.return_id, each.step, each.items) for each in shop.read()] == [("1", "escalated", ())]


def test_an_app_without_the_scope_reads_none() -> None:
    shop = Shop()
    shop.opened(1)
    shop.on.wire.instead["Returns"] = [answer(DENIED)]
    assert shop.read() == []


def test_a_reading_that_breaks_off_forgets_no_open_return() -> None:
    shop = Shop()
    made = shop.opened(1)
    shop.read()
    made.status = "DECLINED"
    shop.on.wire.lost = ["ReturnsAgain"]
    with pytest.raises(Busy):
        shop.read()
    assert [back.step for back in shop.read()] == ["decline"]


# --- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "stands", "sent"),
    [
        ("approved", "OPEN", ["ApproveReturn"]),
        ("declined", "DECLINED", ["DeclineReturn"]),
        ("received", "CLOSED", ["ApproveReturn", "ProcessReturn", "CloseReturn"]),
    ],
)
@pytest.mark.parametrize("lost", [(), ("ApproveReturn",), ("DeclineReturn",), ("ProcessReturn",), ("CloseReturn",)])
def test_an_answer_has_one_effect_whatever_answer_of_theirs_was_lost(
    status: str, stands: str, sent: list[str], lost: tuple[str, ...]
) -> None:
    shop = Shop()
    made = shop.opened(2, 1)
    shop.on.wire.lost = list(lost)
    for _ in range(3):
        try:
            shop.says(made, status)
        except Busy:
            assert shop.on.wire.lost == []
    assert made.status == stands
    assert shop.sent(*MUTATIONS) == sent
    assert sum(line.processed for line in made.lines) == (3 if status == "received" else 0)


def test_goods_that_are_back_change_nothing_of_what_the_shop_offers() -> None:
    shop = Shop()
    made = shop.opened(2, 1)
    before = {sku: shelf.quantity for sku, shelf in shop.on.market.shelf.listings.items()}
    shop.says(made, "received")
    assert {sku: shelf.quantity for sku, shelf in shop.on.market.shelf.listings.items()} == before
    assert [line.disposed for line in made.lines] == [{"NOT_RESTOCKED": 1}] * 3


def test_only_what_has_come_is_processed_and_the_rest_keeps_the_return_open() -> None:
    shop = Shop()
    made = shop.opened(2, 1)
    for _ in range(2):
        shop.says(made, "received", (shop.lines[0], 1))
    assert (made.status, sum(line.processed for line in made.lines)) == ("OPEN", 1)
    shop.says(made, "received", (shop.lines[0], 2))
    shop.says(made, "received", (shop.lines[1], 1))
    assert (made.status, [line.processed for line in made.lines]) == ("CLOSED", [1, 1, 1])


def test_what_a_warehouse_of_theirs_has_disposed_of_is_processed_and_not_disposed_of_again() -> None:
    shop = Shop()
    made = shop.opened(1)
    set_status(shop.on.market, made, "OPEN")
    made.lines[0].disposed = {"RESTOCKED": 1}
    shop.says(made, "received")
    assert (made.status, made.lines[0].disposed) == ("CLOSED", {"RESTOCKED": 1})


def test_a_return_with_goods_in_exchange_is_processed_and_left_open() -> None:
    shop = Shop()
    made = shop.opened(1)
    made.exchanged = 1
    shop.says(made, "received")
    assert (made.status, made.lines[0].processed) == ("OPEN", 1)


@pytest.mark.parametrize("gone_to", ["CLOSED", "DECLINED", "CANCELED"])
@pytest.mark.parametrize("status", ["approved", "declined", "received"])
def test_a_return_that_is_over_is_left_alone(gone_to: str, status: str) -> None:
    shop = Shop()
    made = shop.opened(1)
    set_status(shop.on.market, made, gone_to)
    shop.says(made, status)
    assert (made.status, shop.sent(*MUTATIONS)) == (gone_to, [])


def test_a_return_that_was_approved_there_is_not_declined_from_here() -> None:
    shop = Shop()
    made = shop.opened(1)
    set_status(shop.on.market, made, "OPEN")
    shop.says(made, "declined")
    assert (made.status, shop.sent(*MUTATIONS)) == ("OPEN", [])


@pytest.mark.parametrize(
    ("operation", "field", "status"),
    [
        ("ApproveReturn", "returnApproveRequest", "approved"),
        ("DeclineReturn", "returnDeclineRequest", "declined"),
        ("ProcessReturn", "returnProcess", "received"),
        ("CloseReturn", "returnClose", "received"),
    ],
)
def test_a_refusal_is_told_with_its_code_and_none_of_its_words(operation: str, field: str, status: str) -> None:
    shop = Shop()
    error = {"code": "INVALID_STATE", "field": ["input", "id"], "message": "of Jane Doe"}
    shop.on.wire.instead[operation] = [answer({"data": {field: {"return": None, "userErrors": [error]}}})]
    with pytest.raises(Refused) as refusal:
        shop.says(shop.opened(1), status)
    assert refusal.value.reason == "return_refused"
    assert refusal.value.detail == "Shopify refused input.id: INVALID_STATE"


def test_an_unknown_return_is_refused() -> None:
    shop = Shop()
    with pytest.raises(Refused, match="unknown_return"):
        shop.client().answer_return(shop.sale.order_id, "1", "approved")


# --- the order afterwards -----------------------------------------------------------------------------


def read_both_ways(on: Seller, sale: Sale) -> list[Any]:
    """The order's first line, by GraphQL and by webhook."""
    by_graphql = on.again(0).get_order(sale.order_id)
    bodies = (by_graphql, to_json(rest_order(on.market, sale)))
    return [next(iter(read_orders(body, "shopify")[0].lines)) for body in bodies]


def test_units_still_to_ship_are_not_called_off_by_the_return_of_others() -> None:
    on, sale = sold(units=2)
    client = Later(on)
    client().confirm_shipment(sale.order_id, confirmation(sale))
    made = open_by_buyer(on.market, sale, {sale.lines[0].line_id: 1}, on.time.now)
    client().answer_return(sale.order_id, str(made.number), "received")
    for line in read_both_ways(on, sale):
        assert (line.fulfilled, line.cancelled) == (1, 0)


def test_units_called_off_beside_a_return_are_called_off() -> None:
    on, sale = sold(units=2)
    client = Later(on)
    client().confirm_shipment(sale.order_id, confirmation(sale))
    line = sale.lines[0]
    made = open_by_buyer(on.market, sale, {line.line_id: 1}, on.time.now)
    client().answer_return(sale.order_id, str(made.number), "received")
    sale.gone = {line.line_id: line.quantity - 1}
    for read in read_both_ways(on, sale):
        assert (read.fulfilled, read.cancelled) == (1, line.quantity - 1)


def test_the_statuses_and_the_disposition_are_the_schemas() -> None:
    official = shopify_schema().type_map
    known = set(official["ReturnStatus"].values)  # type: ignore[attr-defined]
    assert known == {"CANCELED", "CLOSED", "DECLINED", "OPEN", "REQUESTED"}
    shop = Shop()
    shop.read()
    (asked,) = shop.on.wire.variables("Returns")
    searched = set(re.findall(r"return_status:(\w+)", asked["query"]))
    assert {word.upper() for word in searched} == set(official["OrderReturnStatus"].values) - {"NO_RETURN"}  # type: ignore[attr-defined]
    described = official["ReverseFulfillmentOrderDispositionType"].values["NOT_RESTOCKED"]  # type: ignore[attr-defined]
    assert "wasn't restocked" in described.description
