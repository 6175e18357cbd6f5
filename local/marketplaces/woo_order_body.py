"""An order of the stand-in WooCommerce shop as REST and webhooks show it.

Source of shapes: wc-v3-properties.json (orders), recorded orders in samples/woocommerce.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.marketplaces.shelf import Sale, SoldLine
from local.marketplaces.woo_gateway import SITE_URL
from local.marketplaces.woo_products import OWN, money, product_id, variation_ids

if TYPE_CHECKING:
    from local.marketplaces.woocommerce import WooCommerce


def order_body(shop: WooCommerce, sale: Sale) -> dict[str, Any]:
    """An order as REST and webhooks show it. Amounts of lines never include tax."""
    town, refunds = sale.buyer.town, shop.refunds.get(sale.order_id, [])
    shipping = money(sale.shipping_minor)
    place = {
        "first_name": sale.buyer.first_name,
        "last_name": sale.buyer.last_name,
        "address_1": sale.buyer.street,
        "address_2": sale.buyer.street_2,
        "city": town.name,
        "state": town.state_code,
        "postcode": town.postal_code,
        "country": "US",
        "phone": sale.buyer.phone,
    }
    completed, payment = shop.office.completed.get(sale.order_id), shop.office.payments.get(sale.order_id)
    paid = sale.placed_at if not payment else payment.captured_at or completed
    return {
        "id": int(sale.order_id),
        "number": sale.order_id,
        "status": shop.status(sale),
        "currency": sale.currency,
        "date_created_gmt": stamp(sale.placed_at),
        "date_modified_gmt": stamp(sale.updated_at),
        "date_paid_gmt": stamp(paid) if paid and sale.paid else None,
        "date_completed_gmt": stamp(completed) if completed else None,
        "shipping_total": shipping,
        "total": money(shop.total_minor(sale)),
        "total_tax": money(sale.tax_minor),
        "prices_include_tax": False,
        "customer_id": 0,
        "payment_method": "stripe" if payment else "bacs",
        "transaction_id": payment.charge_id if payment else "",
        "meta_data": _meta_data(shop, sale),
        "billing": {**place, "email": f"{sale.buyer.handle}@example.com"},
        "shipping": place,
        "line_items": [_line(line, shop.variable.get(line.sku, "")) for line in sale.lines],
        "tax_lines": [],
        "shipping_lines": [{"id": 1, "method_title": "Flat rate", "total": shipping, "total_tax": "0.00"}],
        "fee_lines": [],
        "coupon_lines": [{"id": 2, "code": sale.discount_code}] if sale.discount_code else [],
        "refunds": [{"id": each["id"], "reason": each["reason"], "total": f"-{each['amount']}"} for each in refunds],
    }


def _meta_data(shop: WooCommerce, sale: Sale) -> list[dict[str, Any]]:
    meta = sale.visit.woocommerce(SITE_URL) if sale.visit else {}
    payment = shop.office.payments.get(sale.order_id)
    if payment:
        captured = "yes" if payment.captured_at else "no"
        meta |= {"_stripe_intent_id": payment.intent_id, "_stripe_charge_captured": captured}
    return [{"id": 70_000 + n, "key": key, "value": value} for n, (key, value) in enumerate(meta.items())]


def _line(line: SoldLine, managed_by: str) -> dict[str, Any]:
    """A variation without a SKU of its own shows its product's, which has none here."""
    return {
        "id": int(line.line_id),
        "name": line.title,
        "product_id": product_id(line.sku),
        "variation_id": next(iter(variation_ids(line.sku, managed_by)), 0),
        "quantity": line.quantity,
        "subtotal": money(line.gross_minor),
        "total": money(line.net_minor),
        "total_tax": money(line.tax_minor),
        "meta_data": [],
        "sku": line.sku if managed_by in ("", OWN) else "",
        "price": line.net_minor / line.quantity / 100,
    }


def stamp(at: datetime) -> str:
    """A time as the shop writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
