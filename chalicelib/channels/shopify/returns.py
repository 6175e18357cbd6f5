"""What buyers send back. Source: schema admin_2026-10, Return, returnProcess; shopify.dev, return processing.

A return tells no time of change, so it bears that of its order; and an order whose only return was declined or called
off has no return status to be searched by. The returns that were open at the last whole look are therefore in the job
`returns` ({open: [numbers]}), and those that do not show up again are looked at one by one.

Goods that have come are processed as NOT_RESTOCKED. That leaves Shopify's quantities alone: what is good to sell again
is known once it was inspected here, and our next number for the listing says so. RESTOCKED would raise `available` by
itself, and our number would be set against one that nobody has counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.channels.facts import ChannelReturn
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import Items
from chalicelib.channels.shopify import documents_returns as documents
from chalicelib.channels.shopify.payments import stamp
from chalicelib.channels.shopify.wire import Declined, ShopifyWire, gid, next_cursor, number
from chalicelib.domain.errors import Refused, Unreadable

_JOB = "returns"
_MOST_OPEN = 1000  # of those that nobody ever closes, the oldest are forgotten
_TOGETHER = 10
_STEPS = {"REQUESTED": "request", "OPEN": "approve", "CLOSED": "receive", "DECLINED": "decline", "CANCELED": "decline"}
_OPEN = ("REQUESTED", "OPEN")
_WITH_RETURNS = ("return_requested", "in_progress", "inspection_complete", "returned", "return_failed")


def read_returns(wire: ShopifyWire, jobs: Jobs, since_ms: int) -> Iterator[ChannelReturn]:
    """Every return of an order that was updated since then, and each that was open and is so no more. None for an app
    without the right to read them."""
    before = [str(each) for each in (jobs.get(_JOB) or {}).get("open", ())]
    shown: dict[str, str] = {}
    try:
        for found in _listed(wire, since_ms):
            shown[number(found.identity("id"))] = found.text("status")
            yield from _told(wire, found)
        for found in _again(wire, [each for each in before if each not in shown]):
            shown[number(found.identity("id"))] = found.text("status")
            if found.text("status") not in _OPEN:
                yield from _told(wire, found)
    except Declined as error:
        if error.code != "ACCESS_DENIED":
            raise
        return
    still = sorted((each for each, status in shown.items() if status in _OPEN), key=lambda each: (len(each), each))
    if still[-_MOST_OPEN:] != before:
        jobs.put(_JOB, {"open": still[-_MOST_OPEN:]})


def answer(wire: ShopifyWire, return_id: str, status: str, items: Items) -> None:
    """Bring a return to approved, declined or received; how it stands is looked at first, so that nothing is done twice
    and what is over, or was approved, is left alone. `items`: what has come, by the order's line ids; () is all."""
    asked = gid("Return", return_id)
    found = wire.ask(documents.RETURN, {"id": asked}).at("return")
    if not found:
        raise Refused("unknown_return", f"Shopify does not know return {return_id}")
    state = found.text("status")
    if state == "REQUESTED" and status == "declined":
        _do(wire, documents.DECLINE, "returnDeclineRequest", id=asked, declineReason="OTHER", notifyCustomer=True)
    elif state == "REQUESTED":
        state = _do(wire, documents.APPROVE, "returnApproveRequest", id=asked, notifyCustomer=True)
    if state == "OPEN" and status == "received":
        _receive(wire, asked, items, closes=not found.at("exchangeLineItems").each("nodes"))


# --- reading ------------------------------------------------------------------------------------------


def _listed(wire: ShopifyWire, since_ms: int) -> Iterator[Node]:
    statuses = " OR ".join(f"return_status:{status}" for status in _WITH_RETURNS)
    query = f"updated_at:>='{stamp(since_ms)}' AND ({statuses})"
    for order in wire.pages(documents.RETURNS, {"query": query}, "orders"):
        found = order.at("returns")
        if next_cursor(found):
            yield from wire.pages(documents.ORDER_RETURNS, {"id": order.identity("id")}, "order", "returns")
        else:
            yield from found.listed("nodes")


def _again(wire: ShopifyWire, numbers: Sequence[str]) -> Iterator[Node]:
    for start in range(0, len(numbers), _TOGETHER):
        ids = [gid("Return", each) for each in numbers[start : start + _TOGETHER]]
        found = wire.ask(documents.RETURNS_AGAIN, {"ids": ids}).at("nodes")
        if not isinstance(found.value, list):
            found.refuse("a list")
        yield from (Node(each, found.path) for each in found.value if each)  # null: there is no such return


