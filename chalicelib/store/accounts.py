"""Channel accounts: their settings, poll cursors, access tokens, and the places where stock is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from heapq import nlargest
from operator import itemgetter
from typing import Any

from chalicelib.domain.errors import Refused, Stale
from chalicelib.domain.sourcing import Sourcing
from chalicelib.store.codec import SCHEMA, pack, unpack
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When

_LOCATIONS = Key("channels", "SETTINGS", "LOCATIONS")
_CHANNELS = Key("channels", "SETTINGS", "CHANNELS")
_BROKEN_OFF = ("since_ms", "newest_ms", "began_ms")
_MOST_SEEN = 5_000  # an item takes 400 KB, and ids differ in length; what is not kept is handed on once more

CLAIM_MS = 30_000  # a worker that fetches a token and dies is waited for so long


def _account_key(channel: str) -> Key:
    return Key("channels", f"CHANNEL#{channel}", "ACCOUNT")


def _token_key(channel: str, name: str) -> Key:
    return Key("channels", f"CHANNEL#{channel}", f"TOKEN#{name}" if name else "TOKEN")


def _pause_key(channel: str) -> Key:
    return Key("channels", f"CHANNEL#{channel}", "PAUSE")


def read_account(tables: Tables, channel: str) -> Mapping[str, Any]:
    """The account's settings. Raises `Refused` when there is no such channel."""
    item = tables.get(_account_key(channel))
    if item is None:
        raise Refused("unknown_channel", f"no channel account {channel!r}: add it first")
    settings: Mapping[str, Any] = item["settings"]
    return settings


def add_account(tables: Tables, channel: str, settings: Mapping[str, Any]) -> None:
    """Create or replace a channel account. Raises `Stale` when another is being added: do it again."""
    item = tables.get(_CHANNELS)
    version = item.get("version", 0) if item else 0
    names = sorted({*(item["names"] if item else ()), channel})
    when = When(version=version) if version else When(absent=item is None)
    tables.write(
        Put(_account_key(channel), {"schema": SCHEMA, "settings": dict(settings)}),
        Put(_CHANNELS, {"schema": SCHEMA, "version": version + 1, "names": names}, when),
    )


def channels(tables: Tables, kind: str = "") -> list[str]:
    """The names of all channel accounts, or of those of one kind."""
    item = tables.get(_CHANNELS)
    names: list[str] = item["names"] if item else []
    return [name for name in names if not kind or name.split("-")[0] == kind]


@dataclass(frozen=True)
class Cursor:
    """Up to where the orders of a channel have been read (Unix ms, in the channel's own time; 0 at first), and which
    versions the last window has shown: order id -> time of change.

    A reading that broke off goes on where `position` says, in the window that began at `since_ms`; what it had shown
    until then is in `seen`, too: the newest of it, since an item is not endless. `newest_ms` is the newest time of
    change that it had shown, and `began_ms` when its first part began by our clock.
    """

    read_to_ms: int = 0
    seen: Mapping[str, int] = field(default_factory=dict)
    position: str = ""
    since_ms: int = 0
    newest_ms: int = 0
    began_ms: int = 0


def read_cursor(tables: Tables, channel: str, name: str = "CURSOR") -> Cursor:
    """How far this channel has been read. `name`: what of it, orders unless told otherwise."""
    item = tables.get(Key("channels", f"CHANNEL#{channel}", name))
    if not item:
        return Cursor()
    seen = unpack(item["seen"]) if "seen" in item else {}
    times = {name: int(item.get(name, 0)) for name in _BROKEN_OFF}
    return Cursor(int(item["read_to_ms"]), seen, item.get("position", ""), **times)


def move_cursor(tables: Tables, channel: str, cursor: Cursor, name: str = "CURSOR") -> None:
    """Remember how far the channel has been read; comes from the data read, never from our clock."""
    seen = dict(cursor.seen)
    if len(seen) > _MOST_SEEN:
        seen = dict(nlargest(_MOST_SEEN, seen.items(), key=itemgetter(1)))
    body: Item = {"schema": SCHEMA, "read_to_ms": cursor.read_to_ms, "seen": pack(seen)}
    if cursor.position:
        body |= {"position": cursor.position} | {name: getattr(cursor, name) for name in _BROKEN_OFF}
    tables.write(Put(Key("channels", f"CHANNEL#{channel}", name), body))


