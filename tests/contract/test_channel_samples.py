"""Every recorded order payload is accepted, or refused by a reason, on purpose: the table names each file."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels.amazon.notifications import told_of
from chalicelib.channels.registry import reader_for
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.entry import decide_entry
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.lifecycle import stage, status
from local.read import unwrapped
from tests.shared_data import shared

# file -> (orders, stage, status, whether lines and charges add up to the total), or the reason of the refusal
NOT_AN_ORDER = "not_an_order"
V0 = "orders_v0_not_supported"
SHOPIFY: dict[str, Any] = {
    **{
        f"webhooks-2024-10/orders.{topic}.json": (1, "cancelled", "cancelled", True)
        for topic in ("cancelled", "create", "fulfilled", "paid", "partially_fulfilled", "updated")
    },
    "webhooks-2024-10/orders.delete.json": NOT_AN_ORDER,
    "webhooks-2024-10/orders.edited.json": NOT_AN_ORDER,
    "webhooks-2024-10/orders.risk_assessment_changed.json": NOT_AN_ORDER,
    "webhooks-2024-10/orders.shopify_protect_eligibility_changed.json": NOT_AN_ORDER,
    "webhooks-2024-10/order_transactions.create.json": NOT_AN_ORDER,
    "orders-misc/activepieces_orders_paid.json": (1, "funding", "awaiting_funds", True),
    "orders-misc/activepieces_products_update.json": NOT_AN_ORDER,
    "orders-misc/hkd_line_item_discount.json": (1, "funding", "awaiting_funds", True),
    "orders-misc/jpy_zero_decimal_unicode_1001.json": (1, "funding", "awaiting_funds", True),
    "orders-misc/legacy_orders_create_no_price_sets.json": (1, "cancelled", "cancelled", True),
    "rest-2026-07/order.custom_items_no_variant.json": (1, "entry", "on_hold", True),
    "rest-2026-07/order.discount_code.json": (1, "funding", "awaiting_funds", True),
    "rest-2026-07/order.eur_tax_sale_transaction.json": (1, "entry", "on_hold", True),
    "rest-2026-07/order.partially_refunded.json": (1, "funding", "awaiting_funds", True),
    "rest-2026-07/order.pending.json": (1, "funding", "awaiting_funds", True),
    "rest-2026-07/orders.authorized.json": (1, "funding", "awaiting_funds", True),
}
AMAZON: dict[str, Any] = {
    "order.2026-01-01.getOrder.mfn-shipped-tax.json": (1, "funding", "awaiting_funds", True),
    "order.2026-01-01.getOrder.mfn-shipped-uk.json": (1, "funding", "awaiting_funds", True),
    "order.2026-01-01.getOrder.mfn-unshipped-br.json": (1, "funding", "awaiting_funds", True),
    "order.2026-01-01.getOrder.mfn-unshipped-us.json": (1, "funding", "awaiting_funds", True),
    "order.2026-01-01.searchOrders.afn-shipped-mx.json": (1, "funding", "awaiting_funds", True),
    "order.2026-01-01.searchOrders.mfn-shipped-two-items.json": (1, "funding", "awaiting_funds", True),
    "order.2026-01-01.searchOrders.mfn-shipped-uk.json": (1, "funding", "awaiting_funds", True),
    "order.2026-01-01.searchOrders.mfn-unshipped-br.json": (1, "funding", "awaiting_funds", True),
    **dict.fromkeys(
        (
            "order-items.v0.getOrderItems.buyer-requested-cancel.json",
            "order-items.v0.getOrderItemsBuyerInfo.json",
            "order.v0.getOrder.business-mfn-unshipped.json",
            "order.v0.getOrder.iba.json",
            "order.v0.getOrder.mfn-unshipped.json",
            "order.v0.getOrderAddress.commercial.json",
            "order.v0.getOrderAddress.json",
            "order.v0.getOrderBuyerInfo.business.json",
            "order.v0.getOrderBuyerInfo.json",
            "order.v0.getOrders.page-with-NextToken.json",
            "order.v0.getOrders.page-without-token.json",
        ),
        V0,
    ),
}
EBAY: dict[str, Any] = {
    "orders/cancelStatus.fragment.canceled.completed-request.json": "missing_field",
    "orders/getOrder.two-line-items.paid-not-started.json": (1, "funding", "awaiting_funds", True),
    "orders/getOrder.us-sales-tax-collected.fulfilled.payment-hold-released.json": (
        1,
        "funding",
        "awaiting_funds",
        True,
    ),
    "orders/getOrders.order.fulfilled-paid.json": (1, "funding", "awaiting_funds", True),
    "orders/getOrders.page.de.two-variations.multi-discount.fulfilled-two-packages.json": (
        1,
        "funding",
        "awaiting_funds",
        True,
    ),
    "orders/getOrders.page.oss-vat.currency-conversion.ebay-masked.json": (1, "funding", "awaiting_funds", True),
}
TABLES = {"shopify": SHOPIFY, "amazon": AMAZON, "ebay": EBAY}
ORDER_FILES = {
    "shopify": ("webhooks-2024-10/order*.json", "rest-2026-07/order*.json", "orders-misc/*.json"),
    "amazon": ("order.*.json", "order-items.*.json"),
    "ebay": ("orders/*.json",),
}
CASES = [(kind, name) for kind, table in TABLES.items() for name in sorted(table)]


def read(kind: str, body: bytes) -> tuple[ChannelOrder, ...]:
    return reader_for(kind)(body, kind, hint={})


def folder(kind: str) -> Path:
    return shared(f"samples/{kind}")


@pytest.mark.parametrize("kind", TABLES)
def test_the_table_names_every_order_file_of_the_samples(kind: str) -> None:
    root = folder(kind)
    found = {str(path.relative_to(root)) for pattern in ORDER_FILES[kind] for path in root.glob(pattern)}
    found = {name for name in found if not name.startswith("webhooks-2024-10/order_") or name in TABLES[kind]}
    assert found == {name for name in TABLES[kind] if not name.startswith("fulfillment")}


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_recorded_order_is_accepted_or_refused_as_the_table_says(kind: str, name: str) -> None:
    expected = TABLES[kind][name]
    body = unwrapped((folder(kind) / name).read_bytes())
    if isinstance(expected, str):
        with pytest.raises(Unreadable) as refused:
            read(kind, body)
        assert refused.value.reason == expected
        return
    orders = read(kind, body)
    fact = orders[0]
    names = {line.line_id: line.channel_sku or line.listing_ref for line in fact.lines}
    skus = {line_id: Sku(name) for line_id, name in names.items() if name}
    order = decide_entry(None, fact, skus, fact.version_ms)
    assert order is not None
    adds_up = fact.stated_minor() == fact.total_minor
    assert (len(orders), stage(order), status(order), adds_up) == expected


def test_the_buyers_currency_is_not_the_shops() -> None:
    """The order's ids and money as a person would read them off the file."""
    (yen,) = read("shopify", (folder("shopify") / "orders-misc/jpy_zero_decimal_unicode_1001.json").read_bytes())
    assert (yen.currency, yen.total_minor) == ("JPY", 5900)
    body = (folder("shopify") / "rest-2026-07/order.partially_refunded.json").read_bytes()
    (refunded,) = read("shopify", unwrapped(body))
    assert refunded.payment.refunded_minor == 20900
    assert [line.quantity - line.cancelled for line in refunded.lines] == [0, 1, 0]
    (ebay,) = read(
        "ebay", (folder("ebay") / "orders/getOrders.page.oss-vat.currency-conversion.ebay-masked.json").read_bytes()
    )
    assert (ebay.currency, ebay.total_minor) == ("EUR", 11626)
    body = (folder("amazon") / "order.2026-01-01.searchOrders.mfn-shipped-two-items.json").read_bytes()
    (amazon,) = read("amazon", body)
    assert [charge.kind for charge in amazon.charges] == ["tip"]


