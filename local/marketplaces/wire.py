"""An HTTP exchange as plain values, so that a marketplace can be called without a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """What a client sends. `path` is percent-encoded and begins with '/', `query` holds decoded values."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The value of a header, whatever the case of its name; '' when absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none."""
        return json.loads(self.body.decode())

    def form(self) -> dict[str, str]:
        """The body as application/x-www-form-urlencoded fields."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Response:
    """What a marketplace answers."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none."""
        return json.loads(self.body.decode())


class RefusalError(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def to_json(payload: Any) -> bytes:
    """Compact JSON in UTF-8, keys in the order given."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def json_response(status: int, payload: Any, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    return Response(status, {"Content-Type": "application/json;charset=UTF-8", **(headers or {})}, to_json(payload))


GATEWAY_PAGE = Response(
    503,
    {"Content-Type": "text/html"},
    b"<html><head><title>503 Service Temporarily Unavailable</title></head><body><h1>503</h1></body></html>",
)
