"""Orders of WooCommerce whose money is at Stripe: authorised, captured, given free, expired, and who takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.fields import Node
from chalicelib.channels.stripe.naming import naming_of
from chalicelib.channels.woocommerce.reader import read_orders
from chalicelib.domain.authorisation import RECKONED
from chalicelib.domain.channel_order import ChannelOrder, Payment

DAY_MS = 86_400_000
PLACED_MS = 1_772_323_200_000  # 2026-03-01
AT = {"captor": "stripe", "reference": "pi_1"}


def document(captured: str, status: str = "on-hold", **more: Any) -> dict[str, Any]:
    return {
        "id": 1003,
        "status": status,
        "currency": "EUR",
        "total": "30.00",
        "date_created_gmt": "2026-03-01T00:00:00",
        "date_modified_gmt": "2026-03-01T00:01:00",
        "date_paid_gmt": None,
        "payment_method": "stripe",
        "transaction_id": "ch_1",
        "line_items": [{"id": 1, "product_id": 5, "quantity": 2, "subtotal": "30.00", "total": "30.00"}],
        "meta_data": [
            {"key": "_stripe_intent_id", "value": "pi_1"},
            *([{"key": "_stripe_charge_captured", "value": captured}] if captured else []),
        ],
        **more,
    }


def read(found: dict[str, Any], **hint: str) -> ChannelOrder:
    (order,) = read_orders(json.dumps(found), "woocommerce", hint=hint)
    return order


PAID = {"date_paid_gmt": "2026-03-01T00:02:00"}
BACK = {"refunds": [{"id": 9, "total": "-4.00"}]}
ENDS = {"expires_ms": PLACED_MS + 7 * DAY_MS, "expiry": RECKONED}
STATES = {
    "authorised": (document("no"), Payment(authorised_minor=3000, **AT, **ENDS)),
    "set to processing, and not captured": (
        document("no", "processing", **PAID),
        Payment(authorised_minor=3000, **AT, **ENDS),
    ),
    "authorised, and the price lowered": (
        document("no", **BACK),
        Payment(authorised_minor=3000, refunded_minor=400, **AT, **ENDS),
    ),
    "captured": (document("yes", "processing", **PAID), Payment(captured_minor=3000, **AT)),
    "captured, and some of it given back": (
        document("yes", "completed", **PAID, **BACK),
        Payment(captured_minor=3000, refunded_minor=400, **AT),
    ),
    "captured in part": (document("yes", total="15.00"), Payment(captured_minor=1500, **AT)),
    "captured in part, and completed": (
        document("yes", "completed", total="15.00", **PAID),
        Payment(captured_minor=1500, **AT),
    ),
    "a bank debit under way": (document("yes"), Payment(awaited=True)),
    "given free": (document("no", "cancelled"), Payment(lapsed=True, **AT)),
    "given free by a refund of all": (document("no", "refunded", **BACK), Payment(lapsed=True, **AT)),
    "given back whole": (
        document("yes", "refunded", **PAID),
        Payment(captured_minor=3000, refunded_minor=3000, **AT),
    ),
    "expired": (document("no", "failed"), Payment(lapsed=True, **AT)),
    "not confirmed by the buyer": (document("", "pending"), Payment(awaited=True)),
    "asked for again after a failure": (document("no", "pending"), Payment(awaited=True)),
}


@pytest.mark.parametrize("name", STATES)
def test_what_the_gateway_keeps_says_where_the_money_is(name: str) -> None:
    found, money = STATES[name]
    order = read(found)
    assert order.payment == money
    assert order.total_minor == order.stated_minor() == 3000
    assert not order.problems


def test_the_account_that_takes_the_money_is_told_by_hint_and_without_one_nobody_is_asked() -> None:
    assert read(document("no"), processor="stripe-de").payment.captor == "stripe-de"
    left = read(document("no"), processor="").payment
    assert (left.captor, left.reference, left.authorised_minor) == ("", "", 3000)


def test_a_method_that_can_be_authorised_is_read_like_a_card_and_another_gateway_as_before() -> None:
    assert read(document("no", payment_method="stripe_klarna")).payment.authorised_minor == 3000
    others = read(document("no", payment_method="woocommerce_payments"))
    assert others.payment == Payment(awaited=True)


def test_an_old_order_that_is_authorised_late_has_no_clock() -> None:
    order = read(document("no", date_modified_gmt="2026-03-09T00:00:00"))
    assert (order.payment.authorised_minor, order.payment.expires_ms) == (3000, 0)


def test_an_order_without_a_payment_intent_is_left_to_its_gateway() -> None:
    meta = [{"key": "_stripe_charge_captured", "value": "no"}]
    assert read(document("no", meta_data=meta)).payment == Payment(authorised_minor=3000, **ENDS)


SITE = "https://Shop.example/"
METADATA = {"order_id": "A-17", "site_url": "https://shop.example", "signature": "1003:0cc175b9"}


@pytest.mark.parametrize(
    ("settings", "metadata", "order_id"),
    [
        ({"order_channel": "woocommerce"}, METADATA, "woocommerce:1003"),
        ({"order_channel": {SITE: "woocommerce-de"}}, METADATA, "woocommerce-de:1003"),
        ({"order_channel": {"https://other.example": "woocommerce-de"}}, METADATA, "A-17"),
        ({"order_channel": "woocommerce"}, {"order_id": "17"}, "woocommerce:17"),
        ({"order_channel": "woocommerce"}, {"order_id": "17", "channel": "storefront"}, "storefront:17"),
        ({"order_channel": "woocommerce"}, {"order_id": "storefront:17"}, "storefront:17"),
        ({"order_channel": "woocommerce"}, {"signature": "1003:abc"}, ""),
        ({"order_key": "order"}, {"order": "17", "channel": "shop"}, "shop:17"),
        ({}, METADATA, "A-17"),
    ],
)
def test_a_payment_names_its_order(settings: dict[str, Any], metadata: dict[str, str], order_id: str) -> None:
    assert naming_of(settings).order_of(Node(metadata)) == order_id
