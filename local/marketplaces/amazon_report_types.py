"""What a requested report says: the returns of some days, and the seller's standing.

Sources: returns-reports-attributes (the 32 columns; no order item id among them), accountHealthReport-2020-11-18.json.
A report without data is CANCELLED, as reports_2021-06-30.json says of processingStatus.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local.marketplaces import amazon_health
from local.marketplaces.amazon_back_office import Job, ReturnRequest
from local.marketplaces.amazon_refunds import refunded_minor
from local.marketplaces.catalogue import asin
from local.marketplaces.money import amount_text
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import to_json

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

# Report type -> what makes (content type, file).
Writer = Callable[["Amazon", Job], tuple[str, bytes]]
FLAT = "text/tab-separated-values; charset=UTF-8"
WIDEST_RETURNS = timedelta(days=60)
RETURN_COLUMNS = (
    "Order ID",
    "Order date",
    "Return request date",
    "Return request status",
    "Amazon RMA ID",
    "Merchant RMA ID",
    "Label type",
    "Label cost",
    "Currency code",
    "Return carrier",
    "Tracking ID",
    "Label to be paid by",
    "A-to-Z Claim",
    "Is prime",
    "ASIN",
    "Merchant SKU",
    "Item Name",
    "Return quantity",
    "Return Reason",
    "In policy",
    "Return type",
    "Resolution",
    "Invoice number",
    "Return delivery date",
    "Order Amount",
    "Order quantity",
    "SafeT Action reason",
    "SafeT claim id",
    "SafeT claim state",
    "SafeT claim creation time",
    "SafeT claim reimbursement amount",
    "Refunded Amount",
)


class NoReportError(Exception):
    """There is nothing to write: the report ends with this status."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


def open_return(market: Amazon, sale: Sale, line_id: str, units: int, now: datetime, reason: str) -> ReturnRequest:
    """A buyer sends units back. Raises ValueError for more than were shipped and not sent back before."""
    back = sum(each.units for each in market.office.returns if each.line_id == line_id)
    if not 1 <= units <= sale.shipped(line_id) - back:
        raise ValueError(f"{units} of {sale.shipped(line_id) - back} units of {line_id}")
    rma_id = f"D{market.office.next_id():07}RRMA"
    request = ReturnRequest(rma_id, sale.order_id, line_id, units, now, reason)
    market.office.returns.append(request)
    return request


def returns(market: Amazon, job: Job) -> tuple[str, bytes]:
    """GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE: sixty days at most."""
    assert job.data_start
    assert job.data_end
    if job.data_end - job.data_start > WIDEST_RETURNS:
        raise NoReportError("FATAL")
    found = [each for each in market.office.returns if job.data_start <= each.requested_at <= job.data_end]
    if not found:
        raise NoReportError("CANCELLED")
    rows = [_return_row(market, each) for each in sorted(found, key=lambda each: each.requested_at)]
    lines = ["\t".join(RETURN_COLUMNS), *("\t".join(row.get(name, "") for name in RETURN_COLUMNS) for row in rows)]
    return FLAT, "\n".join([*lines, ""]).encode()


def _return_row(market: Amazon, request: ReturnRequest) -> dict[str, str]:
    sale = market.shelf.sales[request.order_id]
    line = sale.line(request.line_id)
    assert line
    return {
        "Order ID": sale.order_id,
        "Order date": _day(sale.placed_at),
        "Return request date": _day(request.requested_at),
        "Return request status": "Approved",
        "Amazon RMA ID": request.rma_id,
        "Label type": "AmazonUnPaidLabel",
        "Label cost": amount_text(0, sale.currency),
        "Currency code": sale.currency,
        "Label to be paid by": "Customer",
        "A-to-Z Claim": "N",
        "Is prime": "N",
        "ASIN": asin(line.sku),
        "Merchant SKU": line.sku,
        "Item Name": line.title,
        "Return quantity": str(request.units),
        "Return Reason": request.reason,
        "In policy": "Y",
        "Return type": "C-Returns",
        "Resolution": "StandardRefund",
        "Order Amount": amount_text(sale.before_tax_minor + sale.tax_minor, sale.currency),
        "Order quantity": str(line.quantity),
        "Refunded Amount": amount_text(sum(refunded_minor(market, line.line_id)), sale.currency),
    }


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%d-%b-%Y")


def health(market: Amazon, _job: Job) -> tuple[str, bytes]:
    """GET_V2_SELLER_PERFORMANCE_REPORT"""
    return "application/json; charset=UTF-8", to_json(amazon_health.report(market))


WRITERS: dict[str, Writer] = {
    "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE": returns,
    "GET_V2_SELLER_PERFORMANCE_REPORT": health,
}
