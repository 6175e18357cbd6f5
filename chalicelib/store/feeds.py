"""What Meta's catalogue has been told of each SKU: CHANNEL#<account> / FED#<sku>, in the table of channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import MAX_ACTIONS, Delete, Key, Put, Tables

_FED = "FED#"


@dataclass(frozen=True)
class Fed:
    """One SKU. `shown`: the digest of what Meta has acknowledged, "" when that is not known. `sent` is on its way in
    the batch `handle` ("": none is); `sent_ms`: when anything was sent last (Unix ms)."""

    shown: str = ""
    sent: str = ""
    handle: str = ""
    sent_ms: int = 0


def read_fed(tables: Tables, account: str) -> dict[str, Fed]:
    """All that the account's catalogue has been told, by SKU."""
    found: dict[str, Fed] = {}
    cursor, more = "", True
    while more:
        page = tables.query("channels", f"CHANNEL#{account}", begins=_FED, cursor=cursor)
        for item in page.items:
            told = Fed(item["shown"], item["sent"], item["handle"], int(item["sent_ms"]))
            found[item["sk"].removeprefix(_FED)] = told
        cursor = page.cursor
        more = bool(cursor)
    return found


def keep_fed(tables: Tables, account: str, fed: Mapping[str, Fed | None]) -> None:
    """Remember it; None forgets a SKU. One worker at a time feeds an account."""
    writes = [
        Put(_key(account, sku), {"schema": SCHEMA, **vars(told)}) if told else Delete(_key(account, sku))
        for sku, told in fed.items()
    ]
    for start in range(0, len(writes), MAX_ACTIONS):
        tables.write(*writes[start : start + MAX_ACTIONS])


def _key(account: str, sku: str) -> Key:
    return Key("channels", f"CHANNEL#{account}", _FED + sku)
