"""Every published signature vector passes with our own code, and altered in any one byte it does not."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from chalicelib.channels.ebay.notifications import challenge_response, told_of, verify
from chalicelib.channels.ebay.signing import sign
from chalicelib.domain.errors import Forged, Unreadable
from tests.contract.official_counts import COUNTS
from tests.shared_data import shared

VECTORS = "ebay/notifications/signature-vectors.json"
CHALLENGE = "ebay/notifications/challenge-vector.json"
SIGNED_CALL = "ebay/digital-signature/sign-ed25519-post.json"
PLATFORM = "ebay/platform-notifications/signature-vector.json"
PLATFORM_SIGNED = "ebay/platform-notifications/AskSellerQuestion.signed.xml"
RAW = "ebay/notifications/MARKETPLACE_ACCOUNT_DELETION.raw.json"

Parts = Mapping[str, bytes]


class Vector(NamedTuple):
    """`parts`: what the signature or digest is of, and itself; `passes`: whether our own code takes them."""

    parts: Parts
    passes: Callable[[Parts], bool]


def loaded(name: str) -> Any:
    return json.loads((shared("samples") / name).read_text(encoding="utf-8"))


# --- notifications of the Notification API ------------------------------------------------------------


def notification(name: str) -> Vector:
    """Message and signature; the header around the signature is made anew, of its other fields we read the key's id."""
    vector = loaded(VECTORS)[name]
    stated = json.loads(base64.b64decode(vector["signature"]))
    body = json.dumps(vector["message"], separators=(",", ":"), ensure_ascii=False).encode()

    def passes(parts: Parts) -> bool:
        header = {**stated, "signature": base64.b64encode(parts["signature"]).decode()}
        try:
            verify(parts["body"], base64.b64encode(json.dumps(header).encode()).decode(), vector["response"]["key"])
        except Forged:
            return False
        return True

    return Vector({"body": body, "signature": base64.b64decode(stated["signature"])}, passes)


# --- the challenge of an endpoint ---------------------------------------------------------------------


def challenge() -> Vector:
    vector = loaded(CHALLENGE)

    def passes(parts: Parts) -> bool:
        given = [parts[name].decode("latin-1") for name in ("challengeCode", "verificationToken", "endpoint")]
        return challenge_response(*given).encode() == parts["challengeResponse"]

    return Vector({name: text.encode() for name, text in vector.items()}, passes)


# --- a signed call ------------------------------------------------------------------------------------


def signed_call() -> Vector:
    """Everything that is covered, and the three headers that come of it."""
    vector = loaded(SIGNED_CALL)
    covered = ("body", "x-ebay-signature-key", "method", "path", "authority")
    made = ("signature", "signature-input", "content-digest-sha256")

    def passes(parts: Parts) -> bool:
        text = {name: part.decode("latin-1") for name, part in parts.items()}
        headers = sign(
            text["method"],
            f"http://{text['authority']}{text['path']}",
            parts["body"],
            text["x-ebay-signature-key"],
            vector["privateKey"],
            vector["created"],
        )
        return [headers[name] for name in ("Signature", "Signature-Input", "Content-Digest")] == [
            text[name] for name in made
        ]

    return Vector({name: vector[name].encode() for name in (*covered, *made)}, passes)


GOOD: dict[str, Callable[[], Vector]] = {
    "eBay notification": lambda: notification("VALID"),
    "eBay endpoint challenge": challenge,
    "eBay signed call": signed_call,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_vector_passes_and_altered_in_any_byte_is_refused(name: str) -> None:
    parts, passes = GOOD[name]()
    assert passes(parts)
    COUNTS.vectors[name] += 1
    for part, content in parts.items():
        for place in range(len(content)):
            altered = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            assert not passes({**parts, part: altered}), f"{part}: byte {place}"
            COUNTS.altered[name] += 1


def test_the_vector_is_of_the_very_bytes_that_were_sent() -> None:
    assert notification("VALID").parts["body"] == (shared("samples") / RAW).read_bytes().strip()


def test_the_vector_that_does_not_match_is_refused() -> None:
    parts, passes = notification("SIGNATURE_MISMATCH")
    assert not passes(parts)


@pytest.mark.parametrize("is_right", [True, False])
def test_a_platform_notification_is_refused_whatever_its_signature_says(is_right: bool) -> None:
    """The vector's formula covers a time and the application's keys, nothing of the content: no such signature can be
    trusted, so Headrace takes none, whether it is right or not."""
    assert loaded(PLATFORM)["formula"] == "base64(md5(Timestamp + DevId + AppId + CertId))"
    body = (shared("samples") / PLATFORM_SIGNED).read_text(encoding="utf-8")
    signature = re.search(r"NotificationSignature[^>]*>([^<]+)<", body)
    assert signature is not None
    other = body.replace(signature[1], signature[1].swapcase())
    assert other != body
    with pytest.raises(Unreadable) as refused:
        told_of(body if is_right else other)
    assert refused.value.reason == "platform_notification"
