"""Purchases that Meta has been told of: CHANNEL#<account> / TOLD#<order id>, in the table of channels."""

from __future__ import annotations

from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Key, Put, Tables


def is_told(tables: Tables, account: str, order_id: str) -> bool:
    """Whether the account has acknowledged this purchase."""
    return tables.get(_key(account, order_id)) is not None


def remember_told(tables: Tables, account: str, order_id: str, now_ms: int) -> None:
    """Never tell it again. Written after the acknowledgement: one that is told twice has the same id both times."""
    tables.write(Put(_key(account, order_id), {"schema": SCHEMA, "told_ms": now_ms}))


def _key(account: str, order_id: str) -> Key:
    return Key("channels", f"CHANNEL#{account}", f"TOLD#{order_id}")
