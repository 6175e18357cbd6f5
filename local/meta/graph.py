"""A stand-in for the Graph API: takes events of the Conversions API and counts each purchase once, and keeps a
catalogue that batches change some time after they were taken."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse
from local.marketplaces.faults import FaultDie

_WEEK_S = 7 * 86_400
_MOST_EVENTS = 1000
_MOST_ITEMS = 5000
# What a new item needs, and what else there is of it. Source: Meta, supported fields of PRODUCT_ITEM.
_NEEDED = frozenset(("id", "title", "description", "availability", "condition", "price", "link", "image_link"))
_FIELDS = _NEEDED | {"quantity_to_sell_on_facebook", "brand"}
# edge -> parameters that it takes, those that it must have first. Sources: models AdsPixel and ProductCatalog.
_PARAMETERS = {
    "events": ({"data"}, {"test_event_code"}),
    "items_batch": ({"item_type", "requests"}, {"allow_upsert"}),
    "check_batch_request_status": ({"handle"}, {"load_ids_of_invalid_requests"}),
}
_METHODS = ("CREATE", "UPDATE", "DELETE")
_OF_EVENTS = frozenset(
    ("event_name", "event_time", "event_id", "event_source_url", "action_source", "user_data", "custom_data")
)
_HASHED = frozenset(("em", "ph", "fn", "ln", "ct", "st", "zp", "country", "external_id"))
_PLAIN = frozenset(("client_user_agent", "client_ip_address", "fbc", "fbp"))
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PRICE = re.compile(r"[0-9]+(\.[0-9]{1,3})? [A-Z]{3}")


def whole_item(name: str, availability: str = "in stock") -> dict[str, Any]:
    """An item with all that a new one needs."""
    texts = dict.fromkeys(_NEEDED, "as told")
    return texts | {"id": name, "availability": availability, "price": "1.00 EUR"}


class Graph:
    """One app and its dataset. `events`: what has been counted, by name and id; `calls`: how often it was asked;
    `failing`: an error code that is answered instead. Of the catalogue: `items` by retailer id, `batches` as they were
    sent, `busy` (no batch gets done), `failing_items` (come to nothing when a batch is carried out), `invalid_items`
    (do not even get into it), `poisonous_items` (their batch is refused whole), `silent_handles` (nothing tells)."""

    def __init__(
        self, token: str, dataset_id: str, now_ms: int, die: FaultDie | None = None, catalogue_id: str = "c-1"
    ) -> None:
        self.token, self.dataset_id, self.now_ms = token, dataset_id, now_ms
        self.die = die or FaultDie()
        self.events: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls = 0
        self.failing = 0
        self.catalogue_id = catalogue_id
        self.items: dict[str, dict[str, Any]] = {}
        self.batches: list[list[dict[str, Any]]] = []
        self.busy = False
        self.failing_items: set[str] = set()
        self.invalid_items: set[str] = set()
        self.poisonous_items: set[str] = set()
        self.silent_handles: set[str] = set()

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answers as Graph does; the die may lose the answer of a call that was carried out."""
        self.calls += 1
        if self.die.hits(self.die.faults.unavailable):
            return HttpResponse(503, {}, b"<html>unavailable</html>")
        answer = self._answer(request)
        if self.die.hits(self.die.faults.answer_lost):
            return HttpResponse(503, {}, b"<html>gateway</html>")
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if self.failing:
            return _error(self.failing)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(190)
        place = urlsplit(request.url)
        edge = (request.method, *place.path.split("/")[2:])
        given = {name: values[0] for name, values in parse_qs(place.query).items()}
        given |= json.loads(request.body) if request.body else {}
        needed, others = _PARAMETERS.get(edge[-1], (set(), {"fields"}))
        if not needed <= given.keys() <= needed | others | {"appsecret_proof"}:
            return _error(100)
        if edge == ("POST", self.catalogue_id, "items_batch"):
            return self._take_batch(given)
        if edge == ("GET", self.catalogue_id, "check_batch_request_status"):
            return self._state_of(given["handle"])
        if edge in (("GET", self.dataset_id), ("GET", self.catalogue_id)):
            thing = {
                "id": edge[1],
                "name": f"thing {edge[1]}",
                "is_unavailable": False,
                "product_count": len(self.items),
            }
            wanted = given["fields"].split(",")
            return _answer({name: thing[name] for name in wanted})
        if edge != ("POST", self.dataset_id, "events"):
            return _error(100)
        events = given["data"]
        if not 0 < len(events) <= _MOST_EVENTS or not all(self._is_taken(event) for event in events):
            return _error(100)
        for event in events:
            self.events.setdefault((event["event_name"], event["event_id"]), event)
        return _answer({"events_received": len(events)})

    def _is_taken(self, event: dict[str, Any]) -> bool:
        user, custom = event.get("user_data", {}), event.get("custom_data", {})
        recent = 0 <= self.now_ms // 1000 - int(event.get("event_time", 0)) < _WEEK_S
        web = event.get("action_source") == "website" and event.get("event_source_url", "").startswith("http")
        known = event.keys() <= _OF_EVENTS and user.keys() <= _HASHED | _PLAIN and bool(user.get("client_user_agent"))
        hashed = all(_DIGEST.fullmatch(text) for name in user.keys() & _HASHED for text in user[name])
        plain = not any(_DIGEST.fullmatch(user[name]) for name in user.keys() & _PLAIN)
        return recent and web and known and hashed and plain and {"currency", "value"} <= custom.keys()

    def _take_batch(self, body: dict[str, Any]) -> HttpResponse:
        requests = body["requests"]
        if (
            body["item_type"] != "PRODUCT_ITEM"
            or not isinstance(requests, list)
            or not 0 < len(requests) <= _MOST_ITEMS
        ):
            return _error(100)
        if not all(each.get("method") in _METHODS and each.get("data", {}).get("id") for each in requests):
            return _error(100)
        if any(each["data"]["id"] in self.poisonous_items for each in requests):
            return _error(100)
        taken = [request for request in requests if request["data"]["id"] not in self.invalid_items]
        refused = [request["data"]["id"] for request in requests if request not in taken]
        self.batches.append(taken)
        told = [{"retailer_id": name, "errors": [{"message": "as asked"}], "warnings": []} for name in refused]
        return _answer({"handles": [f"h{len(self.batches)}"] if taken else [], "validation_status": told})

    def _state_of(self, handle: str) -> HttpResponse:
        """A batch is carried out when somebody asks after it, unless Meta is busy."""
        if handle in self.silent_handles:
            return _error(2)
        number = handle.removeprefix("h")
        if not number.isdecimal() or not 0 < int(number) <= len(self.batches):
            return _error(100)
        if self.busy:
            return _answer({"data": [{"status": "started", "errors": [], "errors_total_count": 0}]})
        errors = [error for request in self.batches[int(number) - 1] for error in self._carry_out(request)]
        state = {"status": "finished", "errors": errors, "errors_total_count": len(errors)}
        return _answer({"data": [state | {"warnings": [], "ids_of_invalid_requests": [e["id"] for e in errors]}]})

    def _carry_out(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        data = request["data"]
        name = data["id"]
        if request["method"] == "DELETE":
            self.items.pop(name, None)
            return []
        item = self.items.get(name, {}) | data
        is_item = _NEEDED <= item.keys() <= _FIELDS and _PRICE.fullmatch(item["price"])
        if name in self.failing_items or not is_item or item["availability"] not in ("in stock", "out of stock"):
            return [{"line": 0, "id": name, "message": "as asked"}]
        self.items[name] = item
        return []


def _answer(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps(body).encode())


def _error(code: int) -> HttpResponse:
    body = {"error": {"code": code, "message": "as asked", "error_subcode": 0, "fbtrace_id": "trace"}}
    return HttpResponse(400, {}, json.dumps(body).encode())
