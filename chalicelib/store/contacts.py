"""The buyer's personal data, apart from the order: a table of its own, encrypted, erased when due, without a stream.

<order id> / CONTACT               the contact of one order
BUYER#<buyer> / <order id>         which orders have a contact of this buyer; <buyer> is a digest, see `buyer_of`
BUYER#<buyer> / CLAIM#<claim>      a large raw payload of his in the bucket of bodies
BUYER#<buyer> / ERASED             he has been erased: what comes later is not kept
ERASED#<notification id> / PASS#n  the proof of an erasure: when, how many orders, whose digest; nothing of the person

All but the proof expire.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chalicelib.domain.channel_order import Contact
from chalicelib.store.codec import SCHEMA, pack, unpack
from chalicelib.store.tables import Change, Delete, Key, Put, Tables

# Longer than any open order lives; deleting 30 days after delivery needs the delivery date, which tracking will bring.
KEEP_DAYS = 90
# A channel shows orders of the last two years; nothing older can bring an erased buyer back. After that, his name may
# be somebody else's.
REMEMBER_DAYS = 730

_DAY_S = 86_400
_ERASED = "ERASED"
_CLAIM = "CLAIM#"


class Traces(NamedTuple):
    """What there is of one buyer: his orders' ids, and the keys of raw payloads in the bucket of bodies."""

    orders: tuple[str, ...]
    claims: tuple[str, ...]


def _key(order_id: str) -> Key:
    return Key("contacts", order_id, "CONTACT")


def _buyer_key(buyer: str, what: str) -> Key:
    return Key("contacts", f"BUYER#{buyer}", what)


def _proof_key(notification_id: str, nth: int) -> Key:
    return Key("contacts", f"ERASED#{notification_id}", f"PASS#{nth}")


def buyer_of(kind: str, ref: str) -> str:
    """The digest under which a buyer is found: of the kind of channel and his name or id there, whatever its case."""
    return hashlib.sha256(f"{kind} {ref.strip().lower()}".encode()).hexdigest()


def buyers_of(kind: str, contact: Contact) -> list[str]:
    """The digests of a contact; its `buyer_ref` may hold several names of one buyer, with spaces between them."""
    return [buyer_of(kind, ref) for ref in dict.fromkeys(contact.buyer_ref.split())]


def contact_write(order_id: str, contact: Contact, now_ms: int) -> Put:
    """Keep the contact until `expires_at` (Unix seconds, the table's time to live)."""
    parts = [contact.name, contact.email, contact.phone, contact.buyer_ref, dict(contact.address)]
    body = pack([*parts, dict(contact.tracking)] if contact.tracking else parts)
    return Put(_key(order_id), {"schema": SCHEMA, "body": body, "expires_at": now_ms // 1000 + KEEP_DAYS * _DAY_S})


def index_writes(kind: str, order_id: str, contact: Contact, now_ms: int, claim: str = "") -> list[Put]:
    """Find the order, and its large raw payload if there is one (`claim`), from the buyer; write these before the
    contact, so that none is kept that could not be found. Nothing for a buyer without a name or id."""
    item = {"schema": SCHEMA, "expires_at": now_ms // 1000 + KEEP_DAYS * _DAY_S}
    names = [order_id, *([_CLAIM + claim] if claim else [])]
    return [Put(_buyer_key(buyer, name), dict(item)) for buyer in buyers_of(kind, contact) for name in names]


def read_contact(tables: Tables, order_id: str) -> Contact | None:
    """The contact of an order while it is kept."""
    item = tables.get(_key(order_id))
    return Contact(*unpack(item["body"])) if item else None


def is_erased(tables: Tables, buyers: Iterable[str]) -> bool:
    """Whether any of these digests is of a buyer who has been erased."""
    return bool(tables.get_many([_buyer_key(buyer, _ERASED) for buyer in buyers]))


def remember_erased(tables: Tables, buyers: Iterable[str], now_ms: int) -> None:
    """From now on, nothing of these buyers is kept."""
    for buyer in buyers:
        item = {"schema": SCHEMA, "erased_ms": now_ms, "expires_at": now_ms // 1000 + REMEMBER_DAYS * _DAY_S}
        tables.write(Put(_buyer_key(buyer, _ERASED), item))


def traces_of(tables: Tables, buyers: Iterable[str]) -> Traces:
    """All that is kept of these buyers."""
    names = {name for buyer in buyers for name in _names(tables, buyer)}
    claims = sorted(name.removeprefix(_CLAIM) for name in names if name.startswith(_CLAIM))
    return Traces(tuple(sorted(name for name in names if not name.startswith(_CLAIM))), tuple(claims))


def forget_order(tables: Tables, buyers: Iterable[str], order_id: str) -> None:
    """Delete the contact of an order, and last the way to it: what breaks off in between is found again."""
    tables.write(Delete(_key(order_id)))
    _forget(tables, buyers, order_id)


def forget_claim(tables: Tables, buyers: Iterable[str], claim: str) -> None:
    """Forget a raw payload that has been deleted."""
    _forget(tables, buyers, _CLAIM + claim)


def begin_proof(
    tables: Tables, notification_id: str, nth: int, buyers: Sequence[str], orders: int, now_ms: int
) -> None:
    """Prove how many orders were found, before the first is forgotten; another attempt changes nothing of it."""
    key = _proof_key(notification_id, nth)
    if tables.get(key) is None:
        tables.write(Put(key, {"schema": SCHEMA, "buyers": list(buyers), "orders": orders, "begun_ms": now_ms}))


def end_proof(tables: Tables, notification_id: str, nth: int, now_ms: int) -> None:
    """Prove that everything found is gone."""
    tables.write(Change(_proof_key(notification_id, nth), put={"done_ms": now_ms}))


def _names(tables: Tables, buyer: str) -> Iterator[str]:
    cursor, more = "", True
    while more:
        page = tables.query("contacts", f"BUYER#{buyer}", cursor=cursor)
        yield from (item["sk"] for item in page.items if item["sk"] != _ERASED)
        cursor = page.cursor
        more = bool(cursor)


def _forget(tables: Tables, buyers: Iterable[str], name: str) -> None:
    for buyer in buyers:
        tables.write(Delete(_buyer_key(buyer, name)))
