"""The validator itself: it finds each kind of mistake, and takes what is right."""

from __future__ import annotations

import json

import pytest

from tests.contract.official_models import operation_of, wrong_in_request, wrong_in_response

JSON = {"Content-Type": "application/json"}
ORDERS = "/orders/2026-01-01/orders"
PARCELS = "/sell/fulfillment/v1/order/01-00000-00001/shipping_fulfillment"
TRANSACTIONS = "/sell/finances/v1/transaction"
OFFER = "/sell/inventory/v1/offer"
CONFIRM = "/orders/v0/orders/902-0000000-0000001/shipmentConfirmation"
SUBSCRIBE = "/notifications/v1/subscriptions/ORDER_CHANGE"
PARCEL = {"lineItems": [{"lineItemId": "1", "quantity": 1}], "shippingCarrierCode": "UPS", "trackingNumber": "1Z1"}


@pytest.mark.parametrize(
    ("method", "path", "operation_id"),
    [
        ("GET", ORDERS, "searchOrders"),
        ("GET", f"{ORDERS}/902-1-1", "getOrder"),
        ("PATCH", "/listings/2021-08-01/items/A1/red%2Fshirt", "patchListingsItem"),
        ("GET", "/reports/2021-06-30/reports/1", "getReport"),
        ("POST", PARCELS, "createShippingFulfillment"),
        ("GET", "/commerce/notification/v1/public_key/abc", "getPublicKey"),
        ("POST", "/developer/key_management/v1/signing_key", "createSigningKey"),
        ("GET", "/developer/analytics/v1_beta/rate_limit", "getRateLimits"),
        ("GET", TRANSACTIONS, "getTransactions"),
        ("POST", "/post-order/v2/cancellation/5000000001/approve", "approveCancellationRequest"),
    ],
)
def test_an_operation_is_found_by_method_and_path(method: str, path: str, operation_id: str) -> None:
    operation = operation_of(method, path)
    assert operation is not None
    assert operation.operation_id == operation_id
    assert wrong_in_request("DELETE", path + "/x/y/z", {}, b"") == [f"DELETE {path}/x/y/z: no such operation"]


def test_a_literal_segment_wins_over_a_parameter() -> None:
    for method, path in (("POST", "/post-order/v2/return/check_eligibility"), ("GET", "/post-order/v2/return/search")):
        operation = operation_of(method, path)
        assert operation is not None
        assert operation.template == path


@pytest.mark.parametrize(
    ("method", "url", "wrong"),
    [
        ("GET", f"{ORDERS}?createdAfter=2026-01-01T00:00:00Z&fulfillmentStatuses=UNSHIPPED,SHIPPED", ""),
        ("GET", f"{ORDERS}?createdafter=2026-01-01T00:00:00Z", "unknown parameter createdafter"),
        ("GET", f"{ORDERS}?createdAfter=yesterday", "parameter createdAfter: $: 'yesterday' is not a 'date-time'"),
        ("GET", f"{ORDERS}?fulfillmentStatuses=Unshipped", "'Unshipped' is not one of"),
        ("GET", f"{ORDERS}?fulfillmentStatuses=SHIPPED&fulfillmentStatuses=PENDING", "is sent 2 times"),
        ("GET", f"{ORDERS}?paginationToken", "the query cannot be read"),
        ("GET", f"{ORDERS}?maxResultsPerPage=many", "is not of type 'integer'"),
        ("GET", "/reports/2021-06-30/reports?pageSize=101", "101 is greater than the maximum of 100"),
        ("GET", "/listings/2021-08-01/items/A1/S1", "missing parameter marketplaceIds"),
        ("GET", "/listings/2021-08-01/items/A1/S1?marketplaceIds=", "parameter marketplaceIds is empty"),
        ("GET", "/sell/fulfillment/v1/order?limit=50&filter=lastmodifieddate:%5B2026-01-01T00:00:00Z..%5D", ""),
        ("GET", "/sell/fulfillment/v1/order?orderids=1", "unknown parameter orderids"),
        ("GET", "https://api.ebay.com/sell/fulfillment/v1/payment_dispute/1", "does not serve this: apiz.ebay.com"),
    ],
)
def test_a_wrong_parameter_is_found(method: str, url: str, wrong: str) -> None:
    found = wrong_in_request(method, url, {}, b"")
    assert (any(wrong in each for each in found), len(found)) == ((True, 1) if wrong else (False, 0)), found


def test_a_wrong_body_is_found() -> None:
    def wrong(changes: dict[str, object], headers: dict[str, str] = JSON) -> list[str]:
        return wrong_in_request("POST", PARCELS, headers, json.dumps(PARCEL | changes).encode())

    assert wrong({}) == []
    assert wrong({"trackingnumber": "1"}) == [
        "body $: Additional properties are not allowed ('trackingnumber' was unexpected)"
    ]
    assert wrong({"lineItems": {}}) == ["body $.lineItems: {} is not of type 'array'"]
    assert wrong({}, {"Content-Type": "text/plain"}) == ["content type 'text/plain' is none of application/json"]
    assert wrong_in_request("POST", PARCELS, JSON, b"") == ["missing body"]
    assert wrong_in_request("POST", PARCELS, JSON, b"{")[0].startswith("no JSON")
    assert wrong_in_request("GET", ORDERS, {}, b"{}") == ["a body, where the operation has none"]
    assert "'packageDetail' is a required property" in str(
        wrong_in_request("POST", CONFIRM, JSON, b'{"marketplaceId": "A"}')
    )


