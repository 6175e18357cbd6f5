"""What connecting a shop asks: whether WooCommerce's REST API is there, what the key may do, version and currency.

Sources: class-wc-rest-authentication.php (check_permissions: 401 for a key that may not write), REST documentation of
2024-03 (Data: retrieve current currency; System status), wc-v3-index.json. `_fields` is WordPress's own argument.
"""

from __future__ import annotations

from chalicelib.channels.fields import Node
from chalicelib.channels.woocommerce.parcels import TRACKING
from chalicelib.channels.woocommerce.wire import WC, Declined, WooWire
from chalicelib.domain.errors import Busy, Refused, Unauthorised


def read_currency(wire: WooWire) -> str:
    """The shop's currency (ISO 4217). Raises `Refused` where the address is no WooCommerce shop."""
    try:
        return Node(wire.get(f"{WC}/data/currencies/current").data).currency("code")
    except Declined as declined:
        if declined.code == "rest_no_route":
            raise Refused("no_woocommerce", "WordPress answers, but WooCommerce's REST API is not there") from None
        raise


def read_version(wire: WooWire) -> str:
    """WooCommerce's version; "" where it does not say."""
    answer = wire.get(f"{WC}/system_status", _fields="environment")
    return Node(answer.data).at("environment").text("version")


def may_write(wire: WooWire) -> bool:
    """Whether the key may write: a batch that changes nothing is a write, too."""
    try:
        wire.send("POST", f"{WC}/products/batch", {"update": []})
    except Unauthorised:
        return False
    except Declined as declined:
        if declined.status == 403:
            return False
        raise
    return True


def has_tracking(wire: WooWire) -> bool:
    """Whether the Shipment Tracking plugin is there: its routes have a list of their own."""
    try:
        wire.get(TRACKING)
    except Declined as declined:
        if declined.status == 404:
            return False
        raise
    except Busy:  # what is before WordPress may know no such page either
        return False
    return True
