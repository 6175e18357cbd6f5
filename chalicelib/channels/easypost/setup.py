"""The account itself: which carriers it may ship with, and its webhook. Sources: EasyPost/examples (carrier accounts,
webhooks; fixtures); docs.easypost.com, webhooks (an update enables again what was disabled).
"""

from __future__ import annotations

from urllib.parse import quote

from chalicelib.channels.carrier_wire import CarrierWire


def carriers(wire: CarrierWire) -> list[str]:
    """The carriers' names. EasyPost shows them to production keys only: a test key is `Unauthorised` here."""
    return [each.text("readable") or each.text("type") for each in wire.listed("/carrier_accounts")]


def ensure_webhook(wire: CarrierWire, url: str, secret: str) -> str:
    """Have parcels told to this address, signed with the secret: kept, enabled or created. EasyPost does not show a
    webhook's secret, so it is set each time."""
    known = [each for each in wire.get("webhooks").listed("webhooks") if each.text("url") == url]
    if not known:
        wire.post("/webhooks", {"webhook": {"url": url, "webhook_secret": secret}}).identity("id")
        return "created"
    path = f"/webhooks/{quote(known[0].identity('id'), safe='')}"
    wire.patch(path, {"webhook": {"webhook_secret": secret}})
    return "enabled" if known[0].has("disabled_at") else "kept"
