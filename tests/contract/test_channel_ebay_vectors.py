"""eBay's published vectors and recorded messages: signatures, challenge, notifications, errors, carriers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.channels.ebay.answers import Declined, errors_of, oauth_error, read_answer
from chalicelib.channels.ebay.notifications import (
    DELETED,
    Told,
    challenge_response,
    key_id_of,
    told_of,
    verify,
)
from chalicelib.channels.ebay.parcels import fulfilment_of, is_told
from chalicelib.channels.ebay.signing import SigningKey, sign, signing_key_of
from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Forged, Refused, Unreadable
from tests.shared_data import shared


def sample(name: str) -> bytes:
    return shared(f"samples/ebay/{name}").read_bytes()


def parsed(name: str) -> Any:
    return json.loads(sample(name))


# --- digital signatures -------------------------------------------------------------------------------


def signed(vector: dict[str, Any], **changes: Any) -> dict[str, str]:
    fields: dict[str, Any] = {
        "method": vector["method"],
        "url": f"http://{vector['authority']}{vector['path']}?not=signed",
        "body": vector["body"].encode(),
        "jwe": vector["x-ebay-signature-key"],
        "private_key_b64": vector["privateKey"],
        "created_s": vector["created"],
    }
    return sign(**{**fields, **changes})


def test_the_published_signature_is_reproduced_byte_for_byte() -> None:
    vector = parsed("digital-signature/sign-ed25519-post.json")
    headers = signed(vector)
    assert headers["Signature"] == vector["signature"]
    assert headers["Signature-Input"] == vector["signature-input"]
    assert headers["Content-Digest"] == vector["content-digest-sha256"]
    assert headers["x-ebay-signature-key"] == vector["x-ebay-signature-key"]
    one_line = "".join(vector["privateKey"].splitlines()[1:-1])
    assert signed(vector, private_key_b64=one_line) == headers


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"url": "http://localhost:8080/tesu"},
        {"url": "http://localhost:8081/test"},
        {"body": b'{"hello": "worle"}'},
        {"created_s": 1663459379},
        {"jwe": "eyJ"},
    ],
)
def test_a_request_altered_anywhere_has_another_signature(change: dict[str, Any]) -> None:
    vector = parsed("digital-signature/sign-ed25519-post.json")
    assert signed(vector, **change)["Signature"] != vector["signature"]


def test_a_request_without_a_body_covers_no_digest() -> None:
    vector = parsed("digital-signature/sign-ed25519-post.json")
    headers = signed(vector, body=b"")
    assert headers["Signature-Input"] == vector["signature-input-without-body"]
    assert "Content-Digest" not in headers


@pytest.mark.parametrize(
    "held",
    [
        None,
        "",
        "no json",
        "[]",
        {},
        {"jwe": "j"},
        {"jwe": "j", "private_key": "k", "expires_ms": "soon"},
        {"jwe": "j", "private_key": "k", "expires_ms": 999},
        {"jwe": "j", "private_key": "k", "expires_ms": 1000},
    ],
)
def test_a_key_that_is_missing_broken_or_over_is_no_key(held: Any) -> None:
    assert signing_key_of({"signing_key": held}, 1000) is None


def test_a_key_is_held_as_an_object_or_as_its_text() -> None:
    held = {"jwe": "j", "private_key": "k", "expires_ms": 1001}
    expected = SigningKey("j", "k", 1001)
    assert signing_key_of({"signing_key": held}, 1000) == expected
    assert signing_key_of({"signing_key": json.dumps(held)}, 1000) == expected
    assert signing_key_of({"signing_key": {"jwe": "j", "private_key": "k"}}, 1000) == SigningKey("j", "k")


@pytest.mark.parametrize("key", ["", "AAAA", "no base64!", "publicKey"])
def test_a_key_that_signs_nothing_is_refused_and_not_shown(key: str) -> None:
    vector = parsed("digital-signature/sign-ed25519-post.json")
    with pytest.raises(Refused) as refused:
        signed(vector, private_key_b64=vector.get(key, key))
    assert refused.value.reason == "bad_signing_key"
    assert not key or key not in refused.value.detail


# --- notifications ------------------------------------------------------------------------------------


def compact(message: Any) -> bytes:
    """As it was sent: JSON.stringify of the official SDK."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_published_notification_is_genuine_and_names_its_key() -> None:
    vector = parsed("notifications/signature-vectors.json")["VALID"]
    raw = compact(vector["message"])
    assert raw == sample("notifications/MARKETPLACE_ACCOUNT_DELETION.raw.json").strip()
    verify(raw, vector["signature"], vector["response"]["key"])
    assert key_id_of(vector["signature"]) == vector["public_key"]
    in_lines = vector["response"]["key"].replace("KEY-----", "KEY-----\n").replace("-----END", "\n-----END")
    verify(raw, vector["signature"], in_lines)


