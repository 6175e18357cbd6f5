"""eBay orders as the Sell Fulfillment API shows them. Source: sell_fulfillment_v1_oas3.json.

Prices are before discount, for the whole line. Tax that eBay collects and remits is no part of the total.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.channels.ebay.payment import call_off_refunded, read_payment
from chalicelib.channels.ebay.pricing import EbayAmounts, charges_of
from chalicelib.channels.fields import Node, address, contact, distinct, parse, units
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Contact, Problem

_ADDRESS = {
    "line1": "addressLine1",
    "line2": "addressLine2",
    "city": "city",
    "region": "stateOrProvince",
    "postcode": "postalCode",
    "country": "countryCode",
}
_BY_SELLER = ("", "SHIP_TO", "SELLER_DEFINED", "DIGITAL")


def read_orders(body: bytes | str, channel: str, *, hint: Mapping[str, str] | None = None) -> tuple[ChannelOrder, ...]:  # noqa: ARG001 every reader takes a hint
    """One order, or every order of a page. Raises `Unreadable` naming the field that is missing or wrong."""
    root = parse(body)
    orders = root.each("orders") if root.has("orders") else [root]
    return tuple(_order(order, channel) for order in orders)


def _order(root: Node, channel: str) -> ChannelOrder:
    external_id, version_ms = root.identity("orderId"), root.time_ms("lastModifiedDate")
    amounts = EbayAmounts(root.at("pricingSummary").at("total").currency("currency"))
    problems: list[Problem] = []
    instructions = root.each("fulfillmentStartInstructions")
    ships, discounted = _ships(instructions), root.at("pricingSummary").has("priceDiscount")
    lines = tuple(
        _line(node, amounts, problems, ships=ships and not node.has("giftDetails"), discounted=discounted)
        for node in root.each("lineItems")
    )
    distinct([line.line_id for line in lines])
    total_minor, charges = charges_of(root, lines, amounts)
    payment = read_payment(root, amounts, total_minor, problems)
    cancel_state = root.at("cancelStatus").text("cancelState")
    if cancel_state not in ("", "NONE_REQUESTED", "CANCELED"):
        problems.append(Problem("cancel_requested", f"cancelState is {cancel_state}: approve or reject it at eBay"))
    if any(line.fulfilled < line.quantity for line in lines):
        problems += _not_by_seller(root, instructions)
    buyer = _contact(root, instructions)
    return ChannelOrder(
        channel=channel,
        external_id=external_id,
        version_ms=version_ms,
        placed_ms=root.optional_time_ms("creationDate") or version_ms,
        currency=amounts.currency,
        total_minor=total_minor,
        lines=call_off_refunded(root, lines),
        charges=charges,
        payment=payment,
        cancelled=cancel_state == "CANCELED",
        fulfilled_is_exact=False,
        label=external_id,
        country=buyer.address.get("country", "").upper()[:2] if buyer else "",
        ship_by_ms=_ship_by_ms(root),
        problems=(*problems, *amounts.problems()),
        contact=buyer,
    )


def _line(node: Node, amounts: EbayAmounts, problems: list[Problem], *, ships: bool, discounted: bool) -> ChannelLine:
    """`discounted`: the order says that its goods were."""
    line_id = node.identity("lineItemId")
    quantity = units(node, "quantity", line_id, problems)
    fulfilled = quantity if node.text("lineItemFulfillmentStatus") == "FULFILLED" else 0
    if not node.has("lineItemCost"):
        node.at("lineItemCost").refuse("an amount")
    price_minor = amounts.minor(node.at("lineItemCost"))
    if node.has("discountedLineItemCost"):
        discount_minor = price_minor - amounts.minor(node.at("discountedLineItemCost"))
    elif discounted:
        discount_minor = sum(amounts.minor(each.at("discountAmount")) for each in node.each("appliedPromotions"))
    else:
        discount_minor = 0  # a promotion may be of the delivery
    item, variation = node.text("legacyItemId"), node.text("legacyVariationId")
    return ChannelLine(
        line_id=line_id,
        channel_sku=node.text("sku"),
        quantity=quantity,
        price_minor=price_minor,
        listing_ref=f"{item}/{variation}" if item and variation else item,
        title=node.text("title"),
        fulfilled=fulfilled,
        discount_minor=discount_minor,
        ships=ships,
    )


def _ships(instructions: list[Node]) -> bool:
    kinds = {node.text("fulfillmentInstructionsType") for node in instructions}
    return kinds != {"DIGITAL"}


def _not_by_seller(root: Node, instructions: list[Node]) -> list[Problem]:
    """Orders that eBay, a hub of its own or a store hands over: nothing may leave our shelves for them unseen."""
    kinds = {node.text("fulfillmentInstructionsType") for node in instructions}
    program = root.at("program")
    if "FULFILLED_BY_EBAY" in kinds or (program and program.has("fulfillmentProgram")):
        return [Problem("fulfilled_by_ebay", "eBay ships this order from its own stock")]
    if program.value or any(node.flag("ebaySupportedFulfillment") for node in instructions):
        return [Problem("program_order", "the parcel goes to eBay or its partner first: check address and label")]
    others = sorted(kinds.difference(_BY_SELLER))
    return [Problem("unusual_fulfilment", f"fulfillmentInstructionsType is {', '.join(others)}")] if others else []


def _contact(root: Node, instructions: list[Node]) -> Contact | None:
    """Where to ship to. Street, name and phone vanish after 90 days, the e-mail address after 14."""
    steps = [node.at("shippingStep").at("shipTo") for node in instructions]
    ship_to = next((step for step in steps if step), Node(None, "fulfillmentStartInstructions"))
    phone = ship_to.at("primaryPhone").text("phoneNumber")
    parts = address(ship_to.at("contactAddress"), _ADDRESS)
    if company := ship_to.text("companyName"):
        parts["company"] = company
    return contact(ship_to.text("fullName"), ship_to.text("email"), phone, root.at("buyer").text("username"), parts)


def _ship_by_ms(root: Node) -> int:
    """The earliest date of any line; 0 when eBay gives none."""
    places = [node.at("lineItemFulfillmentInstructions") for node in root.each("lineItems")]
    return min((place.time_ms("shipByDate") for place in places if place.has("shipByDate")), default=0)
