"""eBay's recorded and published payloads: they fit their models, and our code tells its refusals apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from chalicelib.channels.ebay.notifications import told_of
from chalicelib.channels.registry import reader_for
from chalicelib.channels.transport import HttpResponse, checked, retry_after_s
from chalicelib.domain.errors import Refused, Unreadable
from tests.contract.official_models import wrong_in_request, wrong_in_response
from tests.contract.official_schemas import errors
from tests.shared_data import shared

INVENTORY, ORDER = "/sell/inventory/v1", "/sell/fulfillment/v1/order"
# file -> (method, path, status) of the operation that it is an answer of
ANSWERS = {
    "inventory/bulkCreateOffer.response.json": ("POST", f"{INVENTORY}/bulk_create_offer", 200),
    "inventory/bulkCreateOrReplaceInventoryItem.response.json": (
        "POST",
        f"{INVENTORY}/bulk_create_or_replace_inventory_item",
        200,
    ),
    "inventory/bulkMigrateListing.response.partial-error.json": ("POST", f"{INVENTORY}/bulk_migrate_listing", 207),
    "inventory/bulkUpdatePriceQuantity.response.207-partial-error.json": (
        "POST",
        f"{INVENTORY}/bulk_update_price_quantity",
        207,
    ),
    "inventory/bulkUpdatePriceQuantity.response.two-skus-four-offers.json": (
        "POST",
        f"{INVENTORY}/bulk_update_price_quantity",
        200,
    ),
    "inventory/getInventoryItem.response.json": ("GET", f"{INVENTORY}/inventory_item/S", 200),
    "inventory/getInventoryLocation.response.json": ("GET", f"{INVENTORY}/location/L", 200),
    "inventory/getOffers.response.active-and-out-of-stock.json": ("GET", f"{INVENTORY}/offer", 200),
    "finances/getTransactions.sales-adfees-transfers.json": ("GET", "/sell/finances/v1/transaction", 200),
    "orders/getOrder.two-line-items.paid-not-started.json": ("GET", f"{ORDER}/1", 200),
    "orders/getOrder.us-sales-tax-collected.fulfilled.payment-hold-released.json": ("GET", f"{ORDER}/1", 200),
    "orders/getOrders.order.fulfilled-paid.json": ("GET", f"{ORDER}/1", 200),
    "orders/getOrders.page.de.two-variations.multi-discount.fulfilled-two-packages.json": ("GET", ORDER, 200),
    "orders/getOrders.page.oss-vat.currency-conversion.ebay-masked.json": ("GET", ORDER, 200),
    "orders/cancelStatus.fragment.canceled.completed-request.json": ("GET", f"{ORDER}/1", 200),
}
# file -> (method, path) of the operation that it is a request of
REQUESTS = {
    "fulfillment/createShippingFulfillment.request.json": ("POST", f"{ORDER}/01-00000-00001/shipping_fulfillment"),
    "inventory/bulkUpdatePriceQuantity.request.two-skus-four-offers.json": (
        "POST",
        f"{INVENTORY}/bulk_update_price_quantity",
    ),
}
ORDER_CONFIRMATION = "notifications/ORDER_CONFIRMATION.two-line-items.json"
CONFIRMED = "orders/getOrder.two-line-items.paid-not-started.json"
DELETION = "notifications/MARKETPLACE_ACCOUNT_DELETION.raw.json"
HEADERS = "fulfillment/getOrder.response-headers.txt"
SHAPES = "errors/error-shapes.rest-oauth-trading.json"
# We speak eBay's REST APIs; the XML of the Trading API and its notifications is refused on purpose.
XML = (
    "trading-xml/GetOrders.active-unpaid.taxes.xml",
    "trading-xml/GetOrders.cancelled.monetary-details.xml",
    "trading-xml/GetOrders.completed.three-variation-lines.xml",
    "trading-xml/ReviseInventoryStatus.success.xml",
    "trading-xml/error.auth-token-invalid.xml",
    "platform-notifications/AskSellerQuestion.signed.xml",
    "platform-notifications/ItemSold.xml",
)


def raw(name: str) -> bytes:
    return (shared("samples/ebay") / name).read_bytes()


def loaded(name: str) -> Any:
    return json.loads(raw(name))


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_fits_its_model(name: str) -> None:
    method, path, status = ANSWERS[name]
    assert wrong_in_response(method, path, status, {}, raw(name)) == []
    assert any("was unexpected" in each for each in wrong_in_response(method, path, status, {}, b'{"colour": "red"}'))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_fits_its_model(name: str) -> None:
    method, path = REQUESTS[name]
    assert wrong_in_request(method, path, {"Content-Type": "application/json"}, raw(name)) == []
    broken = raw(name).replace(b'"quantity"', b'"quantities"').replace(b'"availableQuantity"', b'"quantities"')
    wrong = wrong_in_request(method, path, {"Content-Type": "application/json"}, broken)
    assert any("'quantities' was unexpected" in each for each in wrong)


@pytest.mark.parametrize("name", XML)
def test_the_trading_api_is_refused_as_no_json(name: str) -> None:
    assert raw(name).lstrip().startswith(b"<")
    with pytest.raises(Unreadable) as refused:
        reader_for("ebay")(raw(name), "ebay", hint={})
    assert (refused.value.reason, refused.value.detail) == ("not_json", "the body must be one JSON object")
    with pytest.raises(Unreadable, match="subscribe by the Notification API") as refused:
        told_of(raw(name))
    assert refused.value.reason == "platform_notification"


def test_an_order_confirmation_points_at_the_order_that_it_is_of() -> None:
    told = loaded(ORDER_CONFIRMATION)["notification"]["data"]
    (order,) = reader_for("ebay")(raw(CONFIRMED), "ebay", hint={})
    hint = told_of(raw(ORDER_CONFIRMATION))
    assert (hint.user_id, hint.order_ids) == (told["user"]["userId"], (order.external_id,))
    assert [(line["orderLineItemId"], line["quantity"]) for line in told["order"]["orderLineItems"]] == [
        (line.line_id, line.quantity) for line in order.lines
    ]


def test_an_account_deletion_fits_its_contract_and_points_at_no_order() -> None:
    contract = yaml.safe_load(shared("specs/ebay/asyncapi/ebay-market-account-deletion-asyncapi.yml").read_text())
    components = contract["components"]
    for schema in components["schemas"].values():
        schema["additionalProperties"] = False
    validator = OAS30Validator({**components["messages"]["message"]["payload"], "components": components})
    told = loaded(DELETION)
    assert errors(validator, told) == []
    assert told["metadata"]["topic"] in contract["channels"]
    assert told_of(raw(DELETION)).order_ids == ()
    told["notification"]["publishAttemptCount"] = "1"
    told["notification"]["data"]["user"] = "x"
    assert len(errors(validator, told)) == 2


def test_the_request_id_of_an_answer_is_told_with_its_refusal() -> None:
    lines = raw(HEADERS).decode().splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(":") for line in lines) if value}
    body = json.dumps({"errors": [{"errorId": 32100}]}).encode()
    with pytest.raises(Refused, match="32100") as refused:
        checked(HttpResponse(404, headers, body), "eBay")
    assert f"(request {headers['x-ebay-request-id'][:80]})" in refused.value.detail
    assert retry_after_s(HttpResponse(429, headers, b"")) == 2


@pytest.mark.parametrize(
    ("shape", "code"),
    [("errors", "1"), ("error", "292024"), ("oauth", "Error Message"), ("traditional", "no error code")],
)
def test_a_refusal_of_each_shape_is_raised_with_its_code_and_without_its_words(shape: str, code: str) -> None:
    shapes = loaded(SHAPES)
    body = shapes[shape] if shape in shapes else {shape: shapes["restful"][shape]}
    with pytest.raises(Refused) as refused:
        checked(HttpResponse(400, {}, json.dumps(body).encode()), "eBay")
    assert refused.value.detail == f"eBay answered 400: {code}"


def test_a_rest_refusal_fits_the_error_list_of_a_model() -> None:
    body = {"errors": loaded(SHAPES)["restful"]["errors"]}
    wrong = wrong_in_response("GET", f"{ORDER}/1", 400, {}, json.dumps(body).encode(), is_recorded=True)
    assert wrong == []
    del body["errors"][0]["errorId"]
    assert wrong_in_response("GET", f"{ORDER}/1", 400, {}, json.dumps(body).encode(), is_recorded=True) == [
        "answer 400: $.errors[0]: 'errorId' is a required property"
    ]
