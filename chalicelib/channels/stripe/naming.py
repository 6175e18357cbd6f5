"""Which order a payment pays, by its metadata.

Our own shops name it whole, or with `channel` beside it. The WooCommerce gateway knows no channel of ours: it writes
the order's number, its `site_url`, and the order's true id before the colon of `signature`. Source:
woocommerce-gateway-stripe (get_metadata_from_order, get_order_signature).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.channels.fields import Node


@dataclass(frozen=True)
class Naming:
    """`key`: the metadata that holds the order's id. `shops`: whose orders are meant where no channel is named: one
    account, or one for each address of a shop."""

    key: str = "order_id"
    shops: str | Mapping[str, str] = ""

    @property
    def channels(self) -> frozenset[str]:
        """Those whose orders are meant where no channel is named."""
        return frozenset([self.shops] if isinstance(self.shops, str) else self.shops.values())

    def order_of(self, metadata: Node) -> str:
        """The order's id, channel included; "" for none."""
        order_id, channel = metadata.text(self.key), metadata.text("channel")
        if not order_id or ":" in order_id:
            return order_id
        if not channel and (channel := self._shop(metadata)):
            number, _, digest = metadata.text("signature").partition(":")
            order_id = number if digest and number.isdecimal() else order_id  # the number may be a plugin's
        return f"{channel}:{order_id}" if channel else order_id

    def _shop(self, metadata: Node) -> str:
        if isinstance(self.shops, str):
            return self.shops
        return self.shops.get(_address(metadata.text("site_url")), "")


def naming_of(account: Mapping[str, Any]) -> Naming:
    """From the settings `order_key` and `order_channel`."""
    shops = account.get("order_channel") or ""
    if isinstance(shops, Mapping):
        shops = {_address(str(site)): str(channel) for site, channel in shops.items()}
    return Naming(str(account.get("order_key") or "order_id"), shops if isinstance(shops, Mapping) else str(shops))


def _address(url: str) -> str:
    return url.partition("://")[2].rstrip("/").lower()
