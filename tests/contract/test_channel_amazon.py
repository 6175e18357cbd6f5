"""Amazon's own sample orders, as they are and changed at random."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.channels.amazon.reader import read_orders
from chalicelib.domain.errors import Unreadable
from tests.shared_data import shared


class Read(NamedTuple):
    """What one sample order must become."""

    currency: str
    total_minor: int
    units: tuple[int, ...]
    fulfilled: tuple[int, ...]
    country: str
    problems: tuple[str, ...] = ()


# Every order file, the refused ones too, stands in test_channel_samples.
SAMPLES = {
    "order.2026-01-01.getOrder.mfn-shipped-tax.json": Read("TRY", 12500, (2,), (2,), "TR"),
    "order.2026-01-01.getOrder.mfn-shipped-uk.json": Read("GBP", 10397, (3,), (3,), "GB"),
    "order.2026-01-01.getOrder.mfn-unshipped-br.json": Read("BRL", 29990, (1,), (0,), "BR"),
    "order.2026-01-01.getOrder.mfn-unshipped-us.json": Read("USD", 4999, (1,), (0,), "US"),
    "order.2026-01-01.searchOrders.afn-shipped-mx.json": Read("JPY", 19940, (1, 2), (1, 2), "JP"),
    "order.2026-01-01.searchOrders.mfn-shipped-two-items.json": Read("USD", 15499, (2, 1), (2, 1), "US"),
    "order.2026-01-01.searchOrders.mfn-shipped-uk.json": Read("GBP", 3499, (1,), (1,), "GB"),
    "order.2026-01-01.searchOrders.mfn-unshipped-br.json": Read("BRL", 159990, (1,), (0,), "BR"),
}


def sample(name: str) -> bytes:
    return shared(f"samples/amazon/{name}").read_bytes()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_sample_order_is_read_and_adds_up(name: str) -> None:
    (order,) = read_orders(sample(name), "amazon")
    read = Read(
        order.currency,
        order.total_minor,
        tuple(line.quantity for line in order.lines),
        tuple(line.fulfilled for line in order.lines),
        order.country,
        tuple(problem.reason for problem in order.problems),
    )
    assert read == SAMPLES[name]
    assert order.stated_minor() == order.total_minor
    assert order.payment.vouched
    assert not order.cancelled
    assert order.placed_ms < order.version_ms
    assert all(line.channel_sku and line.listing_ref and not line.cancelled for line in order.lines)


@functools.cache
def parsed(name: str) -> Any:
    return json.loads(sample(name))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**70,
        1e308,
        0.5,
        "",
        "-1",
        "NaN",
        "1e999999",
        "\ud800",
        "x" * 5000,
        [],
        {},
        [None],
        [[]],
        {"a": 1},
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_sample_order_changed_at_random_is_an_order_or_unreadable(name: str, data: st.DataObject) -> None:
    body = copy.deepcopy(parsed(name))
    for _ in range(data.draw(st.integers(1, 3))):
        *way, key = data.draw(st.sampled_from(list(places(body)) or [("orders",)]))
        holder = functools.reduce(lambda here, step: here[step], way, body)
        if data.draw(st.booleans()):
            holder[key] = copy.deepcopy(data.draw(JUNK))
        elif isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder.pop(key, None)
    try:
        orders = read_orders(json.dumps(body), "amazon")
    except Unreadable:
        return
    for order in orders:
        json.dumps([order.order_id, *(line.title for line in order.lines)], ensure_ascii=False).encode()
        assert all(0 <= line.cancelled + line.fulfilled <= line.quantity for line in order.lines)
