"""Our own JSON order, for any storefront: documented in docs/channels.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.channels.fields import Node, address, contact, distinct, parse, units
from chalicelib.channels.touches import touch_of
from chalicelib.domain.attribution import Attribution, attribution_of
from chalicelib.domain.authorisation import RECKONED
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Charge, Payment, Problem
from chalicelib.domain.errors import Unreadable

STATUSES = ("pending", "authorised", "paid", "vouched", "refunded", "failed", "voided")
_ACCOUNT = re.compile("[a-z0-9-]{1,40}")
_ADDRESS = {
    key: key for key in ("name", "company", "line1", "line2", "line3", "city", "region", "postcode", "country", "phone")
}


@dataclass(frozen=True)
class _Money:
    currency: str
    total_minor: int


def read_orders(body: bytes | str, channel: str, *, hint: Mapping[str, str] | None = None) -> tuple[ChannelOrder, ...]:  # noqa: ARG001 every reader takes a hint
    """The one order of a document. Raises `Unreadable` naming the field that is missing or wrong."""
    root = parse(body)
    currency = root.currency("currency")
    problems: list[Problem] = []
    lines = tuple(_line(node, currency, problems) for node in root.each("lines"))
    distinct([line.line_id for line in lines])
    if not root.has("total"):
        root.at("total").refuse("a decimal amount")
    total_minor = root.minor("total", currency)
    updated_ms = root.time_ms("updated_at")
    buyer, ship_to = root.at("customer"), root.at("ship_to")
    if root.at("payment").text("status") == "refunded":  # who has all his money back gets nothing more delivered
        lines = tuple(replace(line, cancelled=line.quantity - line.fulfilled) for line in lines)
    order = ChannelOrder(
        channel=channel,
        external_id=root.identity("id"),
        version_ms=updated_ms,
        placed_ms=root.optional_time_ms("placed_at") or updated_ms,
        currency=currency,
        total_minor=total_minor,
        lines=lines,
        charges=tuple(
            Charge(node.text("kind") or "other", node.minor("amount", currency), node.text("label"))
            for node in root.each("charges")
        ),
        payment=_payment(root.at("payment"), _Money(currency, total_minor)),
        cancelled=root.flag("cancelled"),
        label=root.text("number") or root.identity("id"),
        country=(root.text("country") or ship_to.text("country")).upper()[:2],
        ship_by_ms=root.optional_time_ms("ship_by"),
        problems=tuple(problems),
        contact=contact(
            buyer.text("name") or ship_to.text("name"),
            buyer.text("email"),
            buyer.text("phone"),
            buyer.text("id"),
            address(ship_to, _ADDRESS),
        ),
        attribution=_attribution(root),
    )
    return (order,)


def _attribution(root: Node) -> Attribution | None:
    """How the buyer came, if the storefront tells; its first visit and its last."""
    told = root.at("attribution")
    placed_ms = root.optional_time_ms("placed_at") or root.time_ms("updated_at")
    visits = (told.at("first"), told)
    touches = [
        touch_of(_url(visit, "landing_url"), _url(visit, "referrer_url"), visit.optional_time_ms("at") or placed_ms)
        for visit in visits
    ]
    return attribution_of(
        touches,
        fbc=_url(told, "fbc"),
        fbp=_url(told, "fbp"),
        consent=told.flag("consent"),
        is_asked=told.has("consent"),
        user_agent=told.text("user_agent"),
        ip=told.text("ip"),
    )


def _url(node: Node, key: str) -> str:
    """Text, uncut: a click id that is cut short would be another."""
    value = node.at(key).value
    return value if isinstance(value, str) else ""


def _line(node: Node, currency: str, problems: list[Problem]) -> ChannelLine:
    line_id = node.identity("id")
    quantity = units(node, "quantity", line_id, problems)
    if node.has("total"):
        price_minor = node.minor("total", currency)
    elif node.has("unit_price"):
        price_minor = node.minor("unit_price", currency) * quantity
    else:
        raise Unreadable("missing_field", f"{node.path} needs unit_price or total")
    return ChannelLine(
        line_id=line_id,
        channel_sku=node.text("sku"),
        quantity=quantity,
        price_minor=price_minor,
        title=node.text("title"),
        cancelled=min(max(node.whole("cancelled"), 0), quantity),
        fulfilled=min(max(node.whole("fulfilled"), 0), quantity),
        discount_minor=node.minor("discount", currency),
        tax_minor=node.minor("tax", currency),
        ships=node.flag("ships", default=True),
    )


def _payment(node: Node, order: _Money) -> Payment:
    """Amounts that are not told follow from the status: `paid` captured the total, `authorised` reserved it."""
    status = node.text("status") or "pending"
    if status not in STATUSES:
        raise Unreadable("bad_field", f"payment.status must be one of {', '.join(STATUSES)}")
    processor = node.text("processor")
    if processor and not _ACCOUNT.fullmatch(processor):
        raise Unreadable("bad_field", "payment.processor must be `channel` or the name of a processor's account")
    total_minor = max(order.total_minor, 0)
    captured_minor = node.minor("captured", order.currency)
    if not node.has("captured") and status in ("paid", "refunded"):
        captured_minor = total_minor
    authorised_minor = node.minor("authorised", order.currency)
    if not node.has("authorised") and status == "authorised":
        authorised_minor = total_minor
    refunded_minor = node.minor("refunded", order.currency)
    if not node.has("refunded") and status == "refunded":
        refunded_minor = captured_minor
    if min(captured_minor, authorised_minor, refunded_minor) < 0:
        raise Unreadable("bad_field", "payment amounts must not be negative")
    until_ms = node.optional_time_ms("authorised_until") or 0
    untold = status == "authorised" and not until_ms and processor not in ("", "channel")
    return Payment(
        vouched=status == "vouched",
        authorised_minor=authorised_minor,
        captured_minor=captured_minor,
        refunded_minor=refunded_minor,
        lapsed=status in ("failed", "voided"),
        expires_ms=until_ms,
        captor=processor,
        reference=node.text("reference"),
        expiry=RECKONED if untold else "",
    )
