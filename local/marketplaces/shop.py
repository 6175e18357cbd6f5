"""A stand-in of an own shop that serves the open API of docs/channels.md ("Connected shop"), in memory and fast.

It behaves as that page asks of a shop: what comes again under a known id changes nothing, an older version of a
quantity is ignored, and each change of an order renews its document. `effects` logs what really changed, in order.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.money import to_minor, to_text

Json = dict[str, Any]
Answer = tuple[int, Json]
WishKey = tuple[str, str]  # the order's id, the id of the parcel, refund or cancellation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Shown(NamedTuple):
    """What the shop shows of one SKU; version -1 before it was ever told."""

    quantity: int
    version: int


@dataclass
class Refund:
    """One refund. `moves` counts how often its money moved, which must be once at most."""

    amount_minor: int
    currency: str
    status: str  # pending, refunded
    moves: int = 0


class ShopStandIn:
    """One shop. `skus` are those that it sells; `clock` gives Unix ms and dates the changes of its orders.

    slow_refunds   True: a new refund stays pending until `settle_refunds`
    instead        what to answer to the next requests of `send` in place of the shop's own answer
    lost           how many of the next requests of `send` are carried out and then answered by a gateway's error page
    """

    def __init__(
        self,
        skus: Iterable[str],
        clock: Callable[[], int],
        *,
        base_url: str = "https://shop.example/api",
        token: str = "shop-token",  # noqa: S107 a stand-in's
        page_size: int = 50,
    ) -> None:
        self.base_url = base_url
        self.token = token
        self.orders: dict[str, Json] = {}
        self.availability = {sku: Shown(0, -1) for sku in skus}
        self.prices: dict[str, tuple[int, int]] = {}  # minor units, and of which version
        self.shipments: dict[WishKey, Json] = {}
        self.refunds: dict[WishKey, Refund] = {}
        self.cancellations: dict[WishKey, Json] = {}
        self.effects: list[tuple[Any, ...]] = []
        self.calls: Counter[str] = Counter()
        self.slow_refunds = False
        self.instead: deque[HttpResponse] = deque()
        self.lost = 0
        self._clock = clock
        self._page_size = page_size
        self._changed_ms: dict[str, int] = {}
        self._put: Mapping[str, Callable[[str, str, Json], Answer]] = {
            "shipments": self._put_shipment,
            "refunds": self._put_refund,
            "cancellations": self._put_cancellation,
        }

    @property
    def account(self) -> Json:
        """Settings of the channel account that reaches this shop."""
        return {"base_url": self.base_url}

    @property
    def secret(self) -> Json:
        """The secret `api` of that account."""
        return {"token": self.token}

    def place(self, document: Mapping[str, Any]) -> None:
        """A new order, or a new state of one, in the shop's own JSON. `updated_at` is the clock's when missing."""
        order = json.loads(json.dumps(document))
        order.setdefault("updated_at", _iso(self._clock()))
        self.orders[order["id"]] = order
        self._changed_ms[order["id"]] = _unix_ms(order["updated_at"])

    def settle_refunds(self) -> None:
        """The bank carries out what is pending."""
        for key, refund in self.refunds.items():
            if refund.status == "pending":
                self._move_money(key, refund)

    def refunded_minor(self, order_id: str) -> int:
        """All money given back on an order, under whatever keys: a refund doubled under a new key shows here."""
        return sum(
            refund.amount_minor * refund.moves for (owner, _), refund in self.refunds.items() if owner == order_id
        )

    def send(self, request: HttpRequest) -> HttpResponse:
        """A `Transport` to this shop."""
        split = urlsplit(request.url)
        path = split.path.removeprefix(urlsplit(self.base_url).path)
        if self.instead:
            return self.instead.popleft()
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _response(401, {"error": "bad_token"})
        body = json.loads(request.body) if request.body else {}
        status, answer = self.handle(request.method, path, dict(parse_qsl(split.query)), body)
        if self.lost:
            self.lost -= 1
            return HttpResponse(502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")
        return _response(status, answer)

    def handle(self, method: str, path: str, query: Mapping[str, str], body: Json) -> Answer:
        """One request, already authorised: its status and JSON."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        self.calls[f"{method} {parts[2] if len(parts) > 2 else parts[0]}"] += 1
        match (method, *parts):
            case ("GET", "orders"):
                return self._page(query)
            case ("GET", "orders", order_id):
                return (200, self.orders[order_id]) if order_id in self.orders else _unknown_order()
            case ("PUT", "availability"):
                return 200, {"results": [self._show(item) for item in body["items"]]}
            case ("PUT", "prices"):
                return 200, {"results": [self._price(item) for item in body["items"]]}
            case ("PUT", "orders", order_id, kind, wish_id) if kind in self._put:
                return self._put[kind](order_id, wish_id, body) if order_id in self.orders else _unknown_order()
            case _:
                return 404, {"error": "no_such_path"}

    def _page(self, query: Mapping[str, str]) -> Answer:
        """The cursor is the last order given, by time and id, so that a change in between skips nothing."""
        since_ms = _unix_ms(query["changed_since"])
        last_ms, _, last_id = query.get("cursor", "0|").partition("|")
        after = (int(last_ms), last_id)
        found = sorted((ms, name) for name, ms in self._changed_ms.items() if ms >= since_ms and (ms, name) > after)
        page = found[: self._page_size]
        cursor = f"{page[-1][0]}|{page[-1][1]}" if len(found) > len(page) else None
        return 200, {"orders": [self.orders[name] for _, name in page], "cursor": cursor}

    def _show(self, item: Json) -> Json:
        sku, new = item["sku"], Shown(item["quantity"], item["version"])
        known = self.availability.get(sku)
        if known is None:
            return {"sku": sku, "status": "unknown_sku"}
        if new.version < known.version:
            return {"sku": sku, "status": "stale"}
        if new != known:
            self.availability[sku] = new
            self.effects.append(("availability", sku, *new))
        return {"sku": sku, "status": "ok"}

    def _price(self, item: Json) -> Json:
        sku, version = item["sku"], item["version"]
        if sku not in self.availability:
            return {"sku": sku, "status": "unknown_sku"}
        known_version = self.prices.get(sku, (0, -1))[1]
        if version < known_version:
            return {"sku": sku, "status": "stale"}
        if version > known_version:
            self.prices[sku] = (to_minor(item["price"], item["currency"]), version)
            self.effects.append(("price", sku, *self.prices[sku]))
        return {"sku": sku, "status": "ok"}

    def _put_shipment(self, order_id: str, shipment_id: str, body: Json) -> Answer:
        if (order_id, shipment_id) in self.shipments:
            return 200, {}
        if trouble := self._count_units(order_id, "fulfilled", body["lines"]):
            return trouble
        self.shipments[order_id, shipment_id] = body
        self.effects.append(("shipment", order_id, shipment_id))
        return 200, {}

    def _put_cancellation(self, order_id: str, cancellation_id: str, body: Json) -> Answer:
        if (order_id, cancellation_id) in self.cancellations:
            return 200, {}
        if trouble := self._count_units(order_id, "cancelled", body["lines"]):
            return trouble
        self.cancellations[order_id, cancellation_id] = body
        self.effects.append(("cancellation", order_id, cancellation_id))
        return 200, {}

    def _count_units(self, order_id: str, key: str, lines: Iterable[Json]) -> Answer | None:
        """Add units to `fulfilled` or `cancelled` of an order's lines, all or none: never more than are open."""
        wanted: Counter[str] = Counter()
        for line in lines:
            wanted[line["id"]] += line["units"]
        by_id = {line["id"]: line for line in self.orders[order_id]["lines"]}
        for line_id, units in wanted.items():
            if line_id not in by_id:
                return 409, {"error": "unknown_line"}
            if not 0 < units <= _open_units(by_id[line_id]):
                return 409, {"error": "units_not_open"}
        for line_id, units in wanted.items():
            by_id[line_id][key] = by_id[line_id].get(key, 0) + units
        self._renew(order_id)
        return None

    def _put_refund(self, order_id: str, refund_id: str, body: Json) -> Answer:
        order, key = self.orders[order_id], (order_id, refund_id)
        try:
            wished = Refund(to_minor(body["amount"], order["currency"]), body["currency"], "pending")
        except Unreadable:
            return 400, {"error": "bad_amount"}
        known = self.refunds.get(key)
        if known is None:
            if wished.currency != order["currency"]:
                return 409, {"error": "currency_mismatch"}
            if not 0 < wished.amount_minor <= self._refundable_minor(order):
                return 409, {"error": "exceeds_captured"}
            known = self.refunds[key] = wished
            if not self.slow_refunds:
                self._move_money(key, wished)
        elif (known.amount_minor, known.currency) != (wished.amount_minor, wished.currency):
            return 409, {"error": "refund_id_reused"}
        return 200, {"status": known.status}

    def _refundable_minor(self, order: Json) -> int:
        """What was captured less all refunds, made here or wished for and pending."""
        payment, currency = order["payment"], order["currency"]
        paid = order["total"] if payment["status"] == "paid" else 0
        captured_minor = to_minor(payment.get("captured", paid), currency)
        pending_minor = sum(
            refund.amount_minor
            for (owner, _), refund in self.refunds.items()
            if owner == order["id"] and refund.status == "pending"
        )
        return captured_minor - to_minor(payment.get("refunded", 0), currency) - pending_minor

    def _move_money(self, key: WishKey, refund: Refund) -> None:
        refund.status = "refunded"
        refund.moves += 1
        order = self.orders[key[0]]
        payment = order["payment"]
        refunded_minor = to_minor(payment.get("refunded", 0), refund.currency) + refund.amount_minor
        payment["refunded"] = to_text(refunded_minor, refund.currency)
        self.effects.append(("refund", *key, refund.amount_minor))
        self._renew(key[0])

    def _renew(self, order_id: str) -> None:
        """An order's times of change rise, even when its clock stands still."""
        changed_ms = max(self._clock(), self._changed_ms[order_id] + 1)
        self._changed_ms[order_id] = changed_ms
        self.orders[order_id]["updated_at"] = _iso(changed_ms)


def _open_units(line: Json) -> int:
    return int(line["quantity"]) - int(line.get("fulfilled", 0)) - int(line.get("cancelled", 0))


def _unknown_order() -> Answer:
    return 404, {"error": "unknown_order"}


def _response(status: int, answer: Json) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(answer).encode())


def _unix_ms(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def _iso(at_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
