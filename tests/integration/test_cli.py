"""The command line against AWS as moto has it and the stand-in eBay; eBay's challenge is answered by the real app."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError
from chalice.test import Client

from app import app
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.standards import RateLimit
from chalicelib.channels.facts import ListedItem
from chalicelib.channels.stripe.client import StripeClient
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, Refused, Stale, Unauthorised
from chalicelib.runtime import log, wiring
from chalicelib.store.accounts import add_account, keep_token, pause_account, read_account, read_pause, read_token
from chalicelib.store.dynamo import DynamoTables
from chalicelib.store.listings import Listing, listing_writes, listings_of, sku_writes
from chalicelib.store.tables import Key
from cli.__main__ import main
from cli.listings import patiently
from cli.stage import NoStage, Stage, connect
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.wire import Request
from local.marketplaces.world import Marketplaces
from tests.aws import STAGE, create_bucket, create_queues, create_tables, mocked_aws
from tests.contract.stripe_account import Account

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DOOR = "https://oms.example/api"
EBAY_URL = "https://markets.example/ebay"
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
    """Everything of a test."""

    stage: Here
    markets: Marketplaces
    door: Client
    out: Callable[[], str]
    now: datetime = START

    def run(self, *arguments: str) -> int:
        return main(["channels", *arguments, "--stage", STAGE], lambda *_: self.stage)

    def json(self, *arguments: str) -> tuple[int, Any]:
        self.out()
        code = self.run(*arguments, "--json")
        return code, json.loads(self.out())

    def states(self, *arguments: str) -> dict[str, str]:
        """State of each step; the exit code must fit them."""
        code, told = self.json(*arguments)
        states = {step["step"]: step["state"] for step in told["steps"]}
        assert code == (1 if "missing" in states.values() else 0)
        assert told["ok"] is (code == 0)
        return states

    def send(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        if split.netloc == "oms.example":
            path = f"{split.path.removeprefix('/api')}?{split.query}"
            answer = self.door.http.request(request.method, path, headers=dict(request.headers), body=request.body)
            return HttpResponse(answer.status_code, {}, answer.body)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        path = split.path.removeprefix("/ebay")
        told = self.markets.handle("ebay", Request(request.method, path, query, request.headers, request.body))
        return HttpResponse(told.status, {k.lower(): v for k, v in told.headers.items()}, told.body)

    def challenge(self, url: str) -> tuple[int, bytes]:
        answer = self.send(HttpRequest("GET", url))
        return answer.status, answer.body


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Box]:
    monkeypatch.setattr(log, "sink", lambda line: None)
    with mocked_aws(), Client(app) as door:
        monkeypatch.setenv("HEADRACE_STAGE", STAGE)
        create_tables(boto3.client("dynamodb"))
        monkeypatch.setenv("HEADRACE_QUEUE_URL", create_queues(boto3.client("sqs")))
        monkeypatch.setenv("HEADRACE_BODIES_BUCKET", create_bucket())
        for cached in (wiring.runtime, wiring._session, wiring._client):
            cached.cache_clear()
        markets = Marketplaces(5, CATALOGUE, rate_per_s=0, start=START, clock=lambda: START)
        markets.ebay.base_url = EBAY_URL
        stage = Here(
            name=STAGE,
            tables=DynamoTables(boto3.client("dynamodb"), f"headrace-{STAGE}-", sleep=lambda pause_s: None),
            sqs=boto3.client("sqs"),
            ssm=boto3.client("ssm"),
            transport=lambda: made.send,
            clock=lambda: round(START.timestamp() * 1000),
        )
        made = Box(stage, markets, door, lambda: capsys.readouterr().out)
        markets.ebay.challenge = made.challenge
        monkeypatch.setattr(Here, "amazon", FakeAmazon())
        monkeypatch.setattr(wiring, "_transport", lambda: made.send)
        monkeypatch.setattr(wiring, "clock_ms", stage.clock)
        yield made
    for cached in (wiring.runtime, wiring._session, wiring._client):
        cached.cache_clear()


@pytest.fixture
def file(tmp_path: Path) -> str:
    found = tmp_path / "secret.json"
    found.write_text(json.dumps(SECRETS), encoding="utf-8")
    return str(found)


AMAZON = ("add", "amazon", "--region", "na", "--seller-id", "A1", "--marketplace-id", "ATVPDKIKX0DER")


def ebay(file: str, *more: str) -> tuple[str, ...]:
    seller = (
        "--seller-id",
        "millrace_goods",
        "--base-url",
        EBAY_URL,
        "--public-url",
        DOOR,
        "--alert-email",
        "ops@example.com",
    )
    return ("add", "ebay", "--file", file, *seller, *more)


# --- eBay ------------------------------------------------------------------------------------------------


def test_an_ebay_account_is_connected_down_to_its_notifications(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    states = box.states(*ebay(file, "--fix"))
    assert {step for step, state in states.items() if state == "ok"} >= {
        "account",
        "credentials",
        "out-of-stock control",
        "webhook",
        "challenge",
        "alert address",
        "notification destination",
        "subscription ORDER_CONFIRMATION",
        "subscription MARKETPLACE_ACCOUNT_DELETION",
        "subscription AUTHORIZATION_REVOCATION",
        "subscription ITEM_MARKED_SHIPPED",
        "calls left today",
    }
    assert box.markets.ebay.out_of_stock_control
    assert read_account(box.stage.tables, "ebay")["seller_id"] == "millrace_goods"
    assert {name: box.stage.read_secret("ebay/api")[name] for name in SECRETS} == SECRETS
    kinds = boto3.client("ssm").describe_parameters()["Parameters"]
    assert {each["Type"] for each in kinds} == {"SecureString"}


def test_an_application_that_has_few_calls_left_is_told_so(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = [
        RateLimit("sell.fulfillment", "order", 100, 9),
        RateLimit("sell.account", "x", 100, 10),
        RateLimit("x", "y", 0, 0),
    ]
    monkeypatch.setattr(EbayClient, "rate_limits", lambda self: limits)
    assert box.states(*ebay(file, "--fix"))["calls left today"] == "warning"
    limits[0] = RateLimit("sell.fulfillment", "order", 100, 10)
    assert box.states("check", "ebay")["calls left today"] == "ok"


def test_connected_so_ebay_s_own_signed_notification_comes_in(box: Box, file: str) -> None:
    box.states(*ebay(file, "--fix"))
    (order_id,) = box.markets.sell("ebay", 1)
    (delivery,) = [each for each in box.markets.tick(START) if each.marketplace == "ebay"]
    assert delivery.url == f"{DOOR}/webhooks/ebay"
    request = HttpRequest("POST", delivery.url, delivery.headers, delivery.body)
    assert box.send(request).status == 204
    assert box.send(HttpRequest("POST", delivery.url, delivery.headers, delivery.body + b" ")).status == 412
    queue = boto3.client("sqs").get_queue_url(QueueName=f"headrace-{STAGE}-ebay-notifications")["QueueUrl"]
    messages = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(message["Body"])["order_ids"] for message in messages] == [[order_id]]
    assert box.stage.tables.query("channels", "KEYS#ebay", begins="KEY#").items


def test_going_through_it_again_changes_nothing(box: Box, file: str) -> None:
    first = box.states(*ebay(file, "--fix"))
    webhook = box.stage.read_secret("ebay/webhook")
    assert box.states(*ebay(file, "--fix")) == first
    assert box.stage.read_secret("ebay/webhook") == webhook
    assert len(box.markets.ebay.shelf.ebay.destinations) == 1
    assert len(box.markets.ebay.shelf.ebay.subscriptions) == 4


def test_a_dry_run_stores_and_makes_nothing(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    states = box.states(*ebay(file, "--fix", "--dry-run", "--digital-signatures"))
    assert (states["account"], states["credentials"], states["webhook"]) == ("skipped", "ok", "skipped")
    assert box.stage.read_secret("ebay/api") == box.stage.read_secret("ebay/webhook") == {}
    assert box.stage.tables.get(Key("channels", "SETTINGS", "CHANNELS")) is None
    assert not box.markets.ebay.out_of_stock_control
    assert not box.markets.ebay.shelf.ebay.destinations


def test_out_of_stock_control_is_switched_on_only_when_told(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    assert box.states(*ebay(file))["out-of-stock control"] == "missing"
    assert not box.markets.ebay.out_of_stock_control
    assert box.states("check", "ebay", "--fix")["out-of-stock control"] == "ok"
    assert box.markets.ebay.out_of_stock_control


def test_an_endpoint_that_does_not_answer_as_it_must_is_found_before_ebay_is_asked(box: Box, file: str) -> None:
    states = box.states(*ebay(file, "--public-url", "https://oms.example/api/elsewhere"))
    assert states["challenge"] == "missing"
    assert "notification destination" not in states
    assert not box.markets.ebay.shelf.ebay.destinations


def test_sellers_of_the_eu_and_the_uk_need_a_key_that_does_not_expire_soon(box: Box, file: str) -> None:
    german = ("--marketplace-id", "EBAY_DE")
    assert box.states(*ebay(file, *german))["signing key"] == "missing"
    assert box.states(*ebay(file, *german, "--digital-signatures"))["signing key"] == "ok"
    secret = box.stage.read_secret("ebay/api")
    assert secret["signing_key"]["jwe"]
    assert secret["refresh_token"] == SECRETS["refresh_token"]
    for days, state in ((61, "ok"), (59, "warning"), (-1, "missing")):
        key = {**secret["signing_key"], "expires_ms": box.stage.clock() + days * 86_400_000}
        box.stage.write_secret("ebay/api", {**secret, "signing_key": key})
        assert box.states("check", "ebay")["signing key"] == state, days
    assert box.states("check", "ebay", "--digital-signatures")["signing key"] == "ok"
    assert box.stage.read_secret("ebay/api")["signing_key"]["expires_ms"] > box.stage.clock()


def test_consent_that_is_gone_ends_it_there(box: Box, file: str) -> None:
    box.markets.ebay.consented = False
    states = box.states(*ebay(file))
    assert states["credentials"] == "missing"
    assert "challenge" not in states
    assert read_pause(box.stage.tables, "ebay") is None  # trying it pauses nothing


# --- Amazon ----------------------------------------------------------------------------------------------


def test_an_amazon_account_is_connected_to_the_queue_of_its_stage(box: Box, file: str) -> None:
    states = box.states(*AMAZON, "--file", file)
    assert set(states.values()) == {"ok"}
    assert box.stage.amazon.destinations == [
        f"arn:aws:sqs:us-east-1:123456789012:headrace-{STAGE}-amazon-notifications"
    ]
    assert box.stage.amazon.subscriptions == ["ORDER_CHANGE@d-1", "LISTINGS_ITEM_MFN_QUANTITY_CHANGE@d-1"]
    settings = read_account(box.stage.tables, "amazon")
    assert settings["base_url"] == "https://sellingpartnerapi-na.amazon.com"
    assert settings["import_from_ms"] == box.stage.clock()  # older orders are left to where they came from


@pytest.mark.parametrize(
    ("fake", "step", "state"),
    [
        (FakeAmazon(error=Unauthorised("consent is gone")), "credentials", "missing"),
        (FakeAmazon(marketplaces=("A1PA6795UKMFR9",)), "marketplace", "missing"),
        (FakeAmazon(marketplaces=()), "marketplace", "missing"),
        (FakeAmazon(suspended=True), "marketplace", "warning"),
        (FakeAmazon(refused_kinds=("ORDER_CHANGE",)), "subscription ORDER_CHANGE", "missing"),
    ],
)
def test_what_amazon_lacks_is_said(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch, fake: FakeAmazon, step: str, state: str
) -> None:
    monkeypatch.setattr(Here, "amazon", fake)
    assert box.states(*AMAZON, "--file", file)[step] == state


def test_every_missing_step_has_a_remedy(box: Box, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Here, "amazon", FakeAmazon(refused_kinds=("ORDER_CHANGE",), marketplaces=("A1PA6795UKMFR9",)))
    _, told = box.json(*AMAZON, "--file", file)
    missing = [step for step in told["steps"] if step["state"] == "missing"]
    assert len(missing) == 2
    assert all(step["remedy"] for step in missing)


# --- listings --------------------------------------------------------------------------------------------


def listed(*names: str) -> tuple[ListedItem, ...]:
    return tuple(ListedItem(name, {"offer_id": f"o-{name}"}, quantity=3) for name in names)


def test_listings_with_the_name_of_a_sku_are_linked_once_and_only_when_told(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = box.stage.tables
    for sku in ("MUG", "CUP", "HAT"):
        tables.write(*sku_writes(sku))
    tables.write(*listing_writes(Listing("amazon", "HAT", "MUG", {})))  # a person's decision
    monkeypatch.setattr(Here, "amazon", FakeAmazon(items=listed("MUG", "CUP", "HAT", "TOY", "")))
    assert box.states(*AMAZON, "--file", file)["listings"] == "warning"
    assert listings_of(tables, ["CUP"]) == []
    code, told = box.json("import-listings", "amazon", "--apply")
    assert (code, told["applied"]) == (0, True)
    assert told["listings"] == {
        "new": ["MUG (shows 3, here 0)", "CUP (shows 3, here 0)"],
        "known": [],
        "elsewhere": ["HAT -> MUG"],
        "unknown": ["TOY"],
    }
    assert [(each.channel_sku, each.refs) for each in listings_of(tables, ["CUP"])] == [("CUP", {"offer_id": "o-CUP"})]
    code, told = box.json("import-listings", "amazon", "--apply")
    assert (told["listings"]["new"], told["listings"]["known"]) == ([], ["MUG", "CUP"])


@pytest.mark.parametrize("apart", [1, 150])
def test_a_name_with_several_offers_is_linked_to_one_of_them_and_stays_so(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch, apart: int
) -> None:
    box.states(*AMAZON, "--file", file)
    box.stage.tables.write(*sku_writes("MUG"))
    us, uk = (ListedItem("MUG", {"offer_id": f"o-{site}"}) for site in ("us", "uk"))
    others = listed(*(f"X{number}" for number in range(apart)))
    monkeypatch.setattr(Here, "amazon", FakeAmazon(items=(us, *others, uk)))
    _, told = box.json("import-listings", "amazon", "--apply")
    assert told["listings"]["new"] == ["MUG"]
    _, told = box.json("import-listings", "amazon", "--apply")
    assert (told["listings"]["new"], told["listings"]["known"]) == ([], ["MUG"])
    (listing,) = listings_of(box.stage.tables, ["MUG"])
    assert listing.refs == {"offer_id": "o-us"}


class Patient:
    """An iterator that goes on after it has asked for patience, as Amazon's does."""

    def __init__(self) -> None:
        self.left: list[Any] = [Busy("throttled", after_s=7), *listed("MUG"), Busy("throttled"), *listed("CUP")]

    def __iter__(self) -> Patient:
        return self

    def __next__(self) -> ListedItem:
        if not self.left:
            raise StopIteration
        found = self.left.pop(0)
        if isinstance(found, Busy):
            raise found
        return found


