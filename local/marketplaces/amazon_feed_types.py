"""What each type of feed does: listings (JSON), the seller's cancel and his refund (tab-separated).

Sources: listings-feed-schema-v2, listings-feed-processing-report-schema-v2; order-feed-type-values (the columns of the
flat files). A line "TemplateType=…" may precede the header. Each message and each row is judged on its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local.marketplaces import amazon_refunds
from local.marketplaces.amazon_back_office import Job
from local.marketplaces.amazon_life import call_off, note_of, open_units, status_of
from local.marketplaces.amazon_listings import IssueError, apply_patches, check_patches, item_body
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import RefusalError, to_json

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

# Feed type -> what makes (content type, processing report) of a feed's body, and does what it asks.
Processor = Callable[["Amazon", Job, bytes], tuple[str, bytes]]
FLAT = "text/tab-separated-values; charset=UTF-8"
MAX_MESSAGES = 25_000
CANCEL_REASONS = {
    "NoInventory": "NO_INVENTORY",
    "ShippingAddressUndeliverable": "SHIPPING_ADDRESS_UNDELIVERABLE",
    "CustomerExchange": "CUSTOMER_EXCHANGE",
    "BuyerCanceled": "BUYER_CANCELED",
    "GeneralAdjustment": "GENERAL_ADJUSTMENT",
    "CarrierCreditDecision": "CARRIER_CREDIT_DECISION",
    "RiskAssessmentInformationNotValid": "RISK_ASSESSMENT_INFORMATION_NOT_VALID",
    "CarrierCoverageFailure": "CARRIER_COVERAGE_FAILURE",
    "CustomerReturn": "CUSTOMER_RETURN",
    "MerchandiseNotReceived": "MERCHANDISE_NOT_RECEIVED",
}


class UnreadableError(Exception):
    """The body is not what the type demands: the feed ends FATAL, without a report."""


class RowError(Exception):
    """One row cannot be carried out."""


# --- JSON_LISTINGS_FEED -------------------------------------------------------------------------------


def listings(market: Amazon, job: Job, content: bytes) -> tuple[str, bytes]:
    """JSON_LISTINGS_FEED, version 2.0: PATCH messages are carried out, other operations are refused."""
    try:
        feed = json.loads(content)
        header, messages = feed["header"], feed["messages"]
        readable = (header["sellerId"], header["version"]) == (market.seller_id, "2.0")
    except (ValueError, KeyError, TypeError):
        raise UnreadableError("no listings feed") from None
    if not readable or not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        raise UnreadableError("no listings feed")
    wanted = header.get("report")
    shown = frozenset(wanted.get("includedData", [])) if isinstance(wanted, dict) else frozenset()
    issues = [found for message in messages for found in _judged(market, message)]
    invalid = len({each["messageId"] for each in issues if "messageId" in each})
    report: dict[str, Any] = {
        "header": {"sellerId": market.seller_id, "version": "2.0", "feedId": job.job_id},
        "issues": issues,
        "summary": {
            "errors": len(issues),
            "warnings": 0,
            "messagesProcessed": len(messages),
            "messagesAccepted": len(messages) - invalid,
            "messagesInvalid": invalid,
        },
    }
    if shown:
        report["header"]["report"] = wanted
        report["items"] = _listings(market, messages, shown)
        counts = {"items": len(report["items"]), "errors": 0, "warnings": 0}
        report["summary"]["itemSummary"] = counts
    return "application/json; charset=UTF-8", to_json(report)


def _listings(market: Amazon, messages: list[Any], shown: frozenset[str]) -> list[dict[str, Any]]:
    """The listings that the messages speak of, as they are now, with the data sets asked for."""
    skus = dict.fromkeys(message.get("sku") for message in messages if isinstance(message, dict))
    known = (market.shelf.listings.get(sku) for sku in skus if isinstance(sku, str))
    return [item_body(market, listing, shown) for listing in known if listing]


def _judged(market: Amazon, message: Any) -> list[dict[str, Any]]:
    """Carries out one message; returns what is wrong with it."""
    number, sku = (message.get("messageId"), message.get("sku")) if isinstance(message, dict) else (None, None)
    if type(number) is not int or number < 1 or not isinstance(sku, str) or not sku:
        return [{"messageId": number if type(number) is int and number > 0 else 1, **_issue("4000000", "No message.")}]
    try:
        if message.get("operationType") != "PATCH":
            raise IssueError("4000001", "This stand-in carries out PATCH only.", "operationType")
        apply_patches(market, sku, check_patches(message))
    except IssueError as refused:
        attribute = refused.issue["attributeNames"][0]
        issue = _issue(refused.issue["code"], refused.issue["message"])
        return [{"messageId": number, "sku": sku, **issue, "attributeName": attribute}]
    except RefusalError as refused:
        details = refused.response.json()["errors"][0]["details"]
        return [{"messageId": number, "sku": sku, **_issue("4000003", details)}]
    return []


def _issue(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "severity": "ERROR", "message": message}


# --- flat files ---------------------------------------------------------------------------------------


def _rows(content: bytes, needed: set[str]) -> list[dict[str, str]]:
    """The rows by column name; an unknown column is ignored, a needed one that is missing makes the file unreadable."""
    try:
        lines = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise UnreadableError("not UTF-8") from None
    if lines and lines[0].startswith("TemplateType="):
        lines = lines[1:]
    columns = [name.strip() for name in lines[0].split("\t")] if lines else []
    if needed - set(columns):
        raise UnreadableError("columns are missing")
    return [dict(zip(columns, line.split("\t"), strict=False)) for line in lines[1:] if line.strip()]


def _each_row(rows: list[dict[str, str]], item_column: str, act: Callable[[dict[str, str]], None]) -> tuple[str, bytes]:
    """Carries out row by row; the processing report counts and names the rows that were refused."""
    refused = []
    for number, row in enumerate(rows, start=1):
        try:
            act({name: value.strip() for name, value in row.items()})
        except RowError as error:
            place = [str(number), row.get("order-id", ""), row.get(item_column, "")]
            refused.append("\t".join([*place, "18028", "Error", str(error)]))
    lines = [
        "Feed Processing Summary:",
        f"\tNumber of records processed\t\t{len(rows)}",
        f"\tNumber of records successful\t\t{len(rows) - len(refused)}",
        "",
    ]
    if refused:
        lines += ["original-record-number\torder-id\torder-item-id\terror-code\terror-type\terror-message", *refused]
    return FLAT, "\n".join([*lines, ""]).encode()


def _own_sale(market: Amazon, row: dict[str, str]) -> Sale:
    sale = market.shelf.sales.get(row.get("order-id", ""))
    if sale is None or note_of(market, sale).fulfilled_by != "MERCHANT":
        raise RowError("The order-id is not of an order that you ship.")
    return sale


def cancels(market: Amazon, _job: Job, content: bytes) -> tuple[str, bytes]:
    """POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA: cancels an item, or the order when no item is named."""
    rows = _rows(content, {"order-id", "cancellation-reason-code", "amazon-order-item-code"})
    return _each_row(rows, "amazon-order-item-code", lambda row: _cancel(market, row))


def _cancel(market: Amazon, row: dict[str, str]) -> None:
    sale = _own_sale(market, row)
    reason = CANCEL_REASONS.get(row.get("cancellation-reason-code", ""))
    if reason is None:
        raise RowError("The cancellation-reason-code is not known.")
    if status_of(market, sale) not in {"UNSHIPPED", "PARTIALLY_SHIPPED"}:
        raise RowError(f"The order is {status_of(market, sale)}.")
    code = row.get("amazon-order-item-code", "")
    lines = [line for line in sale.lines if code in {"", line.line_id}]
    if not lines:
        raise RowError("The amazon-order-item-code is not of this order.")
    if any(sale.shipped(line.line_id) or not open_units(market, sale, line) for line in lines):
        raise RowError("The item has been shipped or cancelled.")
    call_off(market, sale, [line.line_id for line in lines], "MERCHANT", reason, market.clock())


def refunds(market: Amazon, job: Job, content: bytes) -> tuple[str, bytes]:
    """POST_FLAT_FILE_PAYMENT_ADJUSTMENT_DATA: each accepted row gives the buyer money, also one that came before."""
    rows = _rows(content, {"order-id", "order-item-id", "adjustment-reason-code", "currency", "item-price-adj"})

    def refund(row: dict[str, str]) -> None:
        try:
            amazon_refunds.adjust(market, _own_sale(market, row), row, job.ends_at)
        except ValueError as error:
            raise RowError(str(error)) from None

    return _each_row(rows, "order-item-id", refund)


PROCESSORS: dict[str, Processor] = {
    "JSON_LISTINGS_FEED": listings,
    "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA": cancels,
    "POST_FLAT_FILE_PAYMENT_ADJUSTMENT_DATA": refunds,
}
