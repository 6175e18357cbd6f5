"""Dates as Amazon's reports write them, which differ by store and by report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# The day stands before the month, but where it cannot.
_DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
)
_FORMATS = tuple(f"{day}{time}" for day in _DAYS for time in ("", " %H:%M:%S", " %H:%M"))
# Hours ahead of UTC of the zones of Amazon's stores; a word that is not here is no zone.
_ZONES = {
    **dict.fromkeys(("UTC", "GMT", "WET"), 0.0),
    **dict.fromkeys(("BST", "WEST", "CET", "MEZ", "MET"), 1.0),
    **dict.fromkeys(("CEST", "MESZ", "MEST", "EET"), 2.0),
    **dict.fromkeys(("EEST", "TRT"), 3.0),
    "IST": 5.5,
    "SGT": 8.0,
    "JST": 9.0,
    "AEST": 10.0,
    "AEDT": 11.0,
    "BRT": -3.0,
    "EDT": -4.0,
    "EST": -5.0,
    "CDT": -5.0,
    "CST": -6.0,
    "MDT": -6.0,
    "MST": -7.0,
    "PDT": -7.0,
    "PST": -8.0,
}


def time_ms(text: str) -> int:
    """Unix ms, a time without a zone being UTC; 0 for an empty text or one that is no date."""
    folded = text.strip()
    before, _, zone = folded.rpartition(" ")
    ahead_h = _ZONES.get(zone.upper(), 0.0)
    if zone.upper() in _ZONES:
        folded = before.strip()
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
    return int((moment - timedelta(hours=ahead_h)).timestamp() * 1000)


def _iso_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
