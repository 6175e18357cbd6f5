"""An order as eBay's Sell Fulfillment API shows it.

The sums hold as on real payloads: totalDueSeller = total - totalMarketplaceFee - refunds; tax that eBay collects
and remits is outside the total (unless TAX_BREAKDOWN is asked for) and inside the fee's basis.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import ebay_item_id
from local.marketplaces.ebay_buyers import contact as buyer_contact
from local.marketplaces.ebay_buyers import shown_name
from local.marketplaces.ebay_cancellations import of_order, open_request
from local.marketplaces.ebay_errors import stamp
from local.marketplaces.ebay_money import (
    RefundView,
    amount,
    due_seller_minor,
    fee_minor,
    line_total_minor,
    payment_status,
    refunds_of,
    standing,
)
from local.marketplaces.shelf import Sale, SoldLine

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

HELD_FOR = timedelta(days=21)


def fulfillment_status(sale: Sale) -> str:
    """OrderFulfillmentStatus. Source: its description: IN_PROGRESS exists only for orders of several lines,
    for a line is FULFILLED once any of its quantity has left."""
    started = [bool(sale.shipped(line.line_id)) for line in sale.lines]
    if all(started):
        return "FULFILLED"
    return "IN_PROGRESS" if any(started) else "NOT_STARTED"


def order_body(market: Ebay, sale: Sale, *, with_tax: bool, with_cancel_requests: bool) -> dict[str, Any]:
    """Order"""
    buyer, tax_minor = sale.buyer, sale.tax_minor
    refunds, contact = refunds_of(market, sale), buyer_contact(market, sale)
    place = {
        "city": buyer.town.name,
        "stateOrProvince": buyer.town.state_code,
        "postalCode": buyer.town.postal_code,
        "countryCode": "US",
    }
    order = f"{market.base_url}/sell/fulfillment/v1/order/{sale.order_id}"
    body = {
        "orderId": sale.order_id,
        "creationDate": stamp(sale.placed_at),
        "lastModifiedDate": stamp(sale.updated_at),
        "orderFulfillmentStatus": fulfillment_status(sale),
        "orderPaymentStatus": payment_status(sale, refunds),
        "sellerId": market.seller_id,
        "buyer": {
            "username": shown_name(market, sale),
            "taxAddress": place,
            "buyerRegistrationAddress": contact,
        },
        "pricingSummary": _pricing(sale, tax_minor if with_tax else 0),
        "cancelStatus": _cancel_status(market, sale, with_cancel_requests),
        "paymentSummary": _payment(market, sale, refunds),
        "fulfillmentStartInstructions": [_start_instruction(sale, contact)],
        "fulfillmentHrefs": [f"{order}/shipping_fulfillment/{parcel.reference}" for parcel in sale.parcels],
        "lineItems": [_line(market, sale, line, refunds) for line in sale.lines],
        "salesRecordReference": str(sale.number),
        "totalFeeBasisAmount": amount(sale.before_tax_minor + tax_minor, sale.currency),
        "totalMarketplaceFee": amount(fee_minor(sale), sale.currency),
    }
    return body | ({"ebayCollectAndRemitTax": True} if tax_minor else {})


def _pricing(sale: Sale, shown_tax_minor: int) -> dict[str, Any]:
    pricing = {
        "priceSubtotal": amount(sale.subtotal_minor, sale.currency),
        "deliveryCost": amount(sale.shipping_minor, sale.currency),
        "total": amount(sale.before_tax_minor + shown_tax_minor, sale.currency),
    }
    if sale.discount_minor:
        pricing["priceDiscount"] = amount(-sale.discount_minor, sale.currency)
    if shown_tax_minor:
        pricing["tax"] = amount(shown_tax_minor, sale.currency)
    return pricing


def _payment(market: Ebay, sale: Sale, refunds: list[RefundView]) -> dict[str, Any]:
    net_minor = sale.before_tax_minor - fee_minor(sale)
    payment: dict[str, Any] = {
        "paymentMethod": "EBAY",
        "paymentReferenceId": "420004_S",
        "paymentDate": stamp(sale.placed_at),
        "amount": amount(net_minor, sale.currency),
        "paymentStatus": "PAID" if sale.paid else "PENDING",
    }
    if hold := market.shelf.ebay.holds.get(sale.order_id):
        shown = {
            "holdReason": hold.reason,
            "holdAmount": amount(net_minor, sale.currency),
            "holdState": "RELEASED" if hold.released_at else "HELD",
            "expectedReleaseDate": stamp(hold.held_at + HELD_FOR),
        }
        payment["paymentHolds"] = [shown | ({"releaseDate": stamp(hold.released_at)} if hold.released_at else {})]
    return {
        "totalDueSeller": amount(due_seller_minor(sale, refunds), sale.currency),
        "refunds": [
            {
                "refundId": each.refund_id,
                "refundDate": stamp(each.at),
                "refundStatus": each.status,
                "amount": amount(each.net_minor, sale.currency),
            }
            for each in refunds
        ],
        "payments": [payment],
    }


def _cancel_status(market: Ebay, sale: Sale, with_requests: bool) -> dict[str, Any]:
    requests = [
        {
            "cancelRequestId": each.cancel_id,
            "cancelInitiator": each.initiator,
            "cancelReason": each.reason,
            "cancelRequestedDate": stamp(each.asked_at),
            "cancelRequestState": each.state,
            **({"cancelCompletedDate": stamp(each.closed_at)} if each.closed_at else {}),
        }
        for each in of_order(market, sale)
    ]
    if sale.cancelled_at:
        shown = (requests or [_unasked(sale, sale.cancelled_at)]) if with_requests else []
        return {"cancelState": "CANCELED", "cancelledDate": stamp(sale.cancelled_at), "cancelRequests": shown}
    state = "IN_PROGRESS" if open_request(market, sale) else "NONE_REQUESTED"
    return {"cancelState": state, "cancelRequests": requests if with_requests else []}


def _unasked(sale: Sale, at: datetime) -> dict[str, Any]:
    """The request of a buyer who cancelled within the hour in which eBay does not ask the seller."""
    return {
        "cancelRequestId": f"5{sale.number:09}",
        "cancelInitiator": "BUYER",
        "cancelReason": "BUYER_ASKED_CANCEL",
        "cancelRequestedDate": stamp(at),
        "cancelCompletedDate": stamp(at),
        "cancelRequestState": "COMPLETED",
    }


def _start_instruction(sale: Sale, contact: dict[str, Any]) -> dict[str, Any]:
    service = {"shippingCarrierCode": "USPS", "shippingServiceCode": "USPSPriority"}
    return {
        "fulfillmentInstructionsType": "SHIP_TO",
        "minEstimatedDeliveryDate": stamp(sale.placed_at + timedelta(days=3)),
        "maxEstimatedDeliveryDate": stamp(sale.placed_at + timedelta(days=6)),
        "ebaySupportedFulfillment": False,
        "shippingStep": {"shipTo": contact, **service},
    }


def _line(market: Ebay, sale: Sale, line: SoldLine, refunds: list[RefundView]) -> dict[str, Any]:
    currency = sale.currency
    shipping_minor = line_total_minor(sale, line) - line.net_minor
    body: dict[str, Any] = {
        "lineItemId": line.line_id,
        "legacyItemId": ebay_item_id(line.sku),
        "sku": line.sku,
        "title": line.title,
        "lineItemCost": amount(line.gross_minor, currency),
        "quantity": line.quantity,
        "soldFormat": "FIXED_PRICE",
        "listingMarketplaceId": market.site,
        "purchaseMarketplaceId": market.site,
        "lineItemFulfillmentStatus": "FULFILLED" if sale.shipped(line.line_id) else "NOT_STARTED",
        "total": amount(line.net_minor + shipping_minor, currency),
        "deliveryCost": {"shippingCost": amount(shipping_minor, currency)},
        "appliedPromotions": [],
        "taxes": [],
        "refunds": [
            {
                "refundId": each.refund_id,
                "refundDate": stamp(each.at),
                "amount": amount(each.lines[line.line_id], currency),
            }
            for each in standing(refunds)
            if each.lines.get(line.line_id)
        ],
        "properties": {"buyerProtection": True},
        "lineItemFulfillmentInstructions": {
            "minEstimatedDeliveryDate": stamp(sale.placed_at + timedelta(days=3)),
            "maxEstimatedDeliveryDate": stamp(sale.placed_at + timedelta(days=6)),
            "shipByDate": stamp(sale.placed_at + timedelta(days=2)),
            "guaranteedDelivery": False,
        },
        "itemLocation": {"location": "Portland, Oregon", "countryCode": "US", "postalCode": "97205"},
    }
    if line.discount_minor:
        body["discountedLineItemCost"] = amount(line.net_minor, currency)
        body["appliedPromotions"] = [
            {"promotionId": "15000000010", "discountAmount": amount(line.discount_minor, currency)}
        ]
    if line.tax_minor:
        tax = {
            "taxType": "STATE_SALES_TAX",
            "amount": amount(line.tax_minor, currency),
            "collectionMethod": "NET",
        }
        body["ebayCollectAndRemitTaxes"] = [tax]
    return body
