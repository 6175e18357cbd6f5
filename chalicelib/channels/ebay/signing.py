"""Digital signatures, which eBay demands of sellers in the EU and the UK where money moves.

Sources: developer.ebay.com/develop/guides/digital-signatures-for-apis; RFC 9421 (the base string); the vectors of
eBay/digital-signature-nodejs-sdk. The key is made by Key Management, lives three years, and is the application's.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.domain.errors import Refused


@dataclass(frozen=True)
class SigningKey:
    """`jwe` is eBay's own wrapping of the public key; `private_key` is PKCS #8, base64 with or without PEM's lines."""

    jwe: str
    private_key: str
    expires_ms: int = 0


def signing_key_of(credentials: Mapping[str, Any], now_ms: int) -> SigningKey | None:
    """The key in the account's secret (an object or its JSON text); None when there is none, or it has expired."""
    held = credentials.get("signing_key")
    try:
        held = json.loads(held) if isinstance(held, str) and held else held
        if not isinstance(held, dict) or not held.get("jwe") or not held.get("private_key"):
            return None
        key = SigningKey(str(held["jwe"]), str(held["private_key"]), int(held.get("expires_ms") or 0))
    except (ValueError, TypeError):
        return None
    return None if 0 < key.expires_ms <= now_ms else key


def sign(method: str, url: str, body: bytes, jwe: str, private_key_b64: str, created_s: int) -> dict[str, str]:
    """The headers that sign one request. `url` is absolute; its query is not signed. Raises `Refused` for a key that is
    no Ed25519 key."""
    place = urlsplit(url)
    covered = {"x-ebay-signature-key": jwe, "@method": method, "@path": place.path, "@authority": place.netloc}
    headers = {"x-ebay-signature-key": jwe, "x-ebay-enforce-signature": "true"}
    if body:
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        headers["Content-Digest"] = digest
        covered = {"content-digest": digest, **covered}
    names = " ".join(f'"{name}"' for name in covered)
    parameters = f"({names});created={created_s}"
    lines = [f'"{name}": {value}' for name, value in covered.items()]
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = base64.b64encode(_signed(base.encode(), private_key_b64)).decode()
    return {**headers, "Signature-Input": f"sig1={parameters}", "Signature": f"sig1=:{signature}:"}


def _signed(base: bytes, private_key_b64: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    text = "".join(line for line in private_key_b64.splitlines() if not line.startswith("-----"))
    try:
        key = load_der_private_key(base64.b64decode(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("bad_signing_key", "signing_key.private_key must be the Ed25519 key that Key Management gave")
    return key.sign(base)
