"""A referred order from its storefront to Meta and into the report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.guard
import chalicelib.inbound.referrals
from app import app
from chalicelib.domain.errors import Stale
from chalicelib.domain.lifecycle import is_funded
from chalicelib.domain.orders import Order
from chalicelib.inbound.referrals import report
from chalicelib.inbound.views import order_detail
from chalicelib.store.accounts import add_account, read_pause, resume_account
from chalicelib.store.contacts import read_contact
from chalicelib.store.labels import StoredLabel, keep_label, keep_new_label
from chalicelib.store.listings import cost_write, sku_writes
from chalicelib.store.orders import order_writes, read_order
from chalicelib.store.referrals import new_referral_write, referred_on
from chalicelib.store.stock import receipt_writes
from local.marketplaces.faults import FaultDie, Faults
from local.memory.meter import AWS_CALL
from local.memory.world import World
from local.meta.graph import Graph
from tests.contract.meta_models import held

NOW_MS = 1_772_355_700_000  # just after the documents below
DAY_MS = 86_400_000
PURCHASE = ("Purchase", "purchase.storefront.A-1")
VISIT = {
    "landing_url": "https://shop.example/p?fbclid=IwAbC&utm_campaign=spring",
    "fbp": "fb.1.123.456",
    "user_agent": "Browser",
    "consent": True,
}


class Stand:
    """A world with a storefront and an account at Meta."""

    def __init__(self) -> None:
        self.graph = Graph("the token", "d-1", NOW_MS)
        self.world = World(NOW_MS, held(self.graph.handle))
        self.world.secrets.kept = {"meta/api": {"access_token": "the token", "app_secret": "the app's"}}
        add_account(self.world.tables, "storefront", {})
        self.switch(on=True)
        self.world.tables.write(*sku_writes("MUG", "Mug"))
        self.world.tables.write(*receipt_writes("opening", "MUG", "main", 10, 0))

    def switch(self, *, on: bool) -> None:
        settings = {"enabled": on, "dataset_id": "d-1", "shop_url": "https://shop.example/"}
        add_account(self.world.tables, "meta", settings)

    def order(self) -> Order:
        found = read_order(self.world.tables, "storefront:A-1", content=True)
        assert found
        return found

    def ship(self) -> None:
        parcel = {"shipment_id": "s1", "location": "main", "shipped_ms": 1, "carrier": "UPS", "tracking_number": "1Z"}
        fact = {**parcel, "lines": [{"line_id": "1", "units": 2}]}
        self.world.queues.send("shipping", [{"order": "storefront:A-1", "do": "ship", "fact": fact}])
        self.world.run()

    def sell(self, visit: dict[str, Any] | None = None, **more: Any) -> None:
        document = {
            "id": "A-1",
            "updated_at": "2026-03-01T10:00:00+01:00",
            "currency": "EUR",
            "total": "10.00",
            "customer": {"email": "Ada@Example.com"},
            "lines": [{"id": "1", "sku": "MUG", "quantity": 2, "unit_price": "5.00"}],
            "payment": {"status": "paid"},
            "attribution": VISIT | (visit or {}),
            **more,
        }
        self.world.queues.send("entry", [{"channel": "storefront", "raw": json.dumps(document), "hint": {}}])
        self.world.run()


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_a_consented_purchase_is_told_when_it_is_funded(stand: Stand) -> None:
    stand.sell(payment={"status": "pending"})
    assert stand.graph.events == {}
    stand.sell(updated_at="2026-03-01T10:01:00+01:00")
    told = stand.graph.events[PURCHASE]
    assert told["custom_data"]["value"] == 10.0
    assert told["custom_data"]["contents"] == [{"id": "MUG", "quantity": 2, "item_price": 5.0}]
    assert told["user_data"]["fbc"].endswith(".IwAbC")
    assert "ada@example.com" not in json.dumps(told).lower()


def test_without_consent_nothing_is_told_and_no_identifier_kept(stand: Stand) -> None:
    stand.sell({"consent": False})
    stand.world.queues.send("meta", [{"order": "storefront:A-1"}])  # whoever asks
    stand.world.run()
    assert stand.graph.calls == 0
    contact = read_contact(stand.world.tables, "storefront:A-1")
    assert contact
    assert contact.tracking.keys() == {"first", "last"}


def test_an_account_that_is_off_is_told_nothing(stand: Stand) -> None:
    stand.switch(on=False)
    stand.sell()
    assert stand.graph.calls == 0


def test_a_purchase_whose_answer_is_lost_counts_once(stand: Stand) -> None:
    stand.graph.die = FaultDie(Faults(answer_lost=1.0))
    stand.sell()
    stand.graph.die = FaultDie()
    stand.world.now_ms += 3_000
    stand.world.run()
    assert stand.graph.calls == 2
    assert list(stand.graph.events) == [PURCHASE]


def test_a_doubled_message_is_told_once(stand: Stand) -> None:
    stand.sell()
    stand.world.queues.send("meta", [{"order": "storefront:A-1"}] * 3)
    stand.world.run()
    assert stand.graph.calls == 1


def test_a_purchase_older_than_a_week_is_not_sent(stand: Stand) -> None:
    stand.world.now_ms = NOW_MS + 8 * DAY_MS
    stand.sell()
    assert stand.graph.calls == 0
    assert not stand.world.queues.dead["meta"]


def test_a_purchase_that_is_funded_when_it_is_eight_days_old_is_not_sent(stand: Stand) -> None:
    stand.sell(payment={"status": "pending"})
    stand.world.now_ms = NOW_MS + 8 * DAY_MS
    stand.sell(updated_at="2026-03-09T10:00:00+01:00", placed_at="2026-03-01T10:00:00+01:00")
    assert is_funded(stand.order().state)
    assert stand.graph.calls == 0
    assert not stand.world.queues.dead["meta"]


def test_a_shop_whose_clock_is_ahead_is_told_of_all_the_same(stand: Stand) -> None:
    ahead = "2026-03-01T10:05:00+01:00"
    stand.sell(updated_at=ahead, placed_at=ahead)
    assert stand.graph.events[PURCHASE]["event_time"] == stand.world.now_ms // 1000


def test_a_consent_that_is_withdrawn_before_the_money_comes_counts(stand: Stand) -> None:
    stand.sell(payment={"status": "pending"})
    stand.sell(updated_at="2026-03-01T10:01:00+01:00", attribution={"consent": False})
    assert stand.graph.calls == 0
    referral = stand.order().content.referral  # type: ignore[union-attr]
    assert referral
    assert (referral.source, referral.campaign, referral.consent) == ("facebook", "spring", False)
    contact = read_contact(stand.world.tables, "storefront:A-1")
    assert contact
    assert contact.tracking.keys() == {"first", "last"}


def test_a_consent_that_is_given_after_the_money_came_counts(stand: Stand) -> None:
    stand.sell({"consent": False})
    stand.sell(updated_at="2026-03-01T10:01:00+01:00")
    assert list(stand.graph.events) == [PURCHASE]


@pytest.mark.parametrize("later", [{"cancelled": True}, {"payment": {"status": "refunded"}}])
def test_what_was_called_off_or_paid_back_before_it_could_be_told_is_no_purchase(
    stand: Stand, later: dict[str, Any]
) -> None:
    stand.graph.failing = 4
    stand.sell()
    stand.graph.failing = 0
    stand.sell(updated_at="2026-03-01T10:01:00+01:00", **later)
    stand.world.now_ms += 61_000
    stand.world.run()
    assert stand.graph.events == {}


def test_a_refund_after_it_was_told_tells_nothing_more(stand: Stand) -> None:
    stand.sell()
    stand.sell(updated_at="2026-03-01T10:01:00+01:00", payment={"status": "refunded"})
    assert (list(stand.graph.events), stand.graph.calls) == ([PURCHASE], 1)


def test_a_permission_that_is_missing_loses_no_purchase(stand: Stand) -> None:
    stand.graph.failing = 200
    stand.sell()
    assert read_pause(stand.world.tables, "meta")
    stand.graph.failing = 0
    resume_account(stand.world.tables, "meta")
    stand.world.now_ms += 901_000
    stand.world.run()
    assert list(stand.graph.events) == [PURCHASE]


def test_an_order_of_which_nothing_is_known_is_in_the_report_as_unknown(stand: Stand) -> None:
    stand.sell(attribution={"consent": False})
    (row,) = report(stand.world.tables, list(referred_on(stand.world.tables, stand.order().state.placed_ms // DAY_MS)))
    assert (row["source"], row["medium"]) == ("unknown", "unknown")


def test_a_throttled_purchase_is_told_later(stand: Stand) -> None:
    stand.graph.failing = 80_004
    stand.sell()
    assert stand.graph.events == {}
    stand.graph.failing = 0
    stand.world.now_ms += 61_000
    stand.world.run()
    assert list(stand.graph.events) == [PURCHASE]


def test_a_token_that_is_gone_pauses_the_account_and_the_purchase_is_told_after_it(stand: Stand) -> None:
    stand.graph.token = "another"
    stand.sell()
    assert read_pause(stand.world.tables, "meta")
    stand.graph.token = "the token"
    resume_account(stand.world.tables, "meta")
    stand.world.now_ms += 901_000
    stand.world.run()
    assert list(stand.graph.events) == [PURCHASE]


def test_the_order_keeps_the_words_and_no_identifier_and_the_report_adds_them_up(stand: Stand) -> None:
    stand.sell()
    stand.sell(id="A-2", total="5.00", lines=[{"id": "1", "sku": "MUG", "quantity": 1, "unit_price": "5.00"}])
    order = read_order(stand.world.tables, "storefront:A-1", content=True)
    assert order
    assert order_detail(order)["referral"] == {
        "source": "facebook",
        "medium": "unknown",
        "campaign": "spring",
        "evidence": "fbclid",
    }
    assert "IwAbC" not in repr(order)
    (row,) = report(stand.world.tables, list(referred_on(stand.world.tables, order.state.placed_ms // DAY_MS)))
    assert (row["source"], row["campaign"], row["orders"], row["revenue"]) == ("facebook", "spring", 2, "15.00")


def test_the_margin_is_said_once_every_cost_is_known(stand: Stand) -> None:
    tables = stand.world.tables
    stand.sell()
    day = stand.order().state.placed_ms // DAY_MS
    (row,) = report(tables, list(referred_on(tables, day)))
    assert (row["cost_of_goods"], row["margin"], row["unknown"]) == ("unknown", "unknown", ["cost of MUG"])
    assert (row["postage"], row["unsettled"]) == ("0.00", 1)
    tables.write(cost_write("MUG", 120, "EUR"))
    bought = {"amount_minor": 310, "currency": "EUR"}
    wanted = keep_new_label(tables, StoredLabel("storefront:A-1", "l1", "easypost", {"location": "main"}))
    keep_label(tables, wanted, replace(wanted, status="bought", bought={"tracking_number": "1Z", **bought}))
    stand.ship()
    (row,) = report(tables, list(referred_on(tables, day)))
    assert (row["cost_of_goods"], row["postage"], row["margin"], row["unknown"]) == ("2.40", "3.10", "4.50", [])
    tables.write(cost_write("MUG", None, ""))
    (row,) = report(tables, list(referred_on(tables, day)))
    assert row["margin"] == "unknown"


def test_postage_is_what_the_labels_that_were_kept_have_cost(stand: Stand) -> None:
    tables = stand.world.tables
    stand.sell()

    def label(name: str, minor: int, currency: str = "EUR") -> StoredLabel:
        wanted = keep_new_label(tables, StoredLabel("storefront:A-1", name, "easypost", {"location": "main"}))
        bought = {"tracking_number": name, "amount_minor": minor, "currency": currency}
        return keep_label(tables, wanted, replace(wanted, status="bought", bought=bought))

    def postage() -> tuple[str, list[str]]:
        (row,) = report(tables, ["storefront:A-1"])
        return row["postage"], [name for name in row["unknown"] if name.startswith("postage")]

    first, second, foreign = label("l1", 310), label("l2", 250), label("l3", 900, "GBP")
    assert postage() == ("unknown", ["postage of storefront:A-1 in EUR"])
    keep_label(tables, foreign, replace(foreign, status="voided"))
    assert postage() == ("5.60", [])
    asked = keep_label(tables, first, replace(first, status="voiding"))
    assert postage() == ("5.60", [])
    keep_label(tables, asked, replace(asked, status="bought", why="the parcel has left"))
    assert postage() == ("5.60", [])
    with pytest.raises(Stale):
        keep_label(tables, asked, replace(asked, status="voided"))  # whoever has read it before
    assert postage() == ("5.60", [])
    keep_label(tables, second, replace(second, status="voided"))
    assert postage() == ("3.10", [])


def test_a_report_asks_once_for_a_hundred_orders(stand: Stand) -> None:
    tables = stand.world.tables
    stand.sell()
    order = stand.order()
    assert order.content
    several = replace(order.content, lines=order.content.lines * 5)  # too large to stand within the state
    state = replace(order.state, quantities=order.state.quantities * 5, total_minor=order.state.total_minor)
    for number in range(250):
        of_many = replace(order, external_id=f"B-{number}", content=several, state=state)
        put = new_referral_write(None, of_many)
        assert put
        tables.write(*order_writes(None, of_many), put)
        wanted = StoredLabel(of_many.order_id, f"l{number}", "easypost", {"location": "main"}, status="bought")
        keep_new_label(tables, replace(wanted, bought={"amount_minor": 2, "currency": "EUR"}))
    day = order.state.placed_ms // DAY_MS
    calls, units = tables.meter.total(AWS_CALL), tables.meter.read_units
    (row,) = report(tables, list(referred_on(tables, day)))
    assert (row["orders"], row["postage"]) == (251, "5.00")
    days, batches, skus = 1, 3 * len(("states", "contents", "postage")), 1
    assert tables.meter.total(AWS_CALL) - calls == days + batches + skus
    assert tables.meter.read_units - units < 251 * 3 + 20


def test_a_later_word_without_a_visit_keeps_what_is_known_of_it(stand: Stand) -> None:
    stand.sell()
    stand.sell(updated_at="2026-03-01T10:05:00+01:00", attribution=None)
    order = read_order(stand.world.tables, "storefront:A-1", content=True)
    assert order
    assert order.content
    assert order.content.referral
    assert order.content.referral.campaign == "spring"


def test_the_report_is_asked_for_by_days_and_with_a_token(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.sell()
    stand.world.secrets.kept = {"api-tokens": {hashlib.sha256(b"a token").hexdigest(): "tests"}}
    for module in (chalicelib.inbound.guard, chalicelib.inbound.referrals):
        monkeypatch.setattr(module, "runtime", lambda: stand.world.runtime)
    with Client(app) as client:

        def asked(first: str, last: str, caller: str = "a token") -> Any:
            path = f"/api/referrals?from={first}&to={last}"
            return client.http.get(path, headers={"Authorization": f"Bearer {caller}"})

        (row,) = asked("2026-02-01", "2026-03-01").json_body["referrals"]
        assert (row["source"], row["orders"], row["revenue"]) == ("facebook", 1, "10.00")
        assert asked("2026-03-02", "2026-03-02").json_body == {"referrals": []}
        statuses = [asked("2026-03-01", "2026-02-01").status_code, asked("2026-01-01", "2026-02-01").status_code]
        assert statuses == [400, 400]
        assert asked("2026-03-01", "2026-03-01", "another").status_code == 401
        stand.sell(id="A-2", placed_at="2026-02-27T10:00:00Z")
        monkeypatch.setattr(chalicelib.inbound.referrals, "_MOST_ORDERS", 1)
        assert asked("2026-03-01", "2026-03-01").status_code == 200
        assert asked("2026-02-01", "2026-02-28").status_code == 200
        refused = asked("2026-02-01", "2026-03-01")
        assert (refused.status_code, refused.json_body["error"]["reason"]) == (400, "too_many_orders")
        assert "to must be before 2026-03-01" in refused.json_body["error"]["detail"]
        monkeypatch.setattr(chalicelib.inbound.referrals, "_MOST_ORDERS", 0)
        assert "from: 2026-03-01" in asked("2026-03-01", "2026-03-01").json_body["error"]["detail"]
