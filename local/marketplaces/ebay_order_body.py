"""An order as eBay's Sell Fulfillment API shows it.

The sums hold as on real payloads: totalDueSeller = total - totalMarketplaceFee - refunds; tax that eBay collects
and remits is outside the total (unless TAX_BREAKDOWN is asked for) and inside the fee's basis.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import ebay_item_id
from local.marketplaces.ebay_errors import stamp
from local.marketplaces.money import trimmed_amount_text
from local.marketplaces.shelf import Sale, SoldLine

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

# 13.25 % and 0.30, what most categories cost.
FEE_PER_MYRIAD = 1325
FEE_FIXED_MINOR = 30


def amount(amount_minor: int, currency: str) -> dict[str, str]:
    """Amount"""
    return {"value": trimmed_amount_text(amount_minor, currency), "currency": currency}


def fee_minor(sale: Sale) -> int:
    """totalMarketplaceFee"""
    return round((sale.before_tax_minor + sale.tax_minor) * FEE_PER_MYRIAD / 10_000) + FEE_FIXED_MINOR


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
        "orderPaymentStatus": "FULLY_REFUNDED" if sale.cancelled_at else "PAID",
        "sellerId": market.seller_id,
        "buyer": {"username": buyer.handle, "taxAddress": place, "buyerRegistrationAddress": _contact(sale)},
        "pricingSummary": _pricing(sale, tax_minor if with_tax else 0),
        "cancelStatus": _cancel_status(sale, with_cancel_requests),
        "paymentSummary": _payment(sale),
        "fulfillmentStartInstructions": [_start_instruction(sale)],
        "fulfillmentHrefs": [f"{order}/shipping_fulfillment/{parcel.reference}" for parcel in sale.parcels],
        "lineItems": [_line(market, sale, line) for line in sale.lines],
        "salesRecordReference": str(sale.number),
        "totalFeeBasisAmount": amount(sale.before_tax_minor + tax_minor, sale.currency),
        "totalMarketplaceFee": amount(fee_minor(sale), sale.currency),
    }
    return body | ({"ebayCollectAndRemitTax": True} if tax_minor else {})


def _contact(sale: Sale) -> dict[str, Any]:
    buyer = sale.buyer
    address = {
        "addressLine1": buyer.street,
        "addressLine2": buyer.street_2,
        "city": buyer.town.name,
        "stateOrProvince": buyer.town.state_code,
        "postalCode": buyer.town.postal_code,
        "countryCode": "US",
    }
    return {
        "fullName": buyer.name,
        "contactAddress": {field: value for field, value in address.items() if value},
        "primaryPhone": {"phoneNumber": buyer.phone},
        "email": f"{buyer.handle}@members.ebay.example",
    }


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


def _payment(sale: Sale) -> dict[str, Any]:
    due_minor = sale.before_tax_minor - fee_minor(sale)
    refunds = []
    if sale.cancelled_at:
        # The fee is credited with the refund, so the seller is left with nothing.
        refund = {
            "refundId": f"5{sale.number:09}",
            "refundDate": stamp(sale.cancelled_at),
            "refundStatus": "REFUNDED",
        }
        refunds = [{**refund, "amount": amount(due_minor, sale.currency)}]
    payment = {
        "paymentMethod": "EBAY",
        "paymentReferenceId": "420004_S",
        "paymentDate": stamp(sale.placed_at),
        "amount": amount(due_minor, sale.currency),
        "paymentStatus": "PAID",
    }
    due = amount(0 if sale.cancelled_at else due_minor, sale.currency)
    return {"totalDueSeller": due, "refunds": refunds, "payments": [payment]}


def _cancel_status(sale: Sale, with_requests: bool) -> dict[str, Any]:
    if not sale.cancelled_at:
        return {"cancelState": "NONE_REQUESTED", "cancelRequests": []}
    request = {
        "cancelRequestId": f"5{sale.number:09}",
        "cancelInitiator": "BUYER",
        "cancelReason": "BUYER_ASKED_CANCEL",
        "cancelRequestedDate": stamp(sale.cancelled_at),
        "cancelCompletedDate": stamp(sale.cancelled_at),
        "cancelRequestState": "COMPLETED",
    }
    requests = [request] if with_requests else []
    return {"cancelState": "CANCELED", "cancelledDate": stamp(sale.cancelled_at), "cancelRequests": requests}


def _start_instruction(sale: Sale) -> dict[str, Any]:
    service = {"shippingCarrierCode": "USPS", "shippingServiceCode": "USPSPriority"}
    return {
        "fulfillmentInstructionsType": "SHIP_TO",
        "minEstimatedDeliveryDate": stamp(sale.placed_at + timedelta(days=3)),
        "maxEstimatedDeliveryDate": stamp(sale.placed_at + timedelta(days=6)),
        "ebaySupportedFulfillment": False,
        "shippingStep": {"shipTo": _contact(sale), **service},
    }


def _line(market: Ebay, sale: Sale, line: SoldLine) -> dict[str, Any]:
    currency = sale.currency
    # The whole shipping charge rides on the first line.
    shipping_minor = sale.shipping_minor if line is sale.lines[0] else 0
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
        "refunds": [],
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
    if sale.cancelled_at:
        refund = amount(line.net_minor + shipping_minor, currency)
        body["refunds"] = [{"refundId": f"5{sale.number:09}", "refundDate": stamp(sale.cancelled_at), "amount": refund}]
    return body
