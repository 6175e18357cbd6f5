"""A deployed stage as its operator reaches it: tables, secrets and queues through AWS, and channels over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.channels.access import Access
from chalicelib.channels.budgets import Unlimited
from chalicelib.channels.carrier_port import CarrierClient
from chalicelib.channels.carriers import carrier_class
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.port import ChannelClient
from chalicelib.channels.processor_port import ProcessorClient
from chalicelib.channels.registry import client_class, kind_of, processor_class
from chalicelib.channels.transport import Transport, urllib3_transport
from chalicelib.domain.errors import Refused
from chalicelib.runtime.queues import Message, SqsQueues
from chalicelib.store.dynamo import DynamoTables
from chalicelib.store.tables import Tables


class NoStage(Exception):
    """The stage cannot be reached; says what to do about it."""


@dataclass(frozen=True)
class Stage:
    """One stage. `clock` gives Unix milliseconds; `sqs` and `ssm` are clients of boto3."""

    name: str
    tables: Tables
    sqs: Any
    ssm: Any
    transport: Callable[[], Transport]
    clock: Callable[[], int]

    def read_secret(self, name: str) -> dict[str, Any]:
        """The secret `<channel>/api` or `<channel>/webhook`; empty when it is not set."""
        try:
            answer = self.ssm.get_parameter(Name=self._path(name), WithDecryption=True)
        except self.ssm.exceptions.ParameterNotFound:
            return {}
        found: dict[str, Any] = json.loads(answer["Parameter"]["Value"])
        return found

    def write_secret(self, name: str, value: Mapping[str, Any]) -> None:
        """Set a secret, encrypted."""
        text = json.dumps(value)
        # The standard tier keeps 4 KB; eBay's signing key with a long refresh token may need more.
        tier = "Advanced" if len(text.encode()) > 4096 else "Standard"
        self.ssm.put_parameter(Name=self._path(name), Value=text, Type="SecureString", Overwrite=True, Tier=tier)

    def queue_arn(self, queue: str) -> str:
        """The ARN of a queue of the stage. Raises `Refused` when the stage has no such queue."""
        try:
            url = self.sqs.get_queue_url(QueueName=f"headrace-{self.name}-{queue}")["QueueUrl"]
        except self.sqs.exceptions.QueueDoesNotExist:
            raise Refused("no_queue", f"no queue headrace-{self.name}-{queue}: deploy the stage first") from None
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])

    def send(self, queue: str, messages: Sequence[Message]) -> None:
        """Put work on a queue of the stage."""
        url = self.sqs.get_queue_url(QueueName=f"headrace-{self.name}-entry")["QueueUrl"]
        SqsQueues(self.sqs, url).send(queue, messages)

    def client(
        self, channel: str, settings: Mapping[str, Any], secret: Mapping[str, Any], tokens: OwnTokens | None = None
    ) -> ChannelClient:
        """A client of the account, with tokens of its own: nothing that is tried here pauses the account or takes a
        token from the workers."""
        access = Access(self.transport(), settings, secret, tokens or OwnTokens(), self.clock())
        return client_class(kind_of(channel))(access)

    def processor(self, account: str, settings: Mapping[str, Any], secret: Mapping[str, Any]) -> ProcessorClient:
        """A client of a payment processor's account."""
        return processor_class(kind_of(account))(self.transport(), settings, secret, self.clock())

    def carrier(self, account: str, settings: Mapping[str, Any], secret: Mapping[str, Any]) -> CarrierClient:
        """A client of an account at a carrier's service."""
        make = carrier_class(kind_of(account))
        return make(self.transport(), settings, secret, JobsInMemory(), self.clock(), Unlimited())

    def _path(self, name: str) -> str:
        return f"/headrace/{self.name}/{name}"


class OwnTokens:
    """Tokens that last as long as the command. `granted`: by name, with when each ends (Unix ms)."""

    def __init__(self) -> None:
        self.granted: dict[str, tuple[str, int]] = {}

    def get(self, name: str = "") -> str:
        """The token, or ""."""
        return self.granted.get(name, ("", 0))[0]

    def claim(self, rejected: str, name: str = "") -> bool:  # noqa: ARG002
        """Always: nobody else is at it."""
        return True

    def put(self, token: str, expires_ms: int, name: str = "") -> None:
        """Keep it for the next call."""
        self.granted[name] = (token, expires_ms)

    def lost(self, why: str) -> None:
        """The step says so itself."""


def connect(name: str, endpoint_url: str = "") -> Stage:
    """The stage through boto3, whose usual environment names credentials and region. Raises `NoStage`."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
    endpoint = {"endpoint_url": endpoint_url} if endpoint_url else {}
    try:
        clients = {
            service: boto3.client(service, config=config, **endpoint)  # type: ignore[call-overload]
            for service in ("dynamodb", "sqs", "ssm")
        }
        clients["dynamodb"].describe_table(TableName=f"headrace-{name}-channels")
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            raise NoStage(
                f"no table headrace-{name}-channels here: deploy the stage, or name another --stage"
            ) from None
        raise NoStage(f"AWS answered {code}: are these the credentials of the stage's account?") from None
    except BotoCoreError as error:
        raise NoStage(
            f"{error}: set AWS_DEFAULT_REGION and credentials, or --endpoint-url for the local engine"
        ) from None
    return Stage(
        name=name,
        tables=DynamoTables(clients["dynamodb"], f"headrace-{name}-"),
        sqs=clients["sqs"],
        ssm=clients["ssm"],
        transport=urllib3_transport,
        clock=lambda: time.time_ns() // 1_000_000,
    )
