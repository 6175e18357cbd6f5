"""Returns at the stand-in Shopify: what buyers do, what the shop refuses, and what a disposition does to its stock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels.shopify.documents_returns import APPROVE, CLOSE, DECLINE, PROCESS
from local.marketplaces.server import MarketplaceServer
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.shopify import Shopify
from local.marketplaces.shopify_back_office import ReturnMade
from local.marketplaces.shopify_returns import set_status
from local.marketplaces.wire import Request
from local.marketplaces.world import Marketplaces
from tests.contract.marketplaces_calls import START, Time, first, graphql, opened, populated


@pytest.fixture
def shop() -> tuple[Shopify, Time, Sale]:
    """A shop with an order of two units that have left in one parcel."""
    market, time = opened(Shopify)
    sale = first(populated(market, time), units=2)
    ship(market, sale)
    return market, time, sale


def ship(market: Shopify, sale: Sale) -> None:
    units = {line.line_id: line.quantity for line in sale.lines}
    market.ship(sale, Parcel("1", "UPS", "1Z1", market.clock(), market.clock(), units))


def wish(made: ReturnMade, units: int = 1, *, disposition: str = "NOT_RESTOCKED", **more: Any) -> dict[str, Any]:
    number = made.lines[0].number
    place = f"gid://shopify/ReverseFulfillmentOrderLineItem/{number}"
    disposed = {"reverseFulfillmentOrderLineItemId": place, "quantity": units, "dispositionType": disposition, **more}
    line = {"id": f"gid://shopify/ReturnLineItem/{number}", "quantity": units, "dispositions": [disposed]}
    return {"input": {"returnId": gid(made), "returnLineItems": [line]}}


def gid(made: ReturnMade) -> str:
    return f"gid://shopify/Return/{made.number}"


def codes(market: Shopify, document: str, variables: dict[str, Any]) -> list[str]:
    ((_, payload),) = graphql(market, document, variables)["data"].items()
    return [error["code"] for error in payload["userErrors"]]


def test_no_more_comes_back_than_is_out(shop: tuple[Shopify, Time, Sale]) -> None:
    market, time, sale = shop
    line = sale.lines[0]
    made = market.open_return(sale, line.line_id, line.quantity, time.now)
    with pytest.raises(ValueError, match="cannot be returned"):
        market.open_return(sale, line.line_id, 1, time.now)
    set_status(market, made, "CANCELED")
    assert market.open_return(sale, line.line_id, 1, time.now).status == "REQUESTED"


@pytest.mark.parametrize(("disposition", "put_back"), [("RESTOCKED", 1), ("NOT_RESTOCKED", 0), ("MISSING", 0)])
def test_only_a_restocked_unit_is_on_offer_again(
    shop: tuple[Shopify, Time, Sale], disposition: str, put_back: int
) -> None:
    market, time, sale = shop
    made = market.open_return(sale, sale.lines[0].line_id, 1, time.now)
    shelf = market.shelf.listings[sale.lines[0].sku]
    before = shelf.quantity
    assert codes(market, PROCESS, wish(made)) == ["INVALID_STATE"]
    assert codes(market, APPROVE, {"input": {"id": gid(made)}}) == []
    there = {"disposition": disposition, "locationId": market.location_id}
    assert codes(market, PROCESS, wish(made, **there)) == []
    assert shelf.quantity - before == put_back
    assert sale.current_units(sale.lines[0].line_id) == sale.lines[0].quantity - 1


def test_what_cannot_be_done_is_refused_with_a_code_and_changes_nothing(shop: tuple[Shopify, Time, Sale]) -> None:
    market, time, sale = shop
    made = market.open_return(sale, sale.lines[0].line_id, 1, time.now)
    assert codes(market, CLOSE, {"id": gid(made)}) == ["INVALID_STATE"]
    assert codes(market, APPROVE, {"input": {"id": "gid://shopify/Return/1"}}) == ["NOT_FOUND"]
    codes(market, APPROVE, {"input": {"id": gid(made)}})
    assert codes(market, DECLINE, {"input": {"id": gid(made), "declineReason": "OTHER"}}) == ["INVALID_STATE"]
    assert codes(market, PROCESS, wish(made, 2)) == ["LESS_THAN_OR_EQUAL_TO"]
    assert codes(market, PROCESS, wish(made, disposition="RESTOCKED")) == ["INVALID"]
    assert (made.status, made.lines[0].processed, made.lines[0].disposed) == ("OPEN", 0, {})
    assert codes(market, PROCESS, wish(made)) == []
    assert codes(market, PROCESS, wish(made)) == ["LESS_THAN_OR_EQUAL_TO"]


def test_buyers_send_back_what_has_left_by_habit_and_by_control(tmp_path: Path) -> None:
    time = Time()
    world = Marketplaces(7, rate_per_s=0, start=START, clock=time)
    market = world.shopify
    market.habits = replace(market.habits, pending=0.0, cancelled=0.0, sends_back=1.0)  # type: ignore[misc]
    world.sell("shopify", 1)
    (sale,) = market.shelf.sales.values()
    world.tick(time.pass_(minutes=2))
    assert market.office.returns == []
    ship(market, sale)
    world.tick(time.pass_(minutes=2))
    assert [line.units for made in market.office.returns for line in made.lines] == [1]
    body = json.dumps({"marketplace": "shopify", "order_id": sale.order_id}).encode()
    with MarketplaceServer(world, lambda _: True) as server:
        answer = server.answer(Request("POST", "/_control/send_back", {}, {}, body))
    more = sum(line.quantity for line in sale.lines[:1]) > 1
    assert (answer.status, len(market.office.returns)) == ((200, 2) if more else (400, 1))
    world.save(tmp_path / "state.json")
    again = Marketplaces(7, rate_per_s=0, start=START, clock=time)
    again.load(tmp_path / "state.json")
    assert again.shopify.office.returns == market.office.returns
