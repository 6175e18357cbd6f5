"""An order in the shape of Shopify's REST API, which webhook bodies have kept.

Source: field names of samples/shopify/webhooks-2024-10.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import shopify_product_id, shopify_variant_id
from local.marketplaces.money import amount_text
from local.marketplaces.shelf import Parcel, Sale, SoldLine
from local.marketplaces.shopify_back_office import RefundMade
from local.marketplaces.shopify_exchanges import credit_minor
from local.marketplaces.shopify_nodes import GATEWAY, LANDING_SITE, customer_number, email, total_minor
from local.marketplaces.shopify_payments import (
    financial_status,
    outstanding_minor,
    payments,
    refunds,
)
from local.marketplaces.shopify_returns import OVER, of_order
from local.marketplaces.shopify_shipments import fulfillment_number

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

SHOP_TIME = timezone(timedelta(hours=-5))


def _stamp(moment: datetime | None) -> str | None:
    return moment.astimezone(SHOP_TIME).isoformat(timespec="seconds") if moment else None


def _money_set(amount_minor: int, currency: str) -> dict[str, Any]:
    money = {"amount": amount_text(amount_minor, currency), "currency_code": currency}
    return {"shop_money": money, "presentment_money": money}


def _amount_fields(name: str, amount_minor: int, currency: str) -> dict[str, Any]:
    """`name` as text and `name`_set as money in both currencies."""
    return {name: amount_text(amount_minor, currency), f"{name}_set": _money_set(amount_minor, currency)}


def rest_order(shop: Shopify, sale: Sale) -> dict[str, Any]:
    """The order as webhook bodies show it."""
    number = 1000 + sale.number
    token = hashlib.sha256(sale.order_id.encode()).hexdigest()[:32]
    closed_at = sale.updated_at if sale.fully_shipped or sale.cancelled_at else None
    return {
        "id": int(sale.order_id),
        "admin_graphql_api_id": f"gid://shopify/Order/{sale.order_id}",
        "app_id": 580111,
        "browser_ip": None,
        "buyer_accepts_marketing": False,
        "cancel_reason": "customer" if sale.cancelled_at else None,
        "cancelled_at": _stamp(sale.cancelled_at),
        "cart_token": None,
        "checkout_id": 36_000_000_000_000 + sale.number,
        "checkout_token": token,
        "client_details": {"user_agent": sale.visit.browser} if sale.visit else None,
        "closed_at": _stamp(closed_at),
        "confirmation_number": token[:9].upper(),
        "confirmed": True,
        "contact_email": email(sale.buyer),
        "created_at": _stamp(sale.placed_at),
        "currency": sale.currency,
        "customer_locale": "en-US",
        "device_id": None,
        "discount_codes": _discount_codes(sale),
        "email": email(sale.buyer),
        "estimated_taxes": False,
        "financial_status": financial_status(shop, sale).lower(),
        "fulfillment_status": _fulfillment_status(sale.shipped_units, complete=sale.fully_shipped),
        "landing_site": sale.visit.path if sale.visit else LANDING_SITE,
        "landing_site_ref": None,
        "location_id": None,
        "merchant_of_record_app_id": None,
        "name": f"#{number}",
        "note": None,
        "note_attributes": [{"name": key, "value": told} for key, told in sale.notes.items()],
        "number": sale.number,
        "order_number": number,
        "order_status_url": f"https://{shop.shop_domain}/1/orders/{token}/authenticate?key={token[:8]}",
        "payment_gateway_names": [GATEWAY],
        "phone": None,
        "po_number": None,
        "presentment_currency": sale.currency,
        "processed_at": _stamp(sale.placed_at),
        "reference": None,
        "referring_site": sale.visit.referrer if sale.visit else None,
        "source_identifier": None,
        "source_name": "web",
        "source_url": None,
        "tags": "",
        "tax_exempt": False,
        "tax_lines": _tax_lines(sale, sale.tax_minor),
        "taxes_included": False,
        "test": False,
        "token": token,
        "total_weight": sum(line.quantity for line in sale.lines) * 400,
        "updated_at": _stamp(sale.updated_at),
        "user_id": None,
        **_totals(shop, sale),
        "billing_address": _address(sale),
        "customer": _customer(sale),
        "discount_applications": _discount_applications(sale),
        "fulfillments": [_fulfillment(shop, sale, parcel) for parcel in sale.parcels],
        "line_items": [_line_item(sale, line) for line in sale.lines],
        "payment_terms": None,
        "refunds": _refunds(shop, sale),
        **_returns(shop, sale),
        "shipping_address": _address(sale),
        "shipping_lines": [_shipping_line(sale)],
    }


def _fulfillment_status(shipped: int, *, complete: bool) -> str | None:
    if complete:
        return "fulfilled"
    return "partial" if shipped else None


def _totals(shop: Shopify, sale: Sale) -> dict[str, Any]:
    total, subtotal = total_minor(sale), sale.subtotal_minor - sale.discount_minor
    kept = 0 if sale.cancelled_at else 1
    amounts = {
        "current_subtotal_price": subtotal * kept,
        "current_total_discounts": sale.discount_minor * kept,
        "current_total_price": (total - credit_minor(shop, sale)) * kept,
        "current_total_tax": sale.tax_minor * kept,
        "subtotal_price": subtotal,
        "total_discounts": sale.discount_minor,
        "total_line_items_price": sale.subtotal_minor,
        "total_price": total,
        "total_tax": sale.tax_minor,
    }
    fields = [_amount_fields(name, amount_minor, sale.currency) for name, amount_minor in amounts.items()]
    return {
        **{name: value for each in fields for name, value in each.items()},
        "current_total_additional_fees_set": None,
        "current_total_duties_set": None,
        "original_total_additional_fees_set": None,
        "original_total_duties_set": None,
        "total_shipping_price_set": _money_set(sale.shipping_minor, sale.currency),
        "total_outstanding": amount_text(outstanding_minor(shop, sale) * kept, sale.currency),
        "total_tip_received": amount_text(0, sale.currency),
    }


def _discount_codes(sale: Sale) -> list[dict[str, Any]]:
    amount = amount_text(sale.discount_minor, sale.currency)
    return [{"code": sale.discount_code, "amount": amount, "type": "percentage"}] if sale.discount_code else []


def _discount_applications(sale: Sale) -> list[dict[str, Any]]:
    if not sale.discount_code:
        return []
    across_all = {"allocation_method": "across", "target_selection": "all", "target_type": "line_item"}
    return [
        {
            **across_all,
            "type": "discount_code",
            "value": "10.0",
            "value_type": "percentage",
            "code": sale.discount_code,
        }
    ]


def _tax_lines(sale: Sale, tax_minor: int) -> list[dict[str, Any]]:
    if not tax_minor:
        return []
    town = sale.buyer.town
    amount = _amount_fields("price", tax_minor, sale.currency)
    title = f"{town.state} State Tax"
    return [{**amount, "rate": town.tax_per_mille / 1000, "title": title, "channel_liable": False}]


def _address(sale: Sale) -> dict[str, Any]:
    buyer = sale.buyer
    return {
        "first_name": buyer.first_name,
        "address1": buyer.street,
        "phone": buyer.phone,
        "city": buyer.town.name,
        "zip": buyer.town.postal_code,
        "province": buyer.town.state,
        "country": "United States",
        "last_name": buyer.last_name,
        "address2": buyer.street_2 or None,
        "company": None,
        "latitude": None,
        "longitude": None,
        "name": buyer.name,
        "country_code": "US",
        "province_code": buyer.town.state_code,
    }


def _customer(sale: Sale) -> dict[str, Any]:
    buyer, number = sale.buyer, customer_number(sale.buyer)
    address_id = 9_900_000_000_000 + sale.number
    place = {
        "id": address_id,
        "customer_id": number,
        **_address(sale),
        "country_name": "United States",
        "default": True,
    }
    return {
        "id": number,
        "email": email(buyer),
        "created_at": _stamp(sale.placed_at),
        "updated_at": _stamp(sale.placed_at),
        "first_name": buyer.first_name,
        "last_name": buyer.last_name,
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "phone": None,
        "email_marketing_consent": {
            "state": "not_subscribed",
            "opt_in_level": None,
            "consent_updated_at": None,
        },
        "sms_marketing_consent": None,
        "tags": "",
        "currency": sale.currency,
        "tax_exemptions": [],
        "admin_graphql_api_id": f"gid://shopify/Customer/{number}",
        "default_address": place,
    }


def _line_item(sale: Sale, line: SoldLine) -> dict[str, Any]:
    shipped = sale.shipped(line.line_id)
    allocation = {
        **_amount_fields("amount", line.discount_minor, sale.currency),
        "discount_application_index": 0,
    }
    return {
        "id": int(line.line_id),
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line.line_id}",
        "attributed_staffs": [],
        "current_quantity": sale.current_units(line.line_id),
        "fulfillable_quantity": sale.open_units(line.line_id),
        "fulfillment_service": "manual",
        "fulfillment_status": _fulfillment_status(shipped, complete=shipped >= line.quantity),
        "gift_card": False,
        "grams": 400,
        "name": line.title,
        **_amount_fields("price", line.unit_price_minor, sale.currency),
        "product_exists": True,
        "product_id": shopify_product_id(line.sku),
        "properties": [],
        "quantity": line.quantity,
        "requires_shipping": True,
        "sku": line.sku,
        "taxable": True,
        "title": line.title,
        # The order's own code is in discount_allocations; this counts discounts of the line alone.
        **_amount_fields("total_discount", 0, sale.currency),
        "variant_id": shopify_variant_id(line.sku),
        "variant_inventory_management": "shopify",
        "variant_title": None,
        "vendor": "Millrace Goods",
        "tax_lines": _tax_lines(sale, line.tax_minor),
        "duties": [],
        "discount_allocations": [allocation] if line.discount_minor else [],
    }


def _shipping_line(sale: Sale) -> dict[str, Any]:
    return {
        "id": 4_800_000_000_000 + sale.number,
        "carrier_identifier": None,
        "code": "Standard",
        **_amount_fields("discounted_price", sale.shipping_minor, sale.currency),
        "is_removed": False,
        "phone": None,
        **_amount_fields("price", sale.shipping_minor, sale.currency),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "title": "Standard",
        "tax_lines": [],
        "discount_allocations": [],
    }


def _fulfillment(shop: Shopify, sale: Sale, parcel: Parcel) -> dict[str, Any]:
    number = fulfillment_number(sale, parcel)
    lines = [line for line in sale.lines if line.line_id in parcel.units]
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{number}",
        "created_at": _stamp(parcel.reported_at),
        "location_id": shop.location,
        "name": f"#{1000 + sale.number}.{parcel.reference}",
        "order_id": int(sale.order_id),
        "origin_address": {},
        "receipt": {},
        "service": "manual",
        "shipment_status": None,
        "status": "success",
        "tracking_company": parcel.carrier or None,
        "tracking_number": parcel.tracking or None,
        "tracking_numbers": [parcel.tracking] if parcel.tracking else [],
        "tracking_url": parcel.url or None,
        "tracking_urls": [parcel.url] if parcel.url else [],
        "updated_at": _stamp(parcel.reported_at),
        "line_items": [{**_line_item(sale, line), "quantity": parcel.units[line.line_id]} for line in lines],
    }


def _returns(shop: Shopify, sale: Sale) -> dict[str, Any]:
    """Bodies of 2024-10 show none, later ones a list."""
    found = [each for each in of_order(shop, sale) if each.status not in OVER]
    return {"returns": [{"id": each.number, "status": each.status.lower()} for each in found]} if found else {}


def _refunds(shop: Shopify, sale: Sale) -> list[dict[str, Any]]:
    """A cancelled order is restocked, and refunded when it was paid; and what the seller has given back."""
    return [_refund(shop, sale, made) for made in refunds(shop, sale)]


def _refund(shop: Shopify, sale: Sale, made: RefundMade) -> dict[str, Any]:
    transactions = [
        {
            "id": each.number,
            "amount": amount_text(each.amount_minor, sale.currency),
            "currency": sale.currency,
            "gateway": GATEWAY,
            "kind": "refund",
            "status": each.status.lower(),
            "created_at": _stamp(each.at),
            "order_id": int(sale.order_id),
        }
        for each in payments(shop, sale)
        if each.number in made.payments
    ]
    lines = [_refund_line(line, sale, made) for line in sale.lines if made.units.get(line.line_id)]
    return {
        "id": made.number,
        "admin_graphql_api_id": f"gid://shopify/Refund/{made.number}",
        "order_id": int(sale.order_id),
        "created_at": _stamp(made.at),
        "processed_at": _stamp(made.at),
        "note": made.note or None,
        "user_id": None,
        "restock": made.restock_type != "NO_RESTOCK",
        "duties": [],
        "total_duties_set": _money_set(0, sale.currency),
        "return": None,
        "refund_shipping_lines": [],
        "order_adjustments": [],
        "refund_line_items": lines,
        "transactions": transactions,
    }


def _refund_line(line: SoldLine, sale: Sale, made: RefundMade) -> dict[str, Any]:
    return {
        "id": int(line.line_id) + 500_000_000_000,
        "line_item": _line_item(sale, line),
        "line_item_id": int(line.line_id),
        "location_id": None,
        "quantity": made.units[line.line_id],
        "restock_type": made.restock_type.lower(),
        # REST gives these two as numbers, unlike every other amount.
        "subtotal": float(amount_text(line.net_minor, sale.currency)),
        "subtotal_set": _money_set(line.net_minor, sale.currency),
        "total_tax": float(amount_text(line.tax_minor, sale.currency)),
        "total_tax_set": _money_set(line.tax_minor, sale.currency),
    }
