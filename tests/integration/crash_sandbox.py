"""The deployed functions over moto, with a place to crash before and after every call that leaves the process.

AWS calls are met in botocore's hooks, calls to channels in the transport. A crash is a `BaseException`, as the end of a
container is: no handler may catch it. After it the next delivery finds a cold container.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from chalice.test import Client
from moto.backends import get_backend

from app import app
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.channels.woocommerce import wire
from chalicelib.runtime import log, wiring
from chalicelib.store.accounts import add_account, set_locations
from chalicelib.store.dynamo import image_to_plain
from chalicelib.store.listings import Listing, kit_writes, listing_writes, read_entry, sku_writes
from chalicelib.store.places import open_places
from chalicelib.store.stock import receipt_writes
from local.carriers.easypost import Easypost
from local.marketplaces.accounts import accounts
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.wire import Request
from local.marketplaces.world import Marketplaces
from local.meta.graph import Graph, whole_item
from local.seed import add_accounts, add_catalogue, put_secrets
from local.simulation.shop import Shop
from local.trade import BASE, START
from tests.aws import ACCOUNT, REGION, STAGE, create_bucket, create_queues, create_tables, mocked_aws
from tools.functions import FUNCTIONS, Every, FromQueue, FromStreams, Routes

TOKEN = "crash-sweep-token"
PREFIX = f"headrace-{STAGE}-"
OFFERS = CATALOGUE[:2]
SCHEDULED = {"id": "x", "time": "", "source": "", "detail": {}, "resources": [], "detail-type": "", "version": "0"}
_TRIGGERS = {function.name: function.trigger for function in FUNCTIONS}


class Crash(BaseException):
    """The container is gone."""


@dataclass(frozen=True)
class CrashPoint:
    """Before the call nothing has happened; after it everything has, and nobody was told."""

    call: int
    side: str


class Sandbox:
    """One account of AWS, one shop and three marketplaces, whose whole state can be put back."""

    def __init__(self, patch: pytest.MonkeyPatch, client: Client) -> None:
        self._client = client
        self.patch = patch
        self.now: datetime = START
        self.shop = Shop()
        self.graph = Graph("t", "d-1", self.now_ms)
        self.markets = Marketplaces(
            5,
            OFFERS,
            rate_per_s=0,
            start=START,
            clock=lambda: self.now,
            amazon_rate_scale=100_000,
            woocommerce=True,
        )
        self.carrier = Easypost(base_url="https://carrier.example", start=START)
        for bucket in self.markets.amazon.buckets.values():  # time stands still, so nothing would be restored
            bucket.burst = bucket.tokens = 1_000_000
        self.calls = 0
        self.crash_at: CrashPoint | None = None
        patch.setattr(wiring, "clock_ms", lambda: self.now_ms)
        patch.setattr(wiring, "_transport", lambda: self._send)
        patch.setattr(log, "sink", lambda line: None)
        patch.setattr(wire, "resolved", lambda host: [])  # nobody is asked for the address of a name
        session = boto3.session.Session()
        session.events.register("before-call.*.*", self._before)
        session.events.register("after-call.*.*", self._after)
        patch.setattr(wiring, "_session", lambda: session)
        wiring._client.cache_clear()
        self._seed(boto3.client("ssm"))
        self.drain()
        self._base = self.saved()

    @property
    def now_ms(self) -> int:
        return round(self.now.timestamp() * 1000)

    def _seed(self, ssm: Any) -> None:
        connected = accounts(self.markets, BASE)
        door = {"verification_token": "t" * 32, "endpoint": "https://oms.example/webhooks/ebay"}
        connected["ebay"]["webhook"] = {**door, "base_url": connected["ebay"]["settings"]["base_url"]}
        meta = {"enabled": True, "dataset_id": "d-1", "shop_url": "https://shop.example/"}
        meta |= {"catalogue_id": "c-1", "shop": "shop"}
        connected["meta"] = {"settings": meta, "api": {"access_token": "t", "app_secret": "s"}}
        connected["shop"] = {"settings": {"base_url": "https://shop.example"}, "api": {"token": "t"}}
        put_secrets(ssm, connected, TOKEN)
        key = json.dumps({"api_key": self.carrier.api_key})
        ssm.put_parameter(Name=f"/headrace/{STAGE}/easypost/api", Value=key, Type="SecureString")
        tables = self.ports().tables
        sender = {"name": "Store", "line1": "1 Dock Road", "city": "Springfield", "postcode": "62701", "country": "US"}
        add_account(tables, "easypost", {"base_url": self.carrier.base_url, "sender": sender})
        add_accounts(tables, connected, self.now_ms)
        set_locations(tables, ("main", "east"))
        add_catalogue(tables, OFFERS, self.markets.shopify.location_id, self.now_ms, woocommerce=True)
        add_account(tables, "shop", {"base_url": "https://shop.example"})
        for sku in ("MUG", "CUP", "SET"):
            tables.write(*sku_writes(sku, sku.title()))
            tables.write(*listing_writes(Listing("shop", sku, sku, {})))
            self.graph.items[sku] = whole_item(sku)
        tables.write(*kit_writes(read_entry(tables, "SET").sku, (("MUG", 1), ("CUP", 2)), 0))
        open_places(tables, ["MUG", "CUP"], ["main", "east"], {"shop": "sync-shop"}, self.now_ms)
        for sku, location, units in (("MUG", "main", 10), ("CUP", "main", 5), ("MUG", "east", 3)):
            tables.write(*receipt_writes("opening", sku, location, units, self.now_ms))

    # --- calls that leave the process ---------------------------------------------------------------

    def _before(self, **_: Any) -> None:
        self.calls += 1
        if self.crash_at == CrashPoint(self.calls, "before"):
            raise Crash

    def _after(self, **_: Any) -> None:
        if self.crash_at == CrashPoint(self.calls, "after"):
            raise Crash

    def _send(self, request: HttpRequest) -> HttpResponse:
        self._before()
        answers = {"shop.example": self.shop, "graph.facebook.com": self.graph.handle, "carrier.example": self._carry}
        answer = answers.get(urlsplit(request.url).netloc, self._market)(request)
        self._after()
        return answer

    def _carry(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        query = dict(parse_qsl(split.query))
        self.carrier.tick(self.now)
        answer = self.carrier.handle(Request(request.method, split.path, query, request.headers, request.body))
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def _market(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        _, name, rest = split.path.split("/", 2)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        answer = self.markets.handle(name, Request(request.method, f"/{rest}", query, request.headers, request.body))
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    # --- delivery -----------------------------------------------------------------------------------

    def ports(self) -> wiring.Runtime:
        """The ports of a container that has just started."""
        wiring.runtime.cache_clear()
        return wiring.runtime()

    def deliver(self, function: str, event: Any, receives: int = 1) -> Any:
        """Have AWS call the function in a cold container: `event` is a list of messages, of stream records, or an HTTP
        request as (method, path, body, headers). Its answer; for HTTP, status and JSON."""
        self.ports()
        match _TRIGGERS[function]:
            case Routes():
                return self._request(*event)
            case FromQueue():
                return self._client.lambda_.invoke(function, {"Records": _messages(event, receives)}).payload
            case FromStreams():
                return self._client.lambda_.invoke(function, {"Records": event}).payload
            case Every():
                scheduled = {**SCHEDULED, "account": ACCOUNT, "region": REGION}
                return self._client.lambda_.invoke(function, scheduled).payload

    def _request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **(headers or {})}
        answer = self._client.http.request(method, path, headers=sent, body=raw)
        return answer.status_code, answer.json_body

    def stream(self) -> list[Any]:
        """What the streams of orders and stock hold since the last `drain`, as Lambda hands it over."""
        streams = boto3.client("dynamodbstreams")
        records = []
        for table in ("orders", "stock"):
            (found,) = streams.list_streams(TableName=PREFIX + table)["Streams"]
            for shard in streams.describe_stream(StreamArn=found["StreamArn"])["StreamDescription"]["Shards"]:
                place = {"StreamArn": found["StreamArn"], "ShardId": shard["ShardId"]}
                iterator = streams.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
                records += streams.get_records(ShardIterator=iterator)["Records"]
        read: list[Any] = json.loads(json.dumps(records, default=_as_lambda_writes_it))
        return read

    def queued(self, queue: str) -> list[Any]:
        """The messages that wait in a queue."""
        return [json.loads(message.body) for message in _queues()[PREFIX + queue]._messages]

    def wait_a_little(self) -> None:
        """A queue gives a message again after minutes: no dead worker's claim to fetch a token or to tell a shop
        is left by then, and the budgets that it drew on are full again."""
        table = _tables()[PREFIX + "channels"]
        for item in list(table.all_items()):
            if item.attrs.get("claimed_until_ms"):
                item.attrs["claimed_until_ms"] = type(item.attrs["claimed_until_ms"])({"N": "0"})
            if item.range_key and str(item.range_key.value).startswith("JOB#told/"):
                item.attrs["job"] = type(item.attrs["job"])({"M": {"asked_ms": {"N": "0"}}})
            if item.range_key and str(item.range_key.value).startswith("BUDGET#"):
                table.delete_item(item.hash_key, item.range_key)

    def pass_time(self, **duration: float) -> None:
        """It is so much later."""
        self.now += timedelta(**duration)

    # --- state --------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Nothing waits in the queues and streams any more."""
        for queue in _queues().values():
            queue._messages = []
        for table in _tables().values():
            if table.stream_shard:
                table.stream_shard.items = []

    def saved(self) -> Any:
        """All state, to be handed to `restore`."""
        items = {name: copy.deepcopy(table.items) for name, table in _tables().items()}
        return items, self._bodies(), copy.deepcopy((self.shop, self.graph, self.markets, self.carrier)), self.now

    def restore(self, saved: Any) -> None:
        """Put everything back as it was; queues and streams are empty."""
        items, objects, channels, self.now = saved
        self.drain()
        for name, table in _tables().items():
            table.items = copy.deepcopy(items[name])
        bodies, there = self.ports().bodies, self._bodies()
        for key in there.keys() - objects.keys():
            bodies.delete(key)
        for key in objects.keys() - there.keys():
            bodies.put(key, objects[key])
        self.shop, self.graph, self.markets, self.carrier = copy.deepcopy(channels)
        self.calls, self.crash_at = 0, None

    def begin(self) -> None:
        """A new day: only accounts, catalogue and opening stock."""
        self.restore(self._base)

    def end_state(self) -> dict[str, Any]:
        """What there is, without what says only how often somebody tried: doubled messages, tokens, request counts."""
        return {
            **{f"table {name}": _items(table) for name, table in _tables().items()},
            **{f"queue {name}": _waiting(name, queue) for name, queue in _queues().items()},
            "bodies": self._objects(),
            "shop": {name: value for name, value in vars(self.shop).items() if not name.startswith("_")},
            "told to meta": (self.graph.events, self.graph.items),
            "labels sold": list(self.carrier.state.labels),
            **{f"market {name}": _shelf(market.shelf) for name, market in self.markets.markets.items()},
        }

    def _objects(self) -> dict[str, str]:
        return {name: hashlib.sha256(body).hexdigest() for name, body in self._bodies().items()}

    def _bodies(self) -> dict[str, bytes]:
        bucket = get_backend("s3")[ACCOUNT]["aws"].buckets["headrace-bodies"]
        return {name: key.value for name, key in bucket.keys.items()}


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """A seeded sandbox; making one takes longer than putting it back."""
    with mocked_aws(), pytest.MonkeyPatch.context() as patch:
        create_tables(boto3.client("dynamodb"))
        patch.setenv("HEADRACE_STAGE", STAGE)
        patch.setenv("HEADRACE_QUEUE_URL", create_queues(boto3.client("sqs")))
        patch.setenv("HEADRACE_BODIES_BUCKET", create_bucket())
        with Client(app) as client:
            yield Sandbox(patch, client)
    wiring.runtime.cache_clear()
    wiring._client.cache_clear()


