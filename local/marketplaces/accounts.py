"""What a seller must know to connect to the stand-in: settings and secrets, which open nothing else."""

from __future__ import annotations

from typing import Any

from local.marketplaces.world import Marketplaces


def accounts(world: Marketplaces, public_url: str) -> dict[str, dict[str, Any]]:
    """Channel -> {settings, api, webhook?}: the non-secret settings, the API credentials, the webhook's secrets."""
    shopify, amazon, ebay = world.shopify, world.amazon, world.ebay
    found: dict[str, dict[str, Any]] = {
        "shopify": {
            "settings": {
                "base_url": f"{public_url}/shopify",
                "shop_domain": shopify.shop_domain,
                "location_id": shopify.location_id,
            },
            "api": {"client_id": shopify.client_id, "client_secret": shopify.client_secret},
            "webhook": {"secrets": [shopify.client_secret]},
        },
        "amazon": {
            "settings": {
                "base_url": f"{public_url}/amazon",
                "seller_id": amazon.seller_id,
                "marketplace_id": amazon.marketplace_id,
            },
            "api": _with_refresh_token(amazon.client_id, amazon.client_secret, amazon.refresh_token),
        },
        "ebay": {
            "settings": {"base_url": f"{public_url}/ebay", "seller_id": ebay.seller_id, "marketplace_id": ebay.site},
            "api": _with_refresh_token(ebay.client_id, ebay.client_secret, ebay.refresh_token),
        },
    }
    if woo := world.woo:
        found["woocommerce"] = {
            "settings": {"base_url": f"{public_url}/woocommerce", "currency": woo.currency, "allow_private": True},
            "api": {"consumer_key": woo.consumer_key, "consumer_secret": woo.consumer_secret},
            "webhook": {"secrets": [woo.webhook_secret]},
        }
    return found


def _with_refresh_token(client_id: str, client_secret: str, refresh_token: str) -> dict[str, str]:
    return {"client_id": client_id, "client_secret": client_secret, "refresh_token": refresh_token}
