"""Returns at Shopify: what a buyer asks for, what the seller answers, and how an order then shows it.

Source: schema admin_2026-10. The messages of errors are the stand-in's own: no capture of a return is at hand. An order
whose returns were all declined or called off shows none, which is the harder case for whoever searches by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graphql import GraphQLResolveInfo

from local.marketplaces.shelf import Sale
from local.marketplaces.shopify_back_office import ReturnedLine, ReturnMade
from local.marketplaces.shopify_nodes import line_node, pages, stamp
from local.marketplaces.shopify_payments import find_transaction, refund
from local.marketplaces.shopify_shipments import fulfillment_line_id

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

REASON = {"id": "gid://shopify/ReturnReasonDefinition/1", "handle": "unwanted", "name": "Unwanted", "deleted": False}
OVER = ("DECLINED", "CANCELED")
RETURN_STATUSES = {"RETURN_REQUESTED", "IN_PROGRESS", "INSPECTION_COMPLETE", "RETURNED", "RETURN_FAILED", "NO_RETURN"}


class NotPossibleError(Exception):
    """The mutation is refused with this code about this field."""

    def __init__(self, code: str, *field: str) -> None:
        super().__init__(code)
        self.code, self.field = code, list(field)


# --- what the buyer and the shop's people do ----------------------------------------------------------


def open_by_buyer(shop: Shopify, sale: Sale, units_of: dict[str, int], now: datetime) -> ReturnMade:
    """The buyer wants to send units of lines back. Raises ValueError for more than have left and are still out."""
    shop.office.numbers += 1
    made = ReturnMade(9_600_000_000_000 + shop.office.numbers, sale.order_id, "REQUESTED", now)
    for line_id, units in units_of.items():
        made.lines += _taken_from_parcels(shop, sale, line_id, units)
    shop.office.returns.append(made)
    _moved(shop, made, "REQUESTED")
    return made


def _taken_from_parcels(shop: Shopify, sale: Sale, line_id: str, units: int) -> Iterator[ReturnedLine]:
    asked = [line for each in of_order(shop, sale) if each.status not in OVER for line in each.lines]
    left = units
    for parcel in sale.parcels:
        known = [line.units for line in asked if (line.line_id, line.parcel) == (line_id, parcel.reference)]
        count = min(left, parcel.units.get(line_id, 0) - sum(known))
        if count > 0:
            left -= count
            shop.office.numbers += 1
            yield ReturnedLine(9_700_000_000_000 + shop.office.numbers, line_id, parcel.reference, count)
    if units < 1 or left:
        raise ValueError(f"{sale.order_id}/{line_id}: {units} units cannot be returned")


def _moved(shop: Shopify, made: ReturnMade, status: str) -> None:
    sale = shop.shelf.sales[made.order_id]
    made.status = status
    made.approved_at = shop.clock() if status == "OPEN" and not made.approved_at else made.approved_at
    made.closed_at = shop.clock() if status == "CLOSED" else None
    sale.touch(shop.clock())
    shop.changed(sale, "returned")


def set_status(shop: Shopify, made: ReturnMade, status: str) -> None:
    """A person moves the return in Shopify's own pages."""
    _moved(shop, made, status)


# --- what an order shows ------------------------------------------------------------------------------


def of_order(shop: Shopify, sale: Sale) -> list[ReturnMade]:
    return [each for each in shop.office.returns if each.order_id == sale.order_id]


def return_status(shop: Shopify, sale: Sale) -> str:
    """OrderReturnStatus"""
    there = {each.status for each in of_order(shop, sale)}
    shown = {"REQUESTED": "RETURN_REQUESTED", "OPEN": "IN_PROGRESS", "CLOSED": "RETURNED"}
    return next((shown[status] for status in shown if status in there), "NO_RETURN")


def order_returns(shop: Shopify, sale: Sale) -> Callable[..., dict[str, Any]]:
    """The connection `returns` of an Order."""
    return pages([return_node(shop, each) for each in of_order(shop, sale)])