def test_the_published_mismatch_is_forged() -> None:
    vector = parsed("notifications/signature-vectors.json")["SIGNATURE_MISMATCH"]
    with pytest.raises(Forged):
        verify(compact(vector["message"]), vector["signature"], vector["response"]["key"])


def test_a_notification_altered_in_any_byte_is_forged() -> None:
    vector = parsed("notifications/signature-vectors.json")["VALID"]
    raw, key = compact(vector["message"]), vector["response"]["key"]
    for place in range(0, len(raw), 7):
        altered = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(Forged):
            verify(altered, vector["signature"], key)
    with pytest.raises(Forged):
        verify(json.dumps(vector["message"]).encode(), vector["signature"], key)  # parsed and written anew


def header(**changes: Any) -> str:
    stated = json.loads(base64.b64decode(parsed("notifications/signature-vectors.json")["VALID"]["signature"]))
    return base64.b64encode(json.dumps({**stated, **changes}).encode()).decode()


def test_a_signature_altered_in_any_byte_is_forged() -> None:
    vector = parsed("notifications/signature-vectors.json")["VALID"]
    signature = base64.b64decode(json.loads(base64.b64decode(vector["signature"]))["signature"])
    for place in range(0, len(signature), 5):
        altered = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        with pytest.raises(Forged):
            verify(
                compact(vector["message"]),
                header(signature=base64.b64encode(altered).decode()),
                vector["response"]["key"],
            )


NOT_HEADERS = ["", "x", "e30=", "W10=", "bnVsbA==", "\ud800", base64.b64encode(b"\xff").decode()]


@pytest.mark.parametrize("sent", NOT_HEADERS)
def test_a_header_that_is_none_is_forged(sent: str) -> None:
    with pytest.raises(Forged):
        key_id_of(sent)


@pytest.mark.parametrize("changes", [{"signature": ""}, {"signature": 1}, {"kid": ""}, {"kid": ["a"]}])
def test_a_header_that_lacks_a_part_is_forged(changes: dict[str, Any]) -> None:
    with pytest.raises(Forged):
        key_id_of(header(**changes))


@pytest.mark.parametrize("key", ["", "AAAA", "-----BEGIN PUBLIC KEY-----é-----END PUBLIC KEY-----", "ed25519"])
def test_a_key_that_checks_nothing_lets_nothing_pass(key: str) -> None:
    vector = parsed("notifications/signature-vectors.json")["VALID"]
    other = parsed("digital-signature/sign-ed25519-post.json")["publicKey"]
    with pytest.raises(Forged):
        verify(compact(vector["message"]), vector["signature"], other if key == "ed25519" else key)


def test_the_challenge_is_answered_as_ebay_expects() -> None:
    vector = parsed("notifications/challenge-vector.json")
    given = (vector["challengeCode"], vector["verificationToken"], vector["endpoint"])
    assert challenge_response(*given) == vector["challengeResponse"]
    assert challenge_response(given[0], given[1], f"{given[2]}/") != vector["challengeResponse"]


def test_a_deleted_account_names_whom_to_erase() -> None:
    body = parsed("notifications/MARKETPLACE_ACCOUNT_DELETION.raw.json")
    stated = body["notification"]
    told = told_of(sample("notifications/MARKETPLACE_ACCOUNT_DELETION.raw.json"))
    assert told == Told(DELETED, stated["notificationId"], stated["data"]["userId"], stated["data"]["username"])


