"""What the API's reads cost with few orders stored and with very many: the same routes over tables filled in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chalicelib.domain.channel_order import Payment
from chalicelib.domain.lifecycle import CLOSED, stage
from chalicelib.domain.orders import Content, Happening, Order, OrderLine, Quantities, Shipment, State
from chalicelib.store.accounts import add_account
from chalicelib.store.counters import Moved, count
from chalicelib.store.orders import SHARDS, order_writes, state_key
from chalicelib.store.tables import Item, Key, Put
from local.cost.door import opened
from local.memory.world import World

CHANNELS = ("shopify", "amazon", "ebay", "storefront")
START_MS = 1_700_000_000_000
OPEN_ORDERS = 400  # at any time, however many have been settled: the newest ones
_PRICE_MINOR = 2500
_STAGES = ("entered", "secured", "allocated", "shipped", "settled")

_LINE = OrderLine("1", "SKU-001", "SKU-001", "Stoneware mug, 350 ml, slate", _PRICE_MINOR, 0, 0)
_CONTENT = Content("1001", "US", START_MS, "USD", (_LINE,), ())


def world_with(orders: int) -> World:
    """A world in which so many orders are stored, a second apart; the newest `OPEN_ORDERS` stand in the open stages."""
    world = World(now_ms=START_MS + orders * 1000)
    for channel in CHANNELS:
        add_account(world.tables, channel, {})
    world.tables.load(_items(orders))
    counted = dict.fromkeys(CHANNELS, 0)
    moved = [
        Moved(f"load-{channel}-{where}", 1, ((channel, where, orders),))
        for channel in counted
        for where in ("funding", "allocation", "shipping", "settlement", "settled")
    ]
    for move in moved:
        count(world.tables, [move])
    world.tables.stream.clear()
    return world


def _items(orders: int) -> Iterator[tuple[Key, Item]]:
    """The item of each order, its content inside. Bodies are shared; keys and what stands in an index are its own."""
    patterns = [_written(_order(0, depth)) for depth in range(len(_STAGES))]
    for number in range(orders):
        still_open = number >= orders - OPEN_ORDERS
        pattern = patterns[number % (len(_STAGES) - 1) if still_open else -1]
        yield _state_item(pattern, number)


def order_id_of(number: int) -> str:
    """The id of the order of this number."""
    return f"{CHANNELS[number % len(CHANNELS)]}:{10_000_000 + number}"


def _order(number: int, depth: int) -> Order:
    """An order that has come as far as `_STAGES[depth]`."""
    amount = _PRICE_MINOR
    units = Quantities(1)
    state = State(amount, (units,), source=(START_MS,), payment=Payment(captured_minor=amount), placed_ms=START_MS)
    happenings = tuple(Happening(START_MS + n, what, what, "", "", what) for n, what in enumerate(_STAGES[: depth + 1]))
    if depth >= 1:
        state = replace(state, secured_minor=amount)
    if depth == 2:
        state = replace(state, quantities=(replace(units, allocations={"main": 1}),))
    if depth >= 3:
        parcel = Shipment("1", "main", "UPS", "1Z0000000000000001", START_MS, {0: 1}, confirmed_ms=START_MS)
        state = replace(state, quantities=(replace(units, shipped=1),), shipments=(parcel,))
    if depth == 4:
        state = replace(state, payouts={"po-1": (amount, 0)})
    state = replace(state, timeline=happenings, version=depth + 1, since_ms=START_MS, due_ms=START_MS)
    channel, _, external_id = order_id_of(number).partition(":")
    return Order(channel, external_id, state, _CONTENT)


def _written(order: Order) -> tuple[Item, str]:
    (put,) = order_writes(None, order)
    assert isinstance(put, Put)
    return put.item, stage(order)


def _state_item(pattern: tuple[Item, str], number: int) -> tuple[Key, Item]:
    item, where = pattern
    order_id = order_id_of(number)
    channel, shard = order_id.partition(":")[0], number // len(CHANNELS) % SHARDS
    position = f"{START_MS + number * 1000:014d}#{order_id}"
    own: Item = {"pk": order_id, "sk": "STATE", "placed_pk": f"{channel}#{shard}", "placed_sk": position}
    if where not in CLOSED:
        own |= {"open_pk": f"{where}#{channel}#{shard}", "open_sk": position}
    return state_key(order_id), {**item, **own}


def measured(orders: int) -> dict[str, float]:
    """Read units of each read of the API, by name, with so many orders stored."""
    world = world_with(orders)
    routes = {
        "newest_25": ("/api/orders", {"limit": "25"}, {}),
        "stage_25": ("/api/orders", {"limit": "25", "stage": "shipping"}, {}),
        "closed_25": ("/api/orders", {"limit": "25", "stage": "settled"}, {}),
        "one_order": ("/api/orders/{order_id}", {}, {"order_id": order_id_of(orders // 2)}),
        "stages": ("/api/stages", {}, {}),
    }
    units = {}
    with opened(world) as door:
        for name, (resource, query, parameters) in routes.items():
            before = world.meter.read_units
            answer = door.call("GET", resource, query=query, **parameters)
            assert answer, f"{name} answered nothing"
            units[name] = world.meter.read_units - before
    return units
