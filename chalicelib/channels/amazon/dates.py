"""Dates as Amazon's reports write them, which differ by store and by report."""

from __future__ import annotations

from datetime import UTC, datetime

_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y",
    "%d-%b-%Y",
    "%d-%b-%Y %H:%M:%S",
    "%b %d, %Y",
)


def time_ms(text: str) -> int:
    """Unix ms, a time without a zone being UTC; 0 for an empty text or one that is no date."""
    folded = text.strip().removesuffix("UTC").strip()
    moment = _iso_moment(folded)
    for form in _FORMATS:
        if moment:
            break
        try:
            moment = datetime.strptime(folded, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    if not moment or moment.year < 1970:
        return 0
    return int(moment.timestamp() * 1000)


def _iso_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