def read_token(tables: Tables, channel: str, now_ms: int, name: str = "") -> str:
    """The access token that all containers share, or "" when it is missing or about to expire."""
    item = tables.get(_token_key(channel, name))
    return str(item["token"]) if item and item["expires_ms"] > now_ms else ""


def claim_token(tables: Tables, channel: str, rejected: str, now_ms: int, name: str = "") -> bool:
    """Whether the caller is the one to fetch a new token: there is none but `rejected`, and nobody else is at it."""
    key = _token_key(channel, name)
    found = tables.get(key)
    item = found or {"token": "", "expires_ms": 0}
    is_fresh = item["expires_ms"] > now_ms and item["token"] != rejected
    if is_fresh or item.get("claimed_until_ms", 0) > now_ms:
        return False
    version = item.get("version")
    when = When(version=version) if version is not None else When(absent=found is None)
    claim = {**item, "schema": SCHEMA, "version": (version or 0) + 1, "claimed_until_ms": now_ms + CLAIM_MS}
    try:
        tables.write(Put(key, {name: value for name, value in claim.items() if name not in ("pk", "sk")}, when))
    except Stale:
        return False
    return True


def keep_token(tables: Tables, channel: str, token: str, expires_ms: int, name: str = "") -> None:
    """Share an access token until `expires_ms`. The table is encrypted; the token is in no log."""
    put = {"token": token, "expires_ms": expires_ms, "claimed_until_ms": 0, "schema": SCHEMA}
    tables.write(Change(_token_key(channel, name), add={"version": 1}, put=put))


def drop_token(tables: Tables, channel: str) -> None:
    """Have the seller's token fetched anew by whoever needs it next, once a claim on it has ended."""
    if tables.get(_token_key(channel, "")):
        put = {"token": "", "expires_ms": 0}
        tables.write(Change(_token_key(channel, ""), add={"version": 1}, put=put))


@dataclass(frozen=True)
class Pause:
    """Why nothing is asked of a channel account, in words without secrets, and since when (Unix ms)."""

    why: str
    since_ms: int


def read_pause(tables: Tables, channel: str) -> Pause | None:
    """Whether the account is paused."""
    item = tables.get(_pause_key(channel))
    return Pause(item["why"], item["since_ms"]) if item else None


def pause_account(tables: Tables, channel: str, why: str, now_ms: int) -> bool:
    """Ask nothing more of an account; False when it is paused already."""
    try:
        tables.write(
            Put(_pause_key(channel), {"schema": SCHEMA, "why": why[:200], "since_ms": now_ms}, When(absent=True))
        )
    except Stale:
        return False
    return True


def resume_account(tables: Tables, channel: str) -> None:
    """Ask of it again."""
    tables.write(Delete(_pause_key(channel)))


def read_sourcing(tables: Tables) -> Sourcing:
    """Where stock is kept, and how the locations of an order are chosen."""
    item = tables.get(_LOCATIONS)
    if not item:
        return Sourcing()
    regions = {place: tuple(names) for place, names in item.get("regions", {}).items()}
    return Sourcing(tuple(item["names"]), item.get("strategy", "priority"), regions)


def read_locations(tables: Tables) -> tuple[str, ...]:
    """Where stock is kept, best first."""
    return read_sourcing(tables).locations


def set_sourcing(tables: Tables, sourcing: Sourcing) -> None:
    """Set the places where stock is kept, best first, and how to choose between them."""
    regions = {place: list(names) for place, names in sourcing.regions.items()}
    names = list(sourcing.locations)
    tables.write(Put(_LOCATIONS, {"schema": SCHEMA, "names": names, "strategy": sourcing.strategy, "regions": regions}))


def set_locations(tables: Tables, names: tuple[str, ...]) -> None:
    """Set the places where stock is kept, best first."""
    set_sourcing(tables, replace(read_sourcing(tables), locations=names))
