"""An access token from eBay for the seller's refresh token.

Source: api-docs/static/oauth-refresh-token-request.html. A token lives 2 hours, a refresh token about 18 months.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

from chalicelib.channels.transport import HttpRequest, Transport, checked
from chalicelib.domain.errors import Busy, Unauthorised

_SCOPE = "https://api.ebay.com/oauth/api_scope/"
_MARGIN_S = 300  # a token that ends while a call is under way is of no use
SCOPES = f"{_SCOPE}sell.fulfillment {_SCOPE}sell.inventory"


def fetch_token(
    transport: Transport, base_url: str, credentials: Mapping[str, str], agent: str, now_ms: int
) -> tuple[str, int]:
    """A new access token and until when to share it (Unix ms). Raises `Refused` when the seller's consent is gone."""
    missing = [key for key in ("client_id", "client_secret", "refresh_token") if not credentials.get(key)]
    if missing:
        raise Unauthorised(f"the eBay account's secret lacks {', '.join(missing)}")
    pair = f"{credentials['client_id']}:{credentials['client_secret']}"
    headers = {
        "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": agent,
    }
    fields = {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"], "scope": SCOPES}
    url = f"{base_url}/identity/v1/oauth2/token"
    response = transport(HttpRequest("POST", url, headers, urlencode(fields).encode()))
    if response.status in (400, 401, 403):
        raise Unauthorised(f"eBay's token endpoint answered {response.status}: consent or keys are wrong")
    granted = checked(response, "ebay")
    if not isinstance(granted, dict) or not granted.get("access_token"):
        raise Busy("ebay granted no token", after_s=5)
    lifetime_s = max(int(granted.get("expires_in") or 0) - _MARGIN_S, 0)
    return str(granted["access_token"]), now_ms + lifetime_s * 1000
