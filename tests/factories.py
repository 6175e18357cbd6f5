"""Hand-made orders and facts for tests; every field that a test does not name has a dull value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Payment
from chalicelib.domain.entry import decide_entry
from chalicelib.domain.orders import Order

PAID = "paid"
T0_MS = 1_700_000_000_000


def line(line_id: str = "l1", sku: str = "MUG", quantity: int = 1, unit_minor: int = 500, **more: Any) -> ChannelLine:
    return ChannelLine(line_id, sku, quantity, quantity * unit_minor, **more)


def fact(
    *lines: ChannelLine, external_id: str = "1001", version_ms: int = T0_MS, payment: Payment | str = PAID, **more: Any
) -> ChannelOrder:
    """A storefront order of `lines` (one mug when none are named), paid in full unless told otherwise."""
    lines = lines or (line(),)
    total = sum(each.price_minor - each.discount_minor + each.tax_minor for each in lines)
    paid = Payment(captured_minor=total) if payment == PAID else payment
    assert isinstance(paid, Payment)
    order = ChannelOrder("storefront", external_id, version_ms, T0_MS, "EUR", total, lines, payment=paid)
    return replace(order, **more)


def skus_of(order: ChannelOrder) -> dict[str, Sku]:
    """Every channel SKU known under its own name."""
    return {each.line_id: Sku(each.channel_sku) for each in order.lines if each.channel_sku}


def entered(order: ChannelOrder, known: Order | None = None, now_ms: int = T0_MS) -> Order:
    """The order after entry of a fact that is new."""
    after = decide_entry(known, order, skus_of(order), now_ms)
    assert after is not None
    return after
