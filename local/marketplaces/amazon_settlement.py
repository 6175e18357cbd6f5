"""The settlement report GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2: made every two weeks, unasked.

The first row sums up (dates, total-amount, no amount); `amount` of all others adds up to total-amount. Amazon documents
the columns and no values; European files write 12,50 and 31.12.2026. Now and then a row is of a kind nobody has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local.marketplaces import amazon_documents
from local.marketplaces.amazon_back_office import Job, MoneyItem, Transaction
from local.marketplaces.amazon_finances import network, settlement_id
from local.marketplaces.amazon_money import charge, release
from local.marketplaces.money import amount_text

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

SETTLEMENT_REPORT = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
COLUMNS = (
    "settlement-id",
    "settlement-start-date",
    "settlement-end-date",
    "deposit-date",
    "total-amount",
    "currency",
    "transaction-type",
    "order-id",
    "merchant-order-id",
    "adjustment-id",
    "shipment-id",
    "marketplace-name",
    "amount-type",
    "amount-description",
    "amount",
    "fulfillment-id",
    "posted-date",
    "posted-date-time",
    "order-item-code",
    "merchant-order-item-id",
    "merchant-adjustment-item-id",
    "sku",
    "quantity-purchased",
    "promotion-id",
)
# Label -> (amount-type, amount-description).
WORDS = {
    "Principal": ("ItemPrice", "Principal"),
    "Promotion": ("Promotion", "Principal"),
    "Shipping": ("ItemPrice", "Shipping"),
    "Tax": ("ItemPrice", "Tax"),
    "WithheldTax": ("ItemWithheldTax", "MarketplaceFacilitatorTax-Principal"),
    "Commission": ("ItemFees", "Commission"),
    "RefundCommission": ("ItemFees", "RefundCommission"),
}
TYPES = {"Shipment": "Order"}
UNKNOWN_TYPE, UNKNOWN_EVERY = "Sluice Credit", 3
FIRST_PERIOD = timedelta(days=14)


def close_settlement(market: Amazon, now: datetime, *, european: bool = False, unknown_row: bool | None = None) -> Job:
    """Settles what is released by `now`; the report is there at once. `unknown_row` None: in every third settlement."""
    release(market, now)
    office = market.office
    number = office.settlements_closed + 1
    if number % UNKNOWN_EVERY == 0 if unknown_row is None else unknown_row:
        charge(market, "SluiceGateAdjustment", -137, now, kind=UNKNOWN_TYPE)
    starts_at = office.settled_until or now - FIRST_PERIOD
    settled = [each for each in office.transactions.values() if each.status == "RELEASED" and not each.settlement]
    office.settlements_closed, office.settled_until = number, now
    for each in settled:
        each.settlement = number
    content = _file(market, number, (starts_at, now), settled, european)
    document = amazon_documents.written(market, "report", "text/tab-separated-values; charset=UTF-8", content)
    job = Job(
        job_id=str(50_000_000_000 + office.next_id()),
        kind=SETTLEMENT_REPORT,
        marketplace_ids=[market.marketplace_id],
        created_at=now,
        starts_at=now,
        ends_at=now,
        status="DONE",
        document_id=document.document_id,
        data_start=starts_at,
        data_end=now,
    )
    office.reports[job.job_id] = job
    market.emit("REPORT_PROCESSING_FINISHED", job.job_id, now)
    return job


def _file(
    market: Amazon, number: int, period: tuple[datetime, datetime], settled: list[Transaction], european: bool
) -> bytes:
    def money(amount_minor: int) -> str:
        text = amount_text(amount_minor, market.currency)
        return text.replace(".", ",") if european else text

    def when(moment: datetime) -> str:
        days = "%d.%m.%Y" if european else "%Y-%m-%d"
        return moment.astimezone(UTC).strftime(f"{days} %H:%M:%S UTC")

    head = {"settlement-id": settlement_id(number), "currency": market.currency}
    summary = {
        **head,
        "settlement-start-date": when(period[0]),
        "settlement-end-date": when(period[1]),
        "deposit-date": when(period[1] + timedelta(days=2)),
        "total-amount": money(sum(each.total_minor for each in settled)),
    }
    rows = [summary]
    for each in sorted(settled, key=lambda one: (one.posted_at, one.transaction_id)):
        midnight = each.posted_at.astimezone(UTC).replace(hour=0, minute=0, second=0)
        for row, amount_minor in _rows(market, each):
            dates = {"posted-date": when(midnight), "posted-date-time": when(each.posted_at)}
            rows.append({**head, **row, **dates, "amount": money(amount_minor)})
    lines = ["\t".join(COLUMNS), *("\t".join(row.get(name, "") for name in COLUMNS) for row in rows)]
    return "\n".join([*lines, ""]).encode()


def _rows(market: Amazon, transaction: Transaction) -> Iterator[tuple[dict[str, str], int]]:
    """Each amount of a transaction as a row of its own."""
    common = {
        "transaction-type": TYPES.get(transaction.kind, transaction.kind),
        "order-id": transaction.order_id,
        "shipment-id": transaction.shipment_id,
        "marketplace-name": market.store_name.lower(),
    }
    for item in transaction.items:
        for label, amount_minor in item.amounts_minor.items():
            amount_type, description = WORDS[label]
            words = {"amount-type": amount_type, "amount-description": description}
            yield {**common, **_item(market, transaction, item, label), **words}, amount_minor
    for label, amount_minor in transaction.other_minor.items():
        yield {**common, "amount-type": "other-transaction", "amount-description": label}, amount_minor


def _item(market: Amazon, transaction: Transaction, item: MoneyItem, label: str) -> dict[str, str]:
    sale = market.shelf.sales.get(transaction.order_id)
    return {
        "adjustment-id": transaction.transaction_id if transaction.kind == "Refund" else "",
        "fulfillment-id": network(market, transaction),
        "order-item-code": item.line_id,
        "sku": item.sku,
        "quantity-purchased": str(item.units) if item.units else "",
        "promotion-id": sale.discount_code if sale and label == "Promotion" else "",
    }
