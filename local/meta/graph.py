"""A stand-in for the Graph API: takes events of the Conversions API and counts each purchase once."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.channels.transport import HttpRequest, HttpResponse
from local.marketplaces.faults import FaultDie

_WEEK_S = 7 * 86_400
_MOST_EVENTS = 1000


class Graph:
    """One app and its dataset. `events`: what has been counted, by name and id; `calls`: how often it was asked;
    `failing`: an error code that is answered instead."""

    def __init__(self, token: str, dataset_id: str, now_ms: int, die: FaultDie | None = None) -> None:
        self.token, self.dataset_id, self.now_ms = token, dataset_id, now_ms
        self.die = die or FaultDie()
        self.events: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls = 0
        self.failing = 0

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answers as Graph does; the die may lose the answer of a call that was carried out."""
        self.calls += 1
        if self.die.hits(self.die.faults.unavailable):
            return HttpResponse(503, {}, b"<html>unavailable</html>")
        answer = self._answer(request)
        if self.die.hits(self.die.faults.answer_lost):
            return HttpResponse(503, {}, b"<html>gateway</html>")
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if self.failing:
            return _error(self.failing)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(190)
        if request.method != "POST" or not request.url.endswith(f"/{self.dataset_id}/events"):
            return _error(100)
        events = json.loads(request.body)["data"]
        if not 0 < len(events) <= _MOST_EVENTS or not all(self._is_taken(event) for event in events):
            return _error(100)
        for event in events:
            self.events.setdefault((event["event_name"], event["event_id"]), event)
        return HttpResponse(200, {}, json.dumps({"events_received": len(events)}).encode())

    def _is_taken(self, event: dict[str, Any]) -> bool:
        user = event["user_data"]
        recent = 0 <= self.now_ms // 1000 - int(event["event_time"]) < _WEEK_S
        web = bool(user.get("client_user_agent")) and event.get("event_source_url", "").startswith("http")
        return recent and web and {"currency", "value"} <= event["custom_data"].keys()


def _error(code: int) -> HttpResponse:
    body = {"error": {"code": code, "message": "as asked", "error_subcode": 0, "fbtrace_id": "trace"}}
    return HttpResponse(400, {}, json.dumps(body).encode())
