"""The tables, queues and bucket of the packaged template, made in moto; the definitions are those that ship."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.store.dynamo import DynamoTables
from tools.functions import DEPLOYED, FUNCTIONS, TABLES, FromQueue
from tools.resources import table

STAGE = "local"
ACCOUNT = "123456789012"  # moto's
REGION = "us-east-1"
_CREATED_WITH = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


@contextmanager
def mocked_aws() -> Iterator[None]:
    """AWS as moto has it, with credentials that open nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")  # moto knows no account in the streams' host name
        with mock_aws():
            yield


def dynamo_tables() -> DynamoTables:
    """New tables on the mocked AWS; a retry waits for nothing."""
    client = boto3.client("dynamodb")
    create_tables(client)
    return DynamoTables(client, f"headrace-{STAGE}-", sleep=lambda pause_s: None)


def create_tables(client: Any, prefix: str = f"headrace-{STAGE}-") -> None:
    """Every table, with its indexes and stream, under the names of the local stage or another prefix."""
    for each in TABLES:
        properties = table(each, DEPLOYED[STAGE])["Properties"]
        request = {name: properties[name] for name in _CREATED_WITH if name in properties}
        request["TableName"] = prefix + each.name
        if "StreamSpecification" in properties:
            request["StreamSpecification"] = {**properties["StreamSpecification"], "StreamEnabled": True}
        client.create_table(**request)


def create_queues(client: Any) -> str:
    """Every queue; the URL of the one for entry."""
    for function in FUNCTIONS:
        if isinstance(function.trigger, FromQueue):
            client.create_queue(QueueName=f"headrace-{STAGE}-{function.trigger.queue}")
    return str(client.get_queue_url(QueueName=f"headrace-{STAGE}-entry")["QueueUrl"])


def create_bucket() -> str:
    """The bucket of large bodies; its name."""
    name = "headrace-bodies"
    boto3.client("s3").create_bucket(Bucket=name)
    return name
