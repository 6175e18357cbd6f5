"""The tables on DynamoDB."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from chalicelib.domain.errors import Busy, Stale
from chalicelib.store.tables import (
    MAX_KEYS,
    Change,
    Delete,
    Item,
    Key,
    Page,
    Put,
    When,
    Write,
    applies_once,
    assert_one_bound,
    checked,
)

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize
_ATTEMPTS = 4
_BATCH_ATTEMPTS = 6  # a batch answers 16 MB at most, so what is left over need not mean trouble
_FIRST_PAUSE_S = 0.05
_TOKEN_LENGTH = 36  # Source: TransactWriteItems, ClientRequestToken
# Source of the codes: DynamoDB developer guide, error handling; API reference, TransactWriteItems.
_BUSY_CODES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "InternalServerError",
    "ServiceUnavailable",
}
_BUSY_REASONS = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


def to_plain(attributes: dict[str, Any]) -> Item:
    """An item as DynamoDB gives it, as plain Python: numbers become int, binaries bytes."""
    return {name: _plain(_deserialize(value)) for name, value in attributes.items()}


def image_to_plain(image: dict[str, Any]) -> Item:
    """An image of a stream record as Lambda hands it over: JSON, so its binaries are base64 text."""
    return to_plain({name: _with_bytes(value) for name, value in image.items()})


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    if kind == "B" and isinstance(inner, str):
        return {"B": base64.b64decode(inner)}
    if kind == "M":
        return {"M": {name: _with_bytes(each) for name, each in inner.items()}}
    return {"L": [_with_bytes(each) for each in inner]} if kind == "L" else value


def _plain(value: Any) -> Any:
    if isinstance(value, Binary):
        return bytes(value)  # type: ignore[call-overload]  # stubs lack Binary.__bytes__
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if hasattr(value, "as_tuple") else value


def _to_dynamo(item: Item) -> dict[str, Any]:
    return {name: _serialize(value) for name, value in item.items()}


class DynamoTables:
    """`Tables` on DynamoDB. `prefix` turns a short table name into the real one (`headrace-prod-orders`).

    Retries of throttles, conflicts and lost answers are bounded and jittered. A repeated transaction carries the same
    token, a repeated single write the same condition.
    """

    def __init__(self, client: Any, prefix: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._prefix = prefix
        self._sleep = sleep

    def get(self, key: Key) -> Item | None:
        answer = self._call("get_item", TableName=self._prefix + key.table, Key=_key(key), ConsistentRead=True)
        return to_plain(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        found: dict[Key, Item] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), MAX_KEYS):
            found.update(self._batch(wanted[start : start + MAX_KEYS]))
        return found

    def _batch(self, keys: list[Key]) -> dict[Key, Item]:
        request: dict[str, Any] = {}
        for key in keys:
            table = request.setdefault(self._prefix + key.table, {"Keys": [], "ConsistentRead": True})
            table["Keys"].append(_key(key))
        found: dict[Key, Item] = {}
        for attempt in range(_BATCH_ATTEMPTS):
            if attempt:
                self._pause(attempt)
            answer = self._call("batch_get_item", RequestItems=request)
            for table_name, items in answer["Responses"].items():
                for item in map(to_plain, items):
                    found[Key(table_name.removeprefix(self._prefix), item["pk"], item["sk"])] = item
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return found
        raise Busy("DynamoDB left keys unprocessed", after_s=1)

    def query(
        self,
        table: str,
        pk: str,
        *,
        index: str = "",
        begins: str = "",
        after: str = "",
        upto: str = "",
        limit: int = 100,
        cursor: str = "",
        newest_first: bool = False,
    ) -> Page:
        assert_one_bound(begins, after, upto)
        pk_name, sk_name = (f"{index}_pk", f"{index}_sk") if index else ("pk", "sk")
        names, values = {"#p": pk_name}, {":p": {"S": pk}}
        condition = "#p = :p"
        for bound, words in ((begins, "begins_with(#s, :s)"), (after, "#s > :s"), (upto, "#s <= :s")):
            if bound:
                condition += f" AND {words}"
                names["#s"], values[":s"] = sk_name, {"S": bound}
        request: dict[str, Any] = {
            "TableName": self._prefix + table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "Limit": limit,
            "ScanIndexForward": not newest_first,
            **({"IndexName": index} if index else {"ConsistentRead": True}),
            **({"ExclusiveStartKey": json.loads(base64.urlsafe_b64decode(cursor))} if cursor else {}),
        }
        answer = self._call("query", **request)
        last = answer.get("LastEvaluatedKey")
        after = base64.urlsafe_b64encode(json.dumps(last).encode()).decode() if last else ""
        return Page([to_plain(item) for item in answer["Items"]], after)

    def write(self, *writes: Write) -> None:
        actions = [self._action(write) for write in checked(writes)]
        if len(actions) > 1:
            token = _digest(actions) if applies_once(writes) else str(uuid.uuid4())
            self._call("transact_write_items", TransactItems=actions, ClientRequestToken=token)
            return
        ((kind, request),) = actions[0].items()
        self._call({"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind], **request)

    def _action(self, write: Write) -> dict[str, Any]:
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        condition = _condition(write.when, names, values)
        request: dict[str, Any] = {"TableName": self._prefix + write.key.table}
        if isinstance(write, Put):
            kind = "Put"
            request["Item"] = _to_dynamo({**write.item, "pk": write.key.pk, "sk": write.key.sk})
        elif isinstance(write, Delete):
            kind, request["Key"] = "Delete", _key(write.key)
        else:
            kind, request["Key"] = "Update", _key(write.key)
            request["UpdateExpression"] = _update(write, names, values)
        if condition:
            request["ConditionExpression"] = condition
        if names:
            request["ExpressionAttributeNames"] = names
        if values:
            request["ExpressionAttributeValues"] = {name: _serialize(value) for name, value in values.items()}
        return {kind: request}

    def _call(self, operation: str, **request: Any) -> Any:
        last: Exception | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._pause(attempt)
            try:
                return getattr(self._client, operation)(**request)
            except ClientError as error:
                _raise_stale(error)
                if not _is_busy(error):
                    raise
                last = error
            except (HTTPClientError, NoConnection) as error:  # no answer: it may have been done
                last = error
        raise Busy(f"DynamoDB {operation}: {type(last).__name__}", after_s=1) from last

    def _pause(self, attempt: int) -> None:
        """Before the second attempt and each after it: up to twice as long every time."""
        self._sleep(random.uniform(0, _FIRST_PAUSE_S * 2 ** (attempt - 1)))  # noqa: S311 jitter is no secret


def _digest(actions: Sequence[dict[str, Any]]) -> str:
    """The token of a transaction that applies once: DynamoDB answers a repeat within ten minutes with success."""
    text = json.dumps(actions, sort_keys=True, separators=(",", ":"), default=_as_text)
    return hashlib.sha256(text.encode()).hexdigest()[:_TOKEN_LENGTH]


def _as_text(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _name(names: dict[str, str], attribute: str) -> str:
    placeholder = f"#{attribute}"
    names[placeholder] = attribute
    return placeholder


def _condition(when: When, names: dict[str, str], values: dict[str, Any]) -> str:
    parts = []
    if when.absent:
        parts.append(f"attribute_not_exists({_name(names, 'pk')})")
    if when.version is not None:
        values[":version"] = when.version
        parts.append(f"{_name(names, 'version')} = :version")
    for attribute, least in when.at_least:
        values[f":least_{attribute}"] = least
        parts.append(f"{_name(names, attribute)} >= :least_{attribute}")
    return " AND ".join(parts)


def _update(change: Change, names: dict[str, str], values: dict[str, Any]) -> str:
    adds, sets = [], []
    for attribute, amount in change.add.items():
        values[f":add_{attribute}"] = amount
        adds.append(f"{_name(names, attribute)} :add_{attribute}")
    for attribute, value in change.put.items():
        values[f":put_{attribute}"] = value
        sets.append(f"{_name(names, attribute)} = :put_{attribute}")
    return " ".join(f"{word} {', '.join(parts)}" for word, parts in (("ADD", adds), ("SET", sets)) if parts)


def _is_busy(error: ClientError) -> bool:
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        return _reasons(error) <= _BUSY_REASONS  # anything else, such as an item too large, is a bug
    return code in _BUSY_CODES or error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500


def _raise_stale(error: ClientError) -> None:
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in _reasons(error):
        raise Stale(f"a condition failed: {code}") from error


def _reasons(error: ClientError) -> set[str]:
    return {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}
