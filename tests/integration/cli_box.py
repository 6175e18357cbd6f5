"""The command line against AWS as moto has it and the stand-ins; what comes to the stage's own door, the app answers.

Each request to a stand-in is held against the official model, where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from chalice.test import Client

from app import app
from chalicelib.channels.facts import ListedItem
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Refused
from chalicelib.runtime import log, wiring
from chalicelib.store.dynamo import DynamoTables
from cli.__main__ import main
from cli.stage import Stage
from local.carriers.easypost import Easypost
from local.carriers.shippo import Shippo
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.wire import Request
from local.marketplaces.world import Marketplaces
from local.meta.graph import Graph
from local.processors.stripe import Stripe
from tests.aws import STAGE, create_bucket, create_queues, create_tables, mocked_aws
from tests.contract import woo_seller
from tests.contract.shopify_seller import checked_request

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DOOR = "https://oms.example/api"
EBAY_URL = "https://markets.example/ebay"
WOO_URL = "http://127.0.0.1:1"  # nothing is resolved for it
SECRETS = {
    "client_id": "MillraceG-Local-PRD-0000000000-00000000",
    "client_secret": "local-ebay-client-secret",
    "refresh_token": "v^1.1#local-ebay-refresh-token",
}


@dataclass
class FakeAmazon:
    """Answers as Amazon's client does."""

    error: Exception | None = None
    marketplaces: tuple[str, ...] = ("ATVPDKIKX0DER",)
    suspended: bool = False
    items: tuple[ListedItem, ...] = ()
    destinations: list[str] = field(default_factory=list)
    subscriptions: list[str] = field(default_factory=list)
    refused_kinds: tuple[str, ...] = ()

    def participations(self) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        told = {"isParticipating": True, "hasSuspendedListings": self.suspended}
        return [{"marketplace": {"id": name}, "participation": told} for name in self.marketplaces]

    def ensure_destination(self, sqs_arn: str, name: str) -> str:
        assert name == f"headrace-{STAGE}"
        self.destinations.append(sqs_arn)
        return "d-1"

    def ensure_subscription(self, kind: str, destination_id: str) -> str:
        if kind in self.refused_kinds:
            raise Refused("channel_refused", "amazon answered 403")
        self.subscriptions.append(f"{kind}@{destination_id}")
        return f"s-{kind}"

    def listings(self) -> Iterator[ListedItem]:
        return iter(self.items)


class Here(Stage):
    """The mocked stage; Amazon's client is a fake."""

    amazon = FakeAmazon()

    def client(self, channel: str, settings: Any, secret: Any, tokens: Any = None) -> Any:
        return self.amazon if channel.startswith("amazon") else super().client(channel, settings, secret, tokens)


