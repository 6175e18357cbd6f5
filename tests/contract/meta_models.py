"""What Meta's official models do not allow in a request of ours; [] when nothing.

Sources: specs/meta/api_specs (AdsPixel, ProductCatalog, ProductItem), the fields that the Conversions API's SDK sends,
and the parameters of its documentation. Objects are closed: a name that no model has is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse, Transport
from tests.contract.official_counts import COUNTS
from tests.contract.official_specs import document

_NODES = {
    "events": "AdsPixel",
    "items_batch": "ProductCatalog",
    "check_batch_request_status": "ProductCatalog",
}
_OF_EVERY_CALL = {"appsecret_proof"}
_METHODS = ("CREATE", "UPDATE", "DELETE")
# A batch names these as a feed does, the model of an item as Graph does.
_FEED_NAMES = {"id": "retailer_id", "title": "name", "link": "url", "image_link": "image_url"}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PRICE = re.compile(r"\d+(\.\d{1,3})? [A-Z]{3}")
_TYPES: Mapping[str, tuple[type, ...]] = {"string": (str,), "bool": (bool,), "unsigned int": (int,)}


def held(transport: Transport) -> Transport:
    """The transport, with each request to Meta held to its model and counted."""

    def send(request: HttpRequest) -> HttpResponse:
        wrong = wrong_in_request(request)
        assert wrong == [], f"{request.method} {request.url}: {wrong}"
        COUNTS.requests[f"meta {request.method} {_edge(request)}"] += 1
        return transport(request)

    return send


def wrong_in_request(request: HttpRequest) -> list[str]:
    """What the models have against a request."""
    edge = _edge(request)
    known = _parameters(request.method, edge)
    if known is None:
        return [f"no such operation: {request.method} {edge}"]
    query = dict(parse_qsl(urlsplit(request.url).query))
    wrong = ["a token in the URL"] if "access_token" in query else []
    given = {name: value == "true" if value in ("true", "false") else value for name, value in query.items()}
    given |= json.loads(request.body) if request.body else {}
    wrong += [f"unknown parameter {name}" for name in given.keys() - known.keys() - _OF_EVERY_CALL]
    wrong += [f"missing {name}" for name, each in known.items() if each["required"] and name not in given]
    for name in given.keys() & known.keys():
        if not isinstance(given[name], _TYPES.get(known[name]["type"], (list, dict))):
            wrong.append(f"{name} is no {known[name]['type']}")
    if edge == "items_batch" and not wrong:
        wrong += [each for item in given["requests"] for each in _wrong_in_item(item)]
    if edge == "events" and not wrong:
        wrong += [each for event in given["data"] for each in _wrong_in_event(event)]
    return wrong


def _edge(request: HttpRequest) -> str:
    return urlsplit(request.url).path.rpartition("/")[2]


def _parameters(method: str, edge: str) -> dict[str, Any] | None:
    """The parameters of an operation by name; None when there is no such operation."""
    apis = document(f"specs/meta/api_specs/{_NODES[edge]}.json")["apis"] if edge in _NODES else []
    found = next((each for each in apis if (each["method"], each.get("endpoint")) == (method, edge)), None)
    return {each["name"]: each for each in found["params"]} if found else None


@cache
def _item_fields() -> frozenset[str]:
    fields = {each["name"] for each in document("specs/meta/api_specs/ProductItem.json")["fields"]}
    return frozenset(fields - set(_FEED_NAMES.values()) | _FEED_NAMES.keys())


def _wrong_in_item(request: Mapping[str, Any]) -> Iterator[str]:
    data = request.get("data", {})
    if request.keys() != {"method", "data"} or request["method"] not in _METHODS or not data.get("id"):
        yield f"an item needs a method of {_METHODS} and data with an id"
    yield from (f"unknown field of an item: {name}" for name in data.keys() - _item_fields())
    if not _PRICE.fullmatch(data.get("price", "1 EUR")):
        yield f"price {data['price']}"
    if not isinstance(data.get("quantity_to_sell_on_facebook", 0), int):
        yield "quantity_to_sell_on_facebook is no number"


def _wrong_in_event(event: Mapping[str, Any]) -> Iterator[str]:
    fields = document("specs/meta/conversions-api-fields-from-sdk.json")
    told = document("specs/meta/conversions-api-parameters-from-docs.json")
    for name, each in told["server_event"].items():
        if each.get("required") and name not in event:
            yield f"an event needs {name}"
    user, custom = event.get("user_data", {}), event.get("custom_data", {})
    yield from _unknown("event", event, {*fields["event"]["wire_keys"], *told["server_event"]})
    yield from _unknown("user_data", user, told["user_data_hash_rule"].keys())
    yield from _unknown("custom_data", custom, {*fields["custom_data"]["wire_keys"], "contents"})
    for content in custom.get("contents", []):
        yield from _unknown("contents", content, fields["content"]["wire_keys"])
    if event.get("action_source") == "website" and not user.get("client_user_agent"):
        yield "an event of a website needs client_user_agent"
    if event.get("event_name") == "Purchase" and not {"currency", "value"} <= custom.keys():
        yield "a purchase needs currency and value"
    for name, value in user.items():
        rule, values = told["user_data_hash_rule"].get(name, ""), value if isinstance(value, list) else [value]
        hashed = all(_DIGEST.fullmatch(str(each)) for each in values)
        if (rule.endswith("required") and not hashed) or (rule == "never hash" and hashed):
            yield f"{name}: {rule}"


def _unknown(where: str, given: Mapping[str, Any], known: Any) -> Iterator[str]:
    return (f"unknown field of {where}: {name}" for name in given.keys() - set(known))
