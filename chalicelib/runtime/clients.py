"""Clients of the channels, built from an account's settings and its secret; only fetch, polls and sync ask for one."""

from __future__ import annotations

from typing import Any

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Refused
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import keep_token, read_account, read_token


class SharedToken:
    """The access token of one channel, shared by all containers so that cold starts do not each fetch one."""

    def __init__(self, channel: str, runtime: Runtime) -> None:
        self._channel = channel
        self._runtime = runtime

    def get(self) -> str:
        """The token, or "" when a new one is needed."""
        tables, now_ms = self._runtime.tables, self._runtime.clock()
        return self._runtime.settled(self._name, lambda: read_token(tables, self._channel, now_ms))

    def put(self, token: str, expires_ms: int) -> None:
        """Share a new token."""
        keep_token(self._runtime.tables, self._channel, token, expires_ms)
        self._runtime.unsettle(self._name)

    @property
    def _name(self) -> str:
        return f"token/{self._channel}"


def client_for(channel: str, runtime: Runtime) -> Any:
    """The client of a channel account. Raises `Refused` when the account or its secret is missing."""
    arguments = (
        runtime.transport(),
        runtime.settled(f"account/{channel}", lambda: read_account(runtime.tables, channel)),
        runtime.secrets.get(f"{channel}/api"),
        SharedToken(channel, runtime),
        runtime.clock(),
    )
    kind = kind_of(channel)
    if kind == "shopify":
        from chalicelib.channels.shopify.client import ShopifyClient

        return ShopifyClient(*arguments)
    if kind == "amazon":
        from chalicelib.channels.amazon.client import AmazonClient

        return AmazonClient(*arguments)
    if kind == "ebay":
        from chalicelib.channels.ebay.client import EbayClient

        return EbayClient(*arguments)
    if kind == "shop":
        from chalicelib.channels.storefront.client import ShopClient

        return ShopClient(*arguments)
    raise Refused("no_client", f"{channel!r} is not spoken to: its shop sends us its orders")
