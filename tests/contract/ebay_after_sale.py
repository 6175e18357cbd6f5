"""A seller of the stand-in eBay with one order, and what became of its refunds and cancellations."""

from __future__ import annotations

import pytest

from chalicelib.channels.port import CancellationRequest, RefundRequest
from local.marketplaces.shelf import Sale
from tests.contract.ebay_seller import Seller, seller
from tests.contract.marketplaces_calls import first, populated


@pytest.fixture(name="on")
def on_fixture() -> Seller:
    return seller()


@pytest.fixture(name="sale")
def sale_fixture(on: Seller) -> Sale:
    return first(populated(on.market, on.time))


def wish(amount_minor: int = 100, refund_id: str = "r1", reason: str = "") -> RefundRequest:
    return RefundRequest(refund_id, amount_minor, "USD", reason)


def refunds(on: Seller) -> list[int]:
    return [refund.gross_minor for of_order in on.market.shelf.ebay.refunds.values() for refund in of_order]


def arrived(on: Seller) -> None:
    on.market.advance(on.time.pass_(minutes=10))


def all_of(sale: Sale, reason: str = "") -> CancellationRequest:
    return CancellationRequest("c1", tuple((line.line_id, line.quantity) for line in sale.lines), reason)


def cancellations(on: Seller) -> list[tuple[str, str]]:
    return [(each.initiator, each.state) for each in on.market.shelf.ebay.cancellations]
