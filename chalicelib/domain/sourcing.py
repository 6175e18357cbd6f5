"""Sourcing: in which order the locations are asked for an order's units, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Available = dict[str, dict[str, int]]  # SKU -> location -> units that may be promised
Ranked = list[tuple[str, str]]  # locations, best first, each with why it stands there


@dataclass(frozen=True)
class Sourcing:
    """The merchant's rule. `locations` in the order he prefers; `regions` maps a location to the regions that it is
    near to, coarse or fine ("GB", "GB-BA1")."""

    locations: tuple[str, ...] = ("main",)
    strategy: str = "priority"
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Need:
    """What an order asks for: units by SKU, and where it goes ("" when nobody has said)."""

    units: Mapping[str, int]
    region: str = ""


def region_of(country: str, postcode: str) -> str:
    """Country and postcode area, too coarse to find a person by: ("GB", "BA1 1AA") is GB-BA1."""
    code = "".join(character for character in postcode.upper() if character.isalnum())
    area = code[:-3] if country == "GB" else code[:3]
    return f"{country}-{area}" if country and area else country


def by_priority(sourcing: Sourcing, need: Need, available: Available) -> Ranked:  # noqa: ARG001 every strategy is asked alike
    """The merchant's own order."""
    return [(place, f"priority {rank}") for rank, place in enumerate(sourcing.locations, start=1)]


def by_fewest_splits(sourcing: Sourcing, need: Need, available: Available) -> Ranked:
    """The location that covers most of the order first: fewest parcels. A tie goes to the merchant's order."""
    left = dict(need.units)
    ranked: Ranked = []
    places = list(sourcing.locations)
    while places:
        covers = {place: _covered(left, available, place) for place in places}
        best = max(places, key=lambda place: covers[place])
        ranked.append((best, f"covers {covers[best]} of {sum(left.values())} units"))
        left = {sku: units - min(units, _free(available, sku, best)) for sku, units in left.items()}
        places.remove(best)
    return ranked


def by_nearest(sourcing: Sourcing, need: Need, available: Available) -> Ranked:  # noqa: ARG001
    """The location whose region fits the address most closely first."""
    close = {
        place: max((len(r) for r in sourcing.regions.get(place, ()) if need.region.startswith(r)), default=0)
        for place in sourcing.locations
    }
    where = need.region or "an unknown address"
    return [
        (place, f"near {where}" if close[place] else f"not near {where}")
        for place in sorted(sourcing.locations, key=lambda place: -close[place])
    ]


Strategy = Callable[[Sourcing, Need, Available], Ranked]
STRATEGIES: dict[str, Strategy] = {
    "priority": by_priority,
    "fewest_splits": by_fewest_splits,
    "nearest": by_nearest,
}


def ranked(sourcing: Sourcing, need: Need, available: Available) -> Ranked:
    """The locations by the merchant's strategy."""
    return STRATEGIES[sourcing.strategy](sourcing, need, available)


def _free(available: Available, sku: str, place: str) -> int:
    return max(available.get(sku, {}).get(place, 0), 0)


def _covered(units: Mapping[str, int], available: Available, place: str) -> int:
    return sum(min(wanted, _free(available, sku, place)) for sku, wanted in units.items())
