"""How Amazon rates the seller. Source: schemas/reports/accountHealthReport-2020-11-18.json."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from chalicelib.channels.facts import Metric
from chalicelib.channels.fields import Node, parse

PERFORMANCE = "GET_V2_SELLER_PERFORMANCE_REPORT"
_GOOD = ("GOOD", "GREAT", "NORMAL")
_BAD = ("BAD", "AT_RISK", "WARNED", "CRITICAL", "UNHEALTHY", "SUSPENDED", "DEACTIVATED")
_JUDGED = dict.fromkeys(_GOOD, True) | dict.fromkeys(_BAD, False)
# The schema's own example writes some names otherwise than the schema.
_NAMES = {
    "prefulfillmentCancelRate": "preFulfillmentCancellationRate",
    "warningState": "warningStates",
    "documentRequest": "documentRequests",
}
_COUNTS = ("rate", "defectsCount")
_ORDER_DEFECTS = "orderDefectRate"


def read_performance(report: str, marketplace_id: str) -> list[Metric]:
    """Every measure of one store, and of stores that the report does not name, under the names of the schema.

    `accountStatus` is the account's; the order defect rate stands apart for what the seller ships (`.mfn`) and what
    Amazon ships (`.afn`). Raises `Unreadable` for what is no such report.
    """
    root = parse(report)
    metrics = [
        Metric("accountStatus", _word(status, "status"), is_good=_JUDGED.get(_word(status, "status").upper()))
        for status in root.each("accountStatuses")
        if status.text("marketplaceId") == marketplace_id
    ]
    for store in root.each("performanceMetrics"):
        if store.text("marketplaceId") not in ("", marketplace_id):
            continue
        names: list[str] = list(store.value) if isinstance(store.value, dict) else []
        for name in names:
            metrics += _read(_NAMES.get(name, name), store.at(name))
    return metrics


def _read(name: str, node: Node) -> list[Metric]:
    if isinstance(node.value, list):  # warnings of the account: one measure for each
        warnings = [Node(each, node.path) for each in node.value if isinstance(each, dict)]
        return [
            Metric(f"{name}.{_word(each, 'warningType') or '?'}", _word(each, "status"), is_good=_good(each))
            for each in warnings
        ]
    if not isinstance(node.value, dict):
        return []
    if name == _ORDER_DEFECTS:
        return [metric for part in node.value for metric in _read(f"{name}.{part}", node.at(part)) if metric.value]
    value = next((_text(node.value.get(key)) for key in _COUNTS if node.value.get(key) is not None), "")
    value = value or _word(node, "ahrStatus")
    return [Metric(name, value, _text(node.value.get("targetValue")), _good(node), _window(node))]


def _good(node: Node) -> bool | None:
    return _JUDGED.get((_word(node, "status") or _word(node, "ahrStatus")).upper())


def _word(node: Node, name: str) -> str:
    """Text; "" for what is none, which hides no other measure."""
    value = node.at(name).value
    return node.text(name) if isinstance(value, str) else ""


def _window(node: Node) -> str:
    span = node.at("reportingDateRange")
    ends = [span.text(name)[:10] for name in ("reportingDateFrom", "reportingDateTo")]
    return " - ".join(filter(None, ends))


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)
