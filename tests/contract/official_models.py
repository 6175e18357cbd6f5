"""Holds any request to Amazon or eBay, and any answer of theirs, to the official model of its operation.

`operation_of` finds the operation by method and path; `wrong_in_request` and `wrong_in_response` say what its model
would not allow; a `Recorder` around a transport asserts both, and counts what it saw.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse, Transport
from tests.contract.official_parameters import wrong_in_headers, wrong_in_path, wrong_in_query
from tests.contract.official_schemas import errors, is_empty_schema, request_validator, response_validator
from tests.contract.official_specs import PATHS_ONLY, Operation, operation_of

__all__ = [
    "EXCEPTIONS",
    "PATHS_ONLY",
    "Operation",
    "Recorder",
    "Unmodelled",
    "exception_of",
    "operation_of",
    "wrong_in_request",
    "wrong_in_response",
]


class Unmodelled(NamedTuple):
    """A call that no official model describes: its path (a whole match), why, and what its form must hold."""

    name: str
    method: str
    path: str
    reason: str
    form: frozenset[str] = frozenset()


EXCEPTIONS = (
    Unmodelled(
        "amazon token",
        "POST",
        r"/auth/o2/token",
        "Login with Amazon is OAuth 2, documented in prose only",
        frozenset({"grant_type", "client_id", "client_secret"}),
    ),
    Unmodelled(
        "ebay token",
        "POST",
        r"/identity/v1/oauth2/token",
        "eBay's token endpoint is OAuth 2, documented in prose only",
        frozenset({"grant_type"}),
    ),
    Unmodelled(
        "amazon document upload",
        "PUT",
        r"/(?!feeds/|reports/)(?:.*/)?(?:documents?|uploads?|tortuga[\w-]*)/.+",
        "a pre-signed address out of createFeedDocument, which only that answer knows",
    ),
    Unmodelled(
        "amazon document download",
        "GET",
        r"/(?!feeds/|reports/)(?:.*/)?(?:documents?|downloads?|tortuga[\w-]*)/.+",
        "a pre-signed address out of getReportDocument or getFeedDocument, which only that answer knows",
    ),
)


def exception_of(method: str, path: str) -> Unmodelled | None:
    """The entry of EXCEPTIONS for a call, None when there is none."""
    fitting = (each for each in EXCEPTIONS if each.method == method.upper() and re.fullmatch(each.path, path))
    return next(fitting, None)


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
    if operation.is_paths_only or (status >= 500 and "json" not in sent.get("content-type", "")):
        return []
    if str(status) not in operation.responses and status < 400:
        return [f"status {status} is none of {', '.join(operation.responses)}"]
    wrong = []
    if status == 201 and "Location" in operation.response_headers["201"] and not is_recorded:
        wrong += [] if sent.get("location") else ["missing header Location"]
    return wrong + _wrong_in_answer(operation, status, body, is_recorded=is_recorded)


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
    media_type = _media_type(headers)
    if operation.request_schema is None:
        # an upload in parts: the model tells of it only by requiring the header
        is_upload = "Content-Type" in operation.parameters_in("header")
        return ["a body, where the operation has none"] if body and not is_upload else []
    if not body:
        return ["missing body"] if operation.request_required else []
    wrong = []
    if media_type not in operation.request_types:
        wrong.append(f"content type {media_type!r} is none of {', '.join(operation.request_types)}")
    if unreadable := _wrong_in_json(body):
        return wrong + unreadable
    return wrong + [f"body {error}" for error in errors(request_validator(operation), json.loads(body))]


def _wrong_in_form(exception: Unmodelled, headers: Mapping[str, str], body: bytes) -> list[str]:
    if not exception.form:
        return []
    media_type = _media_type(headers)
    if media_type != "application/x-www-form-urlencoded":
        return [f"content type {media_type!r} is no form"]
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


def _media_type(headers: Mapping[str, str]) -> str:
    sent: dict[str, Any] = {name.lower(): value for name, value in headers.items()}
    return str(sent.get("content-type", "")).partition(";")[0].strip().lower()


class Recorder:
    """A transport around another that asserts each request and each answer valid, and counts them.

    `prefix` is the base path of a stand-in, such as `/amazon`, which the models do not have. `operations` counts by
    `Operation.name`, or the name of the exception; `operation_ids` by the bare operation id.
    """

    def __init__(self, transport: Transport, prefix: str = "") -> None:
        self.transport, self.prefix = transport, prefix
        self.operations: Counter[str] = Counter()
        self.operation_ids: Counter[str] = Counter()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        assert split.path.startswith(self.prefix + "/"), f"{split.path} is not below {self.prefix}"
        path = split.path.removeprefix(self.prefix)
        url = split._replace(path=path).geturl()
        name = self._count(request.method, path)
        wrong = wrong_in_request(request.method, url, request.headers, request.body)
        assert wrong == [], f"{name}: {wrong}"
        answer = self.transport(request)
        wrong = wrong_in_response(request.method, path, answer.status, answer.headers, answer.body)
        assert wrong == [], f"{name} answered {answer.status}: {wrong}"
        return answer

    def _count(self, method: str, path: str) -> str:
        operation, exception = operation_of(method, path), exception_of(method, path)
        if operation:
            self.operation_ids[operation.operation_id] += 1
        name = operation.name if operation else exception.name if exception else f"{method} {path}"
        self.operations[name] += 1
        return name

    def __str__(self) -> str:
        return f"{len(self.operations)} operations, {self.operations.total()} requests validated"
