"""The account itself: which carriers it may ship with, and its webhook. Sources: docs.goshippo.com, list all carrier
accounts, webhooks (an address has fewer than 200 characters); the SDK's create_webhook and update_webhook.
"""

from __future__ import annotations

from urllib.parse import quote

from chalicelib.channels.carrier_wire import CarrierWire
from chalicelib.domain.errors import Refused

_EVENT = "track_updated"
_TELL = (_EVENT, "all")
_LONGEST_URL = 199


def carriers(wire: CarrierWire) -> list[str]:
    """The carriers' names of all accounts that are active."""
    found = wire.list("/carrier_accounts", {"results": "100"}, "results").each("results")
    return [each.text("carrier_name") or each.text("carrier") for each in found if each.flag("active")]


def ensure_webhook(wire: CarrierWire, url: str, secret: str, *, is_test: bool) -> str:
    """Have parcels told to this address, which repeats the secret: kept, enabled, moved (it told another secret) or
    created. A second one would tell everything twice."""
    address = f"{url}?token={quote(secret, safe='')}"
    if len(address) > _LONGEST_URL:
        raise Refused("url_too_long", f"Shippo takes an address of {_LONGEST_URL} characters; this has {len(address)}")
    known = [
        each
        for each in wire.list("/webhooks", {"results": "100"}, "results").each("results")
        if each.text("event") in _TELL and each.text("url").partition("?")[0] == url and each.flag("is_test") is is_test
    ]
    ours = next((each for each in known if each.text("url") == address), known[0] if known else None)
    if ours is None:
        wish = {"event": _EVENT, "url": address, "active": True, "is_test": is_test}
        wire.post("/webhooks", wish).identity("object_id")
        return "created"
    if ours.text("url") == address and ours.flag("active"):
        return "kept"
    wish = {"event": ours.text("event"), "url": address, "active": True, "is_test": is_test}
    wire.put(f"/webhooks/{quote(ours.identity('object_id'), safe='')}", wish)
    return "enabled" if ours.text("url") == address else "moved"
