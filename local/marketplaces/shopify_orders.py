"""An order as Shopify's GraphQL shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.marketplaces.buyers import Buyer
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify_exchanges import credit_minor
from local.marketplaces.shopify_fulfilment import parts
from local.marketplaces.shopify_nodes import (
    GATEWAY,
    LANDING_SITE,
    customer_number,
    email,
    fulfillment_status,
    line_node,
    money_bag,
    pages,
    stamp,
    tax_line_nodes,
    total_minor,
)
from local.marketplaces.shopify_payments import (
    capturable_minor,
    financial_status,
    order_fields,
    outstanding_minor,
    received_minor,
    refunded_minor,
)
from local.marketplaces.shopify_returns import order_returns, return_status
from local.marketplaces.shopify_shipments import fulfillment_node, fulfillment_order_node

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify


def order_node(shop: Shopify, sale: Sale) -> dict[str, Any]:
    """Order"""
    gid = f"gid://shopify/Order/{sale.order_id}"
    lines = [line_node(sale, line) for line in sale.lines]
    shipping = shipping_line_node(sale)
    address = address_node(sale)
    tax_lines = tax_line_nodes(sale, sale.tax_minor)
    return {
        "id": gid,
        "legacyResourceId": sale.order_id,
        "name": f"#{1000 + sale.number}",
        "number": 1000 + sale.number,
        "createdAt": stamp(sale.placed_at),
        "processedAt": stamp(sale.placed_at),
        "updatedAt": stamp(sale.updated_at),
        "cancelledAt": stamp(sale.cancelled_at),
        "cancelReason": "CUSTOMER" if sale.cancelled_at else None,
        "closed": sale.fully_shipped or bool(sale.cancelled_at),
        "closedAt": stamp(sale.updated_at) if sale.fully_shipped or sale.cancelled_at else None,
        "confirmed": True,
        "test": False,
        "edited": False,
        "currencyCode": sale.currency,
        "presentmentCurrencyCode": sale.currency,
        "displayFinancialStatus": financial_status(shop, sale),
        "displayFulfillmentStatus": fulfillment_status(sale),
        "fullyPaid": received_minor(shop, sale) >= total_minor(sale),
        "unpaid": not received_minor(shop, sale),
        "capturable": bool(capturable_minor(shop, sale)),
        "requiresShipping": True,
        "taxesIncluded": False,
        "taxExempt": False,
        "estimatedTaxes": False,
        "email": email(sale.buyer),
        "phone": sale.buyer.phone,
        "note": None,
        "tags": [],
        "customAttributes": [{"key": key, "value": told} for key, told in sale.notes.items()],
        "customerJourneySummary": _journey(shop, sale),
        "customerLocale": "en-US",
        "sourceName": "web",
        "paymentGatewayNames": [GATEWAY],
        "discountCode": sale.discount_code or None,
        "discountCodes": [sale.discount_code] if sale.discount_code else [],
        **_totals(shop, sale),
        "customer": customer_node(sale.buyer),
        "billingAddress": address,
        "shippingAddress": address,
        "lineItems": pages(lines),
        "shippingLine": shipping,
        "shippingLines": pages([shipping]),
        "taxLines": tax_lines,
        "currentTaxLines": [] if sale.cancelled_at else tax_lines,
        **order_fields(shop, sale),
        "returnStatus": return_status(shop, sale),
        "returns": lambda info, **page: order_returns(shop, sale)(info, **page),
        "fulfillments": lambda _info, first=None: [fulfillment_node(sale, each) for each in sale.parcels[:first]],
        "fulfillmentOrders": pages([fulfillment_order_node(sale, part) for part in parts(shop, sale)]),
    }


def _journey(shop: Shopify, sale: Sale) -> dict[str, Any]:
    """CustomerJourneySummary"""
    seen = sale.visit
    visit = {
        "id": f"gid://shopify/CustomerVisit/{sale.order_id}",
        "landingPage": f"https://{shop.shop_domain}{seen.path if seen else LANDING_SITE}",
        "referrerUrl": seen.referrer if seen else None,
        "occurredAt": stamp(seen.began if seen else sale.placed_at),
        "source": "Facebook" if seen else "direct",
        "utmParameters": seen.utm if seen else None,
    }
    return {"ready": True, "firstVisit": visit, "lastVisit": visit}


def _totals(shop: Shopify, sale: Sale) -> dict[str, Any]:
    def bag(amount_minor: int) -> dict[str, Any]:
        return money_bag(amount_minor, sale.currency)

    total, subtotal = total_minor(sale), sale.subtotal_minor - sale.discount_minor
    kept = 0 if sale.cancelled_at else 1
    received, refunded = received_minor(shop, sale), refunded_minor(shop, sale)
    capturable = capturable_minor(shop, sale)
    return {
        "originalTotalPriceSet": bag(total),
        "totalPriceSet": bag(total),
        "currentTotalPriceSet": bag((total - credit_minor(shop, sale)) * kept),
        "subtotalPriceSet": bag(subtotal),
        "currentSubtotalPriceSet": bag(subtotal * kept),
        "totalTaxSet": bag(sale.tax_minor),
        "currentTotalTaxSet": bag(sale.tax_minor * kept),
        "totalShippingPriceSet": bag(sale.shipping_minor),
        "currentShippingPriceSet": bag(sale.shipping_minor * kept),
        "totalDiscountsSet": bag(sale.discount_minor),
        "currentTotalDiscountsSet": bag(sale.discount_minor * kept),
        "totalReceivedSet": bag(received),
        "netPaymentSet": bag(received - refunded),
        "totalRefundedSet": bag(refunded),
        "totalRefundedShippingSet": bag(sale.shipping_minor if refunded else 0),
        "totalOutstandingSet": bag(outstanding_minor(shop, sale) * kept),
        "totalCapturableSet": bag(capturable),
        "totalTipReceivedSet": bag(0),
    }


def shipping_line_node(sale: Sale) -> dict[str, Any]:
    """ShippingLine"""
    price = money_bag(sale.shipping_minor, sale.currency)
    kept = money_bag(0 if sale.cancelled_at else sale.shipping_minor, sale.currency)
    return {
        "id": f"gid://shopify/ShippingLine/{4_800_000_000_000 + sale.number}",
        "title": "Standard",
        "code": "Standard",
        "source": "shopify",
        "isRemoved": False,
        "custom": False,
        "originalPriceSet": price,
        "discountedPriceSet": price,
        "currentDiscountedPriceSet": kept,
        "taxLines": [],
    }


def customer_node(buyer: Buyer) -> dict[str, Any]:
    """Customer"""
    number = customer_number(buyer)
    return {
        "id": f"gid://shopify/Customer/{number}",
        "legacyResourceId": str(number),
        "displayName": buyer.name,
        "firstName": buyer.first_name,
        "lastName": buyer.last_name,
        "email": email(buyer),
        "phone": buyer.phone,
        "defaultEmailAddress": {"emailAddress": email(buyer)},
        "defaultPhoneNumber": {"phoneNumber": buyer.phone},
    }


def address_node(sale: Sale) -> dict[str, Any]:
    """MailingAddress"""
    buyer = sale.buyer
    return {
        "id": f"gid://shopify/MailingAddress/{9_900_000_000_000 + sale.number}",
        "address1": buyer.street,
        "address2": buyer.street_2 or None,
        "city": buyer.town.name,
        "company": None,
        "country": "United States",
        "countryCodeV2": "US",
        "firstName": buyer.first_name,
        "lastName": buyer.last_name,
        "name": buyer.name,
        "phone": buyer.phone,
        "province": buyer.town.state,
        "provinceCode": buyer.town.state_code,
        "zip": buyer.town.postal_code,
    }
