"""What the merchant sells: a SKU, and for a kit the components that hold its stock."""

from __future__ import annotations

from dataclasses import dataclass

Parts = tuple[tuple[str, int], ...]  # (component SKU, units of it in one unit of the whole)


@dataclass(frozen=True)
class Sku:
    """A sellable unit. A kit has `components` and no stock of its own; a SKU on pre-order is promised from
    `release_ms` on (Unix ms, 0: at once)."""

    sku: str
    title: str = ""
    components: Parts = ()
    release_ms: int = 0

    @property
    def parts(self) -> Parts:
        """What has to be in stock for one unit."""
        return self.components or ((self.sku, 1),)
