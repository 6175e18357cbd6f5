"""The command line connects accounts at EasyPost and Shippo."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.channels.carrier_port import LabelRequest
from chalicelib.channels.transport import HttpRequest
from chalicelib.store.accounts import pause_account, read_account
from local.carriers.desk import UNKNOWN_POSTCODE, Desk
from tests.contract.carrier_desks import WISH
from tests.integration.cli_box import DOOR, Box, box_fixture  # noqa: F401

SENDER = {
    "name": "Store",
    "line1": "1 Dock Road",
    "city": "Springfield",
    "region": "IL",
    "postcode": "62701",
    "country": "US",
    "phone": "5550100",
}
KINDS = pytest.mark.parametrize("kind", ["easypost", "shippo"])


def desk(box: Box, kind: str) -> Desk:
    found: Desk = getattr(box, kind)
    return found


def carrier(box: Box, kind: str, *more: str, sender: dict[str, Any] | None = None, key: str = "") -> tuple[str, ...]:
    keys, address = box.file("keys", api_key=key or desk(box, kind).api_key), box.file("sender", **(sender or SENDER))
    return ("add", kind, "--file", keys, "--sender", address, *more)


@KINDS
def test_an_account_is_connected_down_to_its_webhook(box: Box, kind: str) -> None:
    steps = box.steps(*carrier(box, kind, "--public-url", DOOR))
    assert {name: step["state"] for name, step in steps.items()} == dict.fromkeys(
        ("account", "credentials", "sender", "carriers", "webhooks"), "ok"
    )
    assert steps["carriers"]["detail"] == "UPS, USPS"
    assert read_account(box.stage.tables, kind) == {"sender": SENDER, "webhook_url": f"{DOOR}/webhooks/{kind}"}
    (secret,) = box.stage.read_secret(f"{kind}/webhook")["secrets"]
    assert len(bytes.fromhex(secret)) == 32
    assert "kept" in box.steps(*carrier(box, kind, "--public-url", DOOR))["webhooks"]["detail"]
    assert box.stage.read_secret(f"{kind}/webhook") == {"secrets": [secret]}
    assert len(desk(box, kind).state.hooks) == 1


@KINDS
def test_connected_so_the_service_s_own_webhook_comes_in(box: Box, kind: str) -> None:
    box.states(*carrier(box, kind, "--public-url", DOOR))
    service = desk(box, kind)
    (hook,) = service.state.hooks.values()
    address, _, token = str(hook["url"]).partition("?token=")
    assert address == f"{DOOR}/webhooks/{kind}"
    service.secret, service.webhook_url = token or hook["webhook_secret"], address
    client = box.stage.carrier(kind, {}, {"api_key": service.api_key})
    wish: LabelRequest = WISH
    client.buy(wish, client.rates(wish)[0])
    delivery = service.tick(service.now + timedelta(hours=1))[0]
    assert box.send(HttpRequest("POST", delivery.url, delivery.headers, delivery.body)).status == 200
    wrong = HttpRequest("POST", delivery.url.replace(token or "?", "x"), {}, delivery.body)
    assert box.send(wrong).status == 401


@KINDS
def test_a_webhook_that_was_lost_or_tells_another_secret_is_set_right(box: Box, kind: str) -> None:
    box.states(*carrier(box, kind, "--public-url", DOOR))
    (hook,) = desk(box, kind).state.hooks.values()
    hook |= {"disabled_at": "2026-05-01T00:00:00Z"} if kind == "easypost" else {"active": False}
    assert "enabled" in box.steps("check", kind, "--fix")["webhooks"]["detail"]
    box.stage.write_secret(f"{kind}/webhook", {"secrets": ["another secret altogether"]})
    assert box.states("check", kind, "--fix")["webhooks"] == "ok"
    (hook,) = desk(box, kind).state.hooks.values()
    told = hook["webhook_secret"] if kind == "easypost" else hook["url"].partition("?token=")[2].replace("%20", " ")
    assert told == "another secret altogether"
    desk(box, kind).state.hooks.clear()
    assert "created" in box.steps("check", kind, "--fix")["webhooks"]["detail"]


@KINDS
def test_a_dry_run_and_a_check_make_nothing(box: Box, kind: str) -> None:
    assert box.states(*carrier(box, kind, "--public-url", DOOR, "--dry-run"))["webhooks"] == "skipped"
    assert (box.stage.read_secret(f"{kind}/api"), desk(box, kind).state.hooks) == ({}, {})
    assert box.states(*carrier(box, kind))["webhooks"] == "warning"
    assert box.states("check", kind, "--public-url", DOOR)["webhooks"] == "skipped"
    assert desk(box, kind).state.hooks == {}


@KINDS
def test_a_wrong_key_ends_it_there(box: Box, kind: str) -> None:
    assert box.states(*carrier(box, kind, key="of-somebody-else")) == {"account": "ok", "credentials": "missing"}


def test_a_test_key_is_named_as_one(box: Box) -> None:
    box.easypost.api_key = "EZTK-of-the-stand-in"
    states = box.states(*carrier(box, "easypost"))
    assert (states["mode"], states["carriers"]) == ("warning", "skipped")
    box.shippo.api_key = "shippo_test_of_the_stand_in"
    states = box.states(*carrier(box, "shippo", "--public-url", DOOR))
    assert (states["mode"], states["carriers"]) == ("warning", "ok")
    (hook,) = box.shippo.state.hooks.values()
    assert hook["is_test"] is True


@KINDS
def test_an_account_without_carriers_can_ship_nothing(box: Box, kind: str) -> None:
    desk(box, kind).carriers.clear()
    assert box.states(*carrier(box, kind))["carriers"] == "missing"


@KINDS
def test_an_address_that_is_not_known_is_said(box: Box, kind: str) -> None:
    wrong = {**SENDER, "postcode": UNKNOWN_POSTCODE}
    assert box.states(*carrier(box, kind, sender=wrong))["sender"] == "missing"
    without = {name: text for name, text in SENDER.items() if name != "phone"}
    assert box.states(*carrier(box, kind, sender=without))["sender"] == "warning"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"street": "1 Dock Road"}, "street is no field"),
        ({"city": " "}, "city is missing"),
        ({"postcode": 62701}, "postcode must be a text"),
        ({"country": "USA"}, "country must be two capitals"),
    ],
)
def test_what_is_wrong_in_the_sender_is_named(
    box: Box, capsys: pytest.CaptureFixture[str], change: dict[str, Any], word: str
) -> None:
    assert box.run(*carrier(box, "easypost", sender={**SENDER, **change})) == 2
    assert word in capsys.readouterr().err
    assert box.stage.read_secret("easypost/api") == {}


def test_a_sender_is_needed_once(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    assert box.run("add", "easypost") == 2
    assert "an EasyPost account needs --sender" in capsys.readouterr().err
    box.states(*carrier(box, "easypost"))
    assert box.states("add", "easypost")["sender"] == "ok"


def test_it_is_taken_up_again(box: Box) -> None:
    box.states(*carrier(box, "shippo"))
    assert box.states("resume", "shippo") == {"credentials": "ok", "pause": "ok"}
    pause_account(box.stage.tables, "shippo", "by hand", 1)
    assert box.states("check", "shippo")["pause"] == "warning"
    assert box.states("resume", "shippo") == {"credentials": "ok", "pause": "ok"}
