"""The error shape of eBay's REST APIs: {"errors": [{errorId, domain, category, message, longMessage}]}."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from local.marketplaces.wire import RefusalError, Request, Response, json_response

FULFILLMENT = "API_FULFILLMENT"
INVENTORY = "API_INVENTORY"


def error_body(error_id: int, message: str, details: str, domain: str, category: str = "REQUEST") -> dict[str, Any]:
    """One error. `category`: REQUEST is the caller's fault, BUSINESS a rule of the trade."""
    return {
        "errorId": error_id,
        "domain": domain,
        "category": category,
        "message": message,
        "longMessage": details or message,
    }


def error_response(
    status: int,
    error_id: int,
    message: str,
    details: str = "",
    *,
    domain: str = FULFILLMENT,
    category: str = "REQUEST",
) -> Response:
    """An answer with one error."""
    return json_response(status, {"errors": [error_body(error_id, message, details, domain, category)]})


def refuse(
    status: int,
    error_id: int,
    message: str,
    details: str = "",
    *,
    domain: str = FULFILLMENT,
    category: str = "REQUEST",
) -> RefusalError:
    """The exception that ends the request with this error."""
    return RefusalError(error_response(status, error_id, message, details, domain=domain, category=category))


def json_object(request: Request, error_id: int, domain: str) -> dict[str, Any]:
    """The request's body; refused with `error_id` unless it is a JSON object sent as such."""
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not request.header("Content-Type").lower().startswith("application/json"):
        raise refuse(
            400,
            error_id,
            "Invalid input data",
            "A JSON object sent as application/json is expected.",
            domain=domain,
        )
    return body


def stamp(moment: datetime) -> str:
    """2026-09-23T08:06:35.000Z"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_stamp(text: object) -> datetime | None:
    """A UTC time in eBay's format; None when it is none."""
    if not isinstance(text, str) or not text.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
