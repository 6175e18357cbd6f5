"""The API's front door over a world in memory: the app as Lambda calls it, with the event that API Gateway sends."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chalicelib.runtime import wiring
from local.memory.meter import BYTES_OUT
from local.memory.world import World

TOKEN = "the token of the cost meter"  # noqa: S105 opens nothing but a world in memory


class Door:
    """Requests of the API, each metered as one invocation of `api_handler`."""

    def __init__(self, world: World) -> None:
        from app import app

        self._app = app
        self._world = world
        world.secrets.kept["api-tokens"] = {hashlib.sha256(TOKEN.encode()).hexdigest(): "cost"}

    def call(
        self,
        method: str,
        resource: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> Any:
        """The JSON answer of a route such as `/api/orders/{order_id}`. Raises ValueError for any but a 2xx."""
        with self._world.api_request():
            answer = self._app(_event(method, resource, body, headers or {}, query or {}, parameters), None)
            self._world.meter.count(BYTES_OUT, "api", len(answer["body"]))
        if not 200 <= answer["statusCode"] < 300:
            raise ValueError(f"{method} {resource}: {answer['statusCode']} {answer['body'][:300]}")
        return json.loads(answer["body"])


def _event(
    method: str,
    resource: str,
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    parameters: Mapping[str, str],
) -> dict[str, Any]:
    own = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    return {
        "requestContext": {"httpMethod": method, "resourcePath": resource, "path": resource, "identity": {}},
        "headers": {**own, **{name.lower(): value for name, value in headers.items()}},
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "body": body.decode(),
        "isBase64Encoded": False,
    }


@contextmanager
def opened(world: World) -> Iterator[Door]:
    """The door of this world; routes find the world's ports where they would find their container's."""
    door = Door(world)
    modules = [m for name, m in sys.modules.items() if name.startswith("chalicelib.")]
    holders = [m for m in modules if getattr(m, "runtime", None) is wiring.runtime and m is not wiring]
    deployed = wiring.runtime
    for module in holders:
        module.__dict__["runtime"] = lambda: world.runtime
    try:
        yield door
    finally:
        for module in holders:
            module.__dict__["runtime"] = deployed