def test_a_recorded_confirmation_names_its_seller_and_order() -> None:
    data = parsed("notifications/ORDER_CONFIRMATION.two-line-items.json")["notification"]
    told = told_of(sample("notifications/ORDER_CONFIRMATION.two-line-items.json"))
    user, order = data["data"]["user"], data["data"]["order"]
    expected = Told("ORDER_CONFIRMATION", data["notificationId"], user["userId"], user["username"], (order["orderId"],))
    assert told == expected


@pytest.mark.parametrize("name", ["ItemSold.xml", "AskSellerQuestion.signed.xml"])
def test_a_platform_notification_is_refused_by_name(name: str) -> None:
    """Its signature (MD5 of a time and the application's keys) says nothing of its content."""
    vector = parsed("platform-notifications/signature-vector.json")
    assert "md5" in vector["formula"]
    with pytest.raises(Unreadable) as refused:
        told_of(sample(f"platform-notifications/{name}"))
    assert refused.value.reason == "platform_notification"


TRADING = [
    "GetOrders.active-unpaid.taxes.xml",
    "GetOrders.cancelled.monetary-details.xml",
    "GetOrders.completed.three-variation-lines.xml",
    "ReviseInventoryStatus.success.xml",
    "error.auth-token-invalid.xml",
]


@pytest.mark.parametrize("name", TRADING)
def test_an_answer_of_the_old_trading_api_is_no_json_and_passes(name: str) -> None:
    with pytest.raises(Busy):
        read_answer(HttpResponse(200, {}, sample(f"trading-xml/{name}")))


# --- errors, request ids, shipments -------------------------------------------------------------------


def test_each_recorded_shape_of_an_error_gives_its_ids() -> None:
    shapes = parsed("errors/error-shapes.rest-oauth-trading.json")
    rest = shapes["restful"]
    assert errors_of({"errors": rest["errors"]}) == ((1,), False)
    assert errors_of({"error": rest["error"]}) == ((292024, 292023), False)
    assert errors_of({"errorMessage": {"error": rest["error"]}}) == ((292024, 292023), False)
    assert errors_of({"errors": [{"errorId": "7", "category": "APPLICATION"}]}) == ((7,), True)
    assert errors_of(shapes["oauth"]) == ((), False)
    assert oauth_error(HttpResponse(400, {}, json.dumps(shapes["oauth"]).encode())) == shapes["oauth"]["error"]
    assert errors_of(shapes["traditional"]) == ((), False)
    with pytest.raises(Declined) as declined:
        read_answer(HttpResponse(400, {}, json.dumps({"error": rest["error"]}).encode()))
    assert declined.value.codes == (292024, 292023)
    assert "Sendungsnummer" not in str(declined.value)


def test_a_refusal_carries_the_recorded_request_id() -> None:
    lines = sample("fulfillment/getOrder.response-headers.txt").decode().splitlines()
    headers = dict(line.split(":", 1) for line in lines if ":" in line)
    with pytest.raises(Declined) as declined:
        read_answer(HttpResponse(400, headers, b"{}"))
    assert headers["x-ebay-request-id"][:80] in declined.value.detail
    del headers["x-ebay-request-id"]
    with pytest.raises(Declined) as declined:
        read_answer(HttpResponse(400, headers, b"{}"))
    assert headers["rlogid"][:40] in declined.value.detail


def test_a_shipment_has_the_shape_of_the_recorded_one() -> None:
    recorded = parsed("fulfillment/createShippingFulfillment.request.json")
    (line,) = recorded["lineItems"]
    parcel = ShipmentConfirmation(
        shipment_id="S-1",
        sequence=1,
        carrier="usps",
        tracking_number="1Z 5099-2656936",
        shipped_ms=1468972800000,
        items=((line["lineItemId"], line["quantity"]),),
    )
    body = fulfilment_of(parcel, 1468972800000)
    assert body == recorded
    assert is_told(body, [{"shipmentTrackingNumber": recorded["trackingNumber"], "lineItems": recorded["lineItems"]}])
