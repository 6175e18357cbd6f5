"""What brings an order to where a function crashes: steps taken by the real handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.store.codec import SCHEMA
from chalicelib.store.stock import receipt_writes
from chalicelib.store.tables import Key, Put
from local.simulation.shop import PRICE
from tests.integration.crash_sandbox import Sandbox

CHANNEL, NUMBER = "shop", "1001"
SOLD_AT = ("shopify", "amazon", "ebay", "woocommerce")
ORDER = f"{CHANNEL}:{NUMBER}"
MUGS = ({"id": "1", "sku": "MUG", "quantity": 2},)
MUG_AND_SET = (*MUGS, {"id": "2", "sku": "SET", "quantity": 1})
PAID = {"status": "paid"}

Event = Any
Prepare = Callable[[Sandbox], Event]


@dataclass(frozen=True)
class Scenario:
    """`prepare` brings the sandbox to where the event comes in, and returns that event."""

    name: str
    prepare: Prepare


# --- how an order gets somewhere ------------------------------------------------------------------------


def document(box: Sandbox, *lines: dict[str, Any], payment: Any = PAID, number: str = NUMBER, **more: Any) -> Event:
    """The entry message of an order that the shop has; two mugs unless told otherwise."""
    own = [{**line, "unit_price": f"{PRICE / 100:.2f}"} for line in lines or MUGS]
    box.shop.place(number, own, payment, **more)
    return [{"channel": CHANNEL, "raw": box.shop.document(number), "hint": {}}]


def enter(box: Sandbox, *lines: dict[str, Any], **more: Any) -> None:
    assert box.deliver("entry", document(box, *lines, **more)) == {"batchItemFailures": []}


def allocate(box: Sandbox, *lines: dict[str, Any], **more: Any) -> None:
    enter(box, *lines, **more)
    box.deliver("allocation", look(more.get("number", NUMBER)))


def ship(box: Sandbox, *lines: dict[str, Any], **more: Any) -> None:
    allocate(box, *lines, **more)
    box.deliver("shipping", parcel())


def settle(box: Sandbox) -> None:
    ship(box)
    box.deliver("settlement", payout())


def look(number: str = NUMBER) -> Event:
    return [{"order": f"{CHANNEL}:{number}"}]


def ask(do: str, order: str = ORDER, **fact: Any) -> Event:
    return [{"order": order, "do": do, "fact": fact, "actor": "api"}]


def parcel(units: int = 2, **more: Any) -> Event:
    lines = more.pop("lines", [{"line_id": "1", "units": units}])
    fact = {"shipment_id": "p1", "location": "main", "shipped_ms": 1, "lines": lines, **more}
    return ask("ship", **fact)


def payout(order: str = ORDER, currency: str = "EUR", **more: Any) -> Event:
    lines = [
        {"line_id": "sale", "kind": "sale", "amount_minor": 1000},
        {"line_id": "fee", "kind": "fee", "amount_minor": -120},
    ]
    shared = {"channel": CHANNEL, "payout_id": "po", "order_id": order, "currency": currency, "paid_ms": 1}
    return [{"payout": {**shared, "lines": lines}, **more}]


def after(*steps: Callable[[Sandbox], Any], then: Event | Callable[[Sandbox], Event]) -> Prepare:
    """Take the steps; then comes the event."""

    def prepare(box: Sandbox) -> Event:
        for step in steps:
            step(box)
        return then(box) if callable(then) else then

    return prepare


def sent(function: str, event: Event) -> Callable[[Sandbox], Any]:
    """A step: the function has been called with this event."""
    return lambda box: box.deliver(function, event)


def backorder(box: Sandbox) -> None:
    """Twenty mugs are wanted, and there are thirteen."""
    allocate(box, {"id": "1", "sku": "MUG", "quantity": 20})


def stocked(units: int = 20) -> Callable[[Sandbox], Any]:
    return lambda box: box.ports().tables.write(*receipt_writes("delivery", "MUG", "main", units, box.now_ms))


LINES = [{"line_id": "1", "units": 2}]
ORDERS_PATH = f"/api/orders/{ORDER}"


def post(path: str, **body: Any) -> Event:
    return "POST", path, body


def put(path: str, **body: Any) -> Event:
    return "PUT", path, body


def large_document(box: Sandbox) -> Event:
    message = document(box, note="n" * 250_000)[0]
    return "POST", f"/channels/{CHANNEL}/orders", message["raw"].encode()


def only_the_shop(box: Sandbox, *more: str) -> None:
    """Few accounts: each more would only repeat the same reads."""
    names = {"schema": SCHEMA, "names": [CHANNEL, *more]}
    box.ports().tables.write(Put(Key("channels", "SETTINGS", "CHANNELS"), names))


def later(**duration: float) -> Callable[[Sandbox], Any]:
    return lambda box: box.pass_time(**duration)
