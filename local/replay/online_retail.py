"""The Online Retail file: invoices in file order, goods told from charges. Pure reading, no stage.

Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate (local time), UnitPrice (GBP), CustomerID, Country.
Source: Daqing Chen, Online Retail, UCI Machine Learning Repository, 2015 (CC BY 4.0).
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

CURRENCY = "GBP"
_GOODS = re.compile(r"^(\d{4,}[A-Z]*|DCGS.*|SP\d+)$")  # five digits and a letter or two; gift-shop specials
_COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
_CHARGE_KINDS = {"POST": "shipping", "DOT": "shipping", "C2": "shipping", "D": "discount", "BANK CHARGES": "fee"}
_CHARGE_KINDS |= {"AMAZONFEE": "fee", "CRUK": "fee"}


@dataclass(frozen=True)
class Row:
    """One line of the file. `code` is upper case: the file writes 15056BL and 15056bl for the same goods."""

    code: str
    title: str
    quantity: int
    unit_price: Decimal

    @property
    def is_goods(self) -> bool:
        """Whether the code names stock; everything else (POST, D, M, gift vouchers …) is a charge."""
        return bool(_GOODS.match(self.code))

    @property
    def charge_kind(self) -> str:
        return _CHARGE_KINDS.get(self.code, "other")

    @property
    def amount_minor(self) -> int:
        """Quantity times price in pence, half-even where the file's prices are finer than a penny."""
        return int((self.quantity * self.unit_price * 100).to_integral_value())


@dataclass(frozen=True)
class Invoice:
    """All lines of one invoice number. `trouble` says what could not be read, "" when all could."""

    number: str
    placed_ms: int
    customer: str
    country: str
    rows: tuple[Row, ...]
    raw: tuple[dict[str, str], ...]
    trouble: str = ""

    @property
    def is_cancellation(self) -> bool:
        return self.number.upper().startswith("C")


def read_invoices(path: Path, limit: int = 0) -> Iterator[Invoice]:
    """Invoices in the order in which they first appear; `limit` 0 means all. Raises ValueError for another format."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path.name} is not an Online Retail file: column {missing[0]} is missing")
        grouped: dict[str, list[dict[str, str]]] = {}
        for record in reader:
            grouped.setdefault((record["InvoiceNo"] or "").strip(), []).append(record)
    for index, (number, records) in enumerate(grouped.items()):
        if limit and index >= limit:
            return
        yield _invoice(number, records)


def _invoice(number: str, records: list[dict[str, str]]) -> Invoice:
    rows, troubles = [], []
    for record in records:
        try:
            rows.append(_row(record))
        except (ValueError, InvalidOperation):
            troubles.append(f"StockCode {record['StockCode']!r}: Quantity or UnitPrice is no number")
    placed_ms = _placed_ms(records[0]["InvoiceDate"])
    if placed_ms < 0:
        troubles.append(f"InvoiceDate {records[0]['InvoiceDate']!r} is no date")
    customer = (records[0]["CustomerID"] or "").strip().removesuffix(".0")
    country = (records[0]["Country"] or "").strip()
    return Invoice(number, max(placed_ms, 0), customer, country, tuple(rows), tuple(records), "; ".join(troubles))


def _row(record: dict[str, str]) -> Row:
    price = Decimal(record["UnitPrice"].strip())
    if not price.is_finite():
        raise ValueError(record["UnitPrice"])
    quantity = Decimal(record["Quantity"].strip())
    if quantity != quantity.to_integral_value():
        raise ValueError(record["Quantity"])
    code = (record["StockCode"] or "").strip().upper()
    return Row(code, (record["Description"] or "").strip(), int(quantity), price)


def _placed_ms(text: str) -> int:
    for layout in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"):
        try:
            return int(datetime.strptime((text or "").strip(), layout).replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            continue
    return -1
