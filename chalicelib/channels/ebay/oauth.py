"""Access tokens from eBay: the seller's own for his refresh token, and the application's.

Sources: api-docs/static/oauth-refresh-token-request.html, oauth-client-credentials-grant.html. A token lives 2 hours, a
refresh token about 18 months; an application may ask for 1,000 tokens of its own a day, so they are shared.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from chalicelib.channels.ebay.answers import oauth_error, read_answer
from chalicelib.channels.transport import USER_AGENT, HttpRequest, TokenRejected, Transport
from chalicelib.domain.errors import Busy, Refused, Unauthorised

APP = "app"  # the name of the application's token in the token store
APP_SCOPE = "https://api.ebay.com/oauth/api_scope"
_SELLING = ("sell.fulfillment", "sell.inventory", "sell.finances", "sell.account", "sell.analytics.readonly")
SCOPES = " ".join(f"{APP_SCOPE}/{name}" for name in (*_SELLING, "commerce.notification.subscription"))
_MARGIN_S = 300  # a token that ends while a call is under way is of no use


def scopes_of(credentials: Mapping[str, Any]) -> str:
    """The scopes to ask for. A refresh that asks for more than the seller has consented to fails as a whole: one who
    consented to less has what he consented to in his secret as `scopes` (spaced text or a list)."""
    consented = credentials.get("scopes") or SCOPES
    return " ".join(consented.split() if isinstance(consented, str) else consented)


def seller_token(transport: Transport, base_url: str, credentials: Mapping[str, Any], now_ms: int) -> tuple[str, int]:
    """A new access token of the seller and until when to share it (Unix ms). Raises `Unauthorised` when his consent is
    gone, or does not reach as far as the scopes that are asked for."""
    _complete(credentials, "client_id", "client_secret", "refresh_token")
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": credentials["refresh_token"],
        "scope": scopes_of(credentials),
    }
    return _granted(transport, base_url, credentials, now_ms, fields)


def app_token(transport: Transport, base_url: str, credentials: Mapping[str, Any], now_ms: int) -> tuple[str, int]:
    """A new access token of the application itself, for what is no seller's: keys, destinations, limits."""
    _complete(credentials, "client_id", "client_secret")
    return _granted(transport, base_url, credentials, now_ms, {"grant_type": "client_credentials", "scope": APP_SCOPE})


def _complete(credentials: Mapping[str, Any], *names: str) -> None:
    if missing := [name for name in names if not credentials.get(name)]:
        raise Unauthorised(f"the eBay account's secret lacks {', '.join(missing)}")


def _granted(
    transport: Transport,
    base_url: str,
    credentials: Mapping[str, Any],
    now_ms: int,
    fields: Mapping[str, str],
) -> tuple[str, int]:
    pair = f"{credentials['client_id']}:{credentials['client_secret']}"
    headers = {
        "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": USER_AGENT,
    }
    url = f"{base_url}/identity/v1/oauth2/token"
    response = transport(HttpRequest("POST", url, headers, urlencode(fields).encode()))
    if response.status in (400, 401, 403):
        _refuse(response.status, oauth_error(response), of_app="refresh_token" not in fields)
    try:
        granted = read_answer(response, now_ms)
    except (TokenRejected, Refused) as error:
        raise Busy(f"token endpoint: {error}", after_s=5) from None
    if not isinstance(granted, dict) or not granted.get("access_token"):
        raise Busy("ebay granted no token", after_s=5)
    expires_s = str(granted.get("expires_in") or "")
    lifetime_s = max(int(expires_s) - _MARGIN_S, 0) if expires_s.isdecimal() else 0
    return str(granted["access_token"]), now_ms + lifetime_s * 1000


def _refuse(status: int, word: str, *, of_app: bool) -> None:
    """Only OAuth's own word says that consent is gone: a gateway's page must not pause an account, nor what the
    application may not do for itself."""
    if word == "invalid_scope" and of_app:
        raise Refused("not_authorised", f"eBay's token endpoint answered {status} {word}: ask eBay for the scope")
    if word == "invalid_scope":
        remedy = "list in the secret's scopes what the seller has consented to, or have him consent again"
        raise Unauthorised(f"eBay's token endpoint answered {status} {word}: {remedy}")
    if word and word not in ("server_error", "temporarily_unavailable"):
        raise Unauthorised(f"eBay's token endpoint answered {status} {word}: consent or keys are wrong")
