"""The buyer's personal data, apart from the order: a table of its own, encrypted, erased when due, without a stream."""

from __future__ import annotations

from chalicelib.domain.channel_order import Contact
from chalicelib.store.codec import SCHEMA, pack, unpack
from chalicelib.store.tables import Key, Put, Tables

# Longer than any open order lives; deleting 30 days after delivery needs the delivery date, which tracking will bring.
KEEP_DAYS = 90


def _key(order_id: str) -> Key:
    return Key("contacts", order_id, "CONTACT")


def contact_write(order_id: str, contact: Contact, now_ms: int) -> Put:
    """Keep the contact until `expires_at` (Unix seconds, the table's time to live)."""
    body = pack([contact.name, contact.email, contact.phone, contact.buyer_ref, dict(contact.address)])
    expires_at = now_ms // 1000 + KEEP_DAYS * 86_400
    return Put(_key(order_id), {"schema": SCHEMA, "body": body, "expires_at": expires_at})


def read_contact(tables: Tables, order_id: str) -> Contact | None:
    """The contact of an order while it is kept."""
    item = tables.get(_key(order_id))
    return Contact(*unpack(item["body"])) if item else None
