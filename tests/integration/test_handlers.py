"""The Lambda handlers as AWS calls them, over moto: events in, partial batch responses out, state in the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from chalice.test import Client
from moto import mock_aws

from app import app
from chalicelib.domain.lifecycle import stage, status
from chalicelib.runtime import wiring
from chalicelib.store.accounts import add_account
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import order_writes, read_order
from chalicelib.store.stock import read_stock, receipt_writes
from tests.aws import STAGE, create_bucket, create_queues, create_tables
from tests.integration.test_lifecycle import document

ORDER = "storefront:1001"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[wiring.Runtime]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")  # moto knows no account in the streams' host name
    monkeypatch.setenv("HEADRACE_STAGE", STAGE)
    with mock_aws():
        for cached in (wiring.runtime, wiring._session, wiring._client):
            cached.cache_clear()
        create_tables(boto3.client("dynamodb"))
        monkeypatch.setenv("HEADRACE_QUEUE_URL", create_queues(boto3.client("sqs")))
        monkeypatch.setenv("HEADRACE_BODIES_BUCKET", create_bucket())
        ports = wiring.runtime()
        add_account(ports.tables, "storefront", {})
        ports.tables.write(*sku_writes("MUG", "Mug"))
        ports.tables.write(*receipt_writes("opening", "MUG", "main", 5, 0))
        yield ports
    wiring.runtime.cache_clear()


def invoke(name: str, *bodies: Any) -> list[str]:
    """Deliver bodies to a queue's Lambda; the indexes of those that it wants again."""
    records = [
        {
            "messageId": str(index),
            "receiptHandle": "r",
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q",
        }
        for index, body in enumerate(bodies)
    ]
    with Client(app) as client:
        answer = client.lambda_.invoke(name, {"Records": records}).payload
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def relayed() -> list[tuple[str, Any]]:
    """Read the orders table's whole stream into the relay; what it sent, as (queue, message)."""
    streams = boto3.client("dynamodbstreams")
    (stream,) = streams.list_streams(TableName=f"headrace-{STAGE}-orders")["Streams"]
    shards = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    records = []
    for shard in shards:
        iterator = streams.get_shard_iterator(
            StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records += streams.get_records(ShardIterator=iterator)["Records"]
    with Client(app) as client:
        answer = client.lambda_.invoke("relay", json.loads(json.dumps({"Records": records}, default=_wire))).payload
    assert answer == {"batchItemFailures": []}
    return sent()


def _wire(value: Any) -> Any:
    import base64

    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def sent() -> list[tuple[str, Any]]:
    sqs = boto3.client("sqs")
    found = []
    for url in sqs.list_queues()["QueueUrls"]:
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                found.append((url.rsplit(f"headrace-{STAGE}-")[-1], json.loads(message["Body"])))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def entry_message(**more: Any) -> dict[str, Any]:
    return {"channel": "storefront", "raw": json.dumps(document(**more)), "hint": {}}


def test_one_order_through_all_five_lambdas(aws: wiring.Runtime) -> None:
    assert invoke("entry", entry_message(), entry_message()) == []
    assert relayed() == [("allocation", {"order": ORDER})]
    assert invoke("allocation", {"order": ORDER}, {"order": ORDER}) == []
    parcel = {"shipment_id": "p1", "location": "main", "shipped_ms": 1, "lines": [{"line_id": "1", "units": 2}]}
    left = {"order": ORDER, "do": "ship", "fact": parcel, "actor": "api"}
    assert invoke("shipping", left, left) == []
    lines = [{"line_id": "l", "kind": "sale", "amount_minor": 1000}]
    payout = {"channel": "storefront", "payout_id": "po", "order_id": ORDER, "currency": "EUR", "paid_ms": 1}
    paid = {"payout": {**payout, "lines": lines}}
    assert invoke("settlement", paid, paid) == []
    order = read_order(aws.tables, ORDER, content=True)
    assert order is not None
    assert (stage(order), order.state.version) == ("settled", 5)
    (stock,) = read_stock(aws.tables, ["MUG"], ("main",))["MUG"]
    assert (stock.on_hand, stock.allocated, stock.available) == (3, 0, 3)


def test_money_that_comes_later_is_secured_by_the_funding_lambda(aws: wiring.Runtime) -> None:
    invoke("entry", entry_message(payment={"status": "pending"}))
    assert relayed() == [("allocation", {"order": ORDER})]
    before = read_order(aws.tables, ORDER)
    assert before is not None
    paid = before.having(payment=replace(before.state.payment, captured_minor=1000), version=before.state.version + 1)
    aws.tables.write(*order_writes(before, paid))
    assert ("funding", {"order": ORDER}) in relayed()
    assert invoke("funding", {"order": ORDER}, {"order": ORDER}) == []
    after = read_order(aws.tables, ORDER)
    assert after is not None
    assert (after.state.secured_minor, after.state.version, after.state.timeline[-1].actor) == (1000, 3, "funding")


@pytest.mark.parametrize("name", ["entry", "funding", "shipping", "settlement"])
def test_a_poisoned_record_is_the_only_one_to_come_again(aws: wiring.Runtime, name: str) -> None:
    good = entry_message() if name == "entry" else {"order": "storefront:none"}
    if name in ("shipping", "settlement"):
        good = {
            "shipping": {"order": "storefront:none", "do": "ship", "fact": {"lines": []}},
            "settlement": {
                "payout": {
                    "channel": "storefront",
                    "payout_id": "p",
                    "order_id": "storefront:none",
                    "currency": "EUR",
                    "paid_ms": 1,
                    "lines": [{"line_id": "l", "kind": "fee", "amount_minor": -1}],
                }
            },
        }[name]
    assert invoke(name, good, "not json", {"nonsense": True}, good) == ["1", "2"]


def test_the_sweep_puts_off_what_is_overdue_and_rechecks_what_is_held(
    aws: wiring.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("entry", entry_message(sku="CUP"))
    held = read_order(aws.tables, ORDER)
    assert held is not None
    assert status(held) == "on_hold"
    later = aws.clock() + 16 * 60_000
    monkeypatch.setattr(wiring, "clock_ms", lambda: later)
    wiring.runtime.cache_clear()
    with Client(app) as client:
        client.lambda_.invoke(
            "sweep",
            {
                "id": "x",
                "time": "",
                "source": "",
                "detail": {},
                "resources": [],
                "detail-type": "",
                "account": "",
                "region": "",
                "version": "0",
            },
        )
    assert ("entry", {"order": ORDER}) in sent()
    after = read_order(aws.tables, ORDER)
    assert after is not None
    assert after.state.due_ms > later
    assert after.state.timeline[-1].actor == "sweep"