def test_a_throttled_list_is_waited_for_and_a_broken_one_is_not_taken_for_whole() -> None:
    slept: list[float] = []
    assert [item.channel_sku for item in patiently(Patient(), slept.append)] == ["MUG", "CUP"]
    assert slept == [7, 1]

    def breaks() -> Iterator[ListedItem]:
        yield from listed("MUG")
        raise Busy("throttled", after_s=1)

    with pytest.raises(Busy):
        list(patiently(breaks(), slept.append))


# --- list, check, resume, credentials ----------------------------------------------------------------------


def test_a_paused_account_is_shown_and_resumed_once_its_credentials_work(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.states(*AMAZON, "--file", file)
    pause_account(box.stage.tables, "amazon", "consent is gone", 1)
    assert "paused: consent is gone" in box.json("list")[1]["channels"][0]["paused"]
    assert box.states("check", "amazon")["pause"] == "warning"
    monkeypatch.setattr(Here, "amazon", FakeAmazon(error=Unauthorised("still gone")))
    assert box.states("resume", "amazon") == {"credentials": "missing"}
    assert read_pause(box.stage.tables, "amazon")
    monkeypatch.setattr(Here, "amazon", FakeAmazon())
    assert box.states("resume", "amazon") == {"credentials": "ok", "pause": "ok"}
    assert read_pause(box.stage.tables, "amazon") is None


def test_a_paused_payment_processor_is_resumed_and_own_shops_are_looked_at(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    sent: list[Any] = []
    monkeypatch.setattr(
        Stage, "processor", lambda _, account_, settings, secret: StripeClient(account.wire, {}, secret, 0)
    )
    monkeypatch.setattr(Stage, "send", lambda _, queue, messages: sent.extend((queue, each) for each in messages))
    for name in ("stripe", "storefront", "shop-de", "shopify"):
        add_account(box.stage.tables, name, {})
    pause_account(box.stage.tables, "stripe", "the key is revoked", 1)
    box.stage.write_secret("stripe/api", {"api_key": "rk_revoked"})
    assert box.states("resume", "stripe") == {"credentials": "missing"}
    assert (bool(read_pause(box.stage.tables, "stripe")), sent) == (True, [])
    box.stage.write_secret("stripe/api", {"api_key": account.stripe.api_key})
    assert box.states("resume", "stripe") == {"credentials": "ok", "pause": "ok"}
    assert read_pause(box.stage.tables, "stripe") is None
    assert sent == [("sync-shop", {"orders_of": name, "after": "stripe"}) for name in ("shop-de", "storefront")]


def test_a_resume_gives_the_workers_its_token_since_they_keep_old_credentials_for_minutes(box: Box, file: str) -> None:
    box.states(*ebay(file))
    now_ms = box.stage.clock()
    pause_account(box.stage.tables, "ebay", "the client secret is wrong", 1)
    box.states("resume", "ebay")
    assert read_token(box.stage.tables, "ebay", now_ms)
    assert read_pause(box.stage.tables, "ebay") is None


def test_new_credentials_end_the_token_that_the_workers_share(box: Box, file: str, tmp_path: Path) -> None:
    box.states(*AMAZON, "--file", file)
    keep_token(box.stage.tables, "amazon", "of another seller", box.stage.clock() + 3_600_000)
    box.states(*AMAZON, "--file", file)
    assert read_token(box.stage.tables, "amazon", box.stage.clock()) == "of another seller"
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**SECRETS, "refresh_token": "another seller's"}), encoding="utf-8")
    box.states(*AMAZON, "--file", str(other))
    assert read_token(box.stage.tables, "amazon", box.stage.clock()) == ""


