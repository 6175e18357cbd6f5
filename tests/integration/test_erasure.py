"""Erasing a buyer: everything of the person goes, order, money and units stay, and the proof names nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.channel_order import Contact
from chalicelib.inbound import ebay_door
from chalicelib.runtime.bodies import claim_of
from chalicelib.store.contacts import (
    REMEMBER_DAYS,
    buyer_of,
    contact_write,
    index_writes,
    is_erased,
    read_contact,
    traces_of,
)
from chalicelib.store.orders import read_order
from chalicelib.store.tables import Key
from local.marketplaces.ebay_notifications import message, signed
from local.marketplaces.shelf import Change
from local.memory.world import World
from tests.trade import BASE, Trade

USER_ID, NAME = "uid-ada", "Ada-Example"
BUYERS = [buyer_of("ebay", USER_ID), buyer_of("ebay", NAME)]


def keep(world: World, order_id: str, ref: str = NAME, claim: str = "") -> None:
    contact = Contact(name="Ada Lovelace", email="ada@example.com", buyer_ref=ref)
    for index in index_writes("ebay", order_id, contact, world.now_ms, claim):
        world.tables.write(index)
    world.tables.write(contact_write(order_id, contact, world.now_ms))


def erase(world: World, notification_id: str = "n-1", buyers: list[str] | None = None) -> None:
    world.queues.send("erasure", [{"notification_id": notification_id, "buyers": buyers or BUYERS}])
    world.run()


def proof(world: World, nth: int = 1) -> dict[str, Any]:
    item = world.tables.get(Key("contacts", "ERASED#n-1", f"PASS#{nth}"))
    assert item
    return {name: value for name, value in item.items() if name not in ("pk", "sk", "schema")}


@pytest.mark.parametrize("ref", [NAME, NAME.lower(), USER_ID, f"{NAME} {USER_ID}"])
def test_a_buyer_is_found_by_name_and_by_id_whatever_the_case(ref: str) -> None:
    world = World()
    keep(world, "ebay:1", ref)
    keep(world, "ebay-uk:2", ref)
    keep(world, "ebay:3", "somebody-else")
    erase(world)
    assert [read_contact(world.tables, each) for each in ("ebay:1", "ebay-uk:2")] == [None, None]
    assert read_contact(world.tables, "ebay:3")
    assert proof(world) == {"buyers": BUYERS, "orders": 2, "begun_ms": world.now_ms, "done_ms": world.now_ms}
    left = {key.pk for key in world.tables.items if key.table == "contacts"}
    assert left == {*(f"BUYER#{buyer}" for buyer in BUYERS), "ERASED#n-1", "ebay:3"} | {
        f"BUYER#{buyer_of('ebay', 'somebody-else')}"
    }


def test_the_same_name_at_another_kind_of_channel_is_another_person() -> None:
    world = World()
    contact = Contact(name="Ada", buyer_ref=NAME)
    for index in index_writes("shopify", "shopify:1", contact, world.now_ms):
        world.tables.write(index)
    world.tables.write(contact_write("shopify:1", contact, world.now_ms))
    erase(world)
    assert read_contact(world.tables, "shopify:1")


def test_raw_payloads_that_hold_him_are_deleted() -> None:
    world = World()
    keep(world, "ebay:1", claim="claims/ebay/large")
    for key in ("held/ebay:1", "claims/ebay/large", "held/ebay:2"):
        world.bodies.put(key, b"raw")
    erase(world)
    assert list(world.bodies.kept) == ["held/ebay:2"]
    assert traces_of(world.tables, BUYERS) == ((), ())


def test_an_order_that_was_being_entered_meanwhile_is_found_by_the_second_look() -> None:
    world = World()
    erase(world)
    keep(world, "ebay:1")
    world.now_ms += 899_000
    world.run()
    assert read_contact(world.tables, "ebay:1")
    world.now_ms += 1_000
    world.run()
    assert read_contact(world.tables, "ebay:1") is None
    assert (proof(world)["orders"], proof(world, 2)["orders"]) == (0, 1)
    assert not world.queues.delayed


def test_the_proof_counts_what_was_found_before_it_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for n in range(3):
        keep(world, f"ebay:{n}")
    real, calls = world.bodies.delete, []

    def breaks_once(key: str) -> None:
        calls.append(key)
        if len(calls) == 2:
            raise OSError("the network is gone")
        real(key)

    monkeypatch.setattr(world.bodies, "delete", breaks_once)
    erase(world)
    assert [read_contact(world.tables, f"ebay:{n}") for n in range(3)] == [None] * 3
    assert proof(world)["orders"] == 3
    assert not world.queues.dead["erasure"]


def test_more_orders_than_a_page_holds() -> None:
    world = World()
    for n in range(230):
        keep(world, f"ebay:{n}")
    erase(world)
    assert proof(world)["orders"] == 230
    assert traces_of(world.tables, BUYERS).orders == ()


def test_an_order_of_a_marketplace_goes_on_without_its_buyer() -> None:
    trade = Trade()
    trade.markets.sell("ebay", 4)
    trade.pass_time(300)
    trade.poll_all()
    world, before = trade.world, trade.orders()
    assert len(before) >= 4
    contacts = {i: read_contact(world.tables, i) for i in before}
    refs = {i: contact.buyer_ref for i, contact in contacts.items() if contact}
    gone, ref = next(iter(refs.items()))
    erase(world, buyers=[buyer_of("ebay", ref)])
    assert trade.orders() == before  # order, money and units are what they were
    assert {i for i in before if read_contact(world.tables, i) is None} == {i for i in refs if refs[i] == ref}
    trade.ship_everything()
    trade.pass_time(300)
    trade.poll_all()
    assert trade.orders()[gone].state.version > before[gone].state.version
    assert read_contact(world.tables, gone) is None
    assert trade.wrong() == []


def test_a_word_that_comes_later_does_not_bring_him_back() -> None:
    trade = Trade()
    trade.markets.sell("ebay", 1)
    trade.pass_time(300)
    erase(trade.world, buyers=[buyer_of("ebay", str(ref)) for ref in _buyers(trade)])
    trade.poll_all()
    (order_id,) = trade.orders()
    assert read_contact(trade.world.tables, order_id) is None
    assert read_order(trade.world.tables, order_id)
    assert traces_of(trade.world.tables, [buyer_of("ebay", ref) for ref in _buyers(trade)]) == ((), ())


def test_the_raw_payload_of_his_order_is_not_kept_when_it_is_held() -> None:
    trade = Trade()
    trade.markets.sell("ebay", 1)
    (sale,) = trade.markets.ebay.shelf.sales.values()
    for line in sale.lines:
        line.sku = f"never-linked-{line.line_id}"
    trade.pass_time(300)
    erase(trade.world, buyers=[buyer_of("ebay", str(ref)) for ref in _buyers(trade)])
    trade.poll_all()
    (order,) = trade.orders().values()
    assert [hold.reason for hold in order.state.holds] == ["unknown_sku"]
    assert trade.world.bodies.kept == {}


def test_ebay_tells_us_and_he_is_gone_and_stays_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    trade = Trade()
    world, ebay = trade.world, trade.markets.ebay
    world.secrets.kept["ebay/webhook"] = {"verification_token": "t", "endpoint": "https://oms.example/w"}
    world.secrets.kept["ebay/webhook"] |= {"base_url": f"{BASE}/ebay"}
    trade.markets.sell("ebay", 4)
    trade.pass_time(300)
    trade.poll_all()
    username = _buyers(trade)[0]
    mine = {f"ebay:{sale.order_id}" for sale in ebay.shelf.sales.values() if sale.buyer.handle == username}
    before = {i: order for i, order in trade.orders().items() if i in mine}
    assert before
    assert all(read_contact(world.tables, i) for i in mine)
    body, headers = signed(ebay, message(ebay, "MARKETPLACE_ACCOUNT_DELETION", Change(username, "x", trade.now)))
    assert ebay_door.receive("ebay", body, headers["x-ebay-signature"], world.runtime).status_code == 204
    assert not [text for _, text, _ in world.queues.waiting["erasure"] if username in text]
    ebay.delete_buyer(username, trade.now)
    world.run()
    trade.ship_everything()
    trade.pass_time(900)
    trade.poll_all()
    assert [i for i in mine if read_contact(world.tables, i)] == []
    left = [key for key, item in world.tables.items.items() if username in repr((key, item))]
    assert left == []
    assert {i: order.lines for i, order in trade.orders().items() if i in mine} == {
        i: o.lines for i, o in before.items()
    }
    assert trade.wrong() == []


def test_he_is_remembered_for_as_long_as_a_channel_shows_old_orders() -> None:
    world = World()
    erase(world)
    assert is_erased(world.tables, BUYERS[:1])
    assert not is_erased(world.tables, [buyer_of("ebay", "somebody-else")])
    item = world.tables.get(Key("contacts", f"BUYER#{BUYERS[0]}", "ERASED"))
    assert item
    assert item["expires_at"] == world.now_ms // 1000 + REMEMBER_DAYS * 86_400


def test_what_travels_in_the_queue_has_no_claim_and_what_is_large_has_one() -> None:
    assert claim_of("ebay", b"{}") == ""
    assert claim_of("ebay", b"x" * 300_000).startswith("claims/ebay/")


def _buyers(trade: Trade) -> list[str]:
    """The names under which eBay knows the buyers."""
    found = []
    for order_id in trade.markets.summary()["order_ids"]["ebay"]:
        from chalicelib.runtime.clients import client_for

        raw = client_for("ebay", trade.world.runtime).get_order(order_id)
        found.append(json.loads(raw)["buyer"]["username"])
    return found
