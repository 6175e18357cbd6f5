"""Who may call eBay: tokens of the application and of the seller, the scheme word, limits, signatures.

Sources: api-docs/static/oauth-refresh-token-request.html, oauth-client-credentials-grant.html; the `security` of the
OpenAPI documents. Scopes are not looked at, only which of the two kinds of token is sent.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from local.marketplaces.ebay_budget import spend_call, spend_grant
from local.marketplaces.ebay_errors import refuse
from local.marketplaces.ebay_signing import SIGNED_OPERATIONS, check_signature
from local.marketplaces.market import Route
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

TOKEN_LIFETIME_S = 7200
USER_PREFIX, APPLICATION_PREFIX = "v^1.1#", "v^1.1#app#"
POST_ORDER = "/post-order/"
FINANCES = "/sell/finances/"
# What takes nothing but an application's token; the subscriptions look themselves.
APPLICATION_OPERATIONS = frozenset(
    {
        "getConfig",
        "updateConfig",
        "getTopics",
        "getTopic",
        "getPublicKey",
        "getDestinations",
        "createDestination",
        "getDestination",
        "updateDestination",
        "deleteDestination",
        "createSigningKey",
        "getSigningKeys",
        "getSigningKey",
        "getRateLimits",
    }
)
EITHER_OPERATIONS = frozenset(
    {
        "getSubscriptions",
        "createSubscription",
        "getSubscription",
        "deleteSubscription",
        "enableSubscription",
        "disableSubscription",
        "testSubscription",
    }
)


def admit(market: Ebay, route: Route, request: Request) -> None:
    """Refuses what may not be called, or not so: 401 for no token, 403 for the wrong one, 429 over the limit."""
    scheme, token = token_sent(request)
    schemes = {"IAF", "TOKEN"} if request.path.startswith(POST_ORDER) else {"Bearer"}
    scope = scope_of(token)
    if scheme not in schemes or not market.token_valid(token) or (scope == "USER" and not market.consented):
        raise refuse(
            401,
            1001,
            "Invalid access token",
            "Check the value of the Authorization HTTP request header.",
            domain="OAuth",
        )
    needed = {"APPLICATION"} if route.operation in APPLICATION_OPERATIONS else {"USER"}
    if route.operation not in EITHER_OPERATIONS and scope not in needed:
        raise refuse(403, 1100, "Access denied", "Insufficient permissions to fulfill the request.", domain="ACCESS")
    if not spend_call(market, request.path):
        raise refuse(429, 2001, "Too many requests.", "The daily limit of calls is used up.", domain="ACCESS")
    if market.requires_signature and route.operation in SIGNED_OPERATIONS:
        check_signature(market, request)


def token_sent(request: Request) -> tuple[str, str]:
    """Scheme word and token of the Authorization header."""
    scheme, _, token = request.header("Authorization").partition(" ")
    return scheme, token


def scope_of(token: str) -> str:
    """USER or APPLICATION, as topics name them."""
    return "APPLICATION" if token.startswith(APPLICATION_PREFIX) else "USER"


def grant_token(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /identity/v1/oauth2/token with Basic credentials: refresh_token (seller) or client_credentials."""
    basic = base64.b64encode(f"{market.client_id}:{market.client_secret}".encode()).decode()
    fields: dict[str, Any] = request.form()
    grant = fields.get("grant_type")
    if request.header("Authorization") != f"Basic {basic}":
        return oauth_error(401, "invalid_client", "client authentication failed")
    if grant not in {"refresh_token", "client_credentials"}:
        return oauth_error(
            400, "unsupported_grant_type", "grant type in request is not supported by the authorization server"
        )
    if not spend_grant(market, grant):
        return oauth_error(429, "rate_limit_exceeded", "too many tokens were asked for today")
    if grant == "client_credentials":
        return _granted(market, APPLICATION_PREFIX, "Application Access Token")
    if fields.get("refresh_token") != market.refresh_token or not market.consented:
        return oauth_error(
            400,
            "invalid_grant",
            "the provided authorization refresh token is invalid or was issued to another client",
        )
    return _granted(market, USER_PREFIX, "User Access Token")


def _granted(market: Ebay, prefix: str, token_type: str) -> Response:
    token = market.issue_token(prefix, TOKEN_LIFETIME_S)
    return json_response(200, {"access_token": token, "token_type": token_type, "expires_in": TOKEN_LIFETIME_S})


def oauth_error(status: int, error: str, description: str) -> Response:
    """An error of eBay's OAuth."""
    return json_response(status, {"error": error, "error_description": description})
