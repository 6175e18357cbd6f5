"""Clients of the channels, built from an account's settings and its secret; only fetch, polls and sync ask for one."""

from __future__ import annotations

from chalicelib.channels.port import ChannelClient
from chalicelib.channels.registry import client_class, kind_of
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import keep_token, read_account, read_token
from chalicelib.store.tables import Tables


class SharedToken:
    """The access token of one channel, shared by all containers so that cold starts do not each fetch one."""

    def __init__(self, tables: Tables, channel: str, now_ms: int) -> None:
        self._tables = tables
        self._channel = channel
        self._now_ms = now_ms

    def get(self) -> str:
        """The token, or "" when a new one is needed."""
        return read_token(self._tables, self._channel, self._now_ms)

    def put(self, token: str, expires_ms: int) -> None:
        """Share a new token."""
        keep_token(self._tables, self._channel, token, expires_ms)


def client_for(channel: str, runtime: Runtime) -> ChannelClient:
    """The client of a channel account. Raises `Refused` when the kind, the account or its secret is missing."""
    make = client_class(kind_of(channel))
    return make(
        runtime.transport(),
        read_account(runtime.tables, channel),
        runtime.secrets.get(f"{channel}/api"),
        SharedToken(runtime.tables, channel, runtime.clock()),
        runtime.clock(),
    )
