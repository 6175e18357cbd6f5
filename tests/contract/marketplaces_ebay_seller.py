"""What an eBay seller does besides orders and quantities: tokens of both kinds, signatures, and the models."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.serialization import load_der_private_key

from local.marketplaces.ebay import Ebay
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.wire import Request, Response
from tests.contract.marketplaces_calls import FORM, JSON, Time, ebay_basic, ebay_token
from tests.contract.marketplaces_models import ebay_response, errors

FULFILLMENT, INVENTORY = "sell_fulfillment_v1_oas3.json", "sell_inventory_v1_oas3.json"
FINANCES, NOTIFICATION = "sell_finances_v1_oas3.json", "commerce_notification_v1_oas3.json"
KEYS, LIMITS = "developer_key_management_v1_oas3.json", "developer_analytics_v1_beta_oas3.json"
ACCOUNT, PREFERENCES = "sell_account_v1_oas3.json", "sell_account_v2_oas3.json"
ANALYTICS = "sell_analytics_v1_oas3.json"

ORDER = "/sell/fulfillment/v1/order"
NOTIFY = "/commerce/notification/v1"
MONEY = "/sell/finances/v1"
SIGNING_KEY = "/developer/key_management/v1/signing_key"
CANCELLATION, RETURN = "/post-order/v2/cancellation", "/post-order/v2/return"
HOOK = "https://seller.example/webhooks/ebay"
VERIFICATION_TOKEN = "verification_token-of-the-seller_01"


def granted(market: Ebay, **fields: str) -> Response:
    headers = {**FORM, "Authorization": ebay_basic(market)}
    return market.handle(Request("POST", "/identity/v1/oauth2/token", {}, headers, urlencode(fields).encode()))


def app_token(market: Ebay) -> str:
    answer = granted(market, grant_type="client_credentials", scope="https://api.ebay.com/oauth/api_scope")
    assert answer.status == 200, answer
    return str(answer.json()["access_token"])


def call(
    market: Ebay,
    method: str,
    path: str,
    query: dict[str, str] | None = None,
    body: Any = None,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A call with the seller's token, under the scheme word that the API wants."""
    scheme = "IAF" if path.startswith("/post-order/") else "Bearer"
    own = {**JSON, "Authorization": f"{scheme} {ebay_token(market) if token is None else token}"}
    content = b"" if body is None else json.dumps(body).encode()
    return market.handle(Request(method, path, query or {}, {**own, **(headers or {})}, content))


def app_call(market: Ebay, method: str, path: str, query: dict[str, str] | None = None, body: Any = None) -> Response:
    """A call with the application's token."""
    return call(market, method, path, query, body, token=app_token(market))


def assert_model(model: tuple[str, str, str], response: Response, status: int) -> Any:
    """The answer has this status, and a body as the model says; returns the body."""
    assert response.status == status, response
    body = response.json()
    wrong = errors(ebay_response(*model, status), _as_documented(body))
    assert wrong == [], wrong
    return body


def assert_error(model: tuple[str, str, str], response: Response, status: int, error_id: int) -> None:
    """The answer is an error, shaped as eBay's are, and the documented one."""
    assert assert_model(model, response, status)["errors"][0]["errorId"] == error_id


def assert_gateway_error(response: Response, status: int, error_id: int) -> None:
    """An error that no operation lists, for the gateway in front of all of them gives it."""
    assert response.status == status, response
    body = response.json()
    assert errors(ebay_response(FULFILLMENT, "/order", "get", 400), body) == []
    assert body["errors"][0]["errorId"] == error_id


def post_order_error(response: Response) -> tuple[int, int]:
    """Status and errorId of Post-Order's own shape."""
    error = response.json()["errorMessage"]["error"][0]
    assert error["httpStatusCode"] == response.status
    return response.status, int(error["errorId"])


def _as_documented(body: Any) -> Any:
    """Live answers spell one field in another way than the document."""
    text = json.dumps(body).replace('"ebayCollectedTaxAmount"', '"eBayCollectedTaxAmount"')
    return json.loads(text)


