"""Fills a deployed local stage: channel accounts, secrets, the API token, and a small catalogue with opening stock.

Everything is written under natural keys, so seeding again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from chalicelib.domain.errors import Stale
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.store.accounts import add_account, read_locations
from chalicelib.store.listings import Listing, link_key, listing_writes, sku_writes
from chalicelib.store.places import open_places
from chalicelib.store.stock import receipt_writes
from chalicelib.store.tables import Tables
from local.marketplaces.catalogue import Listing as Offer
from local.marketplaces.catalogue import listing_ids
from local.marketplaces.woocommerce import product_id

LOCATION = "main"


def api_token(folder: Path) -> str:
    """The token of this machine: made once, readable by its owner only."""
    file = folder / "token"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    return file.read_text(encoding="utf-8").strip()


def put_secrets(ssm: Any, accounts: Mapping[str, Mapping[str, Any]], token: str) -> None:
    """Secrets of the local stage: the API token's digest, and what opens the stand-in marketplaces."""
    values: dict[str, Any] = {"api-tokens": {hashlib.sha256(token.encode()).hexdigest(): "local"}}
    for channel, account in accounts.items():
        values |= {f"{channel}/{name}": account[name] for name in ("api", "webhook") if name in account}
    for name, value in values.items():
        ssm.put_parameter(Name=f"/headrace/local/{name}", Value=json.dumps(value), Type="SecureString", Overwrite=True)


def add_accounts(tables: Tables, accounts: Mapping[str, Mapping[str, Any]], import_from_ms: int) -> None:
    """The channel accounts; orders older than `import_from_ms` are not imported."""
    for channel, account in accounts.items():
        add_account(tables, channel, {**account["settings"], "import_from_ms": import_from_ms})
    add_account(tables, "storefront", {})


def add_catalogue(
    tables: Tables, offers: Iterable[Offer], location_id: str, now_ms: int, *, woocommerce: bool = False
) -> None:
    """Each SKU with its listings and one opening receipt of what the shop has of it."""
    for offer in offers:
        tables.write(*sku_writes(offer.sku, offer.title))
        ids = listing_ids(offer.sku)
        if woocommerce:
            ids["woocommerce"] = {"product_id": str(product_id(offer.sku))}
        for kind, refs in ids.items():
            if tables.get(link_key(kind, offer.sku)) is None:
                own = {"location_id": location_id} if kind == "shopify" else {}
                tables.write(*listing_writes(Listing(kind, offer.sku, offer.sku, {**refs, **own})))
        open_places(tables, [offer.sku], read_locations(tables), SYNC_QUEUES, now_ms)
        with suppress(Stale):  # received already
            tables.write(*receipt_writes("opening", offer.sku, LOCATION, offer.quantity, now_ms))