def return_node(shop: Shopify, made: ReturnMade) -> dict[str, Any]:
    """Return"""
    order_gid = f"gid://shopify/Order/{made.order_id}"
    reverse = [] if made.status in ("REQUESTED", *OVER) else [_reverse_node(shop, made)]
    return {
        "__typename": "Return",
        "id": f"gid://shopify/Return/{made.number}",
        "name": f"#{1000 + shop.shelf.sales[made.order_id].number}-R{made.number % 100}",
        "status": made.status,
        "createdAt": stamp(made.at),
        "requestApprovedAt": stamp(made.approved_at),
        "closedAt": stamp(made.closed_at),
        "totalQuantity": sum(line.units for line in made.lines),
        "order": lambda info: info.root_value["order"](info, id=order_gid),
        "returnLineItems": pages([_line_node(shop, made, line) for line in made.lines]),
        "exchangeLineItems": pages([{"id": "gid://shopify/ExchangeLineItem/1", "quantity": 1}] * made.exchanged),
        "reverseFulfillmentOrders": pages(reverse),
    }


def _line_node(shop: Shopify, made: ReturnMade, line: ReturnedLine) -> dict[str, Any]:
    left = line.units - line.processed
    return {
        "__typename": "ReturnLineItem",
        "id": f"gid://shopify/ReturnLineItem/{line.number}",
        "quantity": line.units,
        "processedQuantity": line.processed,
        "unprocessedQuantity": left,
        "processableQuantity": left if made.status == "OPEN" else 0,
        "returnReasonDefinition": REASON,
        "returnReasonNote": "",
        "fulfillmentLineItem": _shipped_node(shop, made, line),
    }


def _shipped_node(shop: Shopify, made: ReturnMade, line: ReturnedLine) -> dict[str, Any]:
    sale = shop.shelf.sales[made.order_id]
    parcel = next(each for each in sale.parcels if each.reference == line.parcel)
    index, sold = next((n, each) for n, each in enumerate(sale.lines) if each.line_id == line.line_id)
    gid = fulfillment_line_id(sale, parcel, index)
    return {"id": gid, "lineItem": line_node(sale, sold), "quantity": parcel.units[line.line_id]}


def _reverse_id(line: ReturnedLine) -> str:
    return f"gid://shopify/ReverseFulfillmentOrderLineItem/{line.number}"


def _reverse_node(shop: Shopify, made: ReturnMade) -> dict[str, Any]:
    lines = [
        {
            "id": _reverse_id(line),
            "totalQuantity": line.units,
            "fulfillmentLineItem": _shipped_node(shop, made, line),
            "dispositions": [
                {"id": f"gid://shopify/ReverseFulfillmentOrderDisposition/{line.number}{n}", "type": k, "quantity": u}
                for n, (k, u) in enumerate(line.disposed.items())
            ],
        }
        for line in made.lines
    ]
    over = all(sum(line.disposed.values()) >= line.units for line in made.lines)
    gid = f"gid://shopify/ReverseFulfillmentOrder/{made.number}"
    return {"id": gid, "status": "CLOSED" if over else "OPEN", "lineItems": pages(lines)}


# --- queries and mutations ----------------------------------------------------------------------------


def find_return(shop: Shopify, _info: GraphQLResolveInfo[Any], id: str) -> dict[str, Any] | None:  # noqa: A002
    """return(id:)"""
    found = _found(shop, id)
    return return_node(shop, found) if found else None


def find_nodes(shop: Shopify, info: GraphQLResolveInfo[Any], ids: list[str]) -> list[dict[str, Any] | None]:
    """nodes(ids:), of returns and orders' transactions."""
    return [find_return(shop, info, each) or find_transaction(shop, each) for each in ids]


