"""Shopify's order as ours. Webhook bodies have the REST shape; a GraphQL order is brought into it first.

Amounts are read in the shop's currency, never in the buyer's. Sources: webhook payloads of API 2024-10,
shopify.dev REST Order, schema admin_2026-10.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from chalicelib.channels.fields import Amounts, Node, address, contact, distinct, parse, units
from chalicelib.channels.shopify.exchanges import credit_minor
from chalicelib.channels.shopify.graphql_reader import rest_shape
from chalicelib.channels.shopify.standing import standing_of
from chalicelib.channels.touches import is_yes, touch_of
from chalicelib.domain.attribution import Attribution, Touch, attribution_of
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Charge, Contact, Payment, Problem
from chalicelib.domain.errors import Unreadable

_LARGEST_EXACT = 2**53
_ADDRESS = {
    "name": "name",
    "company": "company",
    "line1": "address1",
    "line2": "address2",
    "city": "city",
    "region": "province_code",
    "postcode": "zip",
    "country": "country_code",
    "phone": "phone",
}


def read_orders(body: bytes | str, channel: str, *, hint: Mapping[str, str] | None = None) -> tuple[ChannelOrder, ...]:  # noqa: ARG001 every reader takes a hint
    """The order or orders of a body. Raises `Unreadable` for what is no order, naming the field."""
    root = parse(body)
    if root.has("data"):
        root = root.at("data")
    if root.has("orders"):
        return tuple(_order(node, channel) for node in root.each("orders"))
    return (_order(root.at("order") if root.has("order") else root, channel),)


def _order(node: Node, channel: str) -> ChannelOrder:
    if node.has("createdAt"):
        node = Node(rest_shape(node), node.path)
    if not node.has("line_items") or not isinstance(node.value, dict) or "financial_status" not in node.value:
        raise Unreadable("not_an_order", "the body has no line_items and financial_status")
    currency = node.currency("currency")
    if not node.has("total_price"):
        node.at("total_price").refuse("a decimal amount")
    problems: list[Problem] = []
    moved = _Moved(_shipped_units(node), _refunded_units(node), _refunded_units(node, "return"), _untold(node))
    lines = tuple(_line(line, node, currency, moved, problems) for line in node.each("line_items"))
    distinct([line.line_id for line in lines])
    total_minor = node.minor("total_price", currency)
    told = node.at("total_price_set").at("shop_money").text("currency_code").upper()
    if told not in ("", currency):
        problems.append(Problem("currency_mismatch", f"the order is in {currency}, its total in {told}"))
    refunded_minor = _refunded_minor(node, currency, problems)
    credit = Charge("discount", -credit_minor(node, total_minor, refunded_minor, currency), "goods sent back")
    total_minor += credit.amount_minor
    payment = _payment(node, total_minor, refunded_minor, currency, problems)
    if node.text("financial_status").lower() == "refunded":  # who has all his money back gets nothing more delivered
        lines = tuple(replace(line, cancelled=line.quantity - line.fulfilled) for line in lines)
    changed_ms = node.time_ms("updated_at")
    standing = standing_of(node, changed_ms)
    place = node.at("shipping_address") if node.has("shipping_address") else node.at("billing_address")
    return ChannelOrder(
        channel=channel,
        external_id=_exact_id(node),
        version_ms=changed_ms,
        placed_ms=node.time_ms("created_at"),
        currency=currency,
        total_minor=total_minor,
        lines=lines,
        charges=(*_charges(node, lines, currency), *([credit] if credit.amount_minor else ())),
        payment=payment,
        cancelled=node.has("cancelled_at"),
        label=node.text("name") or _exact_id(node),
        country=place.text("country_code").upper()[:2],
        told_ms=standing.told_ms,
        untold=standing.untold,
        problems=(*problems, *standing.problems),
        contact=_contact(node, place),
        attribution=_attribution_if_readable(node),
    )


def _exact_id(node: Node) -> str:
    """Ids beyond 2^53 may have been rounded by JavaScript on their way; the number in the GraphQL id is exact."""
    number = node.text("admin_graphql_api_id").partition("?")[0].rpartition("/")[2]
    own = node.identity("id")
    return number if number.isdecimal() and own.isdecimal() and int(own) > _LARGEST_EXACT else own


class _Moved(NamedTuple):
    """Units by line id: in parcels, in refunds, and of these the ones that came back after they had left. `untold`:
    lines that are in a parcel which does not say how many of them."""

    shipped: Counter[str]
    refunded: Counter[str]
    returned: Counter[str]
    untold: frozenset[str]


def _line(line: Node, order: Node, currency: str, moved: _Moved, problems: list[Problem]) -> ChannelLine:
    line_id = _exact_id(line)
    quantity = units(line, "quantity", line_id, problems)
    gone = quantity - line.whole("current_quantity") if line.has("current_quantity") else moved.refunded[line_id]
    # a unit that was refunded after it had left is a return, not a cancellation
    gone -= moved.returned[line_id]
    fulfilled = moved.shipped[line_id]
    is_shipped = not order.has("fulfillments") and line.text("fulfillment_status") in ("fulfilled", "partial")
    if is_shipped or line_id in moved.untold:
        fulfilled = quantity - gone - line.whole("fulfillable_quantity")
    fulfilled = min(max(fulfilled, 0), quantity)
    if order.at("returns").value:  # a returned unit is gone too; what Shopify has yet to ship was not called off
        gone = min(gone, quantity - fulfilled - line.whole("fulfillable_quantity"))
    return ChannelLine(
        line_id=line_id,
        channel_sku=line.text("sku"),
        listing_ref=line.text("variant_id"),
        title=line.text("title") or line.text("name"),
        quantity=quantity,
        cancelled=min(max(gone, 0), quantity - fulfilled),
        fulfilled=fulfilled,
        price_minor=_shop_minor(line, "price", currency) * quantity,
        discount_minor=_discount_minor(line, currency),
        tax_minor=0 if order.flag("taxes_included") else _tax_minor(line, currency),
        ships=line.flag("requires_shipping", default=True) and not line.flag("gift_card"),
    )


def _shop_minor(node: Node, name: str, currency: str) -> int:
    """An amount in the shop's currency: the price set names it, the plain field is it."""
    in_set = node.at(f"{name}_set").at("shop_money")
    return in_set.minor("amount", currency) if in_set else node.minor(name, currency)


