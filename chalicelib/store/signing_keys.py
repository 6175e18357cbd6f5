"""Public keys with which a marketplace signs what it tells us, shared by all containers.

KEYS#<kind> / KEY#<id>     a key, and when it was fetched
KEYS#<kind> / UNKNOWN      ids that the marketplace does not know, each until when it is believed
KEYS#<kind> / LOOKUPS      how often it was asked in the present minute

A partition of its own, so that the function that is open to the world may write here and nowhere else in the table.
"""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.domain.errors import Stale
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Item, Key, Put, Tables, When

FRESH_MS = 3_600_000  # Source: eBay, getPublicKey: cache a key for an hour
STALE_MS = 24 * FRESH_MS  # better an old key than none, while the marketplace cannot be asked
UNKNOWN_MS = 300_000
MOST_UNKNOWN = 50  # whoever makes up more of them runs into the limit of lookups
LOOKUPS_A_MINUTE = 5  # of 10,000 calls a day that the app has

_MINUTE_MS = 60_000


class KeptKey(NamedTuple):
    """A public key in PEM, and when the marketplace gave it (Unix ms)."""

    pem: str
    fetched_ms: int

    def is_younger(self, age_ms: int, now_ms: int) -> bool:
        """Whether it was fetched less than `age_ms` ago."""
        return now_ms - self.fetched_ms < age_ms


def _key(kind: str, what: str) -> Key:
    return Key("channels", f"KEYS#{kind}", what)


def read_key(tables: Tables, kind: str, key_id: str) -> KeptKey | None:
    """The key, however old."""
    item = tables.get(_key(kind, f"KEY#{key_id}"))
    return KeptKey(item["pem"], item["fetched_ms"]) if item else None


def keep_key(tables: Tables, kind: str, key_id: str, pem: str, now_ms: int) -> None:
    """Share a key that was fetched now."""
    tables.write(Put(_key(kind, f"KEY#{key_id}"), {"schema": SCHEMA, "pem": pem, "fetched_ms": now_ms}))


def is_unknown(tables: Tables, kind: str, key_id: str, now_ms: int) -> bool:
    """Whether the marketplace has said lately that it has no such key."""
    return _unknown(tables.get(_key(kind, "UNKNOWN")), now_ms).get(key_id, 0) > now_ms


def keep_unknown(tables: Tables, kind: str, key_id: str, now_ms: int) -> None:
    """Do not ask for this one for a few minutes. Of two that are noted at once, one is lost and asked for again."""
    until_ms = _unknown(tables.get(_key(kind, "UNKNOWN")), now_ms) | {key_id: now_ms + UNKNOWN_MS}
    newest = dict(sorted(until_ms.items(), key=lambda entry: entry[1])[-MOST_UNKNOWN:])
    tables.write(Put(_key(kind, "UNKNOWN"), {"schema": SCHEMA, "until_ms": newest}))


def may_look_up(tables: Tables, kind: str, now_ms: int) -> bool:
    """Count one question to the marketplace; False when the minute's are used up, or many ask at once."""
    item, minute = tables.get(_key(kind, "LOOKUPS")), now_ms // _MINUTE_MS
    used = item["used"] if item and item["minute"] == minute else 0
    if used >= LOOKUPS_A_MINUTE:
        return False
    version = item["version"] if item else 0
    when = When(version=version) if item else When(absent=True)
    counted = {"schema": SCHEMA, "minute": minute, "used": used + 1, "version": version + 1}
    try:
        tables.write(Put(_key(kind, "LOOKUPS"), counted, when))
    except Stale:
        return False
    return True


def _unknown(item: Item | None, now_ms: int) -> dict[str, int]:
    return {key_id: until_ms for key_id, until_ms in (item or {}).get("until_ms", {}).items() if until_ms > now_ms}
