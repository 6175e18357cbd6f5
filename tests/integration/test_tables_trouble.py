"""Throttles, conflicts, outages and lost answers of DynamoDB: every retry is bounded, jittered and safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from chalicelib.domain.errors import Busy, Stale
from chalicelib.store.dynamo import DynamoTables
from chalicelib.store.tables import Change, Delete, Key, Put, When, Write
from tests.aws import STAGE, dynamo_tables, mocked_aws

KEY = Key("orders", "a", "STATE")
MUG = Key("stock", "MUG", "LOC#main")
PREFIX = f"headrace-{STAGE}-"
MOST_ATTEMPTS = 4

Fault = Callable[[Callable[[], Any]], Any]


class Troubled:
    """A DynamoDB client whose next calls meet `faults`, one each; then it works.

    Unlike moto it knows the tokens of transactions: a repeat within ten minutes is answered with success and not
    applied again, another request under a known token is refused. Source: API reference, TransactWriteItems.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._done: dict[str, Any] = {}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.requests.append((operation, request))
            perform = lambda: self._perform(operation, request)  # noqa: E731 the call, not yet made
            return self.faults.pop(0)(perform) if self.faults else perform()

        return call

    def _perform(self, operation: str, request: dict[str, Any]) -> Any:
        token = request.get("ClientRequestToken")
        if token in self._done:
            assert self._done[token] == request, "IdempotentParameterMismatchException"
            return {}
        answer = getattr(self._client, operation)(**request)
        if token:
            self._done[token] = request
        return answer

    @property
    def tokens(self) -> list[str]:
        return [request["ClientRequestToken"] for _, request in self.requests if "ClientRequestToken" in request]


def refused(code: str, status: int = 400, reasons: tuple[str, ...] = ()) -> Fault:
    """DynamoDB answers with an error and has done nothing."""

    def fault(_perform: Callable[[], Any]) -> Any:
        answer: Any = {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": status},
            **({"CancellationReasons": [{"Code": reason} for reason in reasons]} if reasons else {}),
        }
        raise ClientError(answer, "Any")

    return fault


def unreachable(error: Exception) -> Fault:
    def fault(_perform: Callable[[], Any]) -> Any:
        raise error

    return fault


def answer_lost(perform: Callable[[], Any]) -> Any:
    """It is done, and nobody hears of it."""
    perform()
    raise ReadTimeoutError(endpoint_url="https://dynamodb")


PASSING = {
    "throttled": refused("ProvisionedThroughputExceededException"),
    "throttled by the account": refused("ThrottlingException"),
    "too many requests": refused("RequestLimitExceeded"),
    "in conflict with a transaction": refused("TransactionConflictException"),
    "its own transaction is going on": refused("TransactionInProgressException"),
    "an internal error": refused("InternalServerError", 500),
    "a gateway's error": refused("502", 502),
    "a transaction in conflict": refused("TransactionCanceledException", reasons=("None", "TransactionConflict")),
    "a transaction throttled": refused("TransactionCanceledException", reasons=("ThrottlingError", "None")),
    "no connection": unreachable(EndpointConnectionError(endpoint_url="https://dynamodb")),
    "no connection in time": unreachable(ConnectTimeoutError(endpoint_url="https://dynamodb")),
    "the answer is lost": answer_lost,
}
LASTING = {
    "no permission": (refused("AccessDeniedException"), ClientError),
    "no such table": (refused("ResourceNotFoundException"), ClientError),
    "an item too large": (refused("TransactionCanceledException", reasons=("None", "ValidationError")), ClientError),
    "another request under the token": (refused("IdempotentParameterMismatchException"), ClientError),
    "a parameter that is none": (unreachable(ParamValidationError(report="")), ParamValidationError),
}


@pytest.fixture
def pauses_s() -> list[float]:
    return []


@pytest.fixture
def client() -> Iterator[Troubled]:
    with mocked_aws():
        yield Troubled(dynamo_tables()._client)


