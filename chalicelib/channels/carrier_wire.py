"""What the rooms of carriers share: one account's HTTP, the units of parcels and the names of addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from chalicelib.channels.budgets import Budget
from chalicelib.channels.carrier_port import Address
from chalicelib.channels.fields import Node
from chalicelib.channels.transport import HttpRequest, TokenRejected, Transport, checked, retry_after_s
from chalicelib.domain.errors import Busy, Refused, Unauthorised, Unreadable

PAGE, MOST_PAGES = 100, 50  # of a list: objects of one page, and pages that are looked through

_SKEW_MS = 600_000
_AGENT = "Headrace/0.1 (Language=Python)"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OUNCE_G = Decimal("28.349523125")
_INCH_MM = Decimal("25.4")
_TENTH = Decimal("0.1")
_THOUSANDTH = Decimal("0.001")  # Source: docs.easypost.com, customs items: more decimals are cut


class CarrierWire:
    """Speaks JSON with one account of a service. A key never travels in the clear, nor to another host. Calls to get,
    to list and to change each have a budget; a refused one (429) makes all others of its kind wait."""

    def __init__(self, transport: Transport, base_url: str, authorization: str, service: str, budget: Budget) -> None:
        self._transport = transport
        self._base_url = safe_url(base_url)
        self._authorization = authorization
        self._service = service
        self._budget = budget

    def get(self, *path: str) -> Node:
        """The object at this path, given in its parts."""
        return self._call("get", "GET", path_of(*path), None)

    def list(self, path: str, query: Mapping[str, str], name: str) -> Node:
        """A page of the objects at this path, which are its list `name`. `Busy` for a page without: what is looked for
        in vain is made again."""
        page = self._call("list", "GET", f"{path}?{urlencode(query)}", None)
        if not page.has(name):
            raise Busy(f"{self._service} answered {path} without {name}", after_s=5)
        return page

    def post(self, path: str, body: Mapping[str, Any]) -> Node:
        """The object that this makes."""
        return self._call("post", "POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Node:
        """The object, with this much of it changed."""
        return self._call("post", "PATCH", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Node:
        """The object, as it is now to be."""
        return self._call("post", "PUT", path, body)

    def listed(self, path: str) -> Sequence[Node]:
        """The objects of an answer that is a bare list."""
        return Node({"list": self._answer("list", "GET", path, None)}).each("list")

    def file(self, url: str) -> bytes:
        """A label's file, wherever it lies, fetched without the account's key: its address is secret enough.

        Raises `Refused` file_gone when the address is no longer good.
        """
        response = self._transport(HttpRequest("GET", safe_url(url), {"user-agent": _AGENT}))
        if response.status == 429 or response.status >= 500:
            raise Busy(f"the label's file: {response.status}", after_s=retry_after_s(response))
        if response.status != 200 or not response.body:
            raise Refused("file_gone", f"the label's file is not at its address: {response.status}")
        return response.body

    def _call(self, operation: str, method: str, path: str, body: Mapping[str, Any] | None) -> Node:
        answer = self._answer(operation, method, path, body)
        if not isinstance(answer, dict):
            raise Busy(f"{self._service} answered without an object", after_s=5)
        return Node(answer)

    def _answer(self, operation: str, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        self._budget.spend(operation)
        headers = {"authorization": self._authorization, "accept": "application/json", "user-agent": _AGENT}
        if body is not None:
            headers["content-type"] = "application/json"
        sent = json.dumps(body).encode() if body is not None else b""
        response = self._transport(HttpRequest(method, self._base_url + path, headers, sent))
        if response.status == 429:
            self._budget.drain(operation, retry_after_s(response))
        try:
            return checked(response, self._service)
        except TokenRejected as error:
            raise Unauthorised(f"{error}: renew the key in the secret of the account") from None


def path_of(*parts: str) -> str:
    """The path of these parts, each encoded."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def since(asked_ms: int) -> str:
    """When a search begins for what was asked for then: earlier, since their clock may be behind ours."""
    return f"{datetime.fromtimestamp((asked_ms - _SKEW_MS) // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def safe_url(url: str) -> str:
    """The address without its last slash; https, or http on this machine. Raises `Refused`."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Refused("bad_url", "an address of a carrier's service must begin with https://")
    return url.rstrip("/")


def postal(address: Address) -> dict[str, str]:
    """The address by the names that EasyPost and Shippo share; what is not known is left out.

    Source: easypost-fixtures.json (addresses), recorded POST /addresses/ of Shippo.
    """
    parts = {
        "name": address.name,
        "company": address.company,
        "street1": address.line1,
        "street2": address.line2,
        "city": address.city,
        "state": address.region,
        "zip": address.postcode,
        "country": address.country,
        "phone": address.phone,
        "email": address.email,
    }
    return {name: text for name, text in parts.items() if text}


def ounces(weight_g: int) -> float:
    """Ounces to one decimal, rounded up: too little postage is paid for later, and dearer."""
    return float((weight_g / _OUNCE_G).quantize(_TENTH, ROUND_UP))


def ounces_within(weight_g: int) -> float:
    """Ounces to three decimals, rounded down: what is in a parcel never weighs more than the parcel."""
    return float(max((weight_g / _OUNCE_G).quantize(_THOUSANDTH, ROUND_DOWN), _THOUSANDTH))


def inches(length_mm: int) -> float:
    """Inches to one decimal, rounded up."""
    return float((length_mm / _INCH_MM).quantize(_TENTH, ROUND_UP))


def days_of(offer: Node, *names: str) -> int | None:
    """The first of these fields that tells days; None when none does in a way that can be read."""
    for name in names:
        try:
            if offer.has(name) and (days := offer.whole(name)) >= 0:
                return days
        except Unreadable:
            continue
    return None
