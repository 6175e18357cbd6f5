"""Amazon's Finances API 2024-06-19: listTransactions.

Source: finances_2024-06-19.json; the names of the breakdowns are observed ones, the model lists none. A seller's own
shipments do not show when a marketplaceId is sent (US), and the first page that a nextToken leads to is empty.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_back_office import MoneyItem, Transaction
from local.marketplaces.amazon_errors import invalid, timestamp
from local.marketplaces.amazon_order_body import stamp
from local.marketplaces.catalogue import asin
from local.marketplaces.market import Route
from local.marketplaces.money import amount_text
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

FRESHNESS = timedelta(minutes=2)
WIDEST = timedelta(days=180)
NAMES = frozenset({"ORDER_ID", "FINANCIAL_EVENT_GROUP_ID"})
# Label -> (breakdown, its part).
BREAKDOWNS = {
    "Principal": ("ProductCharges", "OurPricePrincipal"),
    "Promotion": ("PromoRebates", "OurPriceDiscount"),
    "Shipping": ("Shipping", "ShippingPrincipal"),
    "Tax": ("Tax", "OurPriceTax"),
    "WithheldTax": ("MarketplaceWithheldTax", "MarketplaceFacilitatorTax-Principal"),
    "Commission": ("AmazonFees", "Commission"),
    "RefundCommission": ("AmazonFees", "RefundCommission"),
}


def group_id(number: int) -> str:
    """FINANCIAL_EVENT_GROUP_ID of the `number`th settlement."""
    digest = base64.urlsafe_b64encode(f"settlement-group-{number:08}-of-the-stand-in".encode()).decode()
    return digest.rstrip("=")[:43]


def list_transactions(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """GET /finances/2024-06-19/transactions"""
    query = request.query
    found = _found(market, query)
    offset, blank = _place(query)
    size = market.transactions_per_page
    page = [] if blank else found[offset : offset + size]
    payload: dict[str, Any] = {"transactions": [_body(market, each) for each in page]}
    following = offset if blank else offset + size
    if following < len(found):
        token = {"asked": _asked(query), "offset": following, "blank": offset == 0 and not blank}
        payload["nextToken"] = base64.urlsafe_b64encode(json.dumps(token).encode()).decode()
    return json_response(200, {"payload": payload})


def _asked(query: Any) -> list[list[str]]:
    return sorted([name, value] for name, value in query.items() if name != "nextToken")


def _place(query: Any) -> tuple[int, bool]:
    if "nextToken" not in query:
        return 0, False
    try:
        token = json.loads(base64.urlsafe_b64decode(query["nextToken"]))
        place, same = (int(token["offset"]), bool(token["blank"])), token["asked"] == _asked(query)
    except (ValueError, KeyError, TypeError):
        raise invalid("nextToken is not valid.") from None
    if not same:
        raise invalid("nextToken belongs to other parameters.")
    return place


def _found(market: Amazon, query: Any) -> list[Transaction]:
    known = sorted(market.office.transactions.values(), key=lambda each: (each.posted_at, each.transaction_id))
    found = [each for each in known if _related(market, each, query)]
    if "postedAfter" in query:
        after, before = _window(market, query)
        found = [each for each in found if after <= each.posted_at < before and before - after <= WIDEST]
    elif "relatedIdentifierName" not in query:
        raise invalid("postedAfter or a related identifier is required.")
    if "transactionStatus" in query:
        found = [each for each in found if each.status == query["transactionStatus"]]
    if "marketplaceId" in query:
        found = [each for each in found if not each.order_id and query["marketplaceId"] == market.marketplace_id]
    return found


def _window(market: Amazon, query: Any) -> tuple[datetime, datetime]:
    latest = market.clock() - FRESHNESS
    after = timestamp(query["postedAfter"], "postedAfter")
    before = timestamp(query["postedBefore"], "postedBefore") if "postedBefore" in query else latest
    if after > latest or before > latest:
        raise invalid("postedAfter and postedBefore must be more than two minutes ago.")
    if before < after:
        raise invalid("postedBefore must be later than postedAfter.")
    return after, before


def _related(market: Amazon, transaction: Transaction, query: Any) -> bool:
    if "relatedIdentifierName" not in query:
        return True
    name, value = query["relatedIdentifierName"], query.get("relatedIdentifierValue", "")
    if name not in NAMES or not value:
        raise invalid(f"relatedIdentifierName must be one of {', '.join(sorted(NAMES))}, with a value.")
    wanted = {"relatedIdentifierName": name, "relatedIdentifierValue": value}
    return wanted in identifiers(market, transaction)


def identifiers(market: Amazon, transaction: Transaction) -> list[dict[str, str]]:
    """relatedIdentifiers. Money that is held back is in no group yet."""
    open_group = market.office.settlements_closed + 1
    counted = transaction.status == "RELEASED"
    known = {
        "ORDER_ID": transaction.order_id,
        "SHIPMENT_ID": transaction.shipment_id,
        "FINANCIAL_EVENT_GROUP_ID": group_id(transaction.settlement or open_group) if counted else "",
        "SETTLEMENT_ID": settlement_id(transaction.settlement) if transaction.settlement else "",
        "RELEASE_TRANSACTION_ID": transaction.release_id,
        "DEFERRED_TRANSACTION_ID": transaction.deferred_id,
    }
    return [{"relatedIdentifierName": name, "relatedIdentifierValue": value} for name, value in known.items() if value]


def settlement_id(number: int) -> str:
    """settlement-id of the `number`th settlement."""
    return str(28_471_000_000 + number)


def network(market: Amazon, transaction: Transaction) -> str:
    """Who ships the order: AFN or MFN."""
    note = market.office.notes.get(transaction.order_id)
    return "AFN" if note and note.fulfilled_by == "AMAZON" else "MFN"


def _body(market: Amazon, transaction: Transaction) -> dict[str, Any]:
    contexts = []
    if transaction.matures_at:
        matures = {"deferralReason": "DD7", "maturityDate": stamp(transaction.matures_at)}
        contexts = [{"contextType": "DeferredContext", **matures}]
    amounts: dict[str, int] = {}
    for part in [*(item.amounts_minor for item in transaction.items), transaction.other_minor]:
        for label, amount in part.items():
            amounts[label] = amounts.get(label, 0) + amount
    return {
        "sellingPartnerMetadata": {
            "sellingPartnerId": market.seller_id,
            "accountType": "PAYABLE",
            "marketplaceId": market.marketplace_id,
        },
        "relatedIdentifiers": identifiers(market, transaction),
        "transactionType": transaction.kind,
        "transactionId": transaction.transaction_id,
        "transactionStatus": transaction.status,
        "description": transaction.description,
        "postedDate": stamp(transaction.posted_at),
        "totalAmount": _currency(market, transaction.total_minor),
        "marketplaceDetails": {"marketplaceId": market.marketplace_id, "marketplaceName": market.store_name},
        "items": [_item(market, transaction, item) for item in transaction.items],
        "contexts": contexts,
        "breakdowns": _breakdowns(market, amounts),
    }


def _item(market: Amazon, transaction: Transaction, item: MoneyItem) -> dict[str, Any]:
    product = {
        "contextType": "ProductContext",
        "asin": asin(item.sku),
        "sku": item.sku,
        "quantityShipped": item.units,
        "fulfillmentNetwork": network(market, transaction),
    }
    return {
        "description": item.title,
        "relatedIdentifiers": [
            {"itemRelatedIdentifierName": "ORDER_ADJUSTMENT_ITEM_ID", "itemRelatedIdentifierValue": item.line_id}
        ],
        "totalAmount": _currency(market, sum(item.amounts_minor.values())),
        "breakdowns": _breakdowns(market, item.amounts_minor),
        "contexts": [product],
    }


def _breakdowns(market: Amazon, amounts_minor: dict[str, int]) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, int]] = {}
    for label, amount in amounts_minor.items():
        group, part = BREAKDOWNS.get(label, ("Expenses", label.replace(" ", "")))
        groups.setdefault(group, {})[part] = amount
    return [
        {**_breakdown(market, group, sum(inner.values())), "breakdowns": _leaves(market, inner)}
        for group, inner in groups.items()
    ]


def _leaves(market: Amazon, inner: dict[str, int]) -> list[dict[str, Any]]:
    return [{**_breakdown(market, part, amount), "breakdowns": []} for part, amount in inner.items()]


def _breakdown(market: Amazon, kind: str, amount_minor: int) -> dict[str, Any]:
    return {"breakdownType": kind, "breakdownAmount": _currency(market, amount_minor)}


def _currency(market: Amazon, amount_minor: int) -> dict[str, Any]:
    """Currency: here, unlike in orders, the amount is a JSON number."""
    return {"currencyCode": market.currency, "currencyAmount": float(amount_text(amount_minor, market.currency))}


ROUTES = (Route("GET", r"/finances/2024-06-19/transactions", "listTransactions", list_transactions),)
