"""Clients of the channels, built from an account's settings and its secret; only fetch, polls and sync ask for one."""

from __future__ import annotations

from chalicelib.channels.port import ChannelClient
from chalicelib.channels.registry import client_class, kind_of
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


def client_for(channel: str, runtime: Runtime) -> ChannelClient:
    """The client of a channel account. Raises `Refused` when the kind, the account or its secret is missing."""
    make = client_class(kind_of(channel))
    return make(
        runtime.transport(),
        runtime.settled(f"account/{channel}", lambda: read_account(runtime.tables, channel)),
        runtime.secrets.get(f"{channel}/api"),
        SharedToken(channel, runtime),
        runtime.clock(),
    )
