"""eBay's door as Lambda gets it: challenge, signature, and what follows of each topic."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import chalicelib.inbound.webhooks
from app import app
from chalicelib.channels.access import Access
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.inbound import ebay_door
from chalicelib.runtime import log
from chalicelib.store.accounts import add_account, read_pause, resume_account
from chalicelib.store.contacts import buyer_of
from chalicelib.store.signing_keys import FRESH_MS, LOOKUPS_A_MINUTE, MOST_UNKNOWN, STALE_MS, UNKNOWN_MS
from chalicelib.store.tables import Key
from local.memory.world import World

TOKEN, ENDPOINT = "a-verification-token-of-forty-characters", "https://oms.example/api/webhooks/ebay"
SELLER_ID, SELLER_NAME = "seller-id-1", "a_seller"
EBAY = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    """As eBay gives it: without line breaks."""
    text = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return text.replace("\n", "")


class Keys:
    """What eBay answers for each key id, and how often it was asked; stands for `EbayClient`."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {"k1": pem(EBAY)}
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.base_url = ""

    def __call__(self, _kind: str) -> Any:
        def make(access: Access) -> Keys:
            assert access.credentials["client_id"] == "id"
            self.base_url = access.account["base_url"]
            return self

        return make

    def public_key(self, key_id: str) -> dict[str, str]:
        self.asked.append(key_id)
        if self.error:
            raise self.error
        if key_id not in self.known:
            raise Refused("channel_refused", "ebay answered 400: 195001")
        return {"key": self.known[key_id], "algorithm": "ECDSA", "digest": "SHA1"}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    found = Keys()
    monkeypatch.setattr(ebay_door, "client_class", found)
    return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, keys: Keys) -> World:
    world = World(transport=lambda request: None)
    world.secrets.kept = {
        "ebay/webhook": {"verification_token": TOKEN, "endpoint": ENDPOINT, "base_url": "https://ebay.test"},
        "ebay/api": {"client_id": "id", "client_secret": "very secret", "refresh_token": "refresh"},
    }
    add_account(world.tables, "ebay", {"seller_id": SELLER_ID})
    monkeypatch.setattr(chalicelib.inbound.webhooks, "runtime", lambda: world.runtime)
    return world


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(log, "sink", found.append)
    return found


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def body_of(topic: str, **data: Any) -> bytes:
    notification = {"notificationId": "n-1", "eventDate": "2026-06-29T22:20:46.298Z", "data": data}
    return json.dumps({"metadata": {"topic": topic}, "notification": notification}).encode()


def confirmation(order_id: str = "19-1-1", **user: str) -> bytes:
    user = user or {"userId": SELLER_ID, "username": SELLER_NAME}
    return body_of("ORDER_CONFIRMATION", user=user, order={"orderId": order_id})


def signed(raw: bytes, kid: str = "k1", key: ec.EllipticCurvePrivateKey = EBAY) -> str:
    signature = base64.b64encode(key.sign(raw, ec.ECDSA(SHA1()))).decode()  # noqa: S303 eBay's choice
    header = {"alg": "ecdsa", "kid": kid, "signature": signature, "digest": "SHA1"}
    return base64.b64encode(json.dumps(header).encode()).decode()


def post(client: Client, raw: bytes, signature: str | None = None, channel: str = "ebay") -> int:
    headers = {"Content-Type": "application/json"}
    headers["X-EBAY-SIGNATURE"] = signed(raw) if signature is None else signature
    return int(client.http.post(f"/webhooks/{channel}", headers=headers, body=raw).status_code)


def waiting(world: World) -> dict[str, list[Any]]:
    return {queue: [json.loads(body) for _, body, _ in each] for queue, each in world.queues.waiting.items() if each}


def hints(world: World) -> list[Any]:
    """What the worker makes of the notifications."""
    while world.deliver("ebay-notifications"):
        pass
    return waiting(world).get("hints", [])


def test_the_challenge_is_answered_with_the_digest_of_code_token_and_endpoint(world: World, client: Client) -> None:
    answer = client.http.get("/webhooks/ebay?challenge_code=abc")
    wanted = hashlib.sha256(("abc" + TOKEN + ENDPOINT).encode()).hexdigest()
    assert (answer.status_code, answer.json_body) == (200, {"challengeResponse": wanted})


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/webhooks/ebay", 400),
        ("/webhooks/ebay-de?challenge_code=a", 400),  # its secret is not set
        ("/webhooks/ebay-uk?challenge_code=a", 404),  # nobody has added it
        ("/webhooks/shopify?challenge_code=a", 404),
    ],
)
def test_no_other_challenge_is_answered(world: World, client: Client, path: str, status: int) -> None:
    add_account(world.tables, "ebay-de", {})
    assert client.http.get(path).status_code == status


def test_a_signed_confirmation_is_a_hint_for_the_sellers_account(world: World, client: Client, keys: Keys) -> None:
    add_account(world.tables, "ebay-uk", {"seller_id": SELLER_NAME.upper()})
    add_account(world.tables, "ebay-de", {"seller_id": "another"})
    assert post(client, confirmation()) == 204
    assert hints(world) == [{"channel": name, "external_id": "19-1-1"} for name in ("ebay", "ebay-uk")]
    assert keys.base_url == "https://ebay.test"


def test_a_confirmation_for_nobody_known_goes_to_the_channel_of_the_url(world: World, client: Client) -> None:
    assert post(client, confirmation(userId="unheard-of")) == 204
    assert hints(world) == [{"channel": "ebay", "external_id": "19-1-1"}]