def approve(shop: Shopify, _info: GraphQLResolveInfo[Any], input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """returnApproveRequest(input:)"""
    return _answered(shop, input["id"], lambda made: _step(shop, made, "REQUESTED", "OPEN"))


def decline(shop: Shopify, _info: GraphQLResolveInfo[Any], input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """returnDeclineRequest(input:)"""
    return _answered(shop, input["id"], lambda made: _step(shop, made, "REQUESTED", "DECLINED"))


def close(shop: Shopify, _info: GraphQLResolveInfo[Any], id: str) -> dict[str, Any]:  # noqa: A002
    """returnClose(id:)"""
    return _answered(shop, id, lambda made: _step(shop, made, "OPEN", "CLOSED"))


def process(shop: Shopify, _info: GraphQLResolveInfo[Any], input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """returnProcess(input:): not idempotent, as the real one; asked twice, nothing is left to process."""
    return _answered(shop, input["returnId"], lambda made: _process(shop, made, input))


def _process(shop: Shopify, made: ReturnMade, wish: dict[str, Any]) -> None:
    asked = wish.get("returnLineItems") or []
    if made.status != "OPEN":
        raise NotPossibleError("INVALID_STATE", "returnId")
    for each in asked:
        _checked(made, each)
    sale = shop.shelf.sales[made.order_id]
    for each in asked:
        line = _line(made, each["id"])
        line.processed += each["quantity"]
        sale.returned[line.line_id] = sale.returned.get(line.line_id, 0) + each["quantity"]
        for disposition in each.get("dispositions") or []:
            kind, units = disposition["dispositionType"], disposition["quantity"]
            line.disposed[kind] = line.disposed.get(kind, 0) + units
            if kind == "RESTOCKED":
                sold = sale.line(line.line_id)
                assert sold
                shop.shelf.listings[sold.sku].put_back(units)
    if transfer := wish.get("financialTransfer"):
        _pay_back(shop, made, asked, transfer["issueRefund"]["orderTransactions"])
    _moved(shop, made, "OPEN")


def _pay_back(shop: Shopify, made: ReturnMade, asked: list[dict[str, Any]], moves: list[dict[str, Any]]) -> None:
    """One refund of the order, of these units and this money."""
    units = [(f"gid://shopify/LineItem/{_line(made, each['id']).line_id}", each["quantity"]) for each in asked]
    wish = {
        "orderId": f"gid://shopify/Order/{made.order_id}",
        "refundLineItems": [{"lineItemId": line, "quantity": n, "restockType": "NO_RESTOCK"} for line, n in units],
        "transactions": [{"parentId": m["parentId"], "amount": m["transactionAmount"]["amount"]} for m in moves],
    }
    shop.office.numbers += 1
    if wrong := refund(shop, f"return/{made.number}/{shop.office.numbers}", wish)["userErrors"]:
        raise NotPossibleError("INVALID", "financialTransfer", wrong[0]["message"])


def _checked(made: ReturnMade, asked: dict[str, Any]) -> None:
    line = _line(made, asked["id"])
    dispositions = asked.get("dispositions") or []
    if not 0 < asked["quantity"] <= line.units - line.processed:
        raise NotPossibleError("LESS_THAN_OR_EQUAL_TO", "returnLineItems", "quantity")
    if any(each["reverseFulfillmentOrderLineItemId"] != _reverse_id(line) for each in dispositions):
        raise NotPossibleError("NOT_FOUND", "returnLineItems", "dispositions")
    if any(each["dispositionType"] == "RESTOCKED" and not each.get("locationId") for each in dispositions):
        raise NotPossibleError("INVALID", "returnLineItems", "dispositions")
    if sum(each["quantity"] for each in dispositions) > line.units - sum(line.disposed.values()):
        raise NotPossibleError("LESS_THAN_OR_EQUAL_TO", "returnLineItems", "dispositions")


def _line(made: ReturnMade, gid: str) -> ReturnedLine:
    for line in made.lines:
        if gid == f"gid://shopify/ReturnLineItem/{line.number}":
            return line
    raise NotPossibleError("NOT_FOUND", "returnLineItems", "id")


def _step(shop: Shopify, made: ReturnMade, was: str, status: str) -> None:
    if made.status != was:
        raise NotPossibleError("INVALID_STATE", "id")
    _moved(shop, made, status)


def _found(shop: Shopify, gid: str) -> ReturnMade | None:
    return next((each for each in shop.office.returns if gid == f"gid://shopify/Return/{each.number}"), None)


def _answered(shop: Shopify, gid: str, do: Callable[[ReturnMade], None]) -> dict[str, Any]:
    made = _found(shop, gid)
    try:
        if made is None:
            raise NotPossibleError("NOT_FOUND", "id")
        do(made)
    except NotPossibleError as no:
        error = {"code": no.code, "field": no.field, "message": f"Not possible: {no.code}"}
        return {"return": None, "userErrors": [error]}
    return {"return": return_node(shop, made), "userErrors": []}
