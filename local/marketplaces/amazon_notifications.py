"""Amazon's ORDER_CHANGE notification as it lies in the seller's SQS queue (PascalCase; no price, no address).

Source: schemas/notifications/OrderChangeNotification.json.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_order_body import fulfillment_status
from local.marketplaces.shelf import Change, Sale, SoldLine
from local.marketplaces.wire import to_json

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

# The notification still speaks the words of Orders v0, with another spelling of cancelled.
STATUS_WORDS = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
}


def order_change(market: Amazon, change: Change) -> bytes:
    """The message body. A repeated delivery of one change has one NotificationId."""
    sale = market.shelf.sales[change.order_id]
    published = _stamp(change.at)
    notification = {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": published,
        "Payload": {
            "OrderChangeNotification": {
                "NotificationLevel": "OrderLevel",
                "SellerId": market.seller_id,
                "AmazonOrderId": sale.order_id,
                "OrderChangeType": "OrderStatusChange",
                "OrderChangeTrigger": {
                    "TimeOfOrderChange": published,
                    "ChangeReason": "Order status changed",
                },
                "Summary": _summary(market, sale),
            }
        },
        "NotificationMetadata": {
            "ApplicationId": market.client_id,
            "SubscriptionId": _uuid("subscription"),
            "PublishTime": published,
            "NotificationId": _uuid(f"{change.order_id}/{change.kind}/{published}"),
        },
    }
    return to_json(notification)


def _summary(market: Amazon, sale: Sale) -> dict[str, Any]:
    open_units = sum(sale.open_units(line.line_id) for line in sale.lines)
    return {
        "MarketplaceId": market.marketplace_id,
        "OrderStatus": STATUS_WORDS[fulfillment_status(sale)],
        "PurchaseDate": _stamp(sale.placed_at),
        "DestinationPostalCode": sale.buyer.town.postal_code if sale.paid else None,
        "FulfillmentType": "MFN",
        "OrderType": "StandardOrder",
        "NumberOfItemsShipped": sale.shipped_units,
        "NumberOfItemsUnshipped": open_units,
        "OrderPrograms": [],
        "ShippingPrograms": [],
        "OrderItems": [_item(sale, line) for line in sale.lines],
    }


def _item(sale: Sale, line: SoldLine) -> dict[str, Any]:
    shipped = sale.shipped(line.line_id)
    return {
        "OrderItemId": line.line_id,
        "SellerSKU": line.sku,
        "SupplySourceId": None,
        "OrderItemStatus": "Shipped" if shipped >= line.quantity else "Unshipped",
        "Quantity": line.quantity,
        "QuantityShipped": shipped,
        "IsBuyerRequestedCancel": False,
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uuid(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))
