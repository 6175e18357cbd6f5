"""Subscriptions of webhooks at the stand-in WooCommerce shop. Their secrets are not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.marketplaces.wire import Request, Response, json_response
from local.marketplaces.woo_products import error, page

if TYPE_CHECKING:
    from local.marketplaces.woocommerce import WooCommerce


def list_webhooks(shop: WooCommerce, request: Request, names: dict[str, str]) -> Response:
    """Their secrets are not shown."""
    del names
    return page(request, list(shop.hooks.values()))


def make_webhook(shop: WooCommerce, request: Request, names: dict[str, str]) -> Response:
    """A new subscription."""
    del names
    body = request.json()
    hook = {"id": shop.next_id(), **{key: value for key, value in body.items() if key != "secret"}}
    shop.hooks[hook["id"]] = hook
    return json_response(201, hook)


def update_webhook(shop: WooCommerce, request: Request, names: dict[str, str]) -> Response:
    """Enables or disables it."""
    hook = shop.hooks.get(int(names["hook"]))
    if hook is None:
        return error(404, "woocommerce_rest_shop_webhook_invalid_id")
    hook["status"] = request.json().get("status", hook["status"])
    return json_response(200, hook)