@pytest.fixture
def tables(client: Troubled, pauses_s: list[float]) -> DynamoTables:
    return DynamoTables(client, PREFIX, sleep=pauses_s.append)


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("size", [1, 2])
def test_a_passing_trouble_is_tried_again_and_written_once(
    client: Troubled, tables: DynamoTables, fault: Fault, size: int
) -> None:
    client.faults = [fault]
    tables.write(*(Put(Key("orders", f"o{n}", "STATE"), {"version": 1}) for n in range(size)))
    assert len(client.requests) == 2
    assert (tables.get(Key("orders", "o0", "STATE")) or {})["version"] == 1


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_lasting_outage_is_busy_after_a_bounded_number_of_attempts(
    client: Troubled, tables: DynamoTables, pauses_s: list[float], fault: Fault
) -> None:
    for call in (lambda: tables.get(KEY), lambda: tables.get_many([KEY]), lambda: tables.query("orders", "a")):
        client.requests.clear()
        pauses_s.clear()
        client.faults = [fault] * 10
        with pytest.raises(Busy) as busy:
            call()
        assert busy.value.after_s > 0
        assert len(client.requests) == MOST_ATTEMPTS
        assert len(pauses_s) == MOST_ATTEMPTS - 1, "nobody waits after the last attempt"


@pytest.mark.parametrize(("fault", "error"), LASTING.values(), ids=LASTING)
def test_what_can_never_succeed_is_not_tried_again(
    client: Troubled, tables: DynamoTables, fault: Fault, error: type[Exception]
) -> None:
    client.faults = [fault]
    with pytest.raises(error):
        tables.write(Put(KEY, {"version": 1}), Put(MUG, {"version": 1}))
    assert len(client.requests) == 1


def test_a_failed_condition_is_stale_at_once_though_another_action_was_in_conflict(
    client: Troubled, tables: DynamoTables
) -> None:
    client.faults = [refused("TransactionCanceledException", reasons=("TransactionConflict", "ConditionalCheckFailed"))]
    with pytest.raises(Stale):
        tables.write(Put(KEY, {"version": 1}, When(absent=True)), Put(MUG, {"version": 1}))
    assert len(client.requests) == 1


def test_pauses_are_drawn_from_zero_to_a_bound_that_doubles(
    client: Troubled, tables: DynamoTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[float, float]] = []
    monkeypatch.setattr("chalicelib.store.dynamo.random.uniform", lambda low, high: drawn.append((low, high)) or high)
    client.faults = [refused("ThrottlingException")] * 10
    with pytest.raises(Busy):
        tables.get(KEY)
    bounds_s = [high for _, high in drawn]
    assert [low for low, _ in drawn] == [0, 0, 0]
    assert all(later == 2 * earlier for earlier, later in pairwise(bounds_s))
    assert 0 < sum(bounds_s) < 1, "a Lambda is paid for by the second"


def test_a_transaction_whose_answer_was_lost_is_no_false_stale_and_applied_once(
    client: Troubled, tables: DynamoTables
) -> None:
    tables.write(Put(KEY, {"version": 1}))
    tables.write(Change(MUG, add={"available": 5}))
    client.faults = [answer_lost, answer_lost]
    take = Change(MUG, add={"available": -1}, when=When(at_least=(("available", 1),)))
    tables.write(Put(KEY, {"version": 2}, When(version=1)), take)
    assert (tables.get(MUG) or {})["available"] == 4
    assert (tables.get(KEY) or {})["version"] == 2
    assert len(client.tokens) == 3
    assert len(set(client.tokens)) == 1


def test_an_addition_without_a_guard_whose_answer_was_lost_is_added_once_in_a_transaction(
    client: Troubled, tables: DynamoTables
) -> None:
    client.faults = [answer_lost]
    tables.write(Change(MUG, add={"listings": 1}), Put(KEY, {"version": 1}))
    assert (tables.get(MUG) or {})["listings"] == 1


def test_the_same_addition_meant_twice_is_added_twice(client: Troubled, tables: DynamoTables) -> None:
    for _ in range(2):
        tables.write(Change(MUG, add={"listings": 1}), Put(KEY, {"version": 1}))
    assert (tables.get(MUG) or {})["listings"] == 2


