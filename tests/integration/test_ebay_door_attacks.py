"""What strangers may try at eBay's door, and what eBay itself may answer wrongly."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from chalice.test import Client
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import chalicelib.inbound.webhooks
from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.store.accounts import add_account
from local.memory.world import World
from tests.integration.test_ebay_door import (
    EBAY,
    TOKEN,
    Keys,
    body_of,
    client,
    confirmation,
    keys,
    lines,
    pem,
    post,
    signed,
    waiting,
    world,
)

__all__ = ["client", "keys", "lines", "world"]


def header(**stated: Any) -> str:
    return base64.b64encode(json.dumps(stated).encode()).decode()


RUBBISH = [
    "",
    " ",
    "=",
    "\N{SNOWMAN}".encode().decode("latin-1"),
    base64.b64encode(b"\xff\xfe").decode(),
    base64.b64encode(b"[" * 6000).decode(),
    base64.b64encode(b"9" * 6000).decode(),
    base64.b64encode(b"null").decode(),
    header(kid="k1"),
    header(kid="k1", signature=None),
    header(kid="k1", signature=["MEU="]),
    header(kid="k1", signature="not base64!"),
    header(kid="k1", signature=""),
    header(kid="k1", signature=base64.b64encode(b"no DER").decode()),
    header(kid=["k1"], signature="MEU="),
    header(kid="k1" * 40, signature="MEU="),
    header(kid="../config", signature="MEU="),
    header(kid="k1\n", signature="MEU="),
    header(kid="", signature="MEU="),
]


@pytest.mark.parametrize("wrong", RUBBISH)
def test_a_header_that_is_no_signature_is_refused_in_ebays_way(world: World, client: Client, wrong: str) -> None:
    assert post(client, confirmation(), wrong) == 412
    assert waiting(world) == {}


def test_a_signature_over_another_digest_is_none(world: World, client: Client) -> None:
    raw = confirmation()
    signature = base64.b64encode(EBAY.sign(raw, ec.ECDSA(SHA256()))).decode()
    assert post(client, raw, header(kid="k1", signature=signature, alg="ecdsa", digest="SHA256")) == 412


def test_the_words_beside_the_signature_decide_nothing(world: World, client: Client) -> None:
    raw = confirmation()
    stated = json.loads(base64.b64decode(signed(raw)))
    for words in ({}, {"alg": "none", "digest": "none"}, {"alg": 1, "more": {}}):
        proof = {name: stated[name] for name in ("kid", "signature")}
        assert post(client, raw, header(**proof, **words)) == 204


@pytest.mark.parametrize(
    "raw", [b"", b"not json", b"[1]", b"\xff\xfe\x00", b'{"metadata": 3}', b"<xml/>", b"[" * 50000]
)
def test_what_ebay_signed_is_acknowledged_whatever_it_is(world: World, client: Client, raw: bytes) -> None:
    assert post(client, raw) == 204
    assert waiting(world) == {}


def test_what_is_larger_than_the_door_is_refused_before_anything_is_asked(
    world: World, client: Client, keys: Keys
) -> None:
    assert post(client, b" " * 11_000_000) in (400, 413)
    assert keys.asked == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"userId": None},
        {"userId": ["x"]},
        {"userId": {}},
        {"username": "", "userId": ""},
    ],
)
def test_a_deletion_that_names_nobody_calls_a_person(
    world: World, client: Client, lines: list[str], data: dict[str, Any]
) -> None:
    assert post(client, body_of("MARKETPLACE_ACCOUNT_DELETION", **data)) == 204
    assert [json.loads(line)["event"] for line in lines if "Alarms" in line] == ["notification_unread"]


def test_a_key_that_cannot_be_read_is_not_kept(world: World, client: Client, keys: Keys) -> None:
    """One bad answer of eBay's would refuse its notifications for an hour, and it would count us as down."""
    other = rsa.generate_private_key(65537, 2048).public_key()
    for wrong in ("", "rubbish", other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()):
        keys.known["k1"] = wrong
        assert post(client, confirmation()) == 503
    keys.known["k1"] = pem(EBAY)
    assert post(client, confirmation()) == 204


@pytest.mark.parametrize(("status", "wanted"), [(400, 412), (404, 412), (403, 503), (409, 503)])
def test_only_ebays_word_that_there_is_no_key_is_held_against_it(
    world: World, client: Client, keys: Keys, status: int, wanted: int
) -> None:
    keys.error = Declined(status, (195001,) if status == 404 else (), "ebay answered")
    assert post(client, confirmation()) == wanted
    keys.error = None
    assert post(client, confirmation()) == (412 if wanted == 412 else 204)


def test_made_up_ids_do_not_use_up_the_applications_grants(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    """eBay grants an application 1,000 tokens a day; a lookup for each of 5 ids a minute would want 7,200."""
    asked: list[str] = []

    def ebay(request: HttpRequest) -> HttpResponse:
        asked.append(request.url)
        if "oauth2" in request.url:
            return HttpResponse(200, {}, b'{"access_token": "t", "expires_in": 7200}')
        return HttpResponse(404, {}, b'{"errors": [{"errorId": 195001}]}')

    world = World(transport=ebay)
    world.secrets.kept = {
        "ebay/webhook": {"verification_token": TOKEN, "endpoint": "https://x", "base_url": "https://grants.test"},
        "ebay/api": {"client_id": "id", "client_secret": "secret"},
    }
    add_account(world.tables, "ebay", {})
    monkeypatch.setattr(chalicelib.inbound.webhooks, "runtime", lambda: world.runtime)
    raw = confirmation()
    for n in range(10):
        world.now_ms += 60_000
        assert post(client, raw, signed(raw, f"made-up-{n}")) == 412
    assert len([url for url in asked if "public_key" in url]) == 10
    assert len([url for url in asked if "oauth2" in url]) == 1
    world.now_ms += 7_200_000
    post(client, raw, signed(raw, "made-up"))
    assert len([url for url in asked if "oauth2" in url]) == 2


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"]
)
def test_a_notification_may_name_its_charset(world: World, client: Client, kind: str) -> None:
    raw = confirmation()
    headers = {"Content-Type": kind, "x-ebay-signature": signed(raw)}
    assert client.http.post("/webhooks/ebay", headers=headers, body=raw).status_code == 204
