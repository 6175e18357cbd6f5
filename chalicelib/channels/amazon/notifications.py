"""Amazon's notifications: they say what to look at, and nothing that may be believed without looking.

Keys are read whatever their case: Amazon writes some notification types in PascalCase, others in camelCase.
Source: the SP-API schemas of each type (schemas/notifications).
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.channels.fields import Node, parse

ORDER_CHANGE = "ORDER_CHANGE"
QUANTITY_CHANGE = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
FEED_FINISHED = "FEED_PROCESSING_FINISHED"
REPORT_FINISHED = "REPORT_PROCESSING_FINISHED"
TRANSACTION_UPDATE = "TRANSACTION_UPDATE"
# Known, and left alone on purpose: none of them changes an order, a quantity of ours or money.
IGNORED = (
    "ANY_OFFER_CHANGED",
    "B2B_ANY_OFFER_CHANGED",
    "FBA_INVENTORY_AVAILABILITY_CHANGES",
    "FULFILLMENT_ORDER_STATUS",
    "LISTINGS_ITEM_ISSUES_CHANGE",
    "LISTINGS_ITEM_STATUS_CHANGE",
    "PRICING_HEALTH",
)


@dataclass(frozen=True)
class Told:
    """What a notification says.

    kind             its type, in upper case; of the types in `IGNORED`, and of unknown ones, only this is told
    seller_id        whose it is; marketplace_id: in which store, where it says so
    order_ids        the orders it is about
    skus             the listings that it is about, with the quantity that Amazon shows now
    work_id          the feed or report that has ended, of type `work_type`, with this `status` (DONE, FATAL, CANCELLED)
    document_id      where its result lies
    notification_id  names this notification: it may come twice
    """

    kind: str
    seller_id: str = ""
    marketplace_id: str = ""
    order_ids: tuple[str, ...] = ()
    skus: tuple[tuple[str, int], ...] = ()
    work_id: str = ""
    work_type: str = ""
    status: str = ""
    document_id: str = ""
    notification_id: str = ""


def told_of(body: str | bytes) -> Told:
    """What a notification says. Raises `Unreadable` for what is none, or lacks what its type must name."""
    root = _folded(parse(body))
    kind = _kind(root)
    metadata = root.at("notificationmetadata")
    notification_id = _folded(metadata).text("notificationid") if metadata else ""
    if kind == ORDER_CHANGE:
        change = _inner(root, "orderchangenotification")
        summary = change.at("summary")
        store = _folded(summary).text("marketplaceid") if summary else ""
        orders = (change.identity("amazonorderid"),)
        return Told(kind, change.text("sellerid"), store, orders, notification_id=notification_id)
    if kind == QUANTITY_CHANGE:
        change = _folded(root.at("payload"))
        is_ours = change.text("fulfillmentchannelcode") in ("", "DEFAULT")
        skus = ((change.identity("sku"), change.whole("quantity")),) if is_ours else ()
        store = change.text("marketplaceid")
        return Told(kind, change.text("sellerid"), store, skus=skus, notification_id=notification_id)
    if kind in (FEED_FINISHED, REPORT_FINISHED):
        return _finished(root, kind, notification_id)
    if kind == TRANSACTION_UPDATE:
        return _transaction(root, notification_id)
    return Told(kind, notification_id=notification_id)


def _finished(root: Node, kind: str, notification_id: str) -> Told:
    work = "feed" if kind == FEED_FINISHED else "report"
    ended = _inner(root, f"{work}processingfinishednotification")
    return Told(
        kind,
        ended.text("sellerid"),
        work_id=ended.identity(f"{work}id"),
        work_type=ended.text(f"{work}type"),
        status=ended.text("processingstatus").upper(),
        document_id=ended.text("resultfeeddocumentid" if work == "feed" else "reportdocumentid"),
        notification_id=notification_id,
    )


def _transaction(root: Node, notification_id: str) -> Told:
    booked = _inner(root, "transactionupdatenotification")
    whose = booked.at("sellingpartnermetadata")
    related = [_folded(each) for each in booked.each("relatedidentifiers")]
    orders = [
        each.text("relatedidentifiervalue")
        for each in related
        if each.text("relatedidentifiername").replace("_", "").lower() == "orderid"
    ]
    seller_id = _folded(whose).text("sellingpartnerid") if whose else ""
    status = booked.text("transactionstatus").upper()
    return Told(
        TRANSACTION_UPDATE,
        seller_id,
        order_ids=tuple(filter(None, orders)),
        status=status,
        notification_id=notification_id,
    )


def _kind(root: Node) -> str:
    kind = root.text("notificationtype")
    if not kind:
        root.at("notificationtype").refuse("a notification type")
    return kind.upper()


def _inner(root: Node, name: str) -> Node:
    return _folded(_folded(root.at("payload")).at(name))


def _folded(node: Node) -> Node:
    """The same object with lower-case keys."""
    if not isinstance(node.value, dict):
        node.refuse("an object")
    return Node({str(key).lower(): value for key, value in node.value.items()}, node.path)
