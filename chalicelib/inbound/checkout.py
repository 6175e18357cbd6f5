"""The way from a shop on Facebook or Instagram to the checkout of the own shop, which Meta calls the checkout URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint, Response

from chalicelib.channels.cart_links import cart_link, item_id, kept_parameters, products_in
from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Busy, Refused
from chalicelib.inbound.guard import told
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import channels
from chalicelib.store.findings import read_account_views
from chalicelib.store.listings import listings_of, resolve_skus

blueprint = Blueprint(__name__)

OWN_KINDS = ("storefront", "shop")


@blueprint.route("/checkout/{channel}", methods=["GET"])
@told
def checkout(channel: str) -> Response:
    """302 to the shop's cart, for anybody. Query: products=ID:quantity,… (our SKU or the channel's item), coupon;
    fbclid, cart_origin and utm_* are kept, no others. 404 names what the shop does not sell; that something is sold
    out, the shop itself says."""
    query: Mapping[str, str] = blueprint.current_request.query_params or {}
    ports = runtime()
    wanted = products_in(query.get("products", ""))
    settings = _settings(channel, ports)
    items = [(_item(channel, name, ports), units) for name, units in wanted.items()]
    link = cart_link(channel, settings, items, query.get("coupon", ""), kept_parameters(dict(query)))
    return Response(body="", status_code=302, headers={"Location": link, "Cache-Control": "no-store"})


def _settings(channel: str, ports: Runtime) -> Mapping[str, Any]:
    """The account's settings as `show_accounts` kept them: access tokens stand beside the others."""
    if channel not in channels(ports.tables):
        raise Refused("unknown_channel", f"no channel account {channel!r}")
    view = read_account_views(ports.tables, [channel]).get(channel)
    if view is None:
        raise Busy("the account has just been added")
    settings: Mapping[str, Any] = view["settings"]
    return settings


def _item(channel: str, name: str, ports: Runtime) -> str:
    """What the shop calls it. Raises `Refused` with its name when the shop does not sell it."""
    sku = resolve_skus(ports.tables, channel, [name]).get(name)
    listings = [each for each in listings_of(ports.tables, [sku.sku] if sku else []) if each.channel == channel]
    listings.sort(key=lambda each: each.channel_sku != name)
    ids = (item_id(channel, each.channel_sku, each.refs) for each in listings)
    found = next((each for each in ids if each), "")
    if not found and not listings and sku and kind_of(channel) in OWN_KINDS:
        found = sku.sku  # an own storefront goes by our names
    if not found:
        reason = "listing_incomplete" if listings else "unknown_listing"
        raise Refused(reason, f"{channel} does not sell {name[:100]!r}" + (" by a link" if listings else ""))
    return found
