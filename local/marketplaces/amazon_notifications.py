"""Amazon's notifications as they lie in the seller's SQS queue. Most are PascalCase, two are camelCase.

Source: schemas/notifications/*.json. ORDER_CHANGE has no price and no address.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_back_office import Job
from local.marketplaces.amazon_finances import identifiers
from local.marketplaces.amazon_life import note_of, open_units, status_of
from local.marketplaces.catalogue import asin
from local.marketplaces.money import amount_text
from local.marketplaces.shelf import Change, Sale, SoldLine
from local.marketplaces.wire import to_json

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

ORDER_CHANGE = "ORDER_CHANGE"
# The notification still speaks the words of Orders v0, with another spelling of cancelled.
STATUS_WORDS = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
    "PENDING_AVAILABILITY": "PendingAvailability",
}


def notification(market: Amazon, change: Change) -> bytes:
    """The SQS body that a change causes. A repeated delivery of one change has one NotificationId."""
    build = BUILDERS.get(change.kind)
    return to_json(build(market, change) if build else _order_change(market, change))


# --- ORDER_CHANGE -------------------------------------------------------------------------------------


def _order_change(market: Amazon, change: Change) -> dict[str, Any]:
    """The order as it is now."""
    sale = market.shelf.sales[change.order_id]
    asked = change.kind == "cancel_requested"
    order = {
        "NotificationLevel": "OrderLevel",
        "SellerId": market.seller_id,
        "AmazonOrderId": sale.order_id,
        "OrderChangeType": "BuyerRequestedChange" if asked else "OrderStatusChange",
        "OrderChangeTrigger": {
            "TimeOfOrderChange": _stamp(change.at),
            "ChangeReason": "Buyer requested cancel" if asked else "Order status changed",
        },
        "Summary": _summary(market, sale),
    }
    return _pascal(market, ORDER_CHANGE, change, {"OrderChangeNotification": order})


def _summary(market: Amazon, sale: Sale) -> dict[str, Any]:
    note, status = note_of(market, sale), status_of(market, sale)
    notified = {"CancelNotifyDate": _stamp(note.cancel_requested_at)} if note.cancel_requested_at else {}
    return {
        "MarketplaceId": market.marketplace_id,
        "OrderStatus": STATUS_WORDS.get(status, status),
        "PurchaseDate": _stamp(sale.placed_at),
        "DestinationPostalCode": sale.buyer.town.postal_code if sale.paid else None,
        "FulfillmentType": "MFN" if note.fulfilled_by == "MERCHANT" else "AFN",
        "OrderType": "StandardOrder",
        "NumberOfItemsShipped": sale.shipped_units,
        "NumberOfItemsUnshipped": sum(open_units(market, sale, line) for line in sale.lines),
        **notified,
        "OrderPrograms": [],
        "ShippingPrograms": [],
        "OrderItems": [_item(market, sale, line) for line in sale.lines],
    }


def _item(market: Amazon, sale: Sale, line: SoldLine) -> dict[str, Any]:
    shipped = sale.shipped(line.line_id)
    return {
        "OrderItemId": line.line_id,
        "SellerSKU": line.sku,
        "SupplySourceId": None,
        "OrderItemStatus": "Shipped" if shipped >= line.quantity else "Unshipped",
        "Quantity": line.quantity,
        "QuantityShipped": shipped,
        "IsBuyerRequestedCancel": note_of(market, sale).cancel_requested_at is not None,
    }


# --- the others; Change.order_id holds the id of what they are about -----------------------------------


def _quantity_change(market: Amazon, change: Change) -> dict[str, Any]:
    listing = market.shelf.listings[change.order_id]
    about = {"SellerId": market.seller_id, "FulfillmentChannelCode": "DEFAULT"}
    return _pascal(market, change.kind, change, {**about, "Sku": listing.sku, "Quantity": listing.available})


def _issues_change(market: Amazon, change: Change) -> dict[str, Any]:
    severities = market.office.issues.get(change.order_id, [])
    payload = {
        "SellerId": market.seller_id,
        "MarketplaceId": market.marketplace_id,
        "Asin": asin(change.order_id),
        "Sku": change.order_id,
        "Severities": severities or ["NONE"],
        "EnforcementActions": ["SEARCH_SUPPRESSED"] if "ERROR" in severities else [],
    }
    return _pascal(market, change.kind, change, payload)


def _transaction_update(market: Amazon, change: Change) -> dict[str, Any]:
    transaction = market.office.transactions[change.order_id]
    related = [
        {
            # The notification writes OrderId where the API writes ORDER_ID.
            "RelatedIdentifierName": each["relatedIdentifierName"].title().replace("_", ""),
            "RelatedIdentifierValue": each["relatedIdentifierValue"],
        }
        for each in identifiers(market, transaction)
    ]
    total = float(amount_text(transaction.total_minor, market.currency))
    update = {
        "SellingPartnerMetadata": {
            "SellingPartnerId": market.seller_id,
            "MarketplaceId": market.marketplace_id,
            "AccountType": "PAYABLE",
        },
        "RelatedIdentifiers": related,
        "TransactionType": transaction.kind,
        "PostedDate": _stamp(transaction.posted_at),
        "TotalAmount": {"CurrencyAmount": total, "CurrencyCode": market.currency},
    }
    return _pascal(market, change.kind, change, {"TransactionUpdateNotification": update})


def _feed_finished(market: Amazon, change: Change) -> dict[str, Any]:
    job = market.office.feeds[change.order_id]
    about = {"feedId": job.job_id, "feedType": job.kind, **_ended(market, job)}
    result = {"resultFeedDocumentId": job.document_id} if job.document_id else {}
    return _camel(market, change, {"feedProcessingFinishedNotification": about | result})


def _report_finished(market: Amazon, change: Change) -> dict[str, Any]:
    job = market.office.reports[change.order_id]
    about = {"reportId": job.job_id, "reportType": job.kind, **_ended(market, job)}
    result = {"reportDocumentId": job.document_id} if job.document_id else {}
    return _camel(market, change, {"reportProcessingFinishedNotification": about | result})


def _ended(market: Amazon, job: Job) -> dict[str, str]:
    account = f"amzn1.merchant.o.{market.seller_id}"
    return {"sellerId": market.seller_id, "accountId": account, "processingStatus": job.status}


BUILDERS: dict[str, Callable[[Amazon, Change], dict[str, Any]]] = {
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": _quantity_change,
    "LISTINGS_ITEM_ISSUES_CHANGE": _issues_change,
    "TRANSACTION_UPDATE": _transaction_update,
    "FEED_PROCESSING_FINISHED": _feed_finished,
    "REPORT_PROCESSING_FINISHED": _report_finished,
}


# --- envelopes ----------------------------------------------------------------------------------------


def _metadata(market: Amazon, kind: str, change: Change) -> tuple[str, str, str, str]:
    """Application, subscription, time of publication, id of this notification."""
    known = market.office.subscriptions.values()
    subscription = next((each.subscription_id for each in known if each.kind == kind), _uuid("subscription"))
    published = _stamp(change.at)
    return market.client_id, subscription, published, _uuid(f"{change.order_id}/{change.kind}/{published}")


def _pascal(market: Amazon, kind: str, change: Change, payload: dict[str, Any]) -> dict[str, Any]:
    application, subscription, published, notification_id = _metadata(market, kind, change)
    return {
        "NotificationVersion": "1.0",
        "NotificationType": kind,
        "PayloadVersion": "1.0",
        "EventTime": published,
        "Payload": payload,
        "NotificationMetadata": {
            "ApplicationId": application,
            "SubscriptionId": subscription,
            "PublishTime": published,
            "NotificationId": notification_id,
        },
    }


def _camel(market: Amazon, change: Change, payload: dict[str, Any]) -> dict[str, Any]:
    application, subscription, published, notification_id = _metadata(market, change.kind, change)
    return {
        "notificationVersion": "2020-09-04",
        "notificationType": change.kind,
        "payloadVersion": "2020-09-04",
        "eventTime": published,
        "payload": payload,
        "notificationMetadata": {
            "applicationId": application,
            "subscriptionId": subscription,
            "publishTime": published,
            "notificationId": notification_id,
        },
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uuid(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))
