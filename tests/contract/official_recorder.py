"""A transport around another that holds both directions to the official models, and counts."""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse, Transport
from tests.contract.official_checks import (
    PRE_SIGNED,
    called,
    held_answer,
    held_request,
    media_type,
)
from tests.contract.official_counts import COUNTS
from tests.contract.official_specs import Operation, operation_of


class Recorder:
    """A transport around another that asserts each request and each answer valid, and counts them.

    `prefix` is the base path of a stand-in, such as `/amazon`, which the models do not have. `operations` counts by
    `Operation.name`, or the name of the exception; `operation_ids` by the bare operation id. It also asserts that a
    document goes to an address that Amazon gave, without our token and as the kind of content that was announced, and
    that the scopes asked of eBay, where it saw that, allow each operation.
    """

    def __init__(self, transport: Transport, prefix: str = "") -> None:
        self.transport, self.prefix = transport, prefix
        self.operations: Counter[str] = Counter()
        self.operation_ids: Counter[str] = Counter()
        self._scopes: set[str] = set()
        self._addresses: dict[str, tuple[str, str]] = {}  # pre-signed address -> exception, content type

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.url in self._addresses:
            return self._document(request)
        split = urlsplit(request.url)
        assert split.path.startswith(self.prefix + "/"), f"{split.path} is not below {self.prefix}"
        path = split.path.removeprefix(self.prefix)
        operation = operation_of(request.method, path)
        name = self._count(operation, request.method, path)
        url = split._replace(path=path).geturl()
        held_request(request.method, url, request.headers, request.body)
        wrong = self._wrong_in_scope(operation)
        assert wrong == [], f"{name}: {wrong}"
        if operation is None and path.endswith("/oauth2/token"):
            self._scopes |= set(parse_qs(request.body.decode()).get("scope", [""])[0].split())
        answer = self.transport(request)
        held_answer(request.method, path, answer.status, answer.headers, answer.body)
        if operation and operation.operation_id in PRE_SIGNED and answer.status < 300:
            announced = json.loads(request.body)["contentType"] if request.body else ""
            self._addresses[json.loads(answer.body)["url"]] = (PRE_SIGNED[operation.operation_id], announced)
        return answer

    def _count(self, operation: Operation | None, method: str, path: str) -> str:
        if operation:
            self.operation_ids[operation.operation_id] += 1
        name = called(method, path)
        self.operations[name] += 1
        return name

    def _wrong_in_scope(self, operation: Operation | None) -> list[str]:
        if not operation or not operation.scopes or not self._scopes or self._scopes & operation.scopes:
            return []
        return [f"none of the scopes {', '.join(sorted(operation.scopes))} was asked for"]

    def _document(self, request: HttpRequest) -> HttpResponse:
        name, announced = self._addresses[request.url]
        self.operations[name] += 1
        assert request.method == ("PUT" if name.endswith("upload") else "GET"), f"{name}: {request.method}"
        told = {"x-amz-access-token", "authorization"} & {each.lower() for each in request.headers}
        assert not told, f"{name}: our token is none of the document store's business"
        expected = announced.partition(";")[0].strip().lower()
        assert not announced or media_type(request.headers) == expected, f"{name}: announced as {announced}"
        COUNTS.unmodelled[name] += 1
        return self.transport(request)

    def __str__(self) -> str:
        return f"{len(self.operations)} operations, {self.operations.total()} requests validated"
