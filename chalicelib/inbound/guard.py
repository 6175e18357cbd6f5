"""Who may come in, and how errors are told. Every route but the signed webhooks asks for an API token."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from chalice import Response
from pydantic import BaseModel, ValidationError

from chalicelib.domain.errors import Busy, Forged, Refused
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime, runtime

Model = TypeVar("Model", bound=BaseModel)

_STATUS = {
    "unknown_order": 404,
    "unknown_sku": 404,
    "unknown_channel": 404,
    "unknown_hold": 404,
    "unknown_return": 404,
    "unknown_label": 404,
    "label_id_taken": 409,
    "already_taken": 409,
    "unknown_cancellation": 404,
    "not_found": 404,
    "not_allocated": 409,
    "not_shipped": 409,
    "not_returned": 409,
    "over_refund": 409,
    "already_promised": 409,
    "already_told": 409,
    "nothing_left": 409,
    "bad_step": 409,
    "on_hold": 409,
    "still_open": 409,
    "unknown_listing": 404,
    "bad_kit": 409,
}
_LARGEST_PAGE = 100
_LARGEST_BODY_BYTES = 6_000_000  # what API Gateway hands to a Lambda


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(body=body, status_code=status, headers={"Content-Type": "application/json"})


def told(route: Callable[..., Response]) -> Callable[..., Response]:
    """Errors of the tree become answers that name the reason and the remedy."""

    @wraps(route)
    def handle(*args: Any, **kwargs: Any) -> Response:
        try:
            return route(*args, **kwargs)
        except Forged as error:
            return _error(401, error.reason, error.detail)
        except Refused as error:
            return _error(_STATUS.get(error.reason, 400), error.reason, error.detail)
        except Busy:
            return _error(503, "busy", "try again in a moment")

    return handle


def guarded(route: Callable[..., Response]) -> Callable[..., Response]:
    """Answer only who brings a known API token (`Authorization: Bearer …`)."""

    @wraps(route)
    def handle(*args: Any, **kwargs: Any) -> Response:
        check_token(_request(route).headers, runtime())
        return route(*args, **kwargs)

    handle.guarded = True  # type: ignore[attr-defined]
    return told(handle)


def check_token(headers: Mapping[str, str], runtime: Runtime) -> str:
    """The name of the token's owner. Raises `Forged` for a missing or unknown token.

    Tokens are kept and compared as SHA-256 digests, so neither the secret nor the time taken tells one.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Forged("no_token", "send the header Authorization: Bearer <API token>")
    known = runtime.secrets.get("api-tokens")
    name = known.get(hashlib.sha256(token.strip().encode()).hexdigest())
    if name is None:
        log("token_refused")
        raise Forged("bad_token", "this API token is not known")
    return str(name)


def body_as(model: type[Model], raw: bytes | Mapping[str, Any]) -> Model:
    """The JSON body, or a part of one, as a model. Raises `Refused` naming every field that is wrong."""
    try:
        return model.model_validate_json(raw or b"{}") if isinstance(raw, bytes) else model.model_validate(raw)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()]
        raise Refused("bad_request", "; ".join(wrong[:10])) from None


def page_limit(text: str) -> int:
    """How many entries a page may have, from the query. Raises `Refused`."""
    if not text.isdecimal() or len(text) > 3 or not 1 <= int(text) <= _LARGEST_PAGE:
        raise Refused("bad_request", f"limit must be a whole number from 1 to {_LARGEST_PAGE}, not {text!r}")
    return int(text)


def checked_size(raw: bytes | str) -> bytes:
    """The body as sent, unless it is larger than the API carries."""
    raw = raw.encode() if isinstance(raw, str) else raw
    if len(raw) > _LARGEST_BODY_BYTES:
        raise Refused("body_too_large", f"{len(raw)} bytes; {_LARGEST_BODY_BYTES} is the most")
    return raw


def _error(status: int, reason: str, detail: str) -> Response:
    return answer({"error": {"reason": reason, "detail": detail}}, status)


def _request(route: Callable[..., Any]) -> Any:
    """The current request of the blueprint that the route belongs to."""
    return route.__globals__["blueprint"].current_request