def _discount_minor(line: Node, currency: str) -> int:
    """Allocated discounts of a whole line; bodies of old API versions only have the line's own total, and GraphQL
    tells what is left of a shipping price."""
    allocations = line.each("discount_allocations")
    if not allocations and line.has("discounted_price"):
        return _shop_minor(line, "price", currency) - _shop_minor(line, "discounted_price", currency)
    if not allocations:
        return line.minor("total_discount", currency)
    return sum(_shop_minor(allocation, "amount", currency) for allocation in allocations)


def _tax_minor(node: Node, currency: str) -> int:
    return sum(_shop_minor(tax, "price", currency) for tax in node.each("tax_lines"))


def _shipped_units(order: Node) -> Counter[str]:
    """Units by line that are in a parcel which was not called off."""
    shipped: Counter[str] = Counter()
    for line in _lines_in_parcels(order):
        shipped[_exact_id(line)] += line.whole("quantity")
    return shipped


def _untold(order: Node) -> frozenset[str]:
    """Source: schema admin_2026-10, FulfillmentLineItem.quantity may be null."""
    return frozenset(_exact_id(line) for line in _lines_in_parcels(order) if not line.has("quantity"))


def _lines_in_parcels(order: Node) -> list[Node]:
    parcels = (parcel for parcel in order.each("fulfillments") if parcel.text("status") in ("success", ""))
    return [line for parcel in parcels for line in parcel.each("line_items")]