def test_an_object_of_several_parts_takes_the_fields_of_all_and_no_other() -> None:
    def wrong(**fields: object) -> list[str]:
        sent = {"payloadVersion": "1.0", "destinationId": "d", "processingDirective": {"eventFilter": fields}}
        return wrong_in_request("POST", SUBSCRIBE, JSON, json.dumps(sent).encode())

    good = {"eventFilterType": "ANY_OFFER_CHANGED", "marketplaceIds": ["A1"]}
    assert wrong(**good) == []
    (unknown,) = wrong(**good, marketplaces=["A1"])
    assert "'marketplaces' was unexpected" in unknown
    (kind,) = wrong(eventFilterType="ANYTHING")
    assert "'ANYTHING' is not one of" in kind


def test_required_headers_are_asked_for_in_whatever_case() -> None:
    assert wrong_in_request("GET", TRANSACTIONS, {}, b"") == ["missing header X-EBAY-C-MARKETPLACE-ID"]
    assert wrong_in_request("GET", TRANSACTIONS, {"x-ebay-c-marketplace-id": "EBAY_DE"}, b"") == []
    offer = json.dumps({"sku": "A", "marketplaceId": "EBAY_DE", "format": "FIXED_PRICE"}).encode()
    assert wrong_in_request("POST", OFFER, JSON, offer) == ["missing header Content-Language"]
    assert wrong_in_request("POST", OFFER, JSON | {"Content-Language": "de-DE"}, offer) == []


def test_an_enum_that_the_model_calls_an_object_is_a_string() -> None:
    body = json.dumps({"sku": "A", "marketplaceId": "EBAY_DE", "format": "BARTER"}).encode()
    (wrong,) = wrong_in_request("POST", OFFER, JSON | {"Content-Language": "de-DE"}, body)
    assert "'BARTER' is not one of" in wrong


def test_a_wrong_answer_is_found() -> None:
    def wrong(status: int, body: object, headers: dict[str, str] | None = None, *, is_recorded: bool = False) -> str:
        raw = b"" if body is None else json.dumps(body).encode()
        return str(wrong_in_response("POST", PARCELS, status, headers or {}, raw, is_recorded=is_recorded))

    assert wrong(201, None, {"location": "https://api.ebay.com/x/1"}) == "[]"
    assert "missing header Location" in wrong(201, None)
    assert "status 200 is none of 201" in wrong(200, {})
    refusal = {"errorId": 32100, "domain": "API_FULFILLMENT", "category": "REQUEST", "message": "Invalid order ID"}
    assert wrong(404, {"errors": [refusal]}) == "[]"
    assert "'errors' is a required property" in wrong(404, refusal)
    assert wrong(503, None, {"content-type": "text/html"}) == "[]"

    order = {"orderId": "1", "colour": "red"}
    answer = ("GET", "/sell/fulfillment/v1/order/1", 200, {}, json.dumps(order).encode())
    assert "'colour' was unexpected" in str(wrong_in_response(*answer))
    assert wrong_in_response(*answer, is_recorded=True) == []
    assert "is not of type 'string'" in str(
        wrong_in_response(*answer[:4], b'{"orderId": 1}', is_recorded=True),
    )
    assert wrong_in_response("POST", CONFIRM, 204, {}, b"") == []
    assert wrong_in_response("POST", CONFIRM, 204, {}, b"{}") == ["a body, where 204 has none"]
    assert "no JSON" in str(wrong_in_response("GET", ORDERS, 200, {}, b""))


def test_the_token_endpoints_have_no_model_and_are_held_to_their_form() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"grant_type=refresh_token&refresh_token=r&client_id=c&client_secret=s"
    assert wrong_in_request("POST", "/auth/o2/token", form, body) == []
    assert wrong_in_request("POST", "/auth/o2/token", form, b"grant_type=x&client_id=c") == [
        "missing in the form: client_secret"
    ]
    assert wrong_in_request("POST", "/identity/v1/oauth2/token", JSON, b"{}") == [
        "content type 'application/json' is no form"
    ]


def test_post_order_is_checked_by_method_and_path_alone() -> None:
    approve = "/post-order/v2/cancellation/5000000001/approve"
    assert wrong_in_request("POST", approve, JSON, b'{"anything": 1}') == []
    assert wrong_in_request("POST", approve, JSON, b"{")[0].startswith("no JSON")
    assert wrong_in_request("PUT", approve, JSON, b"") == [f"PUT {approve}: no such operation"]
