"""Answers of the stand-ins, recorded once and given again with one of their fields changed."""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse, Transport
from chalicelib.domain.errors import Busy, HeadraceError, Unreadable
from local.marketplaces.wire import Request, Response

Way = tuple[str | int, ...]
Taped = list[tuple[str, HttpResponse]]

GONE = object()
WRONG: tuple[Any, ...] = (GONE, None, "odd", 7, [None])
_MOST_CALLS = 40  # of one piece of work: more of them lead nowhere


def passed_to(handle: Callable[[Request], Response], prefix: str = "") -> Transport:
    """A transport straight to a stand-in; `prefix` is the path below which the client knows it."""

    def send(request: HttpRequest) -> HttpResponse:
        url = urlsplit(request.url)
        path, query = url.path.removeprefix(prefix), dict(parse_qsl(url.query, keep_blank_values=True))
        answer = handle(Request(request.method, path, query, request.headers, request.body))
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    return send


def taped(transport: Transport, work: Callable[[Transport], Any]) -> Taped:
    """What is answered while the work is done, each under the name of its call. Work that they go on with by themselves
    ends in `Busy`."""
    tape: Taped = []

    def send(request: HttpRequest) -> HttpResponse:
        answer = transport(request)
        tape.append((_call(request), answer))
        return answer

    with suppress(Busy):
        work(send)
    return tape


def played(tape: Taped, place: int, changed: Any) -> Transport:
    """The answers of the tape, the one at `place` changed; the last of each call comes again."""
    left: dict[str, list[HttpResponse]] = defaultdict(list)
    for number, (call, answer) in enumerate(tape):
        body = json.dumps(changed).encode() if number == place else answer.body
        left[call].append(HttpResponse(answer.status, answer.headers, body))
    calls = 0

    def send(request: HttpRequest) -> HttpResponse:
        nonlocal calls
        calls += 1
        assert calls < _MOST_CALLS, f"{_call(request)} is asked without an end"
        answers = left[_call(request)]
        if not answers:
            raise Busy("this was never asked before")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return send


def variants(document: Any, known: set[str]) -> Iterator[tuple[Way, Any, Any]]:
    """(way, what stands there instead, the document with it) for each field that is not in `known`, which grows: of a
    list's elements the first stands for all."""
    text = json.dumps(document)
    for way in _ways(document):
        name = ".".join("*" if isinstance(step, int) else step for step in way)
        if name not in known:
            known.add(name)
            yield from ((way, wrong, _with(text, way, wrong)) for wrong in WRONG)


def attempt(work: Callable[[], Any], about: str) -> None:
    """Raises `AssertionError` for any error but our own, and for a refusal that names no field."""
    said = ""
    try:
        work()
    except Unreadable as unread:
        said = unread.detail
    except HeadraceError:
        return
    except Exception as bug:
        raise AssertionError(about) from bug
    assert not said or re.match(r"[a-zA-Z_]\w*[\w.\[\]]* (must|is)|the body has no ", said), about


def _call(request: HttpRequest) -> str:
    path = urlsplit(request.url).path
    named = re.search(r"(?:query|mutation) (\w+)", request.body.decode("utf-8", "replace"))
    return named[1] if named and path.endswith("graphql.json") else f"{request.method} {path}"


def _ways(value: Any, way: Way = ()) -> Iterator[Way]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*way, key)
        yield from _ways(each, (*way, key))


def _with(document: str, way: Way, wrong: Any) -> Any:
    changed = json.loads(document)
    holder = functools.reduce(lambda here, step: here[step], way[:-1], changed)
    if wrong is GONE:
        del holder[way[-1]]
    else:
        holder[way[-1]] = wrong
    return changed
