"""What connecting a shop asks: the scopes that the app was granted, the shop's locations, and Shopify Payments.

Source: schema admin_2026-10 (AppInstallation, Location, ShopifyPaymentsAccount); shopify.dev, API access scopes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.channels.shopify import documents_account as documents
from chalicelib.channels.shopify.wire import ShopifyWire

NEEDED = {  # scope -> what does not work without it
    "read_orders": "orders do not come in",
    "read_customers": "orders cannot be read whole, since each names its buyer",
    "write_orders": "no capture, refund or cancellation",
    "write_inventory": "quantities are not shown",
    "write_merchant_managed_fulfillment_orders": "parcels are not told",
    "read_locations": "the location cannot be checked",
    "read_products": "listings cannot be read",
    "write_products": "prices cannot be set",
    "read_shopify_payments_payouts": "payouts are not read, and orders wait in settlement",
}


@dataclass(frozen=True)
class Installation:
    """The app in this shop: the scopes that it was granted, and the shop's currency (ISO 4217)."""

    scopes: frozenset[str]
    currency: str


@dataclass(frozen=True)
class Location:
    """A place where the shop keeps stock; `location_id` is global (gid://…)."""

    location_id: str
    name: str
    is_active: bool


def lacking(granted: Iterable[str]) -> dict[str, str]:
    """Scopes that are needed and not granted, each with what does not work. To write is to read, too."""
    found = set(granted)
    found |= {f"read_{each.removeprefix('write_')}" for each in found if each.startswith("write_")}
    return {scope: what for scope, what in NEEDED.items() if scope not in found}


def read_installation(wire: ShopifyWire) -> Installation:
    """What the app was granted."""
    answer = wire.ask(documents.INSTALLATION, {})
    scopes = answer.at("currentAppInstallation").each("accessScopes")
    return Installation(frozenset(each.text("handle") for each in scopes), answer.at("shop").currency("currencyCode"))


def read_locations(wire: ShopifyWire) -> list[Location]:
    """Every location, those that are not active too."""
    found = wire.pages(documents.LOCATIONS, {}, "locations")
    return [Location(each.identity("id"), each.text("name"), each.flag("isActive")) for each in found]


def has_payments(wire: ShopifyWire) -> bool:
    """Whether the shop takes money by Shopify Payments."""
    account = wire.ask(documents.PAYMENTS_ACCOUNT, {}).at("shopifyPaymentsAccount")
    return bool(account) and account.flag("activated")
