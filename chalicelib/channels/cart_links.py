"""The address of a shop's own cart or checkout, filled with what a buyer chose on Facebook or Instagram.

Sources: Meta, checkout URL (products=ID:quantity,… and coupon; fbclid, cart_origin and utm_* come along); Shopify, cart
permalinks (/cart/VARIANT:quantity,… with discount and attributes[…]); WooCommerce, /checkout-link/ of core.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Refused

Part = tuple[str, int]  # an item and how many of it

_MOST_ITEMS = 50
_MOST_UNITS = 9_999
_LONGEST_PRODUCTS = 4_000
_LONGEST_COUPON = 100
_LONGEST_VALUE = 500
_ONE = re.compile(r"(.+?):([0-9]{1,4})(?:,|$)", re.DOTALL)
_KEPT = re.compile(r"fbclid|cart_origin|utm_[a-z_]{1,30}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9a-fA-F:.]+\](?::[0-9]{1,5})?")
_PATH = re.compile(r"[A-Za-z0-9/._~%!$&'()*+,;=:@-]*")
_OWN_KINDS = ("storefront", "shop")


def products_in(text: str) -> dict[str, int]:
    """Item -> units of a parameter `products`; what is named twice is added up. A name may hold colons and commas: what
    ends it is a colon with a number. Raises `Refused` for anything else."""
    if not 0 < len(text) <= _LONGEST_PRODUCTS:
        raise Refused("bad_request", "products must be ID:quantity, separated by commas")
    found: dict[str, int] = {}
    position = 0
    while position < len(text):
        one = _ONE.match(text, position)
        if not one or not 0 < int(one[2]) <= _MOST_UNITS:
            raise Refused("bad_request", f"products must be ID:quantity, not {text[position : position + 80]!r}")
        found[one[1]] = found.get(one[1], 0) + int(one[2])
        position = one.end()
    if len(found) > _MOST_ITEMS or max(found.values()) > _MOST_UNITS:
        raise Refused("bad_request", f"at most {_MOST_ITEMS} products and {_MOST_UNITS} of each")
    return found


def kept_parameters(query: Mapping[str, str]) -> dict[str, str]:
    """What says where the buyer came from, and nothing else. A value too long is left out: cut short, it would be
    another."""
    return {
        name: value
        for name, value in sorted(query.items())
        if _KEPT.fullmatch(name) and 0 < len(value) <= _LONGEST_VALUE
    }


def item_id(channel: str, channel_sku: str, refs: Mapping[str, str]) -> str:
    """The id by which the shop's own link names an item; "" when the listing does not tell it."""
    kind = kind_of(channel)
    if kind == "shopify":
        found = str(refs.get("variant_id") or channel_sku).rpartition("/")[2]
        return found if _is_number(found) else ""
    if kind == "woocommerce":
        ids = (str(refs.get(name) or "") for name in ("variation_id", "product_id"))
        return next((found for found in ids if _is_number(found)), "")
    return channel_sku


def cart_link(
    channel: str, settings: Mapping[str, Any], parts: Sequence[Part], coupon: str, kept: Mapping[str, str]
) -> str:
    """The whole address, ASCII only. Host and path are the account's own, whatever a buyer sends.

    `parts` name items as `item_id` does. Raises `Refused` where the account has no address that can be led to.
    """
    if len(coupon) > _LONGEST_COUPON:
        raise Refused("bad_request", f"coupon may have {_LONGEST_COUPON} characters")
    kind, products = kind_of(channel), ",".join(f"{quote(item, safe='')}:{units}" for item, units in parts)
    if kind == "shopify":
        base = _address(settings.get("base_url") or f"https://{settings.get('shop_domain', '')}")
        attributes = {f"attributes[{name}]": value for name, value in kept.items()}
        return f"{base}/cart/{products}{_query({'discount': coupon} | attributes | dict(kept), '?')}"
    if kind == "woocommerce":
        base = f"{_address(settings.get('base_url'))}/checkout-link/"
    elif kind in _OWN_KINDS:
        base = _address(settings.get("checkout_url"))
    else:
        raise Refused("no_checkout", f"a {kind} has no cart of its own")
    return f"{base}?products={products}{_query({'coupon': coupon} | dict(kept), '&')}"


def _query(parameters: Mapping[str, str], before: str) -> str:
    told = {name: value for name, value in parameters.items() if value}
    return before + urlencode(told, quote_via=quote, safe="", errors="replace") if told else ""


def _address(setting: Any) -> str:
    """Scheme, host and path of the account's own address. One that could lead elsewhere is none."""
    try:
        parts = urlsplit(str(setting or ""))
    except ValueError:
        parts = urlsplit("")
    is_web = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc) and _PATH.fullmatch(parts.path)
    if not is_web:
        raise Refused("no_checkout", "the account's settings name no address of the shop")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text.strip("0") != ""
