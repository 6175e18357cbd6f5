"""What a WooCommerce shop knows beyond listings and orders: payments, refunds, notes. Plain values, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class GatewayPayment:
    """An order's payment at Stripe as the gateway knows it. `lowered_minor`: the total after a capture of a part;
    `failed`: it has expired; `refund_ids`: refunds of Stripe's that the order has already."""

    intent_id: str
    charge_id: str
    captured_at: datetime | None = None
    lowered_minor: int | None = None
    failed: bool = False
    refund_ids: list[str] = field(default_factory=list)


@dataclass
class WooOffice:
    """By order id, but `hooks`."""

    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    trackings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    completed: dict[str, datetime] = field(default_factory=dict)
    payments: dict[str, GatewayPayment] = field(default_factory=dict)
    ids: int = 0
    looked_at: int = 0
