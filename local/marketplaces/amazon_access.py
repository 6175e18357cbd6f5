"""Login with Amazon: the seller's tokens, and the grantless ones of the Notifications API.

Sources: connecting-to-the-selling-partner-api (both grants), notifications.json (which operations are grantless).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.marketplaces.amazon_errors import refuse
from local.marketplaces.market import Route
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

TOKEN_LIFETIME_S = 3600
GRANTLESS_SCOPE = "sellingpartnerapi::notifications"
SELLER_PREFIX, GRANTLESS_PREFIX = "Atza|", "Atc|"
GRANTLESS_OPERATIONS = frozenset(
    [
        "createDestination",
        "getDestinations",
        "getDestination",
        "deleteDestination",
        "getSubscriptionById",
        "deleteSubscriptionById",
    ]
)


def grant_token(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """POST /auth/o2/token: Login with Amazon, which has an error shape of its own."""
    fields = request.form()
    if (fields.get("client_id"), fields.get("client_secret")) != (market.client_id, market.client_secret):
        return lwa_error(401, "invalid_client", "Client authentication failed")
    grant = fields.get("grant_type")
    if grant == "client_credentials":
        return _grantless(market, fields.get("scope", ""))
    if grant != "refresh_token":
        return lwa_error(400, "unsupported_grant_type", "The authorization grant type is not supported")
    if not market.consented or fields.get("refresh_token") != market.refresh_token:
        return lwa_error(400, "invalid_grant", "The request has an invalid grant parameter : refresh_token")
    token = market.issue_token(SELLER_PREFIX, TOKEN_LIFETIME_S)
    return json_response(200, {**_bearer(token), "refresh_token": market.refresh_token})


def _grantless(market: Amazon, scope: str) -> Response:
    if scope != GRANTLESS_SCOPE:
        return lwa_error(400, "invalid_scope", "The request has an invalid scope")
    token = market.issue_token(GRANTLESS_PREFIX, TOKEN_LIFETIME_S)
    return json_response(200, {**_bearer(token), "scope": scope})


def _bearer(token: str) -> dict[str, object]:
    return {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_LIFETIME_S}


def authorise(market: Amazon, operation: str, request: Request) -> None:
    """Refuses a call whose token is missing, dead, of a seller who took his consent back, or of the other kind."""
    token = request.header("x-amz-access-token")
    grantless = operation in GRANTLESS_OPERATIONS
    wanted = GRANTLESS_PREFIX if grantless else SELLER_PREFIX
    if market.token_valid(token):
        if token.startswith(wanted) and (grantless or market.consented):
            return
        raise denied(403, "The access token is not authorized for this operation.")
    if token.startswith((SELLER_PREFIX, GRANTLESS_PREFIX)):
        raise denied(403, "The access token you provided has expired.")
    # Only the v0 operation's model knows 401; the others answer 403 for both.
    status = 401 if request.path.startswith("/orders/v0/") else 403
    raise denied(status, "Access token is missing in the request header.")


def denied(status: int, details: str) -> RefusalError:
    """Unauthorized"""
    return refuse(status, "Unauthorized", "Access to requested resource is denied.", details)


def lwa_error(status: int, error: str, description: str) -> Response:
    """An error of Login with Amazon."""
    return json_response(status, {"error": error, "error_description": description})


ROUTES = (Route("POST", r"/auth/o2/token", "token", grant_token),)
