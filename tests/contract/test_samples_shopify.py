"""Every recorded payload of Shopify is used by a test that is named here."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from graphql import GraphQLSchema, build_client_schema, execute_sync, parse, validate

from chalicelib.channels.access import Access
from chalicelib.channels.registry import reader_for
from chalicelib.channels.shopify.wire import Declined, ShopifyWire
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Unreadable
from tests.contract import test_channel_samples as orders
from tests.shared_data import is_shared, shared
from tests.tokens import Tokens

# file -> what our wire makes of the recorded answers: data, a refusal by its code, userErrors by field and code
ANSWERS: dict[str, dict[str, int]] = {
    "2025-01.gift-cards.gift-card-credit-debit-payload-shape.json": {"data": 5, "refused: undefinedField": 2},
    "2025-01.orders.fulfillment-multi-tracking-info.json": {"data": 10, "orderCancel: ": 1},
    "2025-01.orders.order-create-math-matrix.json": {"data": 10},
    "2025-01.orders.refund-create-full-parity.json": {"data": 3},
    "2025-01.products.inventorySetQuantities-name-validation.json": {
        "data": 25,
        "inventorySetQuantities: INVALID_NAME": 2,
        "inventorySetQuantities: INVALID_QUANTITY_TOO_HIGH": 1,
        "inventorySetQuantities: NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": 1,
    },
    "2026-04.orders.fulfillment-state-preconditions.json": {"data": 12},
    "2026-04.orders.order-catalog-count-read.json": {"data": 4},
    "2026-04.orders.orderCancel-error-messages.json": {"data": 9, "orderCancel: ": 4},
    "2026-04.orders.orderCancel-restock-refundMethod-parity.json": {"data": 3},
    "2026-04.orders.orderMarkAsPaid-state-and-money.json": {"data": 9, "orderMarkAsPaid: ": 1},
    "2026-04.orders.orderUpdate-snapshot-staging.json": {"data": 4},
    "2026-04.payments.order-capture-validation.json": {"data": 16, "orderCapture: ": 7},
    "2026-04.payments.payment-terms-create-on-order.json": {
        "data": 6,
        "paymentTermsCreate: PAYMENT_TERMS_CREATION_UNSUCCESSFUL": 1,
        "paymentTermsUpdate: PAYMENT_TERMS_UPDATE_UNSUCCESSFUL": 1,
        "paymentTermsDelete: PAYMENT_TERMS_DELETE_UNSUCCESSFUL": 1,
    },
    "2026-04.products.inventory-adjust-zero-delta-noop.json": {"data": 10},
    "2026-04.products.inventory-quantity-contracts-2026-04.json": {
        "data": 22,
        "refused: BAD_REQUEST": 3,
        "refused: INVALID_FIELD_ARGUMENTS": 3,
        "refused: INVALID_VARIABLE": 1,
        "inventorySetQuantities: INVALID_INVENTORY_ITEM": 1,
        "inventorySetQuantities: INVALID_LOCATION": 1,
        "inventorySetOnHandQuantities: INVALID_INVENTORY_ITEM": 1,
        "inventorySetOnHandQuantities: INVALID_LOCATION": 1,
        "inventorySetOnHandQuantities: INVALID_QUANTITY_NEGATIVE": 1,
        "inventorySetOnHandQuantities: INVALID_QUANTITY_TOO_HIGH": 1,
        "inventorySetOnHandQuantities: INVALID_REASON": 1,
        "inventoryAdjustQuantities: INVALID_INVENTORY_ITEM": 1,
        "inventoryAdjustQuantities: INVALID_LOCATION": 1,
        "inventoryMoveQuantities: INVALID_INVENTORY_ITEM": 1,
        "inventoryMoveQuantities: INVALID_LOCATION": 1,
    },
    "2026-04.shipping-fulfillments.fulfillment-order-hold-multi-line.json": {"data": 5, "refused: ACCESS_DENIED": 1},
    "2026-04.webhooks.webhook-subscription-cloud-uri-validation.json": {
        "data": 14,
        "webhookSubscriptionCreate: ": 6,
        "webhookSubscriptionUpdate: ": 6,
    },
    "2026-04.webhooks.webhook-subscription-dedicated-cloud-destinations.json": {
        "data": 18,
        "pubSubWebhookSubscriptionCreate: ": 2,
        "pubSubWebhookSubscriptionUpdate: ": 2,
        "eventBridgeWebhookSubscriptionCreate: ": 2,
        "eventBridgeWebhookSubscriptionUpdate: ": 2,
    },
}

# file -> recorded documents that 2026-04 takes with their variables, and what it has against the others
REQUESTS: dict[str, tuple[int, set[str]]] = {
    "2025-01.gift-cards.gift-card-credit-debit-payload-shape.json": (
        5,
        {
            "Cannot query field 'giftCard' on type 'GiftCardCreditPayload'.",
            "Cannot query field 'giftCard' on type 'GiftCardDebitPayload'.",
        },
    ),
    "2025-01.orders.fulfillment-multi-tracking-info.json": (10, set()),
    "2025-01.orders.order-create-math-matrix.json": (0, set()),
    "2025-01.orders.refund-create-full-parity.json": (1, set()),
    "2025-01.products.inventorySetQuantities-name-validation.json": (
        0,
        {
            "Variable '$input' has invalid value: Expected value of type 'InventorySetQuantitiesInput' not to include "
            "unknown field 'ignoreCompareQuantity'"
        },
    ),
    "2026-04.orders.fulfillment-state-preconditions.json": (12, set()),
    "2026-04.orders.order-catalog-count-read.json": (2, set()),
    "2026-04.orders.orderCancel-error-messages.json": (9, set()),
    "2026-04.orders.orderCancel-restock-refundMethod-parity.json": (1, set()),
    "2026-04.orders.orderMarkAsPaid-state-and-money.json": (2, set()),
    "2026-04.orders.orderUpdate-snapshot-staging.json": (4, set()),
    "2026-04.payments.order-capture-validation.json": (16, set()),
    "2026-04.payments.payment-terms-create-on-order.json": (1, set()),
    "2026-04.products.inventory-adjust-zero-delta-noop.json": (0, set()),
    "2026-04.products.inventory-quantity-contracts-2026-04.json": (2, set()),
    "2026-04.shipping-fulfillments.fulfillment-order-hold-multi-line.json": (
        5,
        {"Cannot query field 'assignmentStatus' on type 'FulfillmentOrder'."},
    ),
    "2026-04.webhooks.webhook-subscription-cloud-uri-validation.json": (0, set()),
    "2026-04.webhooks.webhook-subscription-dedicated-cloud-destinations.json": (0, set()),
}


def sample(name: str) -> Any:
    return json.loads(shared(f"samples/shopify/{name}").read_text())


def below(folder: str) -> list[str]:
    """The files of a folder of samples; none where there are no samples, for which tests are skipped."""
    if not is_shared("samples/shopify"):
        return []
    root = shared("samples/shopify")
    return sorted(str(path.relative_to(root)) for path in (root / folder).rglob("*.json"))


def body_of(name: str) -> Any:
    found = sample(name)
    return found.get("body", found)


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a payload, the outermost first."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(each)


def is_answer(found: dict[str, Any]) -> bool:
    return isinstance(found.get("data"), dict) or (
        isinstance(found.get("errors"), list) and bool(found["errors"]) and "message" in found["errors"][0]
    )


def signed_in() -> Tokens:
    tokens = Tokens()
    tokens.token, tokens.expires_ms = "t", 1
    return tokens


def outcome(answer: dict[str, Any]) -> Iterator[str]:
    """What our wire makes of an answer: data, the codes of its userErrors, or the code of a refusal."""
    wire = ShopifyWire(
        Access(
            lambda _request: HttpResponse(200, {}, json.dumps(answer).encode()),
            {"base_url": "https://shop.example"},
            {},
            signed_in(),
            0,
        )
    )
    try:
        data = wire.ask("query Recorded { shop { id } }", {}).content()
    except Declined as declined:
        yield f"refused: {declined.code}"
        return
    yield "data"
    for field, payload in data.items():
        told = payload if isinstance(payload, dict) else {}
        errors = [*(told.get("userErrors") or []), *(told.get("orderCancelUserErrors") or [])]
        for _ in errors[:1]:
            with pytest.raises(Declined) as refused:
                wire.do("query Recorded { shop { id } }", {}, field, "as_recorded")
            yield f"{field}: {refused.value.code}"


def outcomes(name: str) -> Counter[str]:
    return Counter(each for found in inside(sample(name)) if is_answer(found) for each in outcome(found))


@cache
def schema(version: str) -> GraphQLSchema:
    with gzip.open(shared(f"specs/shopify/admin_{version}.json.gz"), "rt", encoding="utf-8") as file:
        found = json.load(file)
    return build_client_schema(found.get("data", found), assume_valid=True)


def faults(found: dict[str, Any]) -> list[str]:
    """What the schema has against a recorded document, its variables and its answer."""
    document = parse(found["query"])
    if errors := validate(schema("2026-04"), document):
        return [errors[0].message]
    answer = found.get("response") or {}
    answer = answer.get("payload", answer.get("body", answer))
    if not isinstance(answer.get("data"), dict):
        return []
    result = execute_sync(
        schema("2026-04"),
        document,
        answer["data"],
        variable_values=found.get("variables") or {},
        field_resolver=lambda source, info, **_: source.get(info.path.key),
        type_resolver=lambda value, info, kind: value.get("__typename") or info.schema.get_possible_types(kind)[0].name,
    )
    return [error.message.partition(", found")[0] for error in result.errors or []][:1]


def recorded_calls(name: str) -> list[dict[str, Any]]:
    return [each for each in inside(sample(name)) if isinstance(each.get("query"), str) and "{" in each["query"]]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_recorded_answer_is_taken_by_our_wire(name: str) -> None:
    assert outcomes(f"graphql-captures/{name}") == ANSWERS[name]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_recorded_call_fits_the_schema_or_fails_as_recorded(name: str) -> None:
    """The oldest schema at hand is 2026-04; calls of 2025-01 fail where that version was different."""
    found = [faults(call) for call in recorded_calls(f"graphql-captures/{name}")]
    assert (found.count([]), {fault for each in found for fault in each}) == REQUESTS[name]


NO_ORDERS = [
    name for folder in ("rest-2026-07", "webhooks-2024-10") for name in below(folder) if name not in orders.SHOPIFY
]


@pytest.mark.parametrize("name", NO_ORDERS)
def test_what_is_no_order_is_refused_by_the_reader(name: str) -> None:
    with pytest.raises(Unreadable) as refused:
        reader_for("shopify")(json.dumps(body_of(name)).encode(), "shopify", hint={})
    assert refused.value.reason == "not_an_order"


# test -> files below samples/shopify/
USES = {
    "test_a_recorded_answer_is_taken_by_our_wire": [f"graphql-captures/{name}" for name in ANSWERS],
    "test_a_recorded_call_fits_the_schema_or_fails_as_recorded": [f"graphql-captures/{name}" for name in REQUESTS],
    "test_what_is_no_order_is_refused_by_the_reader": NO_ORDERS,
}
