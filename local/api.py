"""A small client of Headrace's own API, for the simulated warehouse, the bank and the replay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

_RETRY = urllib3.Retry(total=6, backoff_factor=0.3, status_forcelist=(429, 502, 503, 504), allowed_methods=None)


class ApiError(Exception):
    """An answer that is neither 2xx nor 409; `status` and the API's own reason."""


class Api:
    """Speaks to the API at `address` with `token`. Every write carries an id of its own, so repeats are harmless."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._pool = urllib3.PoolManager(maxsize=8, timeout=urllib3.Timeout(connect=2, read=35), retries=_RETRY)

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON answer."""
        return self._send("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer; a conflict (409) is answered as {"error": …} and raised by nobody."""
        return self._send("POST", path, json.dumps(body).encode())

    def orders(self, stage: str, channel: str = "") -> Iterator[dict[str, Any]]:
        """All open orders of a stage, in pages."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get("/api/orders", stage=stage, channel=channel, limit=100, cursor=cursor)
            yield from page["orders"]
            cursor = page["cursor"]

    def order(self, order_id: str) -> dict[str, Any]:
        """One order in full."""
        found: dict[str, Any] = self.get(f"/api/orders/{quote(order_id, safe='')}")
        return found

    def ship(self, order_id: str, shipment: Mapping[str, Any]) -> Any:
        """Record a shipment."""
        return self.post(f"/api/orders/{quote(order_id, safe='')}/shipments", shipment)

    def _send(self, method: str, path: str, body: bytes | None = None) -> Any:
        answer = self._pool.request(method, self._address + path, body=body, headers=self._headers)
        if answer.status >= 300 and answer.status != 409:
            raise ApiError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return json.loads(answer.data)