def _refunded_units(order: Node, restock_type: str = "") -> Counter[str]:
    """Units by line that refunds have taken out, of one restock type or of all."""
    refunded: Counter[str] = Counter()
    for refund in order.each("refunds"):
        for line in refund.each("refund_line_items"):
            if not restock_type or line.text("restock_type") == restock_type:
                whole = line.at("line_item")
                refunded[_exact_id(whole) if whole else line.text("line_item_id")] += line.whole("quantity")
    return refunded


def _charges(order: Node, lines: Sequence[ChannelLine], currency: str) -> tuple[Charge, ...]:
    shipping = [line for line in order.each("shipping_lines") if not line.flag("is_removed")]
    shipping_minor = sum(_shop_minor(line, "price", currency) for line in shipping)
    off_shipping_minor = sum(_discount_minor(line, currency) for line in shipping)
    off_lines_minor = sum(line.discount_minor for line in lines)
    rest_off_minor = _shop_minor(order, "total_discounts", currency) - off_lines_minor - off_shipping_minor
    tip_is_a_line = any(line.has("tip") for line in order.each("line_items"))
    charges = [
        Charge("shipping", shipping_minor - off_shipping_minor),
        Charge("discount", -max(rest_off_minor, 0), "of the order"),
        Charge("tip", 0 if tip_is_a_line else order.minor("total_tip_received", currency)),
        Charge("duty", order.at("original_total_duties_set").at("shop_money").minor("amount", currency)),
        Charge("fee", order.at("original_total_additional_fees_set").at("shop_money").minor("amount", currency)),
    ]
    if not order.flag("taxes_included"):
        on_shipping_minor = sum(_tax_minor(line, currency) for line in shipping)
        on_lines_minor = sum(line.tax_minor for line in lines)
        # duties are taxed too, old bodies tax the order as a whole, and lines are rounded each for itself: the total
        # counts
        told_minor = _shop_minor(order, "total_tax", currency) if order.has("total_tax") else None
        charges.append(Charge("tax", on_shipping_minor if told_minor is None else told_minor - on_lines_minor))
    return tuple(charge for charge in charges if charge.amount_minor)


def _payment(order: Node, total_minor: int, refunded_minor: int, currency: str, problems: list[Problem]) -> Payment:
    """Source: OrderDisplayFinancialStatus. Refunds are gross; what was captured stays captured."""
    status = order.text("financial_status").lower()
    whole_minor = max(total_minor, refunded_minor, 0)
    if status in ("paid", "partially_refunded"):
        return Payment(captured_minor=whole_minor, refunded_minor=refunded_minor)
    if status == "refunded":
        return Payment(captured_minor=whole_minor, refunded_minor=refunded_minor or whole_minor)
    if status in ("authorized", "partially_paid"):
        return _partly(order, status, total_minor, refunded_minor, currency)
    if status in ("voided", "expired"):
        return Payment(lapsed=True)
    if status != "pending":
        problems.append(Problem("payment_unknown", f"financial_status is {status!r}: look at it in Shopify"))
    return Payment()


def _partly(order: Node, status: str, total_minor: int, refunded_minor: int, currency: str) -> Payment:
    """Money of which some is authorised or outstanding. Webhook bodies tell neither what was taken nor what is still
    authorised, and what is authorised does not count as outstanding: who has paid a part and owes nothing has
    authorised the rest."""
    if order.has("total_received"):
        received_minor = max(order.minor("total_received", currency), refunded_minor)
        open_minor = max(order.minor("total_capturable", currency), 0)
        if status == "authorized" and not open_minor:  # by a gateway of which Shopify knows no more
            open_minor = max(total_minor, 0)
        paid = Payment(captured_minor=received_minor, refunded_minor=refunded_minor)
        if not open_minor:
            return paid
        paid = replace(paid, authorised_minor=received_minor + open_minor)
        return _capturable(order, paid) if order.flag("capturable") else paid
    owed_minor = order.minor("total_outstanding", currency)
    if status == "authorized" or (order.has("total_outstanding") and owed_minor <= 0):
        paid = Payment(captured_minor=refunded_minor, refunded_minor=refunded_minor)
        return _capturable(order, replace(paid, authorised_minor=max(total_minor, 0)))
    paid_minor = max(total_minor - owed_minor, refunded_minor, 0)
    return Payment(captured_minor=paid_minor, refunded_minor=refunded_minor)


