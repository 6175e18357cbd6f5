"""The marketplaces' official models as operations: Amazon's are Swagger 2, eBay's OpenAPI 3. Read lazily, kept.

Objects are *closed* for what we send and what a stand-in answers: a field that the model does not name is an error,
although the official schemas would let it pass, so that a misspelt optional field is found.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.shared_data import shared

METHODS = ("get", "put", "post", "delete", "patch")
# An older edition of a model beside the newest one: read by nobody, or every path would be there twice.
SUPERSEDED = {"sell_fulfillment_v1.20.7_oas3.json": "sell_fulfillment_v1_oas3.json"}
# No official Post-Order model can be had; these list paths (specs/ebay/SOURCE.md), so only method and path are checked.
PATHS_ONLY = dict.fromkeys(
    (
        "post_order_cancellation_oas3.json",
        "post_order_case_oas3.json",
        "post_order_inquiry_oas3.json",
        "post_order_return_oas3.json",
    ),
    "the Post-Order model lists methods and paths, no parameters and no bodies",
)


@dataclass(frozen=True)
class Parameter:
    """A parameter in the query, the path or a header; `schema` is a JSON schema, `collection` how an array is written:
    `csv` (commas), `multi` (the name again and again)."""

    name: str
    place: str
    required: bool
    schema: Mapping[str, Any]
    collection: str = "csv"


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of an official model.

    `spec` is the file below specs/`market`; `path` the path in it, `template` with its base path in front; `hosts`
    where it is served (eBay only); `responses` the schema of each listed status, None where no body is described.
    """

    market: str
    spec: str
    operation_id: str
    method: str
    path: str
    template: str
    hosts: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    request_types: tuple[str, ...]
    request_schema: Mapping[str, Any] | None
    request_required: bool
    responses: Mapping[str, Mapping[str, Any] | None]
    response_headers: Mapping[str, tuple[str, ...]]
    raw: Mapping[str, Any]

    @property
    def is_paths_only(self) -> bool:
        return self.spec in PATHS_ONLY

    @property
    def name(self) -> str:
        """E.g. `amazon orders_2026-01-01 searchOrders`."""
        return f"{self.market} {self.spec.removesuffix('.json').removesuffix('_oas3')} {self.operation_id}"

    @property
    def scopes(self) -> frozenset[str]:
        """The OAuth scopes any of which allows it; empty where the model names none (all of Amazon's)."""
        return frozenset(scope for each in self.raw.get("security", []) for needed in each.values() for scope in needed)

    def parameters_in(self, place: str) -> dict[str, Parameter]:
        """The parameters of the `query`, the `path` or a `header`, by name."""
        return {parameter.name: parameter for parameter in self.parameters if parameter.place == place}


def operation_of(method: str, path: str) -> Operation | None:
    """The operation that a request would call; `path` is encoded, without base path of a stand-in. None: unknown.

    A literal segment wins over a parameter, as `/return/check_eligibility` over `/return/{returnId}`.
    """
    wanted = path.rstrip("/").split("/")
    fitting = [template for template in _index() if template[0] == method.upper() and _fits(template[1], wanted)]
    best = min(fitting, key=lambda key: key[1].count("{"), default=None)
    return _operation(*best) if best else None


def operations(market: str = "", spec: str = "") -> Iterator[Operation]:
    """All operations, or those of one market (`amazon`, `ebay`) or one file."""
    for (method, template), (of_market, of_spec, _) in _index().items():
        if market in ("", of_market) and spec in ("", of_spec):
            yield _operation(method, template)


def document(path: str) -> Any:
    """A JSON document below the shared folder."""
    return _document(path)


@functools.cache
def _document(path: str) -> Any:
    return json.loads(shared(path).read_text(encoding="utf-8"))


def _fits(template: str, wanted: list[str]) -> bool:
    segments = template.rstrip("/").split("/")
    return len(segments) == len(wanted) and all(
        bool(there) if segment.startswith("{") else segment == there
        for segment, there in zip(segments, wanted, strict=True)
    )


@functools.cache
def _index() -> dict[tuple[str, str], tuple[str, str, str]]:
    """(method, whole path template) -> (market, spec file, path in the spec)."""
    found: dict[tuple[str, str], tuple[str, str, str]] = {}
    for market in ("amazon", "ebay"):
        for file in sorted(shared(f"specs/{market}").glob("*.json")):
            if file.name in SUPERSEDED:
                continue
            whole = json.loads(file.read_text(encoding="utf-8"))
            prefix = _prefix(whole)
            for path, item in whole["paths"].items():
                for method in METHODS:
                    if method in item:
                        found.setdefault((method.upper(), prefix + path), (market, file.name, path))
    return found


def _prefix(whole: Mapping[str, Any]) -> str:
    if "swagger" in whole:
        return str(whole.get("basePath", "")).rstrip("/")
    return urlsplit(_server_url(whole["servers"][0])).path.rstrip("/")


def _server_url(server: Mapping[str, Any]) -> str:
    variables = server.get("variables", {})
    return re.sub(r"\{(\w+)\}", lambda found: str(variables[found[1]]["default"]), server["url"])


@functools.cache
def _operation(method: str, template: str) -> Operation:
    market, spec, path = _index()[method, template]
    whole = document(f"specs/{market}/{spec}")
    item = whole["paths"][path]
    raw = item[method.lower()]
    listed = [*item.get("parameters", []), *raw.get("parameters", [])]
    make = _from_swagger if market == "amazon" else _from_openapi
    servers = item.get("servers", whole.get("servers", []))
    return Operation(
        market=market,
        spec=spec,
        operation_id=raw.get("operationId") or f"{method} {path}",
        method=method,
        path=path,
        template=template,
        hosts=tuple(urlsplit(_server_url(server)).netloc for server in servers),
        raw=raw,
        response_headers={status: tuple(each.get("headers", {})) for status, each in raw.get("responses", {}).items()},
        **make(whole, raw, listed),
    )


def _from_swagger(whole: Mapping[str, Any], raw: Mapping[str, Any], listed: list[Any]) -> dict[str, Any]:
    body = next((each for each in listed if each["in"] == "body"), None)
    return {
        "parameters": tuple(
            Parameter(
                each["name"],
                each["in"],
                bool(each.get("required")),
                {key: value for key, value in each.items() if key not in ("name", "in", "required", "description")},
                each.get("collectionFormat", "csv"),
            )
            for each in listed
            if each["in"] in ("query", "path", "header")
        ),
        "request_types": tuple(raw.get("consumes", whole.get("consumes", ["application/json"]))),
        "request_schema": body["schema"] if body else None,
        "request_required": bool(body and body.get("required")),
        "responses": {status: each.get("schema") for status, each in raw["responses"].items()},
    }


def _from_openapi(whole: Mapping[str, Any], raw: Mapping[str, Any], listed: list[Any]) -> dict[str, Any]:
    body = raw.get("requestBody", {})
    content = body.get("content", {})
    return {
        "parameters": tuple(
            Parameter(each["name"], each["in"], bool(each.get("required")), each.get("schema", {}))
            for each in listed
            if each["in"] in ("query", "path", "header")
        ),
        "request_types": tuple(content),
        "request_schema": next((each.get("schema") for each in content.values()), None),
        "request_required": bool(body.get("required")),
        "responses": {
            status: next((inner.get("schema") for inner in each.get("content", {}).values()), None)
            for status, each in raw.get("responses", {}).items()
        },
    }