@pytest.mark.parametrize(
    "trouble",
    [
        Busy("hidden tables are busy"),
        Stale("two at once"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "hidden"}}, "PutParameter"),
        ParamValidationError(report="value: hidden-client_secret"),
        KeyError("a bug"),
    ],
    ids=["busy", "stale", "denied", "invalid", "bug"],
)
def test_a_command_that_breaks_off_ends_with_2_and_can_be_run_again(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: Exception
) -> None:
    """1 would say that the account lacks something; what AWS answers may quote what it was sent."""

    def breaks(*sent: Any) -> None:
        raise trouble

    monkeypatch.setattr(Here, "write_secret", breaks)
    assert box.run(*AMAZON, "--file", file, "--json") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err
    assert "hidden-" not in shown.err


def test_a_check_changes_nothing(box: Box, file: str) -> None:
    box.states(*AMAZON, "--file", file)
    box.stage.amazon.destinations.clear()
    assert box.states("check", "amazon")["notifications"] == "skipped"
    assert box.stage.amazon.destinations == []


def test_credentials_come_from_the_environment_and_are_never_shown(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", f"hidden-{name}")
    box.run(*AMAZON)
    shown = capsys.readouterr()
    assert "hidden-" not in shown.out + shown.err
    assert box.stage.read_secret("amazon/api")["client_secret"] == "hidden-client_secret"


@pytest.mark.parametrize(
    "arguments",
    [
        AMAZON,  # no credentials anywhere
        ("add", "amazon"),
        (*AMAZON, "--name", "ebay-uk"),
        (*AMAZON, "--name", "amazon-UK"),
        (*AMAZON, "--file", "/nowhere.json"),
        ("check", "amazon"),
        ("check", "storefront"),
        ("resume", "ebay-uk"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_a_word_why(
    box: Box, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert box.run(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("headrace: ")
    assert shown.out == ""


@pytest.mark.parametrize("arguments", [[], ["channels"], ["channels", "add", "storefront"], ["channels", "import"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_no_command_takes_a_secret_as_an_argument() -> None:
    with pytest.raises(SystemExit):
        main([*AMAZON, "--client-secret", "x"])


def test_people_read_a_mark_a_remedy_and_what_is_missing(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    box.out()
    assert box.run(*ebay(file)) == 1
    shown = box.out()
    assert "✓ credentials: eBay grants a token\n" in shown
    assert (
        "✗ out-of-stock control: off: a listing that sells out ends for good\n    run this again with --fix\n" in shown
    )
    assert "\n1 missing: out-of-stock control\n" in shown
    assert shown.endswith("1 to look at: unknown SKUs\n")


def test_a_stage_that_is_not_there_is_named() -> None:
    with mocked_aws(), pytest.raises(NoStage, match="headrace-nowhere-channels"):
        connect("nowhere")


def test_a_stage_is_reached_through_boto3() -> None:
    with mocked_aws():
        create_tables(boto3.client("dynamodb"))
        create_queues(boto3.client("sqs"))
        stage = connect(STAGE)
        stage.write_secret("amazon/api", {"client_id": "x" * 5000})
        assert stage.read_secret("amazon/api") == {"client_id": "x" * 5000}
        assert stage.read_secret("amazon/webhook") == {}
        assert stage.queue_arn("amazon-notifications").endswith(f":headrace-{STAGE}-amazon-notifications")
        with pytest.raises(Refused, match="no_queue"):
            stage.queue_arn("nothing")


def test_nothing_that_ships_imports_the_command_line() -> None:
    importing = [
        path.relative_to(ROOT)
        for room in ("chalicelib", "tools")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cli")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "cli" for alias in node.names))
    ]
    assert importing == []


def test_the_command_line_imports_the_app_and_nothing_of_the_laptop() -> None:
    rooms = {
        (node.module or "").split(".")[0]
        for path in (ROOT / "cli").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    assert "chalicelib" in rooms
    assert not rooms & {"local", "tests", "app"}
