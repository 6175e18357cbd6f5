"""How many units a channel may show: a rule per channel, or per channel and SKU, over what is available to sell."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.catalogue import Parts, Sku
from chalicelib.domain.stock import Stock


@dataclass(frozen=True)
class AvailabilityRule:
    """Applied in this order, each to what the one before has left.

    share_percent  the part of the available units that the channel may sell (0 to 100)
    buffer         units kept back from this channel
    cap            the most that it ever shows; None: no cap
    floor          fewer than this are shown as 0
    """

    share_percent: int = 100
    buffer: int = 0
    cap: int | None = None
    floor: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.share_percent <= 100, f"share_percent {self.share_percent}"
        assert min(self.buffer, self.floor, self.cap or 0) >= 0, f"a negative bound in {self}"


EVERYTHING = AvailabilityRule()


def published(rule: AvailabilityRule, available_units: int) -> int:
    """What the channel shows: never negative, never more than is available."""
    units = max(available_units, 0) * rule.share_percent // 100 - rule.buffer
    if rule.cap is not None:
        units = min(units, rule.cap)
    return units if units >= max(rule.floor, 0) and units > 0 else 0


def kit_units(parts: Parts, available_by_sku: Mapping[str, int]) -> int:
    """How many whole kits the available components make; a component may be named more than once."""
    needed: dict[str, int] = {}
    for sku, units in parts:
        needed[sku] = needed.get(sku, 0) + units
    return max(min((available_by_sku.get(sku, 0) // units for sku, units in needed.items()), default=0), 0)


def sellable(sku: Sku, stock: Mapping[str, Sequence[Stock]]) -> int:
    """Units of a SKU, or whole kits of it, that could be promised now. `stock`: the records by SKU.

    Location by location, since the components of one kit are promised at one location, and since what one location
    is short of its safety stock takes nothing from another.
    """
    available: dict[str, Counter[str]] = defaultdict(Counter)
    for part, _ in sku.parts:
        for place in stock[part]:
            available[place.location][part] = place.available
    return sum(kit_units(sku.parts, units) for units in available.values())
