"""Every published signature vector passes with our own code, and altered in any one byte it does not."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from chalicelib.channels.ebay.notifications import challenge_response, told_of, verify
from chalicelib.channels.ebay.signing import sign
from chalicelib.channels.signatures import (
    verify_easypost,
    verify_meta,
    verify_shopify,
    verify_stripe,
    verify_woocommerce,
)
from chalicelib.domain.errors import Forged, Unreadable
from tests.contract.official_counts import COUNTS
from tests.shared_data import shared

VECTORS = "ebay/notifications/signature-vectors.json"
CHALLENGE = "ebay/notifications/challenge-vector.json"
SIGNED_CALL = "ebay/digital-signature/sign-ed25519-post.json"
PLATFORM = "ebay/platform-notifications/signature-vector.json"
PLATFORM_SIGNED = "ebay/platform-notifications/AskSellerQuestion.signed.xml"
RAW = "ebay/notifications/MARKETPLACE_ACCOUNT_DELETION.raw.json"
HASHES = ("docs-hash-vectors", "normalization-vectors", "sdk-normalize-and-hash-vectors")  # of test_samples_meta
STRIPES_S = 1_700_000_000  # when Stripe's vectors were signed (Unix s)

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


# --- HMAC over the raw body ---------------------------------------------------------------------------


class Signed(NamedTuple):
    """A file of vectors, the header that they are of, and how many of them pass (`good`) and do not (`bad`)."""

    file: str
    header: str
    good: int
    bad: int
    verify: Callable[[bytes, str, list[str]], None]


SIGNED = {
    "shopify": Signed("shopify/signature-vectors.json", "X-Shopify-Hmac-Sha256", 3, 0, verify_shopify),
    "woocommerce": Signed("woocommerce/signature-vectors.json", "X-WC-Webhook-Signature", 1, 1, verify_woocommerce),
    "stripe": Signed(
        "stripe/signature-vectors.json",
        "Stripe-Signature",
        2,
        2,
        lambda raw, header, secrets: verify_stripe(raw, header, secrets, STRIPES_S),
    ),
    "meta": Signed("meta/signature-vectors.json", "X-Hub-Signature-256", 1, 0, verify_meta),
    "easypost": Signed("carriers/easypost/signature-vectors.json", "X-Hmac-Signature", 1, 0, verify_easypost),
}


def signed(kind: str, number: int, *, is_valid: bool = True) -> Vector:
    """The vector of that number among those that pass, or do not. What Stripe's header says beside the time and the
    signature that fits stands for nothing, so a second signature is left out."""
    told = SIGNED[kind]
    vector = [each for each in loaded(told.file)["vectors"] if each["valid"] is is_valid][number]
    file = (shared("samples") / told.file).parent / vector.get("body_file", "")
    body = file.read_bytes() if file.is_file() else vector["body"].encode()
    header = vector[told.header].replace("v1=potato,", "")

    def passes(parts: Parts) -> bool:
        try:
            told.verify(
                parts["body"],
                parts["header"].decode("latin-1"),
                ["another", parts["secret"].decode("utf-8", "replace")],
            )
        except Forged:
            return False
        return True

    return Vector({"body": body, "header": header.encode(), "secret": vector["secret"].encode()}, passes)


GOOD: dict[str, Callable[[], Vector]] = {
    "ebay notification": lambda: notification("VALID"),
    "ebay endpoint challenge": challenge,
    "ebay signed call": signed_call,
} | {
    f"{kind} {number + 1}": functools.partial(signed, kind, number)
    for kind, told in SIGNED.items()
    for number in range(told.good)
}
BAD: dict[str, Callable[[], Vector]] = {"ebay notification": lambda: notification("SIGNATURE_MISMATCH")} | {
    f"{kind} {number + 1}": functools.partial(signed, kind, number, is_valid=False)
    for kind, told in SIGNED.items()
    for number in range(told.bad)
}


def test_every_vector_of_every_file_is_held_to_our_code() -> None:
    root = shared("samples")
    files = {str(path.relative_to(root)) for path in root.rglob("*vector*.json")}
    hashes = {f"meta/{name}.json" for name in HASHES}
    assert files == {told.file for told in SIGNED.values()} | {VECTORS, CHALLENGE, PLATFORM} | hashes
    assert loaded(VECTORS).keys() == {"VALID", "SIGNATURE_MISMATCH"}
    for kind, told in SIGNED.items():
        valid = [vector["valid"] for vector in loaded(told.file)["vectors"]]
        assert (valid.count(True), valid.count(False)) == (told.good, told.bad), kind


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


@pytest.mark.parametrize("name", BAD)
def test_a_vector_that_does_not_match_is_refused(name: str) -> None:
    parts, passes = BAD[name]()
    assert not passes(parts)


def test_one_signature_of_several_is_enough() -> None:
    headers = [vector["Stripe-Signature"] for vector in loaded(SIGNED["stripe"].file)["vectors"] if vector["valid"]]
    assert [header.count("v1=") for header in headers] == [1, 2]
    for number, header in enumerate(headers):
        parts, passes = signed("stripe", number)
        assert passes({**parts, "header": header.encode()})


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
