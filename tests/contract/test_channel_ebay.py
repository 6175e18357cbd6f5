"""eBay's recorded orders, as they are and changed at random."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.channels.ebay.notifications import told_of
from chalicelib.channels.ebay.reader import read_orders
from chalicelib.domain.errors import Unreadable
from tests.shared_data import shared


class Read(NamedTuple):
    """What one recorded order must become."""

    currency: str
    total_minor: int
    units: tuple[int, ...]
    fulfilled: tuple[int, ...]
    country: str
    charges: tuple[tuple[str, int], ...] = ()


# Every order file, the refused one too, stands in test_channel_samples.
SAMPLES = {
    "getOrder.two-line-items.paid-not-started.json": Read("USD", 200, (1, 1), (0, 0), "US"),
    "getOrder.us-sales-tax-collected.fulfilled.payment-hold-released.json": Read("USD", 8788, (1,), (1,), "PR"),
    "getOrders.order.fulfilled-paid.json": Read("USD", 14398, (1,), (1,), "US"),
    "getOrders.page.de.two-variations.multi-discount.fulfilled-two-packages.json": Read(
        "EUR", 25651, (4, 4), (4, 4), "DE", (("shipping", 495),)
    ),
    "getOrders.page.oss-vat.currency-conversion.ebay-masked.json": Read(
        "EUR", 11626, (1,), (0,), "ES", (("shipping", 1626),)
    ),
}


def sample(name: str) -> bytes:
    return shared(f"samples/ebay/orders/{name}").read_bytes()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_recorded_order_is_read_and_adds_up(name: str) -> None:
    (order,) = read_orders(sample(name), "ebay")
    assert SAMPLES[name] == Read(
        order.currency,
        order.total_minor,
        tuple(line.quantity for line in order.lines),
        tuple(line.fulfilled for line in order.lines),
        order.country,
        tuple((charge.kind, charge.amount_minor) for charge in order.charges),
    )
    assert order.stated_minor() == order.total_minor
    assert order.payment.vouched
    assert not order.problems
    assert order.placed_ms < order.version_ms
    assert all(line.listing_ref and not line.cancelled for line in order.lines)


def test_a_recorded_confirmation_points_at_the_order_that_was_recorded_with_it() -> None:
    body = shared("samples/ebay/notifications/ORDER_CONFIRMATION.two-line-items.json").read_bytes()
    (order,) = read_orders(sample("getOrder.two-line-items.paid-not-started.json"), "ebay")
    assert told_of(body).order_ids == (order.external_id,)


@functools.cache
def parsed(name: str) -> Any:
    return json.loads(sample(name))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


JUNK: list[Any] = [None, True, 0, -1, 2**70, 1e308, 0.5, "", "-1", "NaN", "1e999999", "\ud800", "x" * 5000]
JUNK += [[], {}, [None], [[]], {"a": 1}]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_recorded_order_changed_at_random_is_an_order_or_unreadable(name: str, data: st.DataObject) -> None:
    body = copy.deepcopy(parsed(name))
    for _ in range(data.draw(st.integers(1, 3))):
        *way, key = data.draw(st.sampled_from(list(places(body)) or [("orders",)]))
        holder = functools.reduce(lambda here, step: here[step], way, body)
        if data.draw(st.booleans()):
            holder[key] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
        elif isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder.pop(key, None)
    try:
        orders = read_orders(json.dumps(body), "ebay")
    except Unreadable:
        return
    for order in orders:
        json.dumps([order.order_id, *(line.title for line in order.lines)], ensure_ascii=False).encode()
        assert all(0 <= line.cancelled + line.fulfilled <= line.quantity for line in order.lines)
        assert 0 <= order.payment.refunded_minor <= max(order.total_minor, 0)
