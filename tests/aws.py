"""The tables, queues and bucket of the packaged template, made in moto; the definitions are those that ship."""

from __future__ import annotations

from typing import Any

import boto3

from tools.functions import DEPLOYED, FUNCTIONS, TABLES, FromQueue
from tools.resources import table

STAGE = "local"
_CREATED_WITH = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def create_tables(client: Any) -> None:
    """Every table, with its indexes and stream, under the names of the local stage."""
    for each in TABLES:
        properties = table(each, DEPLOYED[STAGE])["Properties"]
        request = {name: properties[name] for name in _CREATED_WITH if name in properties}
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
