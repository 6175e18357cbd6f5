"""Amazon's order as ours. Source: SP-API orders_2026-01-01.json (`Order`, `OrderItem`, `FulfillmentStatus`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.channels.fields import Amounts, Node, address, contact, distinct, parse, units
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Charge, Contact, Payment, Problem
from chalicelib.domain.errors import Unreadable

_UNPAID = {"PENDING", "PENDING_AVAILABILITY"}  # placed, payment not authorised, not to be shipped
_VOUCHED = {"UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"}
_CHARGES = {"SHIPPING": "shipping", "GIFT_WRAP": "service", "COD_FEE": "fee", "DELIVERY_TIP": "tip"}
_ADDRESS = {
    "name": "name",
    "company": "companyName",
    "line1": "addressLine1",
    "line2": "addressLine2",
    "line3": "addressLine3",
    "city": "city",
    "region": "stateOrRegion",
    "postcode": "postalCode",
    "country": "countryCode",
    "phone": "phone",
}


def read_orders(body: bytes | str, channel: str, *, hint: Mapping[str, str] | None = None) -> tuple[ChannelOrder, ...]:  # noqa: ARG001 every reader takes a hint
    """The orders of a getOrder or searchOrders answer, or a bare order. Raises `Unreadable` naming the field.

    The answers of Orders v0, which Amazon removes in 2027, are refused by name.
    """
    root = parse(body)
    if root.has("payload") or root.has("AmazonOrderId"):
        raise Unreadable("orders_v0_not_supported", "read the order with Orders API 2026-01-01")
    if root.has("orders"):
        return tuple(_order(node, channel) for node in root.each("orders"))
    return (_order(root.at("order") if root.has("order") else root, channel),)


def _order(node: Node, channel: str) -> ChannelOrder:
    external_id = node.identity("orderId")
    status = node.at("fulfillment").text("fulfillmentStatus")
    items = node.each("orderItems")
    money = Amounts(_currency(node, items), "amount", "currencyCode")
    problems = _status_problems(node, status)
    by_seller = not _by_amazon(node)
    lines = tuple(_line(item, status, money, problems, ships=by_seller) for item in items)
    distinct([line.line_id for line in lines])
    charges = _charges(node, items, money)
    stated_minor = sum(line.price_minor - line.discount_minor + line.tax_minor for line in lines)
    stated_minor += sum(charge.amount_minor for charge in charges)
    total = _shown(node.at("proceeds").at("grandTotal"))
    return ChannelOrder(
        channel=channel,
        external_id=external_id,
        version_ms=node.time_ms("lastUpdatedTime"),
        placed_ms=node.time_ms("createdTime"),
        currency=money.currency,
        total_minor=money.minor(total) if total else stated_minor,
        lines=lines,
        charges=charges,
        payment=Payment(vouched=status in _VOUCHED, awaited=status in _UNPAID),
        cancelled=status == "CANCELLED",
        label=external_id,
        country=node.at("recipient").at("deliveryAddress").text("countryCode").upper()[:2],
        ship_by_ms=node.at("fulfillment").at("shipByWindow").optional_time_ms("latestDateTime"),
        problems=(*problems, *money.problems()),
        contact=_contact(node),
    )


def _currency(node: Node, items: Iterable[Node]) -> str:
    """The currency of the total, else of the first priced item. A pending order may show no price at all yet."""
    places = [node.at("proceeds").at("grandTotal")]
    for item in items:
        places += [item.at("proceeds").at("proceedsTotal"), item.at("product").at("price").at("unitPrice")]
    return next((place.currency("currencyCode") for place in places if place.text("currencyCode")), "XXX")


def _shown(money: Node) -> Node:
    """An amount; a missing one when nothing or an empty text stands in it, as it may in a pending order."""
    return money if money.text("amount") and money.text("currencyCode") else Node(None, money.path)


def _status_problems(node: Node, status: str) -> list[Problem]:
    problems = []
    if status not in _UNPAID | _VOUCHED | {"CANCELLED"}:
        problems.append(
            Problem("status_unmapped", f"fulfillmentStatus is {status or 'missing'!r}: look at it on Amazon")
        )
    if _by_amazon(node) and status not in ("SHIPPED", "CANCELLED"):
        problems.append(Problem("fulfilled_by_amazon", "Amazon ships this order; it is only recorded here"))
    return problems


def _by_amazon(node: Node) -> bool:
    return node.at("fulfillment").text("fulfilledBy") == "AMAZON"


def _line(item: Node, status: str, money: Amounts, problems: list[Problem], *, ships: bool) -> ChannelLine:
    line_id = item.identity("orderItemId")
    cancellation = item.at("cancellation")
    executed = cancellation.has("cancellationExecution")
    # A cancelled item may show that nothing of it is ordered any more.
    quantity = units(item, "quantityOrdered", line_id, [] if executed or status == "CANCELLED" else problems)
    # A role that may not see FULFILLMENT still sees that all has left: nothing may leave twice.
    all_left = quantity if status == "SHIPPED" and not executed else 0
    fulfilled = min(max(item.at("fulfillment").whole("quantityFulfilled", all_left), 0), quantity)
    if cancellation.has("cancellationRequest") and not executed and fulfilled < quantity and status != "CANCELLED":
        problems.append(Problem("cancel_requested", f"line {line_id}: the buyer asks to cancel; decide"))
    parts = _breakdowns(item, money)
    unit_minor = money.minor(_shown(item.at("product").at("price").at("unitPrice")))
    return ChannelLine(
        line_id=line_id,
        channel_sku=item.at("product").text("sellerSku"),
        listing_ref=item.at("product").text("asin"),
        title=item.at("product").text("title"),
        quantity=quantity,
        cancelled=quantity - fulfilled if executed else 0,
        fulfilled=fulfilled,
        price_minor=parts["ITEM"] if "ITEM" in parts else unit_minor * quantity,
        discount_minor=abs(parts.get("DISCOUNT", 0)),  # shown with either sign
        tax_minor=parts.get("TAX", 0),
        ships=ships,  # of what Amazon sends from its own shelves nothing is ours to allocate
    )


def _breakdowns(item: Node, money: Amounts) -> dict[str, int]:
    """Proceeds of an item by type, in minor units."""
    parts: dict[str, int] = {}
    for part in item.at("proceeds").each("breakdowns"):
        kind = part.text("type").upper()
        parts[kind] = parts.get(kind, 0) + money.minor(part.at("subtotal"))
    return parts


def _charges(node: Node, items: Iterable[Node], money: Amounts) -> tuple[Charge, ...]:
    """Neither price, discount nor tax of an item. Tips stand at the order only; the rest there repeats items."""
    charges = []
    for item in items:
        for kind, amount_minor in _breakdowns(item, money).items():
            if kind not in ("ITEM", "DISCOUNT", "TAX"):
                charges.append(Charge(_CHARGES.get(kind, "other"), amount_minor, kind))
    if all(charge.kind != "tip" for charge in charges):
        charges += [
            Charge("tip", money.minor(part.at("subtotal")), "DELIVERY_TIP")
            for part in node.at("proceeds").each("breakdowns")
            if part.text("type").upper() == "DELIVERY_TIP"
        ]
    return tuple(charges)


def _contact(node: Node) -> Contact | None:
    buyer, place = node.at("buyer"), node.at("recipient").at("deliveryAddress")
    return contact(
        buyer.text("buyerName") or place.text("name"),
        buyer.text("buyerEmail"),
        place.text("phone"),
        "",
        address(place, _ADDRESS),
    )
