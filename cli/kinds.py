"""What the commands ask of a kind of account, and the account that they are about. Each kind has a room of its own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Refused
from chalicelib.runtime.queues import SYNC_QUEUES, catching_up
from cli.findings import Findings
from cli.stage import OwnTokens, Stage

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Wishes:
    """What the operator asks for. `public_url`: of the stage's API, as the channel reaches it; "" keeps what is stored.
    `act`: change what is missing; else only look."""

    public_url: str = ""
    alert_email: str = ""
    fix: bool = False
    digital_signatures: bool = False
    act: bool = True


@dataclass
class Account:
    """One account. `settings` are added to by what a check learns; `credentials` are those that are to be tried."""

    name: str
    settings: dict[str, Any]
    credentials: dict[str, Any]
    stage: Stage
    tokens: OwnTokens = field(default_factory=OwnTokens)

    @property
    def kind(self) -> str:
        """shopify of shopify-de."""
        return kind_of(self.name)

    @cached_property
    def client(self) -> Any:
        """The channel's client, with tokens of its own."""
        return self.stage.client(self.name, self.settings, self.credentials, self.tokens)

    def learn(self, **settings: Any) -> None:
        """Take over what was found out; the client is made anew with it."""
        if any(self.settings.get(name) != value for name, value in settings.items()):
            self.settings |= settings
            self.__dict__.pop("client", None)


def catch_up(account: Account) -> None:
    """After a pause: every SKU and every open order of a channel is looked at."""
    account.stage.send(SYNC_QUEUES[account.kind], catching_up(account.name))


def nothing_waits(account: Account) -> None:
    """After a pause: what waits comes back by itself."""


@dataclass(frozen=True)
class Kind:
    """One kind of account.

    title        in a sentence: "a Shopify account"
    credentials  needed, as they are named in the secret `api`
    optional     credentials that may be given as well; `passing`: those that are for `check` alone and not stored there
    needed       setting (one of several: a|b) -> the option that gives it
    options      of those that not every kind takes: settings, and what `add` and `check` are asked for
    settings     what the arguments say; raises `Refused` naming the option
    probe        the call that shows whether the credentials are taken; raises what the client raises
    check        goes through all that the account needs; False when nothing more can be tried
    sells        it has orders and listings
    wake         what has to be looked at after a pause
    is_single    a stage has one, of the kind's name
    state        how it stands by its settings, when it is not paused
    """

    title: str
    credentials: tuple[str, ...]
    options: tuple[str, ...]
    settings: Callable[[Namespace], Mapping[str, Any]]
    probe: Callable[[Account], object]
    check: Callable[[Account, Findings, Wishes], bool]
    needed: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    renew: str = "give other credentials"
    sells: bool = True
    wake: Callable[[Account], None] = catch_up
    is_single: bool = False
    state: Callable[[Mapping[str, Any]], str] = lambda settings: "active"

    def lacks(self, settings: Mapping[str, Any]) -> list[str]:
        """The options that would give what is needed and missing."""
        return [option for names, option in self.needed.items() if not any(map(settings.get, names.split("|")))]


def address(text: str, option: str) -> str:
    """An https address without its last slash; http for this machine only. Raises `Refused`."""
    try:
        url = urlsplit(text)
        is_good = bool(url.hostname) and (url.port or 1) and not (url.query or url.fragment or url.username)
    except ValueError:
        is_good = False
    if is_good and (url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)):
        return text.rstrip("/")
    raise Refused("bad_address", f"{option} must be an https:// address without a query, not {text!r}")


def only(**settings: Any) -> dict[str, Any]:
    """Those that are given."""
    return {name: value for name, value in settings.items() if value not in ("", None)}
