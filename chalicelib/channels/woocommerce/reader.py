"""WooCommerce's order as ours. Webhook bodies and REST v3 answers have the same shape.

Amounts are decimal texts and never include tax, whatever `prices_include_tax` says; times `*_gmt` carry no zone and
are UTC. Sources: wc-v3-properties.json (orders, order-refunds), recorded orders in samples/woocommerce.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.channels.fields import Node, address, contact, distinct, parse, units
from chalicelib.channels.touches import from_woocommerce_meta
from chalicelib.channels.woocommerce.gateway import PROCESSOR, Gateway, expires_ms, gateway_of
from chalicelib.domain.authorisation import RECKONED
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Charge, Contact, Payment, Problem
from chalicelib.domain.errors import Unreadable

AWAITED = ("pending", "on-hold", "checkout-draft", "auto-draft")
GONE = ("cancelled", "trash")
_KNOWN = (*AWAITED, *GONE, "processing", "completed", "refunded", "failed")
_ADDRESS = {
    "company": "company",
    "line1": "address_1",
    "line2": "address_2",
    "city": "city",
    "region": "state",
    "postcode": "postcode",
    "country": "country",
    "phone": "phone",
}
_TIMES = ("date_modified_gmt", "date_completed_gmt", "date_paid_gmt", "date_created_gmt")


def read_orders(body: bytes | str, channel: str, *, hint: Mapping[str, str] | None = None) -> tuple[ChannelOrder, ...]:
    """The one order of a body. Raises `Unreadable` for what is no order, naming the field.

    Of `refunds` the order itself tells sums only; `WooClient` puts the whole refunds in their place, whose lines say
    which units are called off. `hint`: processor, the account that takes the money of Stripe's gateway ("" for none).
    """
    root = parse(body)
    if not root.has("line_items") or not root.has("status"):
        raise Unreadable("not_an_order", "the body has no line_items and status")
    currency = root.currency("currency")
    if not root.has("total"):
        root.at("total").refuse("a decimal amount")
    problems: list[Problem] = []
    status, total_minor = root.text("status").removeprefix("wc-"), root.minor("total", currency)
    off = _units_off(root)
    lines = tuple(_line(line, root, status, off, problems) for line in root.each("line_items"))
    distinct([line.line_id for line in lines])
    meta = _meta(root)
    gateway = gateway_of(root, meta, (hint or {}).get("processor", PROCESSOR))
    payment = _payment(root, status, total_minor, currency, problems, gateway)
    if status == "refunded":  # who has all his money back gets nothing more delivered
        lines = tuple(replace(line, cancelled=line.quantity - line.fulfilled) for line in lines)
    place = root.at("shipping") if _is_filled(root.at("shipping")) else root.at("billing")
    order = ChannelOrder(
        channel=channel,
        external_id=root.identity("id"),
        version_ms=_version_ms(root),
        placed_ms=root.optional_time_ms("date_created_gmt") or _version_ms(root),
        currency=currency,
        total_minor=total_minor,
        lines=lines,
        charges=_charges(root, lines, currency),
        payment=payment,
        cancelled=status in GONE,
        label=root.text("number") or root.identity("id"),
        country=place.text("country").upper()[:2],
        problems=tuple(problems),
        contact=_contact(root, place),
        attribution=from_woocommerce_meta(meta, click_ms=root.optional_time_ms("date_created_gmt")),
    )
    rounded = _rounded(order, len(root.each("tax_lines")))
    return (_captured_in_part(rounded, root, status, gateway) if gateway.captured else rounded,)


def refund_lines(refund: Node) -> Counter[str]:
    """Units by the order's line id that one whole refund takes off; a refund's own lines have ids of their own."""
    found: Counter[str] = Counter()
    for line in refund.each("line_items"):
        refunded = [meta.text("value") for meta in line.each("meta_data") if meta.text("key") == "_refunded_item_id"]
        if refunded:
            found[refunded[0]] += abs(line.whole("quantity"))
    return found


def _line(line: Node, order: Node, status: str, off: Counter[str], problems: list[Problem]) -> ChannelLine:
    line_id, currency = line.identity("id"), order.currency("currency")
    quantity = _quantity(line, line_id, problems)
    total_minor = line.minor("total", currency)
    subtotal_minor = line.minor("subtotal", currency) if line.has("subtotal") else total_minor
    listing = next((text for text in (line.text("variation_id"), line.text("product_id")) if text not in ("", "0")), "")
    fulfilled = quantity if status == "completed" else 0
    return ChannelLine(
        line_id=line_id,
        channel_sku=line.text("sku") or listing,
        listing_ref=listing,
        title=line.text("name"),
        quantity=quantity,
        cancelled=min(off[line_id], quantity),
        fulfilled=max(fulfilled - min(off[line_id], quantity), 0),
        price_minor=subtotal_minor,
        discount_minor=subtotal_minor - total_minor,
        tax_minor=line.minor("total_tax", currency),
        ships=not _is_virtual(order),
    )


def _quantity(line: Node, line_id: str, problems: list[Problem]) -> int:
    """Plugins sell by weight or length: a part of a unit is nothing that can be taken from a shelf."""
    try:
        return units(line, "quantity", line_id, problems)
    except Unreadable:
        if not line.has("quantity") or line.minor("quantity", "KWD") % 1000 == 0:
            raise
    problems.append(Problem("quantity_not_whole", f"line {line_id} has a part of a unit: deliver it by hand"))
    return 0


def _is_virtual(order: Node) -> bool:
    """The shop says that nothing needs processing. It looks at products that exist, so one that is gone decides
    nothing."""
    there = all(line.text("product_id") not in ("", "0") for line in order.each("line_items"))
    return there and not order.flag("needs_processing", default=True)


def _units_off(order: Node) -> Counter[str]:
    """Units by line that refunds called off: what was refunded after all had left is a return."""
    completed_ms = order.optional_time_ms("date_completed_gmt")
    off: Counter[str] = Counter()
    for refund in order.each("refunds"):
        made_ms = refund.optional_time_ms("date_created_gmt")
        if not completed_ms or made_ms <= completed_ms:
            off += refund_lines(refund)
    return off


def _charges(order: Node, lines: Sequence[ChannelLine], currency: str) -> tuple[Charge, ...]:
    shipping = order.each("shipping_lines")
    label = shipping[0].text("method_title") if shipping else ""
    tax_minor = order.minor("total_tax", currency) - sum(line.tax_minor for line in lines)  # of shipping and fees
    charges = [
        Charge("shipping", order.minor("shipping_total", currency), label),
        Charge("tax", tax_minor),
        *(Charge("fee", fee.minor("total", currency), fee.text("name")) for fee in order.each("fee_lines")),
        *(Charge("discount", -card.minor("amount", currency), "gift card") for card in order.each("gift_cards")),
    ]
    return tuple(charge for charge in charges if charge.amount_minor)


def _rounded(order: ChannelOrder, taxes: int) -> ChannelOrder:
    """Where prices include tax each amount is rounded for itself: each may be off by half a minor unit."""
    rest_minor = order.total_minor - order.stated_minor()
    most_minor = (2 * len(order.lines) + len(order.charges) + taxes) // 2
    if not 0 < abs(rest_minor) <= most_minor:
        return order
    return replace(order, charges=(*order.charges, Charge("other", rest_minor, "rounding")))


def _captured_in_part(order: ChannelOrder, root: Node, status: str, gateway: Gateway) -> ChannelOrder:
    """The gateway lowers the total to what was captured of it, and leaves the order on hold and unpaid until it is
    completed: the lines say what was to be paid at first."""
    stated_minor, taken_minor = order.stated_minor(), order.total_minor
    is_open = status == "on-hold" and not root.has("date_paid_gmt")
    if not 0 < taken_minor < stated_minor or not (is_open or status == "completed"):
        return order
    payment = replace(gateway.at, captured_minor=taken_minor, refunded_minor=order.payment.refunded_minor)
    return replace(order, total_minor=stated_minor, payment=payment)


def _payment(
    order: Node, status: str, total_minor: int, currency: str, problems: list[Problem], gateway: Gateway
) -> Payment:
    """`date_paid_gmt` is what tells of money, but where the gateway says that it has taken none: WooCommerce sets the
    date with the status. An order on hold that is paid is held by a person at the shop."""
    refunded_minor = sum(_refund_minor(each, currency) for each in order.each("refunds"))
    whole_minor = max(total_minor, refunded_minor, 0)
    is_paid = order.has("date_paid_gmt")
    if status not in _KNOWN:
        problems.append(Problem("status_unknown", f"the shop calls it {status!r}: decide at the shop what that means"))
    if gateway.authorised and status not in ("pending", "checkout-draft", "auto-draft"):
        if status in ("failed", "refunded", *GONE):
            return replace(gateway.at, lapsed=True)
        ends_ms = expires_ms(order, _version_ms(order))
        held_minor = max(total_minor, 0)
        held = replace(gateway.at, authorised_minor=held_minor, refunded_minor=refunded_minor)
        return replace(held, expires_ms=ends_ms, expiry=RECKONED)
    if status == "refunded":
        return replace(gateway.at, captured_minor=whole_minor, refunded_minor=refunded_minor or whole_minor)
    if is_paid and status not in ("pending", "failed", "checkout-draft", "auto-draft"):
        if status == "on-hold":
            problems.append(Problem("on_hold_at_channel", "the shop has put it on hold: set it to processing there"))
        return replace(gateway.at, captured_minor=whole_minor, refunded_minor=refunded_minor)
    return Payment(awaited=status in AWAITED, lapsed=status in ("failed", *GONE))


def _refund_minor(refund: Node, currency: str) -> int:
    """The order itself tells a negative total of each, the whole refund its amount."""
    name = "total" if refund.has("total") and not refund.has("amount") else "amount"
    if not refund.has(name):
        refund.at(name).refuse("a decimal amount")
    return abs(refund.minor(name, currency))


def _version_ms(order: Node) -> int:
    """Old shops leave out when an order changed; then the last of what else is dated."""
    if order.has("date_modified_gmt"):
        return order.time_ms("date_modified_gmt")
    latest_ms = max(order.optional_time_ms(name) for name in _TIMES)
    return latest_ms or order.time_ms("date_modified_gmt")


def _is_filled(place: Node) -> bool:
    return any(place.text(key) for key in ("address_1", "address_2", "city", "postcode"))


def _contact(order: Node, place: Node) -> Contact | None:
    billing = order.at("billing")
    name = _name(place) or _name(billing)
    customer = order.text("customer_id")
    parts = address(place, _ADDRESS)
    if parts and name:
        parts["name"] = name
    phone = place.text("phone") or billing.text("phone")
    return contact(name, billing.text("email"), phone, "" if customer == "0" else customer, parts)


def _name(place: Node) -> str:
    return f"{place.text('first_name')} {place.text('last_name')}".strip()


def _meta(order: Node) -> dict[str, str]:
    """Plugins keep anything in meta data: what is no text says nothing, and never holds up an order."""
    entries = order.at("meta_data").value
    return {
        entry["key"]: entry["value"]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("value"), str)
    }
