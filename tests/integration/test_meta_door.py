"""Meta's webhooks as Lambda gets them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.webhooks
from app import app
from chalicelib.store.accounts import add_account
from local.memory.world import World

SECRET, WORD = "the app's secret", "a word of ours"
BODY = json.dumps(
    {"object": "page", "entry": [{"id": "7", "time": 1, "changes": [{"value": "Gr\u00f6\u00dfe"}]}]}
).encode()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.secrets.kept = {"meta/webhook": {"verify_token": WORD, "secrets": ["the next one", SECRET]}}
    add_account(world.tables, "meta", {})
    monkeypatch.setattr(chalicelib.inbound.webhooks, "runtime", lambda: world.runtime)
    return world


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with Client(app) as client:
        yield client


def signature(raw: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def post(client: Client, raw: bytes, signed: str, to: str = "meta") -> Any:
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signed}
    return client.http.request("POST", f"/webhooks/{to}", headers=headers, body=raw)


def asked(client: Client, mode: str = "subscribe", word: str = WORD, challenge: str = "1158201444") -> Any:
    query = f"hub.mode={mode}&hub.verify_token={word.replace(' ', '%20')}&hub.challenge={challenge}"
    return client.http.get(f"/webhooks/meta?{query}")


def test_the_challenge_comes_back_as_it_was_and_as_text(client: Client) -> None:
    answer = asked(client)
    assert (answer.status_code, answer.body) == (200, b"1158201444")
    assert answer.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize(
    "wrong", [{"word": "another"}, {"word": ""}, {"mode": "unsubscribe"}, {"challenge": "%3Cscript%3E"}]
)
def test_who_does_not_know_the_word_hears_401(client: Client, wrong: dict[str, str]) -> None:
    assert asked(client, **wrong).status_code == 401


def test_without_a_word_nobody_may_subscribe(client: Client, world: World) -> None:
    world.secrets.kept = {"meta/webhook": {"secrets": [SECRET]}}
    assert asked(client, word="").status_code == 401


@pytest.mark.parametrize(
    "raw", [BODY, b"{}", b'{"object": 7}', b"no json", b"[]", b'{"object": "' + b"x" * 900 + b'"}']
)
def test_what_meta_has_signed_is_acknowledged_and_wakes_nothing(client: Client, world: World, raw: bytes) -> None:
    answer = post(client, raw, signature(raw))
    assert (answer.status_code, answer.json_body["accepted"]) == (200, False)
    assert not any(world.queues.waiting.values())


def test_altered_in_any_byte_it_is_forged(client: Client) -> None:
    signed = signature(BODY)
    for at in range(len(BODY)):
        altered = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
        assert post(client, altered, signed).status_code == 401, at
    for at in range(len(signed)):
        altered_header = signed[:at] + chr(ord(signed[at]) ^ 1) + signed[at + 1 :]
        assert post(client, BODY, altered_header).status_code == 401, at
    assert post(client, BODY, "").status_code == 401
    assert post(client, json.dumps(json.loads(BODY), ensure_ascii=False).encode(), signed).status_code == 401


def test_only_an_account_that_is_there_is_told_anything(client: Client) -> None:
    assert post(client, BODY, signature(BODY), to="meta-other").status_code == 404
    assert client.http.get("/webhooks/meta-other?hub.mode=subscribe").status_code == 404
