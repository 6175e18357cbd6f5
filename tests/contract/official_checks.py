"""What is wrong with a request or an answer, by the official model of its operation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.contract.official_counts import COUNTS
from tests.contract.official_parameters import wrong_in_headers, wrong_in_path, wrong_in_query
from tests.contract.official_schemas import errors, is_empty_schema, request_validator, response_validator
from tests.contract.official_specs import Operation, operation_of


class Unmodelled(NamedTuple):
    """A call that no official model describes: its path, why, and what its form must hold.

    Without a path it is at an address that only an answer tells, so only a `Recorder` can know it.
    """

    name: str
    method: str
    path: str
    reason: str
    form: frozenset[str] = frozenset()


EXCEPTIONS = (
    Unmodelled(
        "amazon token",
        "POST",
        "/auth/o2/token",
        "Login with Amazon is OAuth 2, documented in prose only",
        frozenset({"grant_type", "client_id", "client_secret"}),
    ),
    Unmodelled(
        "ebay token",
        "POST",
        "/identity/v1/oauth2/token",
        "eBay's token endpoint is OAuth 2, documented in prose only",
        frozenset({"grant_type"}),
    ),
    Unmodelled("amazon document upload", "PUT", "", "a pre-signed address out of createFeedDocument"),
    Unmodelled("amazon document download", "GET", "", "a pre-signed address out of getFeedDocument, getReportDocument"),
)
# Calls of other channels that no model describes: name -> why. Tests hold them to recorded calls and fixtures.
OTHERS_UNMODELLED = {
    "shopify token": "the client credentials grant is OAuth 2, documented in prose only",
    "woocommerce shipment tracking": "a plugin's route, which the index of the API does not have",
    "stripe": "its OpenAPI document is not at hand; objects are held to its fixtures",
    "easypost": "it has none; requests are held to the fixtures of its client libraries",
    "shippo": "its OpenAPI document is not at hand; requests are held to recorded ones",
}
# operation -> the exception that the `url` of its answer is good for
PRE_SIGNED = {
    "createFeedDocument": "amazon document upload",
    "getFeedDocument": "amazon document download",
    "getReportDocument": "amazon document download",
}


def exception_of(method: str, path: str) -> Unmodelled | None:
    """The entry of EXCEPTIONS for a call, None when there is none."""
    fitting = (each for each in EXCEPTIONS if (each.method, each.path) == (method.upper(), path))
    return next(fitting, None)


def held_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """Asserts that nothing is wrong with a request, and counts it: the name of its operation or exception."""
    name = called(method, urlsplit(url).path)
    wrong = wrong_in_request(method, url, headers, body)
    assert wrong == [], f"{name}: {wrong}"
    operation = operation_of(method, urlsplit(url).path)
    counter = COUNTS.unmodelled if operation is None else COUNTS.requests
    (COUNTS.paths_only if operation and operation.is_paths_only else counter)[name] += 1
    return name


def held_answer(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Asserts that nothing is wrong with an answer, and counts it when a model had a say in it."""
    wrong = wrong_in_response(method, path, status, headers, body)
    assert wrong == [], f"{called(method, path)} answered {status}: {wrong}"
    operation = operation_of(method, path)
    if operation and not operation.is_paths_only and not _is_gateways(status, headers, body):
        COUNTS.answers[operation.name] += 1


def called(method: str, path: str) -> str:
    """The name of the operation or exception that a call is; method and path of what is neither."""
    found = operation_of(method, path) or exception_of(method, path)
    return found.name if found else f"{method} {path}"


