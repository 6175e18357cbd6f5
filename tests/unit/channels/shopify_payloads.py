"""Shopify's orders in the shape of webhook bodies, built by hand, and what the reader makes of them."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder

LINE = 15_000_000_000_017


def line(number: int = LINE, **changes: Any) -> dict[str, Any]:
    fields = {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{number}",
        "sku": "MUG",
        "title": "Mug",
        "variant_id": 440_001,
        "quantity": 2,
        "current_quantity": 2,
        "price": "10.00",
        "requires_shipping": True,
        "gift_card": False,
        "discount_allocations": [],
        "tax_lines": [],
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not ...}


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = {
        "id": 6_100_000_000_007,
        "admin_graphql_api_id": "gid://shopify/Order/6100000000007",
        "name": "#1007",
        "created_at": "2026-05-04T07:00:00-05:00",
        "updated_at": "2026-05-04T07:30:00-05:00",
        "cancelled_at": None,
        "currency": "USD",
        "financial_status": "paid",
        "taxes_included": False,
        "total_price": "20.00",
        "total_discounts": "0.00",
        "total_tax": "0.00",
        "line_items": list(lines) or [line()],
        "shipping_lines": [],
        "fulfillments": [],
        "refunds": [],
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not ...}


def parcel(*units: tuple[int, int], status: str = "success") -> dict[str, Any]:
    return {"status": status, "line_items": [line(number, quantity=quantity) for number, quantity in units]}


def refund(*units: tuple[int, int, str], transactions: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "refund_line_items": [
            {"line_item_id": number, "quantity": quantity, "restock_type": kind, "line_item": line(number)}
            for number, quantity, kind in units
        ],
        "transactions": list(transactions),
    }


def given_back(amount: str, **changes: Any) -> dict[str, Any]:
    return {"kind": "refund", "status": "success", "amount": amount, "currency": "USD", **changes}


def read(body: Any) -> ChannelOrder:
    (found,) = read_orders(json.dumps(body), "shopify-de")
    return found


def only_line(*lines: dict[str, Any], **changes: Any) -> ChannelLine:
    (found,) = read(order(*lines, **changes)).lines
    return found


def units(found: ChannelLine) -> tuple[int, int, int]:
    return found.quantity, found.cancelled, found.fulfilled


def money_set(shop: str, buyer: str) -> dict[str, Any]:
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": buyer, "currency_code": "CAD"},
    }
