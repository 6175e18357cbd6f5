"""Digital signatures that eBay demands of sellers in the EU and the UK, and the keys for them.

Sources: developer_key_management_v1_oas3.json; developer.ebay.com/develop/guides/digital-signatures-for-apis; the base
string is checked against the vectors of eBay/digital-signature-nodejs-sdk. Only ED25519 keys are made here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.marketplaces.ebay_back_office import SigningKey
from local.marketplaces.ebay_errors import json_object, refuse
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

KEYS = "API_KEYS"
KEY_LIFETIME = timedelta(days=3 * 365)
SIGNATURE_AGE_S = 300
SIGNED_OPERATIONS = frozenset(
    {
        "getTransactions",
        "getPayouts",
        "getPayout",
        "getPayoutSummary",
        "issueRefund",
        "createCancellation",
        "approveCancellation",
        "processReturnRequest",
        "issueReturnRefund",
    }
)
_INPUT = re.compile(r'sig1=(\(((?:"[^"]+" ?)*)\);created=(\d+).*)')
_SIGNATURE = re.compile(r"sig1=:([^:]+):")


# --- keys ---------------------------------------------------------------------------------------------


def create_signing_key(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /developer/key_management/v1/signing_key: the only answer that ever holds the private key."""
    body = json_object(request, 210006, KEYS)
    if body.get("signingKeyCipher") != "ED25519":
        raise refuse(400, 210001, "A valid signing key cipher is needed.", domain=KEYS)
    number = market.shelf.ebay.number()
    private, public = _key_pair(market.seller_id, number)
    now_s = int(market.clock().timestamp())
    key = SigningKey(
        key_id=f"sk-{number:08}", jwe=_jwe(number), public_key=public, created_s=now_s, expires_s=now_s + _lifetime_s()
    )
    market.shelf.ebay.signing_keys.append(key)
    return json_response(200, {**_key_body(key), "privateKey": private})


def get_signing_keys(market: Ebay, _request: Request, _names: dict[str, str]) -> Response:
    """GET /developer/key_management/v1/signing_key"""
    return json_response(200, {"signingKeys": [_key_body(key) for key in market.shelf.ebay.signing_keys]})


def get_signing_key(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /developer/key_management/v1/signing_key/{signing_key_id}"""
    for key in market.shelf.ebay.signing_keys:
        if key.key_id == names["signing_key_id"]:
            return json_response(200, _key_body(key))
    raise refuse(404, 210002, f"The signing key with id {names['signing_key_id']} was not found.", domain=KEYS)


def _key_body(key: SigningKey) -> dict[str, Any]:
    return {
        "creationTime": key.created_s,
        "expirationTime": key.expires_s,
        "jwe": key.jwe,
        "publicKey": key.public_key,
        "signingKeyCipher": "ED25519",
        "signingKeyId": key.key_id,
    }


def _key_pair(seller_id: str, number: int) -> tuple[str, str]:
    """PKCS #8 and SubjectPublicKeyInfo, both base64 of DER without PEM's lines; the same for the same number."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = hashlib.sha256(f"ebay/signing/{seller_id}/{number}".encode()).digest()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    der = serialization.Encoding.DER
    private_der = private.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public_der = private.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private_der).decode(), base64.b64encode(public_der).decode()


def _jwe(number: int) -> str:
    """Five parts of base64url, which nobody but eBay can read."""
    parts = [hashlib.sha256(f"ebay/jwe/{number}/{part}".encode()).digest() for part in range(5)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _lifetime_s() -> int:
    return int(KEY_LIFETIME.total_seconds())


# --- signatures ---------------------------------------------------------------------------------------


def check_signature(market: Ebay, request: Request) -> None:
    """Refuses with 403 a request that is not signed as it must be: key, digest, components, age, signature."""
    key = _known_key(market, request.header("x-ebay-signature-key"))
    if request.body:
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        if request.header("Content-Digest") != f"sha-256=:{digest}:":
            raise _invalid("Content-Digest is missing, or not that of the body.")
    stated, signed = _INPUT.fullmatch(request.header("Signature-Input")), request.header("Signature")
    signature = _SIGNATURE.fullmatch(signed)
    if stated is None or signature is None:
        raise _invalid("Signature-Input or Signature is missing or malformed.")
    components = re.findall(r'"([^"]+)"', stated[2])
    if missing := _needed(request) - set(components):
        raise _invalid(f"Not covered by the signature: {', '.join(sorted(missing))}")
    if abs(int(stated[3]) - market.clock().timestamp()) > SIGNATURE_AGE_S:
        raise _invalid("The signature was created too long ago.")
    path = urlsplit(market.base_url).path + request.path
    texts = [
        base_string(request, components, stated[1], path=path, authority=authority)
        for authority in _authorities(market, request)
    ]
    if not any(_verifies(key, signature[1], text) for text in texts):
        raise _invalid("The signature does not match.")


def base_string(request: Request, components: list[str], parameters: str, *, path: str, authority: str) -> str:
    """What is signed: a line for each component, then the parameters (RFC 9421). `path` is without query."""
    derived = {"@method": request.method.upper(), "@path": path, "@authority": authority}
    lines = [f'"{name}": {derived.get(name) or request.header(name)}' for name in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}'])


def _needed(request: Request) -> set[str]:
    needed = {"x-ebay-signature-key", "@method", "@path", "@authority"}
    return needed | ({"content-digest"} if request.body else set())


def _authorities(market: Ebay, request: Request) -> set[str]:
    """The hosts that the caller may have meant: the one asked, and eBay's two, which are one here."""
    host = urlsplit(market.base_url).netloc
    return {request.header("Host") or host, host, host.replace("api.", "apiz.", 1)}


def _known_key(market: Ebay, jwe: str) -> SigningKey:
    if not jwe:
        raise refuse(403, 215001, "Missing x-ebay-signature-key header", domain="ACCESS")
    for key in market.shelf.ebay.signing_keys:
        if key.jwe == jwe:
            if key.expires_s <= market.clock().timestamp():
                raise _invalid("The signing key has expired.")
            return key
    raise _invalid("The signing key is not known.")


def _verifies(key: SigningKey, signature: str, text: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    public: Any = load_der_public_key(base64.b64decode(key.public_key))
    try:
        public.verify(base64.b64decode(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _invalid(details: str) -> RefusalError:
    return refuse(403, 215120, "Signature validation failed", details, domain="ACCESS")