def test_an_order_change_notification_is_a_hint_in_whatever_case() -> None:
    body = json.loads((folder("amazon") / "notification.ORDER_CHANGE.sqs-body.json").read_text())
    expected = body["Payload"]["OrderChangeNotification"]
    for shaped in (body, _lower(body)):
        told = told_of(json.dumps(shaped))
        assert (told.seller_id, told.order_ids) == (expected["SellerId"], (expected["AmazonOrderId"],))
    others = [path for path in folder("amazon").glob("notification.*.json") if "ORDER_CHANGE" not in path.name]
    assert others
    kinds = {told_of(path.read_text()).kind for path in others if told_of(path.read_text()).order_ids}
    assert kinds <= {"TRANSACTION_UPDATE"}


def _lower(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower(inner) for key, inner in value.items()}
    return value


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if not isinstance(TABLES[case[0]][case[1]], str)])
def test_a_damaged_payload_is_read_or_refused_and_never_crashes(kind: str, name: str) -> None:
    whole = json.loads(unwrapped((folder(kind) / name).read_bytes()))
    chance = random.Random(name)
    for _ in range(150):
        damaged = json.loads(json.dumps(whole))
        for _ in range(chance.randint(1, 3)):
            _damage(damaged, chance)
        try:
            facts = read(kind, json.dumps(damaged).encode())
        except Unreadable:
            continue
        for fact in facts:
            assert decide_entry(None, fact, {}, fact.version_ms) is not None


def _damage(value: Any, chance: random.Random) -> None:
    """Replace, remove or add something somewhere inside."""
    here = value
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return
        key = chance.choice(keys)
        inner = here[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
            here = inner
            continue
        if chance.random() < 0.3:
            del here[key]
        else:
            here[key] = chance.choice(
                (None, "", "x", -1, 0, 10**30, 1.5, True, [], {}, [[]], {"a": 1}, "NaN", "\ud800")
            )
        return