def test_a_forged_one_is_refused_and_leaves_nothing(world: World, client: Client) -> None:
    raw = confirmation()
    altered = raw.replace(b"19-1-1", b"19-1-2")
    respaced = json.dumps(json.loads(raw), indent=1).encode()
    forged = [signed(raw, key=STRANGER), "", "rubbish", base64.b64encode(b'{"kid": "../x"}').decode()]
    assert [post(client, raw, signature) for signature in forged] == [412] * 4
    assert [post(client, other, signed(raw)) for other in (altered, respaced)] == [412, 412]
    assert waiting(world) == {}


def test_a_key_is_fetched_once_an_hour_for_all_containers(world: World, client: Client, keys: Keys) -> None:
    for seconds in (0, 1, 120, FRESH_MS // 1000 - 200):
        world.now_ms += seconds * 1000
        world.runtime.unsettle("signing key/ebay/k1")  # another container
        assert post(client, confirmation()) == 204
    assert keys.asked == ["k1"]
    world.now_ms += FRESH_MS
    assert post(client, confirmation()) == 204
    assert keys.asked == ["k1", "k1"]


def test_made_up_key_ids_do_not_use_up_the_days_calls(world: World, client: Client, keys: Keys) -> None:
    raw = confirmation()
    assert [post(client, raw, signed(raw, "made-up")) for _ in range(3)] == [412] * 3
    assert keys.asked == ["made-up"]
    answers = {post(client, raw, signed(raw, f"made-up-{n}")) for n in range(100)}
    assert len(keys.asked) == LOOKUPS_A_MINUTE
    assert answers == {412, 503}
    world.now_ms += UNKNOWN_MS
    assert post(client, raw, signed(raw, "made-up")) == 412
    assert keys.asked.count("made-up") == 2


def test_few_made_up_ids_are_remembered(world: World, client: Client, keys: Keys) -> None:
    raw = confirmation()
    for n in range(MOST_UNKNOWN + 10):
        world.now_ms += 60_000 // LOOKUPS_A_MINUTE + 1
        post(client, raw, signed(raw, f"made-up-{n}"))
    item = world.tables.get(Key("channels", "KEYS#ebay", "UNKNOWN"))
    assert item
    assert 0 < len(item["until_ms"]) <= MOST_UNKNOWN


@pytest.mark.parametrize(
    "error", [Busy("no answer"), Unauthorised("the secret lacks client_id"), Refused("not_authorised", "scope")]
)
def test_ebay_hears_503_while_its_key_is_out_of_reach(
    world: World, client: Client, keys: Keys, error: Exception
) -> None:
    keys.error = error
    assert post(client, confirmation()) == 503
    assert waiting(world) == {}
    keys.error = None
    assert post(client, confirmation()) == 204  # nothing was held against the key


def test_an_old_key_serves_while_ebay_is_out_of_reach_but_not_for_ever(
    world: World, client: Client, keys: Keys
) -> None:
    assert post(client, confirmation()) == 204
    keys.error = Busy("no answer")
    world.now_ms += FRESH_MS + 1
    assert post(client, confirmation()) == 204
    world.now_ms += STALE_MS
    assert post(client, confirmation()) == 503


def test_a_revoked_consent_pauses_the_sellers_account_only(world: World, client: Client) -> None:
    add_account(world.tables, "ebay-uk", {"seller_id": "another"})
    assert post(client, body_of("AUTHORIZATION_REVOCATION", userId=SELLER_ID), channel="ebay") == 204
    assert hints(world) == []
    assert read_pause(world.tables, "ebay")
    assert read_pause(world.tables, "ebay-uk") is None


def test_a_revocation_that_comes_again_after_a_new_consent_pauses_nobody(world: World, client: Client) -> None:
    revoked = body_of("AUTHORIZATION_REVOCATION", userId=SELLER_ID)
    post(client, revoked)
    hints(world)
    resume_account(world.tables, "ebay")
    assert post(client, revoked) == 204
    hints(world)
    assert read_pause(world.tables, "ebay") is None


def test_a_notification_for_an_account_that_nobody_has_added_is_refused(
    world: World, client: Client, keys: Keys
) -> None:
    assert post(client, confirmation(), channel="ebay-made-up") == 404
    assert (waiting(world), keys.asked) == ({}, [])


def test_the_revocation_of_a_stranger_pauses_nobody(world: World, client: Client) -> None:
    assert post(client, body_of("AUTHORIZATION_REVOCATION", userId="a stranger")) == 204
    assert hints(world) == []
    assert read_pause(world.tables, "ebay") is None


def test_a_deletion_waits_under_digests_of_both_names(world: World, client: Client, lines: list[str]) -> None:
    data = {"username": "Ada-Example", "userId": "uid-ada", "eiasToken": "token"}
    assert post(client, body_of("MARKETPLACE_ACCOUNT_DELETION", **data)) == 204
    buyers = [buyer_of("ebay", "uid-ada"), buyer_of("ebay", "ada-example")]
    assert waiting(world) == {"erasure": [{"notification_id": "n-1", "buyers": buyers}]}
    assert not [line for line in lines if "ada" in line.lower()]


def test_what_ebay_signed_and_nobody_can_read_is_acknowledged_and_a_person_called(
    world: World, client: Client, lines: list[str]
) -> None:
    assert post(client, b'{"hello": 1}') == 204
    assert [json.loads(line)["event"] for line in lines if "Alarms" in line] == ["notification_unread"]
    assert waiting(world) == {}


def test_other_topics_are_acknowledged_and_left_alone(world: World, client: Client) -> None:
    assert post(client, body_of("ITEM_AVAILABILITY", user={"userId": SELLER_ID})) == 204
    assert hints(world) == []
