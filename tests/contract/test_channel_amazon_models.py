"""Every request that the client makes fits Amazon's official models, and so do the answers that it is tested with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft7Validator

from chalicelib.channels.amazon.limits import PLANS
from chalicelib.channels.amazon.settlement import SETTLEMENTS
from chalicelib.channels.amazon.subscriptions import NOTIFICATION_TYPES
from chalicelib.channels.port import CancellationRequest, Price, RefundRequest
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy
from tests.contract.amazon_seller import MODELS, checked_request, model_of
from tests.contract.marketplaces_models import amazon_response, errors
from tests.shared_data import shared
from tests.unit.channels.amazon_desk import DESK, GATEWAY, Desk, availability, flat_report, order_body

MANY = [f"S{number}" for number in range(30)]
ARN = "arn:aws:sqs:eu-central-1:1:q"
LATE = {"performanceMetrics": []}


class Watched(Desk):
    """A desk that holds both sides to the models."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        template = checked_request(request)
        response = super().__call__(request)
        if template not in ("token", "document") and response is not GATEWAY:
            body = json.loads(response.body) if response.body else None
            assert errors(amazon_response(*model_of(request), response.status), body) == []
        return response


def busy(call: Callable[[], Any]) -> None:
    with pytest.raises(Busy):
        call()


def order_desk() -> Watched:
    desk = Watched()
    desk.orders["114-1"] = order_body(L1=(1, "20.00"))
    desk.orders["114-1"]["salesChannel"] = {"channelName": "AMAZON", "marketplaceId": "ATVPDKIKX0DER"}
    return desk


def test_a_bulk_of_listings_fits() -> None:
    desk = Watched()
    push: Callable[[], Any] = lambda: desk.client().push_availability([availability(sku, 1) for sku in MANY])  # noqa: E731
    desk.lost = ["createFeed"]
    push()
    push()
    desk.finish("F1", json.dumps({"issues": [], "summary": {}}))
    assert push() == [None] * len(MANY)
    assert desk.client().push_prices([Price("S1", {}, 1999, "USD", 1)]) == [None]
    schema = json.loads(shared("specs/amazon/schemas/feeds/listings-feed-schema-v2.json").read_text(encoding="utf-8"))
    assert list(Draft7Validator(schema).iter_errors(json.loads(desk.uploads["in-1"]))) == []


def test_cancelling_refunding_and_reading_an_order_fit() -> None:
    desk = order_desk()
    busy(lambda: desk.client().cancel("114-1", CancellationRequest("C", (("L1", 1),))))
    assert desk.client().refund("114-1", RefundRequest("R", 100, "USD")) is False
    desk.finish("F2", flat_report(1, 1))
    assert desk.client().refund("114-1", RefundRequest("R", 100, "USD"))
    assert len(list(desk.client().changed_orders(DESK))) == 1


def test_reports_fit() -> None:
    desk = Watched()
    desk.lost = ["createReport"]
    busy(desk.client().health)
    busy(desk.client().health)
    desk.made("R1", json.dumps(LATE).encode())
    assert desk.client().health() == []
    busy(lambda: list(desk.client().returns(DESK)))
    desk.made("R3", b"", SETTLEMENTS, status="IN_PROGRESS")
    assert list(desk.client().payouts(DESK)) == []


def test_transactions_stores_and_listings_fit() -> None:
    desk = Watched()
    desk.transactions = [
        {
            "transactionId": "T",
            "postedDate": "2026-05-27T00:00:00Z",
            "totalAmount": {"currencyAmount": 1, "currencyCode": "USD"},
        }
    ]
    assert len(list(desk.client().transactions(DESK - 3 * 86_400_000))) == 1
    assert desk.client().participations() == []
    assert list(desk.client().listings()) == []


@pytest.mark.parametrize("kind", NOTIFICATION_TYPES)
def test_setting_an_account_up_fits(kind: str) -> None:
    desk = Watched()
    destination = desk.client().ensure_destination(ARN, "headrace")
    assert desk.client().ensure_subscription(kind, destination) == f"sub-{kind}"


def test_every_operation_that_we_call_is_planned_as_its_model_says() -> None:
    """The usage plan stands in the words of each operation: a table with a row of rate and burst."""
    planned = dict(PLANS)
    assert planned.pop("JSON_LISTINGS_FEED").burst == 5
    for (method, template), spec in MODELS.items():
        document = json.loads(shared(f"specs/amazon/{spec}").read_text(encoding="utf-8"))
        operation = document["paths"][template][method.lower()]
        plan = planned.pop(operation["operationId"])
        row = next(
            line for line in operation["description"].splitlines() if line.startswith("| ") and line[2].isdigit()
        )
        rate, burst = (cell.strip() for cell in row.strip("|").split("|"))
        assert (plan.rate_per_s, plan.burst) == (float(rate), int(burst)), operation["operationId"]
    assert planned == {}
