"""The shop of the simulation: it sells, changes its mind, is told of parcels and pays buyers back, and forgets nothing.

It speaks our channel API (docs/channels.md) and guards nothing: what it is told last is what it shows, and money that
it is asked to pay under a new id leaves again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse

START = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 5
PRICE = 500
MARK = "Mx Personal-Data"  # the buyers' name, which may be nowhere but in contacts and raw bodies


class Shop:
    """Orders by id, as documents of the storefront's JSON; `shown` is the stock that buyers see."""

    secret: Mapping[str, Any] = {"token": "t"}
    settings: Mapping[str, Any] = {}  # of our account, beside its address

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.shown: dict[str, int] = {}
        self.prices: dict[str, str] = {}
        self.while_pricing: Callable[[str], None] = lambda sku: None  # what happens before a price is answered
        self.parcels: dict[tuple[str, str], dict[str, int]] = {}
        self.refunds: Counter[str] = Counter()  # by order, minor units that have left
        self.cancelled: dict[tuple[str, str], dict[str, int]] = {}
        self.binned: set[str] = set()  # what cannot be offered there for a while
        self.gone: set[str] = set()  # orders that it will hear no more of being called off
        self.refund_ids: dict[tuple[str, str], int] = {}  # (order, refund) that it was asked for -> minor units
        self._changes = 0
        self._visible: dict[str, int] = {}  # order -> the change at which the list of changes shows it

    def refs(self, sku: str) -> dict[str, str]:  # noqa: ARG002
        """What a listing of it is known by, beside its SKU."""
        return {}

    def place(self, number: str, lines: list[dict[str, Any]], payment: dict[str, Any], **more: Any) -> None:
        """A new order."""
        self.orders[number] = {
            "id": number,
            "placed_at": START.isoformat(),
            "currency": "EUR",
            "lines": lines,
            "payment": payment,
            "customer": {"name": MARK, "email": f"{number}@example.org"},
            "ship_to": {"line1": f"{number} Mill Lane", "postcode": "BA1 1AA", "country": "GB"},
            **more,
        }
        self.changed(number)

    def changed(self, number: str, *, late: int = 0) -> None:
        """The order is another from now on; the list of changes may show that `late` changes later."""
        self._changes += 1
        minute, second = divmod(self._changes, 60)
        document = self.orders[number]
        document |= {
            "updated_at": START.replace(hour=minute // 60, minute=minute % 60, second=second).isoformat(),
            "total": f"{self._total(document) / 100:.2f}",
        }
        self._visible[number] = self._changes + late

    def settle(self) -> None:
        """What was changed shows in the list of changes at last."""
        self._visible = dict.fromkeys(self._visible, 0)

    def document(self, number: str) -> str:
        """The order as the shop would send it now."""
        return json.dumps(self.orders[number])

    def __call__(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        path = [unquote(part) for part in split.path.split("/")[1:]]
        body = json.loads(request.body) if request.body else {}
        status, answer = self._answer(request.method, path, parse_qs(split.query), body)
        return HttpResponse(status, {"content-type": "application/json"}, json.dumps(answer).encode())

    def _total(self, document: dict[str, Any]) -> int:
        """What the buyer pays, in minor units."""
        return sum(line["quantity"] for line in document["lines"]) * PRICE

    def _answer(self, method: str, path: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        match method, path:
            case "GET", ["orders"]:
                return 200, self._changes_since(query["changed_since"][0], int(query.get("cursor", ["0"])[0]))
            case "GET", ["orders", number] if number in self.orders:
                return 200, self.orders[number]
            case "PUT", ["availability"]:
                self.shown |= {item["sku"]: item["quantity"] for item in body["items"]}
                return 200, {"results": [{"sku": item["sku"], "status": "ok"} for item in body["items"]]}
            case "PUT", ["prices"]:
                for item in body["items"]:
                    self.prices[item["sku"]] = item["price"]
                    self.while_pricing(item["sku"])
                return 200, {"results": [{"sku": item["sku"], "status": "ok"} for item in body["items"]]}
            case "PUT", ["orders", number, "shipments", shipment_id] if number in self.orders:
                self.parcels[number, shipment_id] = {line["id"]: line["units"] for line in body["lines"]}
                return 200, {}
            case "PUT", ["orders", number, "cancellations", cancellation_id] if number in self.orders:
                self.cancelled[number, cancellation_id] = {line["id"]: line["units"] for line in body["lines"]}
                return 200, {}
            case "PUT", ["orders", number, "refunds", refund_id] if number in self.orders:
                if (number, refund_id) not in self.refund_ids:
                    self.refund_ids[number, refund_id] = round(float(body["amount"]) * 100)
                    self.refunds[number] += self.refund_ids[number, refund_id]
                return 200, {"status": "refunded"}
        return 404, {"error": "not_found"}

    def _changes_since(self, since: str, start: int) -> dict[str, Any]:
        from_time = datetime.fromisoformat(since)
        found = sorted(
            (document["updated_at"], number)
            for number, document in self.orders.items()
            if self._visible[number] <= self._changes and datetime.fromisoformat(document["updated_at"]) >= from_time
        )
        page = [self.orders[number] for _, number in found[start : start + PAGE]]
        more = start + PAGE < len(found)
        return {"orders": page, "cursor": str(start + PAGE) if more else None}
