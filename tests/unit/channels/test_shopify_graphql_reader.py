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
