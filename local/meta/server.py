"""The stand-in for the Graph API as a `MarketplaceServer` serves it, with what it must not forget."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import TypeAdapter

from chalicelib.channels.transport import HttpRequest
from local.marketplaces.faults import FaultDie
from local.marketplaces.wire import Request, Response
from local.marketplaces.world import Delivery
from local.meta.graph import Graph

_STATE = TypeAdapter(tuple[list[dict[str, Any]], dict[str, dict[str, Any]], list[list[dict[str, Any]]]])


class Meta:
    """Serves one `graph`, below /meta/v26.0."""

    name = "meta"

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @property
    def die(self) -> FaultDie:
        """What goes wrong."""
        return self.graph.die

    def handle(self, request: Request) -> Response:
        """One API call."""
        url = f"https://graph.facebook.com{request.path}?{urlencode(request.query)}"
        headers = {name.lower(): text for name, text in request.headers.items()}
        answer = self.graph.handle(HttpRequest(request.method, url, headers, request.body))
        return Response(answer.status, {"Content-Type": "application/json", **answer.headers}, answer.body)

    def tick(self, now: datetime) -> list[Delivery]:
        """Meta tells us nothing by itself."""
        self.graph.now_ms = int(now.timestamp() * 1000)
        return []

    def summary(self) -> dict[str, Any]:
        """The orders whose purchase was told, as often as it counts there, and whether each item is there to be had."""
        bought = [event for (name, _), event in self.graph.events.items() if name == "Purchase"]
        return {
            "purchases": [event["custom_data"]["order_id"] for event in bought],
            "availability": {name: item["availability"] for name, item in self.graph.items.items()},
        }

    def save(self, path: Path) -> None:
        """Writes the state as JSON."""
        graph = self.graph
        path.write_bytes(_STATE.dump_json((list(graph.events.values()), graph.items, graph.batches)))

    def load(self, path: Path) -> None:
        """Goes on from a saved state."""
        events, self.graph.items, self.graph.batches = _STATE.validate_json(path.read_bytes())
        self.graph.events = {(event["event_name"], event["event_id"]): event for event in events}