def cents(amount: dict[str, str]) -> int:
    units, _, decimals = amount["value"].partition(".")
    return int(units + decimals.ljust(2, "0"))


def shipped(market: Ebay, time: Time, sale: Sale) -> None:
    """The whole order leaves in one parcel."""
    units = {line.line_id: line.quantity for line in sale.lines}
    market.ship(sale, Parcel("94001", "USPS", "94001", time.now, time.now, units))


# --- notifications ------------------------------------------------------------------------------------


def answering(url: str) -> tuple[int, bytes]:
    """An endpoint that knows its verification token."""
    endpoint, _, code = url.partition("?challenge_code=")
    proof = hashlib.sha256(f"{code}{VERIFICATION_TOKEN}{endpoint}".encode()).hexdigest()
    return 200, json.dumps({"challengeResponse": proof}).encode()


def destination(**changes: Any) -> dict[str, Any]:
    config = {"endpoint": HOOK, "verificationToken": VERIFICATION_TOKEN}
    return {"name": "seller", "status": "ENABLED", "deliveryConfig": config, **changes}


def connected(market: Ebay) -> str:
    """Sets the alert address and a destination; returns the destination's id."""
    market.challenge = answering
    assert app_call(market, "PUT", f"{NOTIFY}/config", body={"alertEmail": "alerts@seller.example"}).status == 204
    answer = app_call(market, "POST", f"{NOTIFY}/destination", body=destination())
    assert answer.status == 201, answer
    return answer.headers["Location"].rpartition("/")[2]


def subscription(topic_id: str, destination_id: str, status: str = "ENABLED") -> dict[str, Any]:
    payload = {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"}
    return {"topicId": topic_id, "status": status, "destinationId": destination_id, "payload": payload}


def subscribed(market: Ebay, topic_id: str, destination_id: str) -> str:
    """Subscribes with the token that the topic wants; returns the subscription's id."""
    app_topic = topic_id in {"MARKETPLACE_ACCOUNT_DELETION", "AUTHORIZATION_REVOCATION"}
    token = app_token(market) if app_topic else None
    body = subscription(topic_id, destination_id)
    answer = call(market, "POST", f"{NOTIFY}/subscription", body=body, token=token)
    assert answer.status == 201, answer
    return answer.headers["Location"].rpartition("/")[2]


# --- digital signatures -------------------------------------------------------------------------------


def signing_key(market: Ebay) -> dict[str, Any]:
    answer = app_call(market, "POST", SIGNING_KEY, body={"signingKeyCipher": "ED25519"})
    return dict(assert_model((KEYS, "/signing_key", "post"), answer, 200))


def signature_headers(
    market: Ebay,
    key: dict[str, Any],
    created: int,
    method: str,
    path: str,
    body: bytes,
    host: str = "",
    left_out: tuple[str, ...] = (),
) -> dict[str, str]:
    """The four headers, made by the book, by nothing of the stand-in; `left_out` components are not signed."""
    base = urlsplit(host or market.base_url)
    headers = {"x-ebay-signature-key": key["jwe"]}
    parts = {
        "x-ebay-signature-key": key["jwe"],
        "@method": method,
        "@path": base.path + path,
        "@authority": base.netloc,
    }
    if body:
        headers["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        parts = {"content-digest": headers["Content-Digest"], **parts}
    parts = {name: value for name, value in parts.items() if name not in left_out}
    parameters = "(" + " ".join(f'"{name}"' for name in parts) + f");created={created}"
    lines = [f'"{name}": {value}' for name, value in parts.items()]
    private: Any = load_der_private_key(base64.b64decode(key["privateKey"]), None)
    text = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = base64.b64encode(private.sign(text.encode())).decode()
    return {**headers, "Signature-Input": f"sig1={parameters}", "Signature": f"sig1=:{signature}:"}


def signed_call(market: Ebay, time: Time, key: dict[str, Any], method: str, path: str, body: Any = None) -> Response:
    content = b"" if body is None else json.dumps(body).encode()
    headers = signature_headers(market, key, int(time.now.timestamp()), method, path, content)
    return call(market, method, path, body=body, headers=headers)
