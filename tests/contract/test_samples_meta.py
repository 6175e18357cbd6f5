"""Every published vector and recorded purchase of Meta, held to our own code."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from chalicelib.channels.meta.conversions import purchase_event
from chalicelib.channels.meta.hashing import HASHED, hashed, normalised
from chalicelib.channels.signatures import meta_handshake
from chalicelib.domain.attribution import is_cookie
from chalicelib.domain.channel_order import Contact
from chalicelib.domain.errors import Forged
from tests.factories import T0_MS, entered, fact
from tests.shared_data import shared

DOCS = "meta/docs-hash-vectors.json"
PLUGIN = "meta/normalization-vectors.json"
SDK = "meta/sdk-normalize-and-hash-vectors.json"
COOKIES = "meta/fbc-fbp-cases.json"
PURCHASES = tuple(f"meta/capi/purchase.0{n}.json" for n in (1, 2, 3))

# What the plugin makes of it, and we do not: Meta's documentation says that a phone number is digits alone.
REFUSED = {("ph", "555.123.4567"): "5551234567"}
KEYS = {"cn": "country"}  # the plugin's name; `custom` is no key of Meta's and is left out by name
NO_KEY = ("custom",)


def loaded(name: str) -> Any:
    return json.loads((shared("samples") / name).read_text(encoding="utf-8"))


def test_every_hash_of_the_documentation_is_ours() -> None:
    for vector in loaded(DOCS)["vectors"]:
        assert normalised(vector["key"], vector["input"]) == vector["normalized"]
        assert hashed(vector["key"], vector["input"]) == vector["sha256"]


def test_every_vector_of_the_plugin_is_ours_but_the_one_that_the_documentation_contradicts() -> None:
    refused = {}
    for vector in loaded(PLUGIN)["vectors"]:
        if vector["field"] in NO_KEY:
            continue
        key = KEYS.get(vector["field"], vector["field"])
        ours = normalised(key, vector["input"])
        if ours != vector["normalized"]:
            refused[key, vector["input"]] = ours
    assert refused == REFUSED


def test_every_vector_of_the_sdk_is_ours() -> None:
    for vector in loaded(SDK):
        assert normalised(vector["field"], vector["input"]) == vector["normalized"]
        assert hashed(vector["field"], vector["input"]) == vector["sha256"]


def test_a_cookie_without_a_time_is_none_and_every_appendix_is_taken() -> None:
    cases = loaded(COOKIES)
    for value in cases["values_seen_in_tests"]:
        assert is_cookie(value) == (".xxx." not in value)
    assert all(is_cookie(f"fb.1.123.test.{appendix}") for appendix in cases["appendix_seen"])


def test_a_purchase_of_ours_has_no_field_that_meta_does_not_know_and_the_shape_of_a_recorded_one() -> None:
    spec = json.loads((shared("specs") / "meta/conversions-api-fields-from-sdk.json").read_text())
    contact = Contact("Ada Example", "ada@example.com", "+44 20 7946 0958", "c-7", {}, {"user_agent": "Browser"})
    ours = purchase_event(entered(fact()), contact, "https://shop.example/", T0_MS)
    assert ours["user_data"].keys() <= {*spec["user_data"]["wire_keys"], "client_ip_address", "client_user_agent"}
    known = {*spec["custom_data"]["wire_keys"], "contents"}
    assert ours["custom_data"].keys() <= known
    for name in PURCHASES:
        (recorded,) = loaded(name)["data"]
        assert recorded["event_name"] == ours["event_name"]
        assert recorded["custom_data"].keys() <= known | {"content_ids", "content_name"}
        assert type(recorded["custom_data"]["value"]) is type(ours["custom_data"]["value"])
        assert {"currency", "value", "contents"} <= recorded["custom_data"].keys() & ours["custom_data"].keys()
        assert recorded["custom_data"]["contents"][0].keys() <= ours["custom_data"]["contents"][0].keys()
        for key in HASHED & recorded["user_data"].keys():
            digest = recorded["user_data"][key]
            told = digest if isinstance(digest, str) else digest[0]
            assert len(told) == len(hashlib.sha256().hexdigest()) == len(ours["user_data"][key][0])


def test_the_handshake_echoes_the_challenge_to_who_knows_our_word_alone() -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "ours", "hub.challenge": "1158201444"}
    assert meta_handshake(query, "ours") == "1158201444"
    for wrong in ({"hub.verify_token": "other"}, {"hub.mode": "x"}, {"hub.challenge": "<script>"}):
        with pytest.raises(Forged):
            meta_handshake({**query, **wrong}, "ours")
    with pytest.raises(Forged):
        meta_handshake({**query, "hub.verify_token": ""}, "")


# test -> files below samples/
USES: dict[str, tuple[str, ...]] = {
    "test_every_hash_of_the_documentation_is_ours": (DOCS,),
    "test_every_vector_of_the_plugin_is_ours_but_the_one_that_the_documentation_contradicts": (PLUGIN,),
    "test_every_vector_of_the_sdk_is_ours": (SDK,),
    "test_a_cookie_without_a_time_is_none_and_every_appendix_is_taken": (COOKIES,),
    "test_a_purchase_of_ours_has_no_field_that_meta_does_not_know_and_the_shape_of_a_recorded_one": PURCHASES,
}
