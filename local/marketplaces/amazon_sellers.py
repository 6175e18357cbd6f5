"""Amazon's Sellers API v1: the stores that the seller takes part in. Source: sellers.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.marketplaces.market import Route
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

# Store -> country, language, domain.
PLACES = {
    "Amazon.com": ("US", "en_US", "www.amazon.com"),
    "Amazon.ca": ("CA", "en_CA", "www.amazon.ca"),
    "Amazon.co.uk": ("GB", "en_GB", "www.amazon.co.uk"),
    "Amazon.de": ("DE", "de_DE", "www.amazon.de"),
    "Amazon.co.jp": ("JP", "ja_JP", "www.amazon.co.jp"),
}


def get_participations(market: Amazon, _request: Request, _names: dict[str, str]) -> Response:
    """GET /sellers/v1/marketplaceParticipations"""
    country, language, domain = PLACES[market.store_name]
    participation = {
        "marketplace": {
            "id": market.marketplace_id,
            "name": market.store_name,
            "countryCode": country,
            "defaultCurrencyCode": market.currency,
            "defaultLanguageCode": language,
            "domainName": domain,
        },
        "storeName": "Millrace",
        "participation": {
            "isParticipating": True,
            "hasSuspendedListings": market.account_status == "DEACTIVATED",
        },
    }
    return json_response(200, {"payload": [participation]})


ROUTES = (Route("GET", r"/sellers/v1/marketplaceParticipations", "getMarketplaceParticipations", get_participations),)