def _told(wire: ShopifyWire, found: Node) -> list[ChannelReturn]:
    """One return; none where it cannot be read, which must not stop the others."""
    try:
        return [_read(wire, found)]
    except Unreadable:
        return []


def _read(wire: ShopifyWire, found: Node) -> ChannelReturn:
    """A line of goods that Shopify cannot trace to the order has no line id, and is left out."""
    lines = found.at("returnLineItems").each("nodes")
    if found.at("returnLineItems").at("pageInfo").flag("hasNextPage"):
        lines = _lines(wire, found.identity("id"))
    units: Counter[str] = Counter()
    for line in lines:
        units[_line_id(line)] += line.whole("quantity")
    reasons = [line.at("returnReasonDefinition").text("handle") for line in lines]
    return ChannelReturn(
        return_id=number(found.identity("id")),
        external_id=number(found.at("order").identity("id")),
        step=_STEPS.get(found.text("status"), found.text("status").lower()),
        items=tuple((line_id, count) for line_id, count in units.items() if line_id),
        reason=next(filter(None, reasons), ""),
        changed_ms=found.at("order").time_ms("updatedAt"),
        exchanged=bool(found.at("exchangeLineItems").each("nodes")),
    )


def _lines(wire: ShopifyWire, asked: str) -> list[Node]:
    return list(wire.pages(documents.RETURN_LINES, {"id": asked}, "return", "returnLineItems"))


def _line_id(line: Node) -> str:
    return number(line.at("fulfillmentLineItem").at("lineItem").text("id"))


# --- telling ------------------------------------------------------------------------------------------


def _do(wire: ShopifyWire, document: str, field: str, **asked: Any) -> str:
    """The status of the return afterwards. Raises `Declined` (return_refused) with Shopify's code."""
    return wire.do(document, {"input": asked}, field, "return_refused").at("return").text("status")


def _receive(wire: ShopifyWire, asked: str, items: Items, *, closes: bool) -> None:
    """Process what has come, and close the return when all of it has. What is missing, and what goes out in exchange
    (not `closes`), is for a person to see."""
    lines = _lines(wire, asked)
    taken = dict(_to_process(lines, items))
    state = "OPEN"
    if taken:
        rooms = _rooms(wire, asked)
        wish = [_processed(line, taken[line.text("id")], rooms) for line in lines if line.text("id") in taken]
        state = _do(wire, documents.PROCESS, "returnProcess", returnId=asked, returnLineItems=wish)
    missing = sum(line.whole("processableQuantity") for line in lines) - sum(taken.values())
    if state == "OPEN" and closes and not missing:
        wire.do(documents.CLOSE, {"id": asked}, "returnClose", "return_refused")


def _to_process(lines: Sequence[Node], items: Items) -> Iterator[tuple[str, int]]:
    """The units of each line of the return that have come and were not processed before."""
    left: Counter[str] = Counter()
    for line_id, units in items or [(_line_id(line), line.whole("quantity")) for line in lines]:
        left[line_id] += units
    for line in lines:
        left[_line_id(line)] -= line.whole("processedQuantity")
    for line in lines:
        units = min(line.whole("processableQuantity"), left[_line_id(line)])
        if units > 0:
            left[_line_id(line)] -= units
            yield line.identity("id"), units


def _rooms(wire: ShopifyWire, asked: str) -> Mapping[str, list[tuple[str, int]]]:
    """Where the units of a shipped line come back to, and how many of them nobody has disposed of yet."""
    rooms: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for order in wire.pages(documents.REVERSE_ORDERS, {"id": asked}, "return", "reverseFulfillmentOrders"):
        for line in order.at("lineItems").each("nodes"):
            left = line.whole("totalQuantity") - sum(each.whole("quantity") for each in line.each("dispositions"))
            rooms[line.at("fulfillmentLineItem").text("id")].append((line.identity("id"), left))
    return rooms


def _processed(line: Node, units: int, rooms: Mapping[str, list[tuple[str, int]]]) -> dict[str, Any]:
    """ReturnProcessReturnLineItemInput."""
    dispositions, left = [], units
    for place, room in rooms.get(line.at("fulfillmentLineItem").text("id"), ()):
        count = min(room, left)
        if count > 0:
            left -= count
            named = {"reverseFulfillmentOrderLineItemId": place, "quantity": count}
            dispositions.append({**named, "dispositionType": "NOT_RESTOCKED"})
    return {"id": line.text("id"), "quantity": units, "dispositions": dispositions}
