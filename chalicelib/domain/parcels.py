"""Which offer to buy for a parcel, and how a parcel stands after what its carrier reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

TRACKING = (
    "unknown",
    "label_created",
    "in_transit",
    "out_for_delivery",
    "available_for_pickup",
    "exception",
    "cancelled",
    "delivered",
    "return_to_sender",
)
"""The neutral words for how a parcel stands, each further than the one before it; a carrier's own word that nobody
knows is `unknown`."""

PREFERENCES = ("cheapest", "fastest")

_DAY_MS = 86_400_000
_NO_DAYS = 10**6  # slower than any offer that tells its days


@dataclass(frozen=True)
class Rate:
    """An offer to carry the parcel. `days`: until delivery, None when not told; `refs`: the ids to buy it by."""

    carrier: str
    service: str
    amount_minor: int
    currency: str
    days: int | None = None
    refs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackingEvent:
    """One report of a parcel. `status` is one of `TRACKING`, `at_ms` the carrier's own time of it (Unix ms).

    `detail`: the carrier's word for it, never its prose, which may name a person.
    """

    tracking_number: str
    status: str
    at_ms: int
    carrier: str = ""
    detail: str = ""


@dataclass(frozen=True)
class RateRule:
    """What an offer must be. `prefer` decides among those that fit: cheapest or fastest.

    `services`: those that may be bought, each as "service" or "carrier/service", in any case; none named: all.
    `latest_days`: at most so many days until delivery; an offer that does not tell its days does not fit.
    `most_amount_minor`: at most so much, in `currency`. `currency`: only offers in it ("": any one currency).
    """

    prefer: str = "cheapest"
    services: tuple[str, ...] = ()
    latest_days: int | None = None
    most_amount_minor: int | None = None
    currency: str = ""

    def __post_init__(self) -> None:
        if self.prefer not in PREFERENCES:
            raise ValueError(f"prefer must be one of {', '.join(PREFERENCES)}")
        if self.most_amount_minor is not None and not self.currency:
            raise ValueError("name the currency of most_amount_minor")


@dataclass(frozen=True)
class RateChoice:
    """The offer to buy, or None and one word why none fits: no_offers, service_not_allowed, other_currency, too_late,
    too_dear or mixed_currencies."""

    rate: Rate | None
    why: str = ""


def choose_rate(rates: Sequence[Rate], rule: RateRule) -> RateChoice:
    """The best of the offers that keep every limit of the rule; the same one in whatever order they are given.

    `why` is the first limit that left none, in the order of `RateChoice`. Amounts of several currencies cannot be
    compared: without a currency in the rule they are refused.
    """
    if not rates:
        return RateChoice(None, "no_offers")
    left = list(rates)
    for why, fits in _limits(rule):
        left = [rate for rate in left if fits(rate)]
        if not left:
            return RateChoice(None, why)
    if len({rate.currency for rate in left}) > 1:
        return RateChoice(None, "mixed_currencies")
    return RateChoice(min(left, key=_cheapest if rule.prefer == "cheapest" else _fastest))


def days_until(now_ms: int, by_ms: int) -> int:
    """The whole days that are left for delivery by then (Unix ms); negative when it is over."""
    return (by_ms - now_ms) // _DAY_MS


def advanced(status_before: str, event: TrackingEvent) -> str:
    """How the parcel stands after this report: the further one of both, so reports may come late, twice or in any
    order. Delivered is only followed by return_to_sender; an exception lasts until the parcel has reached its end."""
    return max(status_before, event.status, key=_rank)


def is_taken(status: str) -> bool:
    """Whether the carrier has the parcel: its label cannot be given back any more."""
    return _rank(status) > _rank("label_created") and status != "cancelled"


def in_order(events: Iterable[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    """The reports by the carrier's own time, oldest first, each once; at one time the further one comes last."""
    return tuple(sorted(set(events), key=lambda event: (event.at_ms, _rank(event.status), event.status, event.detail)))


def _limits(rule: RateRule) -> list[tuple[str, Callable[[Rate], bool]]]:
    allowed = {service.lower() for service in rule.services}
    latest, most = rule.latest_days, rule.most_amount_minor
    return [
        ("service_not_allowed", lambda rate: not allowed or not allowed.isdisjoint(_names(rate))),
        ("other_currency", lambda rate: not rule.currency or rate.currency == rule.currency),
        ("too_late", lambda rate: latest is None or (rate.days is not None and rate.days <= latest)),
        ("too_dear", lambda rate: most is None or rate.amount_minor <= most),
    ]


def _names(rate: Rate) -> tuple[str, str]:
    return rate.service.lower(), f"{rate.carrier}/{rate.service}".lower()


def _cheapest(rate: Rate) -> tuple[object, ...]:
    return rate.amount_minor, _days(rate), rate.carrier, rate.service, sorted(rate.refs.items())


def _fastest(rate: Rate) -> tuple[object, ...]:
    return _days(rate), *_cheapest(rate)


def _days(rate: Rate) -> int:
    return _NO_DAYS if rate.days is None else rate.days


def _rank(status: str) -> int:
    return TRACKING.index(status) if status in TRACKING else 0
