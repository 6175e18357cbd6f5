"""What the merchant sells: a SKU, and for a kit the components that hold its stock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from chalicelib.domain.errors import Refused

Parts = tuple[tuple[str, int], ...]  # (component SKU, units of it in one unit of the whole)


@dataclass(frozen=True)
class Sku:
    """A sellable unit. A kit has `components` and no stock of its own; a SKU on pre-order is promised from
    `release_ms` on (Unix ms, 0: at once). `former` are the components that it had once: their versions still count,
    so that the version of what a channel is shown never falls. `cost_minor` is what a unit costs the merchant, in minor
    units of `cost_currency`; None: that is not known."""

    sku: str
    title: str = ""
    components: Parts = ()
    release_ms: int = 0
    former: tuple[str, ...] = ()
    cost_minor: int | None = None
    cost_currency: str = ""

    @property
    def parts(self) -> Parts:
        """What has to be in stock for one unit."""
        return self.components or ((self.sku, 1),)

    @property
    def versioned_by(self) -> tuple[str, ...]:
        """The SKUs whose stock versions add up to the version of this one's availability."""
        return tuple(dict.fromkeys((self.sku, *(sku for sku, _ in self.components), *self.former)))


def check_kit(sku: str, components: Parts, known: Mapping[str, Sku], part_of: Collection[str], on_hand: int) -> None:
    """Raises `Refused` when `sku` cannot be a kit of `components`.

    known    those of the components that exist · part_of   the kits that `sku` is a component of
    on_hand  units of `sku` itself at all locations
    """
    if not components:
        return
    if on_hand:
        raise Refused("bad_kit", f"{sku} has {on_hand} units of its own and a kit has none: count it to 0 first")
    if part_of:
        raise Refused("bad_kit", f"{sku} is a component of {', '.join(sorted(part_of))}: there are no kits of kits")
    names = [component for component, _ in components]
    if sku in names or len(set(names)) < len(names):
        raise Refused("bad_kit", f"{sku}: a component is named once, and a kit is no component of itself")
    for component in names:
        if component not in known:
            raise Refused("unknown_sku", f"component {component!r} is not known: add it first")
        if known[component].components:
            raise Refused("bad_kit", f"component {component!r} is a kit itself: name its components instead")
