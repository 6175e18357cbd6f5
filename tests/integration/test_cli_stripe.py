"""The command line connects Stripe. The endpoint's secret comes in one answer only, which may be lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.stripe.endpoints import EVENTS
from chalicelib.channels.stripe.events import read_event
from chalicelib.channels.transport import HttpRequest
from chalicelib.store.accounts import add_account, pause_account, read_account, read_pause
from cli.stage import Stage
from local.marketplaces.wire import Request, to_json
from tests.integration.cli_box import DOOR, START, Box, box_fixture  # noqa: F401
from tests.shared_data import shared

URL = f"{DOOR}/webhooks/stripe"


def stripe(box: Box, *more: str, **keys: str) -> tuple[str, ...]:
    return ("add", "stripe", "--file", box.file("keys", **{"api_key": box.stripe.api_key, **keys}), *more)


def test_an_account_is_connected_with_an_endpoint_whose_secret_is_stored(box: Box) -> None:
    states = box.states(*stripe(box, "--public-url", DOOR))
    assert states == {"account": "ok", "credentials": "ok", "webhooks": "ok"}
    (endpoint,) = box.stripe.books.endpoints.values()
    assert (endpoint.url, tuple(endpoint.events)) == (URL, EVENTS)
    assert box.stage.read_secret("stripe/webhook") == {"secrets": [box.stripe.secret]}
    assert read_account(box.stage.tables, "stripe")["webhook_url"] == URL
    assert box.states(*stripe(box, "--public-url", DOOR)) == states
    assert box.states("check", "stripe") == {"credentials": "ok", "webhooks": "ok"}
    assert len(box.stripe.books.endpoints) == 1


def test_connected_so_stripe_s_own_signed_event_comes_in(box: Box) -> None:
    box.states(*stripe(box, "--public-url", DOOR))
    box.stripe.authorise(1450, "USD", "storefront:1")
    (delivery,) = box.stripe.tick(START)
    request = HttpRequest("POST", URL, delivery.headers, delivery.body)
    assert box.send(request).status == 200
    assert box.send(HttpRequest("POST", URL, delivery.headers, delivery.body + b" ")).status == 401


@pytest.mark.parametrize("known", EVENTS)
def test_every_event_that_is_asked_for_is_one_that_the_door_reads(known: str) -> None:
    about = {"id": "x_1", "metadata": {}}
    assert read_event(to_json({"id": "evt_1", "type": known, "created": 1, "data": {"object": about}}))


def test_an_answer_that_was_lost_ends_in_one_endpoint_and_its_secret(box: Box) -> None:
    box.lose = lambda request: request.method == "POST" and request.url.endswith("/webhook_endpoints")
    assert box.states(*stripe(box, "--public-url", DOOR))["webhooks"] == "missing"
    assert len(box.stripe.books.endpoints) == 1
    assert box.states("check", "stripe", "--public-url", DOOR)["webhooks"] == "missing"
    assert box.states("check", "stripe", "--public-url", DOOR, "--fix")["webhooks"] == "ok"
    assert len(box.stripe.books.endpoints) == 1
    assert box.stage.read_secret("stripe/webhook") == {"secrets": [box.stripe.secret]}


def test_an_endpoint_that_a_person_made_needs_its_secret(box: Box) -> None:
    box.states(*stripe(box, "--public-url", DOOR))
    box.stage.write_secret("stripe/webhook", {})
    step = box.steps(*stripe(box))["webhooks"]
    assert (step["state"], "webhook_secret" in step["remedy"]) == ("missing", True)
    assert box.states(*stripe(box, webhook_secret="whsec_that_a_person_copied"))["webhooks"] == "ok"
    assert box.stage.read_secret("stripe/webhook") == {"secrets": ["whsec_that_a_person_copied"]}
    assert box.stage.read_secret("stripe/api") == {"api_key": box.stripe.api_key}


def test_an_endpoint_that_was_disabled_or_lacks_events_is_set_right(box: Box) -> None:
    box.states(*stripe(box, "--public-url", DOOR))
    (endpoint,) = box.stripe.books.endpoints.values()
    endpoint.status = "disabled"
    assert box.states("check", "stripe")["webhooks"] == "missing"
    assert box.states("check", "stripe", "--fix")["webhooks"] == "ok"
    assert endpoint.status == "enabled"
    endpoint.events = ["charge.refunded"]
    assert "not sent" in box.steps("check", "stripe")["webhooks"]["detail"]
    assert box.states("check", "stripe", "--fix")["webhooks"] == "ok"
    assert tuple(endpoint.events) == EVENTS


def test_a_key_that_may_not_make_endpoints_gets_the_way_by_hand(box: Box) -> None:
    box.stripe.refuses = ("/v1/webhook_endpoints",)
    step = box.steps(*stripe(box, "--public-url", DOOR))["webhooks"]
    assert step["state"] == "missing"
    assert "webhook_secret" in step["remedy"]


@pytest.mark.parametrize("path", ["/v1/payouts", "/v1/balance_transactions"])
def test_a_key_that_may_not_read_money_is_named(box: Box, path: str) -> None:
    box.stripe.refuses = (path,)
    step = box.steps(*stripe(box))["credentials"]
    assert (step["state"], "more_permissions_required" in step["detail"]) == ("missing", True)


def test_a_wrong_key_ends_it_there_and_a_full_one_is_warned_of(box: Box) -> None:
    assert box.states(*stripe(box, api_key="rk_live_revoked_key")) == {"account": "ok", "credentials": "missing"}
    box.stripe.api_key = "sk_live_of_the_stand_in"
    states = box.states(*stripe(box))
    assert (states["restricted key"], states["webhooks"]) == ("warning", "missing")


def test_a_dry_run_makes_nothing(box: Box) -> None:
    step = box.steps(*stripe(box, "--public-url", DOOR, "--dry-run"))["webhooks"]
    assert step["state"] == "missing"
    assert all(event in step["remedy"] for event in EVENTS)
    assert (box.stripe.books.endpoints, box.stage.read_secret("stripe/api")) == ({}, {})
    assert box.writes() == []


def test_it_lists_nothing(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    box.states(*stripe(box))
    assert box.run("import-listings", "stripe") == 2
    assert "lists nothing" in capsys.readouterr().err
    assert box.run(*stripe(box, "--apply")) == 2
    assert "does not take --apply" in capsys.readouterr().err


def test_a_paused_account_is_resumed_and_own_shops_are_looked_at(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(Stage, "send", lambda _, queue, messages: sent.extend((queue, each) for each in messages))
    for name in ("stripe", "storefront", "shop-de", "shopify"):
        add_account(box.stage.tables, name, {})
    pause_account(box.stage.tables, "stripe", "the key is revoked", 1)
    box.stage.write_secret("stripe/api", {"api_key": "rk_revoked"})
    assert box.states("resume", "stripe") == {"credentials": "missing"}
    assert (bool(read_pause(box.stage.tables, "stripe")), sent) == (True, [])
    box.stage.write_secret("stripe/api", {"api_key": box.stripe.api_key})
    assert box.states("resume", "stripe") == {"credentials": "ok", "pause": "ok"}
    assert read_pause(box.stage.tables, "stripe") is None
    assert sent == [("sync-shop", {"orders_of": name, "after": "stripe"}) for name in ("shop-de", "storefront")]


def test_an_endpoint_looks_as_in_the_official_fixture(box: Box) -> None:
    box.states(*stripe(box, "--public-url", DOOR))
    asked = Request("GET", "/v1/webhook_endpoints", headers={"authorization": f"Bearer {box.stripe.api_key}"})
    official = json.loads(shared("specs/stripe/fixtures3.json").read_text())["resources"]["webhook_endpoint"]
    answer = box.stripe.handle(asked).json()["data"][0]
    assert answer.keys() <= official.keys()
    assert {name: type(value) for name, value in answer.items()} == {name: type(official[name]) for name in answer}
