from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from chalicelib.channels.signatures import verify_shopify, verify_standard_webhook
from chalicelib.domain.errors import Forged
from tests.shared_data import shared

NOW_S = 1_800_000_000
KEY = b"a key that nobody knows"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"id":"A-1","total":"10.00","note":"Größe"}'.encode()


def signed(body: bytes = BODY, at_s: int = NOW_S, key: bytes = KEY) -> dict[str, str]:
    digest = hmac.new(key, b"msg_1." + str(at_s).encode() + b"." + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at_s), "webhook-signature": signature}


def test_every_published_shopify_vector_passes_and_each_altered_byte_fails() -> None:
    vectors = json.loads(shared("samples/shopify/signature-vectors.json").read_text())["vectors"]
    assert vectors
    for vector in vectors:
        body, header = vector["body"].encode(), vector["X-Shopify-Hmac-Sha256"]
        verify_shopify(body, header, ["another", vector["secret"]])
        for position in range(len(body)):
            altered = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
            with pytest.raises(Forged):
                verify_shopify(altered, header, [vector["secret"]])


@pytest.mark.parametrize("header", ["", "not base64!", "AAAA"])
def test_a_signature_that_is_none_is_forged(header: str) -> None:
    with pytest.raises(Forged):
        verify_shopify(BODY, header, ["secret"])


@pytest.mark.parametrize("secrets", [[], [""], ["  "]])
def test_an_empty_secret_opens_nothing(secrets: list[str]) -> None:
    empty = base64.b64encode(hmac.new(b"", BODY, hashlib.sha256).digest()).decode()
    with pytest.raises(Forged, match="no_secret"):
        verify_shopify(BODY, empty, secrets)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_====", "whsec_not-base64!", "a plain password"])
def test_a_secret_that_decodes_to_nothing_opens_nothing(secret: str) -> None:
    """An empty key signs for everybody."""
    with pytest.raises(Forged, match="no_secret"):
        verify_standard_webhook(BODY, signed(key=b""), [secret], NOW_S)
    with pytest.raises(Forged, match="bad_signature"):
        verify_standard_webhook(BODY, signed(key=b""), [secret, SECRET], NOW_S)
    verify_standard_webhook(BODY, signed(), [secret, SECRET], NOW_S)


def test_a_standard_webhook_passes_with_the_old_or_the_new_secret() -> None:
    verify_standard_webhook(BODY, signed(), [SECRET], NOW_S)
    verify_standard_webhook(BODY, signed(), ["whsec_bmV3", SECRET], NOW_S + 299)
    two = {**signed(), "webhook-signature": "v1,AAAA v2,xx " + signed()["webhook-signature"]}
    verify_standard_webhook(BODY, two, [SECRET], NOW_S)


def test_each_altered_byte_id_or_time_of_a_standard_webhook_is_forged() -> None:
    for position in range(len(BODY)):
        altered = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        with pytest.raises(Forged):
            verify_standard_webhook(altered, signed(), [SECRET], NOW_S)
    for name, value in (("webhook-id", "msg_2"), ("webhook-timestamp", str(NOW_S + 1)), ("webhook-signature", "")):
        with pytest.raises(Forged):
            verify_standard_webhook(BODY, {**signed(), name: value}, [SECRET], NOW_S)


@pytest.mark.parametrize("late_s", [-301, 301])
def test_an_old_delivery_cannot_be_played_again(late_s: int) -> None:
    with pytest.raises(Forged, match="stale"):
        verify_standard_webhook(BODY, signed(), [SECRET], NOW_S + late_s)
