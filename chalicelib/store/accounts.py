"""Channel accounts: their settings, poll cursors, access tokens, and the places where stock is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.errors import Refused
from chalicelib.domain.sourcing import Sourcing
from chalicelib.store.codec import SCHEMA, pack, unpack
from chalicelib.store.tables import Change, Key, Put, Tables, When

_LOCATIONS = Key("channels", "SETTINGS", "LOCATIONS")
_CHANNELS = Key("channels", "SETTINGS", "CHANNELS")


def _account_key(channel: str) -> Key:
    return Key("channels", f"CHANNEL#{channel}", "ACCOUNT")


def _cursor_key(channel: str) -> Key:
    return Key("channels", f"CHANNEL#{channel}", "CURSOR")


def _token_key(channel: str) -> Key:
    return Key("channels", f"CHANNEL#{channel}", "TOKEN")


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
    versions the last window has shown: order id -> time of change."""

    read_to_ms: int = 0
    seen: Mapping[str, int] = field(default_factory=dict)


def read_cursor(tables: Tables, channel: str) -> Cursor:
    """How far this channel has been read."""
    item = tables.get(_cursor_key(channel))
    return Cursor(int(item["read_to_ms"]), unpack(item["seen"]) if "seen" in item else {}) if item else Cursor()


def move_cursor(tables: Tables, channel: str, cursor: Cursor) -> None:
    """Remember how far the channel has been read; comes from the data read, never from our clock."""
    item = {"schema": SCHEMA, "read_to_ms": cursor.read_to_ms, "seen": pack(dict(cursor.seen))}
    tables.write(Put(_cursor_key(channel), item))


def read_token(tables: Tables, channel: str, now_ms: int) -> str:
    """The access token that all containers share, or "" when it is missing or about to expire."""
    item = tables.get(_token_key(channel))
    return str(item["token"]) if item and item["expires_ms"] > now_ms else ""


def keep_token(tables: Tables, channel: str, token: str, expires_ms: int) -> None:
    """Share an access token until `expires_ms`. The table is encrypted; the token is in no log."""
    tables.write(Change(_token_key(channel), put={"token": token, "expires_ms": expires_ms, "schema": SCHEMA}))


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
