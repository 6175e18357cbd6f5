"""The error shape of SP-API: {"errors": [{code, message, details}]}."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from local.marketplaces.wire import RefusalError, Request, Response, json_response


def error_response(status: int, code: str, message: str, details: str) -> Response:
    """One error."""
    return json_response(status, {"errors": [{"code": code, "message": message, "details": details}]})


def refuse(status: int, code: str, message: str, details: str) -> RefusalError:
    """The exception that ends the request with this error."""
    return RefusalError(error_response(status, code, message, details))


def invalid(details: str) -> RefusalError:
    """400 InvalidInput"""
    return refuse(400, "InvalidInput", "Invalid Input", details)


def json_object(request: Request) -> dict[str, Any]:
    """The request's body; refused unless it is a JSON object sent as such."""
    if not request.header("Content-Type").lower().startswith("application/json"):
        raise invalid("Content-Type must be application/json.")
    try:
        body = request.json()
    except ValueError:
        raise invalid("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The body must be an object.")
    return body


def timestamp(text: object, name: str) -> datetime:
    """An ISO 8601 date and time with its zone; refused otherwise."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) and "T" in text else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid(f"{name} must be an ISO 8601 date and time.")
    return moment


def choices(text: str, allowed: frozenset[str], name: str) -> frozenset[str]:
    """A comma-separated list of known values; an unknown one is refused."""
    chosen = frozenset(text.split(",")) if text else frozenset()
    if unknown := chosen - allowed:
        raise invalid(f"{name} does not know {', '.join(sorted(unknown))}.")
    return chosen
