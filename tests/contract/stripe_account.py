"""A client of Stripe, connected to its stand-in over a wire that keeps what passes and loses answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.stripe.client import StripeClient
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy
from local.marketplaces.wire import Request, Response
from local.marketplaces.world import Delivery
from local.processors.stripe import Stripe
from tests.contract.official_counts import COUNTS


def passed_on(stripe: Stripe, request: HttpRequest) -> Response:
    """What the stand-in answers to a request of ours."""
    url = urlsplit(request.url)
    return stripe.handle(Request(request.method, url.path, dict(parse_qsl(url.query)), request.headers, request.body))


@dataclass
class Account:
    """`lose`: says of a request whether its answer is lost, once for each that it says so of."""

    stripe: Stripe = field(default_factory=Stripe)
    sent: list[HttpRequest] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    lose: Callable[[HttpRequest], bool] = lambda _request: False

    def client(self) -> StripeClient:
        """A client as a new invocation makes it: nothing is remembered."""
        return StripeClient(self.wire, {}, {"api_key": self.stripe.api_key}, 0)

    def wire(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        COUNTS.unmodelled["stripe"] += 1
        answer = passed_on(self.stripe, request)
        if self.lose(request):
            self.lose = lambda _request: False
            raise Busy("no answer: ReadTimeoutError", after_s=5)
        if "json" in answer.headers.get("Content-Type", ""):
            self.answers.append(json.loads(answer.body))
        return HttpResponse(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.body)

    def lose_post(self) -> None:
        """The answer to the next change is lost."""
        self.lose = lambda request: request.method == "POST"

    def later(self, **by: float) -> list[Delivery]:
        return self.stripe.tick(self.stripe.now + timedelta(**by))


def answering(status: int, content: Any = None, headers: dict[str, str] | None = None) -> StripeClient:
    """A client whose every call is answered with this."""
    body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
    return StripeClient(lambda _: HttpResponse(status, headers or {}, body), {}, {"api_key": "k"}, 0)
