"""Buyers' returns: Post-Order v2, one line of an order each.

Sources: developer.ebay.com/Devzone/post-order (ReturnSummaryType, ReturnStateEnum). eBay can be asked for returns by
their day of creation only, and tells no time of change: the states that were seen last, and since when, are kept in the
job `returns` (return id -> [state, Unix ms]). New reasons and states appear without notice and are passed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.parcels import stamp
from chalicelib.channels.ebay.refunds import order_path
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.facts import ChannelReturn
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.domain.errors import Refused, Unreadable

_PATH = "/post-order/v2/return"
_JOB = "returns"
_PAGE = 200
_MOST_PAGES = 500
_REACH_MS = 90 * 86_400_000  # a return is over by then
_APPROVED = frozenset({"ITEM_READY_TO_SHIP", "READY_FOR_SHIPPING", "ITEM_SHIPPED", "WAITING_FOR_RETURN_SHIPPING"})
_APPROVED |= {"WAITING_FOR_RETURN_LABEL", "RETURN_LABEL_PENDING", "RETURN_LABEL_PROVIDED", "RETURN_RMA_PROVIDED"}
_RECEIVED = frozenset({"ITEM_DELIVERED"})
_DECLINED = frozenset({"RETURN_REJECTED", "RETURN_DECLINED"})


def read_returns(wire: EbayWire, jobs: Jobs, since_ms: int) -> Iterator[ChannelReturn]:
    """Every return whose state has changed since then, as far as anybody has looked in between."""
    seen: Mapping[str, Any] = jobs.get(_JOB) or {}
    first_look = not seen
    now: dict[str, tuple[str, int]] = {}
    news: list[tuple[Node, str, int]] = []
    for summary in _summaries(wire):
        return_id, step = summary.text("returnId"), step_of(summary, _last_step(seen, summary.text("returnId")))
        changed_ms = _changed_ms(summary, step, seen.get(return_id), wire.now_ms, first_look=first_look)
        now[return_id] = (step, changed_ms)
        if changed_ms >= since_ms:
            news.append((summary, step, changed_ms))
    if any(tuple(seen.get(return_id) or ()) != state for return_id, state in now.items()):
        jobs.put(_JOB, {return_id: list(state) for return_id, state in now.items()})
    for summary, step, changed_ms in news:
        if found := _read(wire, summary, step, changed_ms):
            yield found


def step_of(summary: Node, before: str = "") -> str:
    """request, approve, decline or receive. A return that closes stays what it was; one that closes unapproved was
    declined, by the seller or by the buyer himself. An unknown state of one that was approved stays approved."""
    words = {summary.text("state"), summary.text("status")}
    if words & _RECEIVED or before == "receive":
        return "receive"
    if words & _DECLINED:
        return "decline"
    if words & _APPROVED:
        return "approve"
    if "CLOSED" in words:
        return before if before == "approve" else "decline"
    return before or "request"


def answer(wire: EbayWire, return_id: str, status: str) -> None:
    """Bring a return to approved, declined or received; the present state is looked at first, since a step that was
    made before is refused the second time."""
    path = f"{_PATH}/{quote(return_id, safe='')}"
    step = step_of(Node(wire.ask(Call("GET", f"{path}?fieldgroups=FULL"), "detail")).at("detail"))
    if step == "request":
        decision = "DECLINE" if status == "declined" else "APPROVE"
        wire.call(Call("POST", f"{path}/decide", {"decision": decision}, signed=True))
    if status == "received" and step in ("request", "approve"):
        wire.call(Call("POST", f"{path}/mark_as_received", {}))


def _summaries(wire: EbayWire) -> Iterator[Node]:
    start = stamp(wire.now_ms - _REACH_MS)
    for page in range(_MOST_PAGES):
        query = {"creation_date_range_from": start, "limit": str(_PAGE), "offset": str(page * _PAGE)}
        found = Node(wire.found(Call("GET", f"{_PATH}/search?{urlencode(query)}")))
        members = found.each("members")
        yield from (each for each in members if each.text("returnId"))
        if len(members) < _PAGE:
            return
    raise Refused("bad_page", f"the returns do not end after {_MOST_PAGES} pages")


def _last_step(seen: Mapping[str, Any], return_id: str) -> str:
    return str((seen.get(return_id) or [""])[0])


def _changed_ms(summary: Node, step: str, before: Any, now_ms: int, *, first_look: bool) -> int:
    """At the first look nobody knows when what is over came to be over: news are what is open."""
    if before and before[0] == step:
        return int(before[1])
    created_ms = _date_ms(summary.at("creationInfo").at("creationDate"))
    over = "CLOSED" in (summary.text("state"), summary.text("status"))
    if step == "request" or (first_look and over):
        return created_ms or now_ms
    return now_ms


def _read(wire: EbayWire, summary: Node, step: str, changed_ms: int) -> ChannelReturn | None:
    """None for what cannot be read: one such return must not stop the others."""
    try:
        root = summary
        if not root.text("orderId") or not root.at("creationInfo").at("item"):
            root = _detail(wire, summary)
        external_id = root.identity("orderId")
        info = root.at("creationInfo")
        items = _items(wire, external_id, info)
        return ChannelReturn(summary.identity("returnId"), external_id, step, items, info.text("reason"), changed_ms)
    except (Unreadable, Declined):
        return None


def _detail(wire: EbayWire, summary: Node) -> Node:
    path = f"{_PATH}/{quote(summary.identity('returnId'), safe='')}?fieldgroups=FULL"
    found = Node(wire.ask(Call("GET", path), "detail"))
    return found.at("detail")


def _items(wire: EbayWire, external_id: str, info: Node) -> tuple[tuple[str, int], ...]:
    """A return names its line by item and transaction; the line's id is the order's to tell."""
    item = info.at("item")
    units = max(item.whole("returnQuantity", 1), 1)
    try:
        lines = Node(wire.ask(Call("GET", order_path(external_id)), "orderId")).each("lineItems")
    except Declined:
        lines = []  # an order that eBay does not show any more
    wanted = item.text("transactionId")
    own = [line.text("lineItemId") for line in lines if line.text("lineItemId") == wanted]
    own += [line.text("lineItemId") for line in lines if line.text("legacyItemId") == item.text("itemId")]
    line_id = own[0] if own else wanted
    return ((line_id, units),) if line_id else ()


def _date_ms(place: Node) -> int:
    try:
        return place.optional_time_ms("value")
    except Unreadable:
        return 0
