"""A GraphQL order in the shape of a webhook body, so that both roads lead to one canonical order."""

from __future__ import annotations

from typing import Any

from chalicelib.channels.fields import Node


def rest_shape(node: Node) -> dict[str, Any]:
    """The REST fields that the reader reads, from an order of `documents.ORDER`, and of what only GraphQL tells:
    total_received, total_capturable, capturable, authorizations (that can be captured now), fulfillment_orders."""
    place = node.at("shippingAddress")
    customer = node.at("customer")
    return {
        "id": node.text("legacyResourceId"),
        "admin_graphql_api_id": node.text("id"),
        "name": node.text("name"),
        "created_at": node.at("createdAt").value,
        "updated_at": node.at("updatedAt").value,
        "cancelled_at": node.at("cancelledAt").value,
        "currency": node.at("currencyCode").value,
        "financial_status": node.text("displayFinancialStatus").lower(),
        "taxes_included": node.at("taxesIncluded").value,
        "total_price": _money(node, "totalPriceSet"),
        "current_total_price": _money(node, "currentTotalPriceSet"),
        "total_discounts": _money(node, "totalDiscountsSet"),
        "total_tax": _money(node, "totalTaxSet"),
        "total_tip_received": _money(node, "totalTipReceivedSet"),
        "total_outstanding": _money(node, "totalOutstandingSet"),
        "total_received": _money(node, "totalReceivedSet"),
        "total_capturable": _money(node, "totalCapturableSet"),
        "capturable": node.at("capturable").value,
        "authorizations": [
            {"id": _number(each.text("id")), "expires_at": each.at("authorizationExpiresAt").value}
            for each in node.each("transactions")
        ],
        "original_total_duties_set": _set(node.at("originalTotalDutiesSet")),
        "original_total_additional_fees_set": _set(node.at("originalTotalAdditionalFeesSet")),
        "line_items": [_line(line) for line in node.at("lineItems").each("nodes")],
        "shipping_lines": [_shipping(line) for line in node.at("shippingLines").each("nodes")],
        "fulfillments": [_parcel(parcel) for parcel in node.each("fulfillments")],
        "refunds": _refunds(node),
        "fulfillment_orders": node.at("fulfillmentOrders").at("nodes").value,
        "returns": [] if node.text("returnStatus") in ("", "NO_RETURN") else [{}],
        "email": node.at("email").value,
        "phone": node.at("phone").value,
        "customer": {
            "id": customer.text("legacyResourceId"),
            "first_name": customer.text("firstName"),
            "last_name": customer.text("lastName"),
        },
        "shipping_address": _place(place) if place else None,
        "note_attributes": [
            {"name": each.at("key").value, "value": each.at("value").value} for each in node.each("customAttributes")
        ],
        "visits": _visits(node.at("customerJourneySummary")),
    }


def _visits(journey: Node) -> list[dict[str, Any]]:
    """The first and the last visit, oldest first; nothing while Shopify is still at it, which no webhook ends."""
    if journey.at("ready").value is not True:
        return []
    return [
        {
            "seen_at": visit.at("occurredAt").value,
            "landing_site": visit.at("landingPage").value,
            "referring_site": visit.at("referrerUrl").value,
            "utm": visit.at("utmParameters").value,
        }
        for visit in (journey.at("firstVisit"), journey.at("lastVisit"))
        if visit
    ]


def _line(line: Node) -> dict[str, Any]:
    return {
        "id": _number(line.text("id")),
        "admin_graphql_api_id": line.text("id"),
        "sku": line.at("sku").value,
        "title": line.at("title").value,
        "variant_id": line.at("variant").at("legacyResourceId").value,
        "quantity": line.at("quantity").value,
        "current_quantity": line.at("currentQuantity").value,
        "fulfillable_quantity": line.at("unfulfilledQuantity").value,
        "price": _money(line, "originalUnitPriceSet"),
        "discount_allocations": [
            {"amount": _money(each, "allocatedAmountSet")} for each in line.each("discountAllocations")
        ],
        "tax_lines": _taxes(line),
        "requires_shipping": line.at("requiresShipping").value,
        "gift_card": line.at("isGiftCard").value,
    }


def _shipping(line: Node) -> dict[str, Any]:
    """GraphQL gives the price before and after all discounts."""
    return {
        "price": _money(line, "originalPriceSet"),
        "discounted_price": _money(line, "discountedPriceSet"),
        "tax_lines": _taxes(line),
    }


def _parcel(parcel: Node) -> dict[str, Any]:
    items = [
        {"id": _number(item.at("lineItem").text("id")), "quantity": item.at("quantity").value}
        for item in parcel.at("fulfillmentLineItems").each("nodes")
    ]
    return {"status": parcel.text("status").lower(), "line_items": items}


def _refunds(node: Node) -> list[dict[str, Any]]:
    """The money given back, as one refund: GraphQL sums the refund transactions that succeeded. And the units."""
    amount = _money(node, "totalRefundedSet")
    money = [{"kind": "refund", "status": "success", "amount": amount}] if amount is not None else []
    lines = [
        {
            "line_item_id": _number(line.at("lineItem").text("id")),
            "quantity": line.at("quantity").value,
            "restock_type": line.text("restockType").lower(),
        }
        for refund in node.each("refunds")
        for line in refund.at("refundLineItems").each("nodes")
    ]
    return [{"transactions": money, "refund_line_items": lines}]


def _place(place: Node) -> dict[str, Any]:
    return {
        "name": place.text("name"),
        "company": place.text("company"),
        "address1": place.text("address1"),
        "address2": place.text("address2"),
        "city": place.text("city"),
        "province_code": place.text("provinceCode"),
        "zip": place.text("zip"),
        "country_code": place.text("countryCodeV2"),
        "phone": place.text("phone"),
    }


def _money(node: Node, name: str) -> Any:
    return node.at(name).at("shopMoney").at("amount").value


def _set(node: Node) -> dict[str, Any] | None:
    money = node.at("shopMoney")
    return {"shop_money": {"amount": money.at("amount").value}} if money else None


def _taxes(node: Node) -> list[dict[str, Any]]:
    return [{"price": _money(tax, "priceSet")} for tax in node.each("taxLines")]


def _number(gid: str) -> str:
    return gid.partition("?")[0].rpartition("/")[2]
