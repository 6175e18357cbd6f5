"""Amazon's own static sandbox pairs: the request is one that its model allows, the answer fits, and we read it.

A pair gives only the parameters that its answer depends on; what else the model requires is filled in. A pair of a
refused request shows what to refuse it for at times (a date that is none) and at times a key word only.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest

from chalicelib.channels.registry import reader_for
from chalicelib.channels.transport import HttpResponse, checked
from chalicelib.domain.errors import Refused
from tests.contract.official_models import wrong_in_request, wrong_in_response
from tests.contract.official_specs import Operation, Parameter, operations

USED = {
    "orders_2026-01-01.json": (),
    "ordersV0.json": ("confirmShipment",),
    "listingsItems_2021-08-01.json": (),
    "feeds_2021-06-30.json": (),
    "reports_2021-06-30.json": (),
    "finances_2024-06-19.json": (),
    "notifications.json": (),
    "sellers.json": (),
    "productFeesV0.json": (),
}
PAIRS = 79
ORDERS = {f"{operation}-200-{number}" for operation in ("searchOrders", "getOrder") for number in range(3)}
# The pairs of which Amazon itself does not follow its model: what of it, in the request or in the answer.
AMAZONS_OWN = {
    "listTransactions-200-0": "'2023-03-07' is not a 'date-time'",
    "listBalances-200-1": "'2025-01-12' is not a 'date-time'",
    "listSummary-200-0": "'2025-01-12' is not a 'date-time'",
    "getAccount-200-0": "'defaultCurrencyCode' is a required property",
    "getMyFeesEstimateForSKU-200-0": "'Mon Oct 28 18:49:32 UTC 2019' is not a 'date-time'",
    "getMyFeesEstimateForASIN-200-0": "'Mon Oct 28 18:49:32 UTC 2019' is not a 'date-time'",
    "getMyFeesEstimates-200-0": "'Mon Oct 28 18:49:32 UTC 2019' is not a 'date-time'",
}
# The refused requests that the model itself refuses; the others are refused for what a model cannot know.
TOLD_APART = {
    "searchOrders-400-0": "'TEST_CASE_400' is not a 'date-time'",
    "confirmShipment-400-0": "'02/21/2022' is not a 'date-time'",
    "getFeeds-400-0": "'BAD_VALUE' is not one of",
    "createFeed-400-0": "'feedType' is a required property",
    "createFeedDocument-400-0": "'contentType' is a required property",
    "getReports-400-0": "'BAD_VALUE' is not one of",
    "createReportSchedule-400-0": "'marketplaceIds' is a required property",
    "listTransactions-400-0": "'2022-03-07' is not a 'date-time'",
    "getMyFeesEstimateForSKU-400-0": "'PriceToEstimateFees' is a required property",
    "getMyFeesEstimateForASIN-400-0": "'PriceToEstimateFees' is a required property",
}


class Pair(NamedTuple):
    """One request and answer; `given` are the parameters of the request, `body` None when it gives none."""

    operation: Operation
    status: int
    number: int
    given: dict[str, Any]
    body: Any
    answer: Any

    def __str__(self) -> str:
        return f"{self.operation.operation_id}-{self.status}-{self.number}"


def pairs() -> Iterator[Pair]:
    for spec, only in USED.items():
        for operation in operations("amazon", spec):
            if only and operation.operation_id not in only:
                continue
            for status, response in operation.raw["responses"].items():
                for number, pair in enumerate(response.get("x-amzn-api-sandbox", {}).get("static", [])):
                    given = dict(pair["request"].get("parameters", {}))
                    body = given.pop("body", {}).get("value")
                    values = {name: each.get("value") for name, each in given.items()}
                    yield Pair(operation, int(status), number, values, body, pair.get("response"))


def _pairs() -> list[Any]:
    """The cases; where the models are not there, one that skips and says so."""
    try:
        return [pytest.param(pair, id=str(pair)) for pair in pairs()]
    except pytest.skip.Exception as absent:
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=str(absent)))]


def request_of(pair: Pair) -> tuple[str, str, dict[str, str], bytes]:
    """The request of a pair, with what else its model requires."""
    operation, path = pair.operation, pair.operation.template
    for name, parameter in operation.parameters_in("path").items():
        path = path.replace(f"{{{name}}}", quote(_text(pair.given.get(name) or _filled(parameter)), safe=""))
    query = {
        name: _text(pair.given[name] if name in pair.given else _filled(parameter))
        for name, parameter in operation.parameters_in("query").items()
        if name in pair.given or parameter.required
    }
    url = f"{path}?{urlencode(query)}" if query else path
    body = json.dumps(pair.body).encode() if pair.body is not None else b""
    return operation.method, url, {"Content-Type": "application/json"}, body


def _filled(parameter: Parameter) -> Any:
    schema = parameter.schema
    inner = schema.get("items", schema)
    value = inner["enum"][0] if inner.get("enum") else "2026-01-01T00:00:00Z" if inner.get("format") else "A1"
    return [value] if schema.get("type") == "array" else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def wrong_in(pair: Pair) -> list[str]:
    unknown = pair.given.keys() - {each.name for each in pair.operation.parameters}
    wrong = [f"unknown parameter {name}" for name in sorted(unknown)]
    wrong += wrong_in_request(*request_of(pair))
    return [each for each in wrong if pair.body is not None or each != "missing body"]


def answer_of(pair: Pair) -> HttpResponse:
    is_bodiless = pair.operation.responses[str(pair.status)] is None
    body = b"" if is_bodiless and not pair.answer else json.dumps(pair.answer).encode()
    return HttpResponse(pair.status, {"content-type": "application/json"}, body)


@pytest.mark.parametrize("pair", _pairs())
def test_a_pair_fits_its_model(pair: Pair) -> None:
    method, url, _, _ = request_of(pair)
    answer = answer_of(pair)
    wrong = wrong_in_response(method, url, answer.status, answer.headers, answer.body)
    refused = wrong_in(pair)
    if pair.status >= 400:
        assert bool(refused) == (str(pair) in TOLD_APART), refused
        assert TOLD_APART.get(str(pair), "") in str(refused)
    else:
        wrong += refused
    assert bool(wrong) == (str(pair) in AMAZONS_OWN), wrong
    assert AMAZONS_OWN.get(str(pair), "") in str(wrong)


@pytest.mark.parametrize("pair", _pairs())
def test_an_answer_of_a_pair_is_taken_or_refused_by_our_transport(pair: Pair) -> None:
    answer = answer_of(pair)
    if pair.status < 400:
        assert checked(answer, "amazon") == (pair.answer if answer.body else None)
        return
    code = (pair.answer["errors"] if isinstance(pair.answer, dict) else pair.answer)[0]["code"]
    with pytest.raises(Refused, match=code):
        checked(answer, "amazon")


@pytest.mark.parametrize("pair", [each for each in _pairs() if each.id in ORDERS or each.id == "absent"])
def test_an_order_of_a_pair_is_read(pair: Pair) -> None:
    orders = pair.answer["orders"] if pair.operation.operation_id == "searchOrders" else [pair.answer["order"]]
    facts = reader_for("amazon")(answer_of(pair).body, "amazon", hint={})
    assert [fact.external_id for fact in facts] == [order["orderId"] for order in orders]
    for fact, order in zip(facts, orders, strict=True):
        assert [line.line_id for line in fact.lines] == [item["orderItemId"] for item in order["orderItems"]]
        assert [line.quantity for line in fact.lines] == [item["quantityOrdered"] for item in order["orderItems"]]
        assert fact.problems == ()


def test_all_pairs_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    found = list(pairs())
    by_spec = Counter(pair.operation.spec for pair in found)
    assert by_spec.keys() == USED.keys()
    assert len(found) == len({str(pair) for pair in found}) == PAIRS
    assert AMAZONS_OWN.keys() | TOLD_APART.keys() <= {str(pair) for pair in found}
    orders = {str(pair) for pair in found if "Order" in str(pair) and pair.status == 200}
    assert orders == ORDERS
    with capsys.disabled():
        sys.stdout.write(f"\n{len(found)} sandbox pairs validated, {len(orders)} answers with orders read\n")