@dataclass
class Box:
    """Everything of a test. `sent`: requests to others; `lose`: says of one whether its answer is lost, once."""

    stage: Here
    markets: Marketplaces
    door: Client
    out: Callable[[], str]
    folder: Path
    stripe: Stripe = field(default_factory=lambda: Stripe(start=START))
    easypost: Easypost = field(default_factory=lambda: Easypost(base_url="https://api.easypost.com/v2", start=START))
    shippo: Shippo = field(default_factory=lambda: Shippo(base_url="https://api.goshippo.com", start=START))
    graph: Graph = field(
        default_factory=lambda: Graph("meta-token", "1001", int(START.timestamp() * 1000), catalogue_id="2002")
    )
    sent: list[HttpRequest] = field(default_factory=list)
    lose: Callable[[HttpRequest], bool] = lambda _request: False

    def run(self, *arguments: str) -> int:
        return main(["channels", *arguments, "--stage", STAGE], lambda *_: self.stage)

    def json(self, *arguments: str) -> tuple[int, Any]:
        self.out()
        code = self.run(*arguments, "--json")
        return code, json.loads(self.out())

    def steps(self, *arguments: str) -> dict[str, dict[str, str]]:
        """Each step; the exit code must fit them, what is missing must have a remedy, and no secret be told."""
        self.out()
        code = self.run(*arguments, "--json")
        shown = self.out()
        told = json.loads(shown)
        steps = {step["step"]: step for step in told["steps"]}
        missing = [step for step in told["steps"] if step["state"] == "missing"]
        assert code == (1 if missing else 0)
        assert told["ok"] is (code == 0)
        assert not [secret for secret in self.secrets() if secret in shown]
        return steps

    def states(self, *arguments: str) -> dict[str, str]:
        """State of each step."""
        return {name: step["state"] for name, step in self.steps(*arguments).items()}

    def secrets(self) -> set[str]:
        """Every secret that the stage keeps, of those that are not names."""
        ssm = boto3.client("ssm")
        names = [each["Name"] for each in ssm.describe_parameters()["Parameters"]]
        found = [json.loads(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]) for name in names]
        texts = {
            str(part)
            for each in found
            for name, value in each.items()
            if name not in ("endpoint", "base_url")
            for part in (value if isinstance(value, list) else [value])
        }
        return {text for text in texts if len(text) > 8}

    def file(self, name: str, /, **content: Any) -> str:
        """A file that holds this as JSON."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def writes(self) -> list[HttpRequest]:
        """What was sent that may change something."""
        return [each for each in self.sent if each.method != "GET"]

    def send(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        if split.netloc == "oms.example":
            path = f"{split.path.removeprefix('/api')}?{split.query}"
            answer = self.door.http.request(request.method, path, headers=dict(request.headers), body=request.body)
            return HttpResponse(answer.status_code, {}, answer.body)
        self.sent.append(request)
        answer = self._answer(request)
        if self.lose(request):
            self.lose = lambda _request: False
            return HttpResponse(503, {}, b"<html>gateway</html>")
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        if split.netloc == "graph.facebook.com":
            return self.graph.handle(request)
        if split.netloc.endswith(".myshopify.com"):
            checked_request(request)
        elif request.url.startswith(WOO_URL):
            woo_seller.checked(request)
        market, path = {
            "markets.example": ("ebay", split.path.removeprefix("/ebay")),
            self.markets.shopify.shop_domain: ("shopify", split.path),
            "127.0.0.1:1": ("woocommerce", split.path),
        }.get(split.netloc, ("", split.path))
        asked = Request(request.method, path, query, request.headers, request.body)
        if split.netloc == "api.easypost.com":
            told = self.easypost.handle(
                Request(asked.method, path.removeprefix("/v2"), query, asked.headers, asked.body)
            )
        elif split.netloc == "api.goshippo.com":
            told = self.shippo.handle(asked)
        elif split.netloc == "api.stripe.com":
            told = self.stripe.handle(asked)
        elif market:
            told = self.markets.handle(market, asked)
        else:
            return HttpResponse(404, {}, b"<html>nobody is here</html>")
        return HttpResponse(told.status, {k.lower(): v for k, v in told.headers.items()}, told.body)

    def challenge(self, url: str) -> tuple[int, bytes]:
        answer = self.send(HttpRequest("GET", url))
        return answer.status, answer.body


@pytest.fixture(name="box")
def box_fixture(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Box]:
    monkeypatch.setattr(log, "sink", lambda line: None)
    with mocked_aws(), Client(app) as door:
        monkeypatch.setenv("HEADRACE_STAGE", STAGE)
        create_tables(boto3.client("dynamodb"))
        monkeypatch.setenv("HEADRACE_QUEUE_URL", create_queues(boto3.client("sqs")))
        monkeypatch.setenv("HEADRACE_BODIES_BUCKET", create_bucket())
        for cached in (wiring.runtime, wiring._session, wiring._client):
            cached.cache_clear()
        markets = Marketplaces(5, CATALOGUE, rate_per_s=0, start=START, clock=lambda: START, woocommerce=True)
        markets.ebay.base_url = EBAY_URL
        stage = Here(
            name=STAGE,
            tables=DynamoTables(boto3.client("dynamodb"), f"headrace-{STAGE}-", sleep=lambda pause_s: None),
            sqs=boto3.client("sqs"),
            ssm=boto3.client("ssm"),
            transport=lambda: made.send,
            clock=lambda: round(START.timestamp() * 1000),
        )
        made = Box(stage, markets, door, lambda: capsys.readouterr().out, tmp_path)
        markets.ebay.challenge = made.challenge
        monkeypatch.setattr(Here, "amazon", FakeAmazon())
        monkeypatch.setattr(wiring, "_transport", lambda: made.send)
        monkeypatch.setattr(wiring, "clock_ms", stage.clock)
        yield made
    for cached in (wiring.runtime, wiring._session, wiring._client):
        cached.cache_clear()


@pytest.fixture(name="file")
def file_fixture(tmp_path: Path) -> str:
    found = tmp_path / "secret.json"
    found.write_text(json.dumps(SECRETS), encoding="utf-8")
    return str(found)


AMAZON = ("add", "amazon", "--region", "na", "--seller-id", "A1", "--marketplace-id", "ATVPDKIKX0DER")


def ebay(file: str, *more: str) -> tuple[str, ...]:
    seller = ("--seller-id", "millrace_goods", "--base-url", EBAY_URL)
    return ("add", "ebay", "--file", file, *seller, "--public-url", DOOR, "--alert-email", "ops@example.com", *more)


def listed(*names: str) -> tuple[ListedItem, ...]:
    return tuple(ListedItem(name, {"offer_id": f"o-{name}"}, quantity=3) for name in names)
