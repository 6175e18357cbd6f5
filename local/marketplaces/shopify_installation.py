"""What the stand-in Shopify tells of the app and the shop: granted scopes, locations.

Source: schema admin_2026-10 (AppInstallation, QueryRoot.locations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLResolveInfo

from local.marketplaces.shopify_nodes import connection
from local.marketplaces.shopify_queries import location_node

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify


def installation(shop: Shopify, _info: GraphQLResolveInfo[Any]) -> dict[str, Any]:
    """currentAppInstallation"""
    scopes = [{"handle": scope} for scope in shop.scopes]
    return {"id": "gid://shopify/AppInstallation/1", "accessScopes": scopes}


def locations(
    shop: Shopify,
    _info: GraphQLResolveInfo[Any],
    first: int | None = None,
    after: str | None = None,
    includeInactive: bool = False,  # noqa: N803 the official name
) -> dict[str, Any]:
    """locations(first:, after:, includeInactive:)"""
    own = {**location_node(shop), "isActive": shop.is_location_active}
    found = [own, *({**own, "id": f"{shop.location_id}{n}", "isActive": True} for n in range(shop.more_locations))]
    shown = list(enumerate((each for each in found if includeInactive or each["isActive"]), start=1))
    behind = int(after) if after and after.isdecimal() else 0
    return connection(shown[behind:], first, lambda pair: str(pair[0]), lambda pair: pair[1], has_previous=behind > 0)
