"""Clients of the channels, built from an account's settings and its secret, with what all containers share of it: its
access tokens, the calls that it may still make, and whether it is paused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.channels.access import Access
from chalicelib.channels.budgets import Plan
from chalicelib.channels.carrier_port import CarrierClient
from chalicelib.channels.carriers import carrier_class
from chalicelib.channels.port import ChannelClient
from chalicelib.channels.processor_port import ProcessorClient
from chalicelib.channels.registry import client_class, kind_of, plans_of, processor_class
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.runtime.log import alarm
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import (
    claim_token,
    drop_token,
    keep_token,
    pause_account,
    read_account,
    read_pause,
    read_token,
)
from chalicelib.store.budgets import Bucket, correct, drain, draw
from chalicelib.store.jobs import StoredJobs

_LEASE_MS = 10_000
_PACIFIC_MIDNIGHT_MS = 8 * 3_600_000  # eBay's day; in summer it begins an hour earlier, when ours is not over yet
_NOTEWORTHY = 0.01


class Paused(Refused):
    """The account is paused: its work is left undone, and taken up again when it is resumed."""


class SharedTokens:
    """The access tokens of one channel, shared by all containers so that cold starts do not each fetch one."""

    def __init__(self, channel: str, runtime: Runtime) -> None:
        self._channel = channel
        self._runtime = runtime

    def get(self, name: str = "") -> str:
        """The token, or "" when a new one is needed."""
        tables, now_ms = self._runtime.tables, self._runtime.clock()
        return self._runtime.settled(self._key(name), lambda: read_token(tables, self._channel, now_ms, name))

    def claim(self, rejected: str, name: str = "") -> bool:
        """Whether we are to fetch a new one."""
        self._runtime.unsettle(self._key(name))
        return claim_token(self._runtime.tables, self._channel, rejected, self._runtime.clock(), name)

    def put(self, token: str, expires_ms: int, name: str = "") -> None:
        """Share a new token."""
        keep_token(self._runtime.tables, self._channel, token, expires_ms, name)
        self._runtime.unsettle(self._key(name))

    def lost(self, why: str) -> None:
        """Pause the account, and call a person. The seller's token, which may be good for hours yet, is given up: a
        probe that still had it would resume the account on credentials that are gone."""
        pause(self._channel, why, self._runtime)
        drop_token(self._runtime.tables, self._channel)
        self._runtime.unsettle(self._key(""))

    def _key(self, name: str) -> str:
        return f"token/{self._channel}/{name}"


class SharedBudget:
    """The calls that one account may make, drawn from buckets that all containers share. A few are drawn at once where
    the plan says so; what is not used within seconds is lost, so the channel is asked too little, never too much."""

    def __init__(self, channel: str, plans: Mapping[str, Plan], runtime: Runtime) -> None:
        self._channel = channel
        self._plans = plans
        self._runtime = runtime

    def spend(self, operation: str) -> None:
        """Count one call. Raises `OverBudget`, or `KeyError` for an operation without a plan, which is a bug."""
        plan = self._plans[operation]
        leases = self._runtime.leases
        name, now_ms = f"{self._owner(plan)}/{operation}", self._runtime.clock()
        left, ends_ms, rate_per_s = leases.get(name, (0, 0, 0.0))
        if left < 1 or ends_ms <= now_ms:
            grant = draw(self._runtime.tables, self._owner(plan), operation, _bucket(plan), plan.lease, now_ms)
            left, ends_ms, rate_per_s = grant.calls, now_ms + _LEASE_MS, grant.rate_per_s
        leases[name] = (left - 1, ends_ms, rate_per_s)

    def correct(self, operation: str, rate_per_s: float) -> None:
        """The channel says how many calls a second it really allows; written down when that is news."""
        plan = self._plans[operation]
        name = f"{self._owner(plan)}/{operation}"
        left, ends_ms, known_per_s = self._runtime.leases.get(name, (0, 0, 0.0))
        if rate_per_s > 0 and abs(rate_per_s - known_per_s) > known_per_s * _NOTEWORTHY:
            tables, now_ms = self._runtime.tables, self._runtime.clock()
            correct(tables, self._owner(plan), operation, _bucket(plan), rate_per_s, now_ms)
            self._runtime.leases[name] = (left, ends_ms, rate_per_s)

    def drain(self, operation: str, after_s: int) -> None:
        """The channel has refused a call."""
        plan, now_ms = self._plans[operation], self._runtime.clock()
        self._runtime.leases.pop(f"{self._owner(plan)}/{operation}", None)
        until_ms = now_ms + after_s * 1000
        drain(self._runtime.tables, self._owner(plan), operation, _bucket(plan), until_ms, now_ms)

    def _owner(self, plan: Plan) -> str:
        return kind_of(self._channel) if plan.shared else self._channel


def _bucket(plan: Plan) -> Bucket:
    return Bucket(plan.rate_per_s, plan.burst, plan.per_day, _PACIFIC_MIDNIGHT_MS if plan.per_day else 0)


def client_for(channel: str, runtime: Runtime, *, probing: bool = False) -> ChannelClient:
    """The client of a channel account. Raises `Paused` when it is paused, unless that is to be found out (`probing`),
    and `Refused` when the kind or the account is missing; one without its secret is paused."""
    kind = kind_of(channel)
    make = client_class(kind)
    if not probing:
        _check_open(channel, runtime)
    account = runtime.settled(f"account/{channel}", lambda: read_account(runtime.tables, channel))
    secret = _secret(channel, runtime)
    access = Access(
        runtime.transport(),
        account,
        secret,
        SharedTokens(channel, runtime),
        runtime.clock(),
        SharedBudget(channel, plans_of(kind), runtime),
        StoredJobs(runtime.tables, channel),
    )
    return make(access)


def processor_for(name: str, runtime: Runtime, *, probing: bool = False) -> ProcessorClient:
    """The client of a payment processor's account; `stripe` and `stripe-de` are accounts of a `stripe`.

    Raises as `client_for`. It needs its secret only: an account is added to have its money and its events read.
    """
    make = processor_class(kind_of(name))
    if not probing:
        _check_open(name, runtime)
    try:
        account = runtime.settled(f"account/{name}", lambda: read_account(runtime.tables, name))
    except Refused:
        account = {}
    return make(runtime.transport(), account, _secret(name, runtime), runtime.clock())


class Processor:
    """Speaks to a payment processor's account. One that takes our key no more is paused; a missing one is refused when
    it is spoken to, so that the order shows it."""

    def __init__(self, account: str, runtime: Runtime) -> None:
        self._account = account
        self._runtime = runtime

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            try:
                return getattr(processor_for(self._account, self._runtime), name)(*args)
            except Unauthorised as refused:
                pause(self._account, refused.detail, self._runtime)
                raise Paused("channel_paused", refused.detail) from None

        return call


def carrier_for(name: str, runtime: Runtime) -> CarrierClient:
    """The client of a carrier's account; `easypost` and `easypost-eu` are accounts of an `easypost`.

    It is never paused: a label that is wanted waits until the account works, and nothing else has to be looked up
    again. Raises `Refused` when the kind, the account or its secret is missing.
    """
    make = carrier_class(kind_of(name))
    account = runtime.settled(f"account/{name}", lambda: read_account(runtime.tables, name))
    secret = runtime.secrets.get(f"{name}/api")
    return make(runtime.transport(), account, secret, StoredJobs(runtime.tables, name), runtime.clock())


def is_of_account(error: Exception) -> bool:
    """Whether a carrier's account cannot be asked at all, now or until a person has mended it: it is no use to ask it
    about another parcel."""
    of_setup = isinstance(error, Refused) and error.reason in ("no_secret", "unknown_channel")
    return of_setup or isinstance(error, (Busy, Unauthorised))


def _check_open(account: str, runtime: Runtime) -> None:
    """Never from a cache: what is dropped for a pause that is over is looked up by nobody."""
    if found := read_pause(runtime.tables, account):
        raise Paused("channel_paused", found.why)


def _secret(account: str, runtime: Runtime) -> Mapping[str, Any]:
    try:
        return runtime.secrets.get(f"{account}/api")
    except Refused as refused:
        pause(account, refused.detail, runtime)
        raise Paused("channel_paused", refused.detail) from None


def pause(channel: str, why: str, runtime: Runtime) -> None:
    """Ask nothing more of an account until a person has mended it; that person is called once."""
    if pause_account(runtime.tables, channel, why, runtime.clock()):
        alarm("channel_paused", channel=channel, why=why[:200])