def wrong_in_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What the official model does not allow in a request; [] when nothing.

    `url` may be absolute or a path, encoded, without the base path of a stand-in. Authorization is not looked at.
    """
    split = urlsplit(url)
    operation = operation_of(method, split.path)
    if operation is None:
        exception = exception_of(method, split.path)
        return _wrong_in_form(exception, headers, body) if exception else [f"{method} {split.path}: no such operation"]
    wrong = _wrong_in_host(operation, split.hostname or "")
    if operation.is_paths_only:
        return wrong + _wrong_in_json(body)
    wrong += wrong_in_path(operation, split.path) + wrong_in_query(operation, split.query)
    return wrong + wrong_in_headers(operation, headers) + _wrong_in_body(operation, headers, body)


def wrong_in_response(
    method: str, path: str, status: int, headers: Mapping[str, str], body: bytes, *, is_recorded: bool = False
) -> list[str]:
    """What the official model does not allow in an answer; [] when nothing.

    `is_recorded`: a real answer, which may hold more fields than the model and no headers that we know of. Gateways
    answer 5xx with what they like, so only JSON is held against the error list there.
    """
    operation = operation_of(method, urlsplit(path).path)
    if operation is None:
        known = exception_of(method, urlsplit(path).path)
        return [] if known else [f"{method} {path}: no such operation"]
    sent = {name.lower(): value for name, value in headers.items()}
    if operation.is_paths_only or _is_gateways(status, headers, body):
        return []
    if str(status) not in operation.responses and status < 400:
        return [f"status {status} is none of {', '.join(operation.responses)}"]
    wrong = []
    if status == 201 and "Location" in operation.response_headers["201"] and not is_recorded:
        wrong += [] if sent.get("location") else ["missing header Location"]
    return wrong + _wrong_in_answer(operation, status, body, is_recorded=is_recorded)


def _is_gateways(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """A failure that a gateway tells in its own words: no JSON, or a page under the header of what it cut off."""
    return status >= 500 and ("json" not in media_type(headers) or body.lstrip().startswith(b"<"))


def _wrong_in_answer(operation: Operation, status: int, body: bytes, *, is_recorded: bool) -> list[str]:
    if status < 400 and not body and (status == 204 or is_empty_schema(operation, status)):
        return []
    if status < 400 and operation.responses[str(status)] is None:
        return [f"a body, where {status} has none"]
    if wrong := _wrong_in_json(body or b"nothing"):
        return wrong
    validator = response_validator(operation, status, is_recorded=is_recorded)
    return [f"answer {status}: {error}" for error in errors(validator, json.loads(body))]


def _wrong_in_body(operation: Operation, headers: Mapping[str, str], body: bytes) -> list[str]:
    sent_type = media_type(headers)
    if operation.request_schema is None:
        # an upload in parts: the model tells of it only by requiring the header
        is_upload = "Content-Type" in operation.parameters_in("header")
        return ["a body, where the operation has none"] if body and not is_upload else []
    if not body:
        return ["missing body"] if operation.request_required else []
    wrong = []
    if sent_type not in operation.request_types:
        wrong.append(f"content type {sent_type!r} is none of {', '.join(operation.request_types)}")
    if unreadable := _wrong_in_json(body):
        return wrong + unreadable
    return wrong + [f"body {error}" for error in errors(request_validator(operation), json.loads(body))]


def _wrong_in_form(exception: Unmodelled, headers: Mapping[str, str], body: bytes) -> list[str]:
    if not exception.form:
        return []
    sent_type = media_type(headers)
    if sent_type != "application/x-www-form-urlencoded":
        return [f"content type {sent_type!r} is no form"]
    missing = exception.form - parse_qs(body.decode()).keys()
    return [f"missing in the form: {name}" for name in sorted(missing)]


def _wrong_in_host(operation: Operation, host: str) -> list[str]:
    """eBay serves some operations at apiz only; a stand-in's host is not looked at."""
    if not host.endswith(".ebay.com") or ".sandbox." in host or host in operation.hosts:
        return []
    return [f"{host} does not serve this: {', '.join(operation.hosts)} does"]


def _wrong_in_json(body: bytes) -> list[str]:
    try:
        json.loads(body or b"null")
    except ValueError as error:
        return [f"no JSON: {error}"]
    return []


def media_type(headers: Mapping[str, str]) -> str:
    """The content type without its parameters, in lower case; "" when none is sent."""
    sent: dict[str, Any] = {name.lower(): value for name, value in headers.items()}
    return str(sent.get("content-type", "")).partition(";")[0].strip().lower()