def _messages(bodies: list[Any], receives: int) -> list[dict[str, Any]]:
    return [
        {
            "messageId": str(index),
            "receiptHandle": "r",
            "body": json.dumps(body),
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
        }
        for index, body in enumerate(bodies)
    ]


def _tables() -> dict[str, Any]:
    """A cancelled transaction replaces moto's tables, so they are asked for anew each time."""
    tables: dict[str, Any] = get_backend("dynamodb")[ACCOUNT][REGION].tables
    return tables


def _queues() -> dict[str, Any]:
    queues: dict[str, Any] = get_backend("sqs")[ACCOUNT][REGION].queues
    return queues


def _waiting(name: str, queue: Any) -> set[str]:
    """What waits. A channel that asks for patience, since it was told twice, is asked again later: no difference."""
    bodies = {message.body for message in queue._messages}
    return {body for body in bodies if not ("sync-" in name and '"rounds"' in body)}


def _items(table: Any) -> dict[tuple[str, str], Any]:
    found = {}
    for item in table.all_items():
        plain = image_to_plain({name: value.to_regular_json() for name, value in item.attrs.items()})
        key = str(plain["pk"]), str(plain["sk"])
        if "listings" in plain:  # counts how often listings were restated, and wakes their workers each time
            plain["version"] -= plain.pop("listings")
        if "acked_version" in plain:  # counts what a channel acknowledged, and a repeat is one more
            del plain["version"]
        for count in ("revisions", "revised_day"):  # of today, at the channel: the same
            plain.pop(count, None)
        if key[1] == "RULE":
            del plain["changes"]  # the same count for the rule of a channel
        if key[1] == "LOOKUPS" or key[1].startswith("JOB#told/"):  # how often a key was asked for, when a shop was told
            plain = {}
        if not key[1].startswith("BUDGET#"):  # counts calls, and leases of them that a dead worker had
            found[key] = "a token" if key[1].startswith("TOKEN") else plain
    return found


def _shelf(shelf: Any) -> dict[str, Any]:
    """A marketplace's absolute state. Its count of changes and of questions asked is not part of it."""
    sales = {name: {**asdict(sale), "updated_at": None} for name, sale in shelf.sales.items()}
    due = {quantity.sku: quantity.quantity for quantity in shelf.quantities_due}
    return {"listings": {name: asdict(each) for name, each in shelf.listings.items()}, "sales": sales, "due": due}


def _as_lambda_writes_it(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
