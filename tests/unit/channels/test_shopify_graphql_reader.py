"""A GraphQL order is read as its webhook is."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Unreadable
from tests.unit.channels.shopify_payloads import (
    LINE,
    given_back,
    line,
    money_set,
    order,
    parcel,
    read,
    refund,
    units,
)

# --- the two shapes -----------------------------------------------------------------------------------


def bag(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount}}


def graphql_order() -> dict[str, Any]:
    """An order with all that differs between the shapes: one unit shipped and returned, one called off."""
    gid = f"gid://shopify/LineItem/{LINE}"
    return {
        "id": "gid://shopify/Order/6100000000007",
        "legacyResourceId": "6100000000007",
        "name": "#1007",
        "createdAt": "2026-05-04T12:00:00Z",
        "updatedAt": "2026-05-04T12:30:00Z",
        "cancelledAt": None,
        "currencyCode": "USD",
        "displayFinancialStatus": "PARTIALLY_REFUNDED",
        "taxesIncluded": False,
        "email": "ada@example.com",
        "phone": None,
        "totalPriceSet": bag("36.0"),
        "totalDiscountsSet": bag("4.0"),
        "totalTaxSet": bag("3.0"),
        "totalTipReceivedSet": bag("0.0"),
        "totalOutstandingSet": bag("0.0"),
        "totalRefundedSet": bag("20.0"),
        "originalTotalDutiesSet": bag("2.0"),
        "originalTotalAdditionalFeesSet": None,
        "customer": {"legacyResourceId": "77", "firstName": "Ada", "lastName": "L"},
        "shippingAddress": {"name": "Ada L", "countryCodeV2": "GB", "address1": "1 Mill Lane"},
        "shippingLines": {
            "nodes": [{"originalPriceSet": bag("8.0"), "discountedPriceSet": bag("5.0"), "taxLines": []}],
        },
        "lineItems": {
            "nodes": [
                {
                    "id": gid,
                    "sku": "MUG",
                    "title": "Mug",
                    "quantity": 3,
                    "currentQuantity": 1,
                    "requiresShipping": True,
                    "isGiftCard": False,
                    "variant": {"legacyResourceId": "440001"},
                    "originalUnitPriceSet": bag("9.0"),
                    "discountAllocations": [{"allocatedAmountSet": bag("1.0")}],
                    "taxLines": [{"priceSet": bag("3.0")}],
                }
            ],
        },
        "fulfillments": [
            {"status": "SUCCESS", "fulfillmentLineItems": {"nodes": [{"quantity": 1, "lineItem": {"id": gid}}]}},
            {"status": "CANCELLED", "fulfillmentLineItems": {"nodes": [{"quantity": 2, "lineItem": {"id": gid}}]}},
        ],
        "refunds": [
            {
                "refundLineItems": {
                    "nodes": [
                        {"quantity": 1, "restockType": "RETURN", "lineItem": {"id": gid}},
                        {"quantity": 1, "restockType": "CANCEL", "lineItem": {"id": gid}},
                    ]
                }
            }
        ],
    }


def rest_order() -> dict[str, Any]:
    """The same order as its webhook tells it."""
    return order(
        line(
            quantity=3,
            current_quantity=1,
            price="9.00",
            discount_allocations=[{"amount": "1.00"}],
            tax_lines=[{"price": "3.00"}],
        ),
        financial_status="partially_refunded",
        email="ada@example.com",
        total_price="36.00",
        total_discounts="4.00",
        total_tax="3.00",
        original_total_duties_set=money_set("2.00", "2.80"),
        customer={"id": 77, "first_name": "Ada", "last_name": "L"},
        shipping_address={"name": "Ada L", "country_code": "GB", "address1": "1 Mill Lane"},
        shipping_lines=[{"price": "8.00", "discounted_price": "8.00", "discount_allocations": [{"amount": "3.00"}]}],
        fulfillments=[parcel((LINE, 1)), parcel((LINE, 2), status="cancelled")],
        refunds=[refund((LINE, 1, "return"), (LINE, 1, "cancel"), transactions=(given_back("20.00"),))],
    )


def test_a_webhook_and_graphql_tell_the_same_order() -> None:
    told, asked = read(rest_order()), read({"data": {"order": graphql_order()}})
    assert told == asked == read({"order": graphql_order()}) == read(graphql_order())
    assert units(told.lines[0]) == (3, 1, 1)
    assert told.payment == Payment(captured_minor=3600, refunded_minor=2000)
    assert told.stated_minor() == told.total_minor == 3600


@pytest.mark.parametrize("junk", ["x", "NaN", "sNaN", "Infinity", True, ["1"], {"a": 1}])
@pytest.mark.parametrize("field", ["originalPriceSet", "discountedPriceSet"])
def test_a_graphql_amount_that_is_no_number_is_refused_and_never_crashes(field: str, junk: Any) -> None:
    body = graphql_order()
    body["shippingLines"]["nodes"][0][field] = {"shopMoney": {"amount": junk}}
    with pytest.raises(Unreadable):
        read(body)


# --- authorised money ---------------------------------------------------------------------------------


def paid_partly(status: str, received: str, capturable: str, *expires: str | None) -> Payment:
    told = graphql_order() | {
        "displayFinancialStatus": status,
        "totalRefundedSet": bag("0.0"),
        "totalOutstandingSet": bag("7.0"),
        "totalReceivedSet": bag(received),
        "totalCapturableSet": bag(capturable),
        "capturable": capturable != "0.0",
        "transactions": [
            {"id": f"gid://shopify/OrderTransaction/{number}", "authorizationExpiresAt": ends}
            for number, ends in enumerate(expires, start=81)
        ],
    }
    return read({"order": told}).payment


def test_what_can_be_captured_is_told_with_who_captures_it_and_until_when() -> None:
    payment = paid_partly("AUTHORIZED", "0.0", "36.0", "2026-05-11T12:00:00Z")
    assert payment == Payment(authorised_minor=3600, captor="channel", reference="81", expires_ms=1778500800000)


def test_what_shopify_cannot_capture_is_authorised_and_nobody_is_asked_for_it() -> None:
    assert paid_partly("AUTHORIZED", "0.0", "0.0") == Payment(authorised_minor=3600)


def test_an_authorisation_beside_money_that_was_taken_comes_on_top_of_it() -> None:
    payment = paid_partly("PARTIALLY_PAID", "10.0", "19.0", None, "2026-05-11T12:00:00Z")
    assert (payment.captured_minor, payment.authorised_minor) == (1000, 2900)
    assert (payment.reference, payment.expires_ms) == ("81", 1778500800000)


def test_a_part_that_is_paid_is_what_was_received() -> None:
    assert paid_partly("PARTIALLY_PAID", "10.0", "0.0") == Payment(captured_minor=1000)


def test_a_webhook_of_a_part_paid_order_that_owes_nothing_tells_an_authorisation_and_no_capture() -> None:
    found = read(order(financial_status="partially_paid", total_outstanding="0.00"))
    assert found.payment == Payment(authorised_minor=2000, captor="channel")


@pytest.mark.parametrize("ready", [True, False])
def test_a_visit_counts_once_shopify_has_worked_it_out(ready: bool) -> None:
    visit = {"landingPage": "https://mill.example/mugs?utm_source=newsletter", "referrerUrl": None}
    found = read({"order": graphql_order() | {"customerJourneySummary": {"ready": ready, "lastVisit": visit}}})
    told = read(order(landing_site="/mugs?utm_source=newsletter", created_at="2026-05-04T12:00:00Z"))
    assert told.attribution
    assert (found.attribution and found.attribution.referral) == (told.attribution.referral if ready else None)


def test_an_old_body_that_tells_nothing_outstanding_tells_no_authorisation() -> None:
    body = order(financial_status="partially_paid")
    body.pop("total_outstanding", None)
    assert read(body).payment == Payment(captured_minor=2000)