def test_setting_a_value_back_to_what_it_was_is_not_taken_for_a_repeat(client: Troubled, tables: DynamoTables) -> None:
    for colour in ("red", "blue", "red"):
        tables.write(Put(KEY, {"colour": colour}), Put(MUG, {"colour": colour}))
    assert (tables.get(KEY) or {})["colour"] == "red"


def test_the_token_is_derived_from_the_request_and_every_part_of_it(client: Troubled, tables: DynamoTables) -> None:
    guard = Put(KEY, {"version": 1, "body": b"\x00"}, When(absent=True))
    variants: list[tuple[Write, ...]] = [
        (guard, Change(MUG, add={"available": 1})),
        (guard, Change(MUG, add={"available": 2})),
        (guard, Change(MUG, put={"available": 1})),
        (guard, Change(MUG, add={"available": 1}, when=When(at_least=(("available", 1),)))),
        (guard, Change(Key("stock", "CUP", "LOC#main"), add={"available": 1})),
        (Put(KEY, {"version": 1, "body": b"\x01"}, When(absent=True)), Change(MUG, add={"available": 1})),
    ]
    for _ in range(2):
        for writes in variants:
            client.faults = [lambda perform: {}]  # it is the request that counts here
            tables.write(*writes)
    first, again = client.tokens[: len(variants)], client.tokens[len(variants) :]
    assert first == again
    assert len(set(first)) == len(variants)
    assert {len(token) for token in first} == {36}


@pytest.mark.parametrize(
    "write", [Put(KEY, {"version": 2}, When(version=1)), Change(KEY, add={"version": 1}, when=When(version=1))]
)
def test_a_single_write_whose_answer_was_lost_is_stale_and_stands_once(
    client: Troubled, tables: DynamoTables, write: Write
) -> None:
    """It cannot know whose write it sees: the caller reads again, finds its work done and has nothing to decide."""
    tables.write(Put(KEY, {"version": 1}))
    client.faults = [answer_lost]
    with pytest.raises(Stale):
        tables.write(write)
    assert (tables.get(KEY) or {})["version"] == 2


def test_a_single_write_without_a_condition_whose_answer_was_lost_is_repeated(
    client: Troubled, tables: DynamoTables
) -> None:
    client.faults = [answer_lost]
    tables.write(Put(KEY, {"version": 1}))
    client.faults = [answer_lost]
    tables.write(Delete(KEY))
    assert tables.get(KEY) is None


def leaves_half(perform: Callable[[], Any]) -> Any:
    """DynamoDB gives half of the items and names the other half as not processed."""
    answer = perform()
    for name, items in answer["Responses"].items():
        left = items[len(items) // 2 :]
        answer["Responses"][name] = items[: len(items) // 2]
        keys = [{part: item[part] for part in ("pk", "sk")} for item in left]
        if keys:
            answer["UnprocessedKeys"] = {name: {"Keys": keys, "ConsistentRead": True}}
    return answer


def test_keys_left_unprocessed_are_asked_for_again_and_no_others(client: Troubled, tables: DynamoTables) -> None:
    keys = [Key("orders", f"o{n}", "STATE") for n in range(8)]
    tables.write(*(Put(key, {"version": 1}) for key in keys))
    client.requests.clear()
    client.faults = [leaves_half, leaves_half]
    assert set(tables.get_many(keys)) == set(keys)
    asked = [len(request["RequestItems"][f"{PREFIX}orders"]["Keys"]) for _, request in client.requests]
    assert asked == [8, 4, 2]


def test_keys_that_stay_unprocessed_are_busy_and_never_missing_items(
    client: Troubled, tables: DynamoTables, pauses_s: list[float]
) -> None:
    def leaves_all(perform: Callable[[], Any]) -> Any:
        _, request = client.requests[-1]
        return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    tables.write(Put(KEY, {"version": 1}))
    client.requests.clear()
    client.faults = [leaves_all] * 20
    with pytest.raises(Busy):
        tables.get_many([KEY])
    assert len(client.requests) <= 6
    assert len(pauses_s) == len(client.requests) - 1