def _capturable(order: Node, paid: Payment) -> Payment:
    """With money that Shopify takes for us on request. Of several authorisations the first to lapse is told."""
    found = order.each("authorizations")
    ends_ms = [ms for each in found if (ms := each.optional_time_ms("expires_at"))]
    return replace(
        paid,
        captor="channel",
        reference=found[0].text("id") if found else "",
        expires_ms=min(ends_ms, default=0),
    )


def _refunded_minor(order: Node, currency: str, problems: list[Problem]) -> int:
    """Transactions are in the buyer's currency; only new bodies tell them in the shop's too."""
    amounts = Amounts(currency, "amount", "currency")
    refunded_minor = 0
    for refund in order.each("refunds"):
        for money in refund.each("transactions"):
            if (money.text("kind"), money.text("status")) == ("refund", "success"):
                told = money.at("amount_set").has("shop_money")
                refunded_minor += _shop_minor(money, "amount", currency) if told else amounts.minor(money)
    problems += amounts.problems()
    return max(refunded_minor, 0)


def _contact(order: Node, place: Node) -> Contact | None:
    customer = order.at("customer")
    name = place.text("name") or f"{customer.text('first_name')} {customer.text('last_name')}".strip()
    return contact(
        name,
        order.text("email") or customer.text("email"),
        order.text("phone") or place.text("phone"),
        customer.text("id"),
        address(place, _ADDRESS),
    )


def _attribution_if_readable(order: Node) -> Attribution | None:
    """How the buyer came never holds up an order."""
    try:
        return _attribution(order)
    except Unreadable:
        return None


def _attribution(order: Node) -> Attribution | None:
    """What the webhook body tells of the visit; the theme puts the cookies and the consent into the cart's attributes,
    which become note attributes. Its only time is the order's, so a click counts as seen then. GraphQL tells of the
    first and the last visit, each with its time."""
    notes = {note.text("name").lower(): note.text("value") for note in order.each("note_attributes") if _is_text(note)}
    touches = [_touch(order, order.optional_time_ms("created_at")), *map(_visit, order.each("visits"))]
    client = order.at("client_details")
    return attribution_of(
        touches,
        fbc=notes.get("_fbc", ""),
        fbp=notes.get("_fbp", ""),
        consent=is_yes(notes.get("_meta_consent", "")),
        user_agent=client.text("user_agent") or notes.get("_user_agent", ""),  # GraphQL tells none
        ip=client.text("browser_ip"),
    )


def _touch(told: Node, click_ms: int) -> Touch:
    return touch_of(_long_text(told, "landing_site"), _long_text(told, "referring_site"), click_ms)


def _visit(visit: Node) -> Touch:
    """Of GraphQL: the words of its URL outrank those that Shopify has gathered."""
    touch, utm = _touch(visit, visit.optional_time_ms("seen_at")), visit.at("utm")
    gathered = {name: utm.text(name) for name in ("source", "medium", "campaign", "content", "term") if utm.text(name)}
    return replace(touch, utm={**gathered, **touch.utm})


def _is_text(note: Node) -> bool:
    """Apps put objects and lists there too."""
    return isinstance(note.at("name").value, str) and isinstance(note.at("value").value, str)


def _long_text(node: Node, key: str) -> str:
    """A URL, uncut: a click id that is cut short would be another."""
    value = node.at(key).value
    return value if isinstance(value, str) else ""
