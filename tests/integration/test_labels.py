"""Labels and tracking through the real handlers and routes, with the stand-ins of both carriers' services."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from chalice.test import Client

import chalicelib.inbound.api
import chalicelib.inbound.commands
import chalicelib.inbound.guard
import chalicelib.inbound.labels_api
import chalicelib.inbound.webhooks
from app import app
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.orders import Order
from chalicelib.domain.parcels import TrackingEvent
from chalicelib.domain.shipping import decide_tracking
from chalicelib.domain.sourcing import Sourcing
from chalicelib.inbound.tracking import LOST_MS, UNHEARD_MS, ask_carriers
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.codec import decode_state, encode_state
from chalicelib.store.contacts import buyer_of, contact_write, read_contact, traces_of
from chalicelib.store.labels import unheard_labels
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import receipt_writes
from local.carriers.desk import UNKNOWN_POSTCODE
from local.marketplaces.shop import ShopStandIn
from local.marketplaces.world import Delivery
from local.memory.world import World
from tests.contract.carrier_desks import BASE, KINDS, PURCHASES, SENDER, Counter, counter
from tests.integration.test_api import TOKEN, call, queued
from tests.integration.test_lifecycle import books, document, send

ID = "storefront:1001"
ORDER = f"/api/orders/{ID}"
ADDRESS = {"name": "A Buyer", "line1": "2 Elm Street", "city": "Dayton", "postcode": "45402", "country": "US"}
BOX = {"weight_g": 500, "length_mm": 250, "width_mm": 150, "height_mm": 100}
WISH = {"label_id": "L1", "package": BOX}
ONE = [{"line_id": "1", "units": 1}]


class Trade(World):
    """A world whose clock the carrier's desk goes by."""

    def __init__(self, at: Counter) -> None:
        super().__init__(round(at.desk.now.timestamp() * 1000), at.wire)
        self.at = at

    def later(self, **by: float) -> None:
        """Time passes, and what is due is done; the desk's webhooks are given to nobody."""
        self.now_ms += round(timedelta(**by).total_seconds() * 1000)
        self.at.desk.tick(datetime.fromtimestamp(self.now_ms / 1000, UTC))
        self.run()

    def order(self) -> Order:
        order = read_order(self.tables, ID, content=True)
        assert order
        return order

    def sold(self) -> int:
        """How many labels the carrier has ever sold."""
        return len(self.at.desk.state.labels)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Trade:
    """A paid order of two mugs for a buyer in the US; ten mugs at main; one carrier."""
    at = counter(request.param)
    world = Trade(at)
    world.secrets.kept = {
        "api-tokens": {hashlib.sha256(TOKEN.encode()).hexdigest(): "tests"},
        f"{at.kind}/api": {"api_key": at.desk.api_key},
        f"{at.kind}/webhook": {"secrets": [at.desk.secret]},
    }
    sender = {name: text for name, text in asdict(SENDER).items() if text}
    add_account(world.tables, at.kind, {"base_url": BASE, "senders": {"main": sender}})
    add_account(world.tables, "storefront", {})
    set_sourcing(world.tables, Sourcing(("main", "spare")))
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 10, world.now_ms))
    for name in ("api", "commands", "guard", "labels_api", "webhooks"):
        monkeypatch.setattr(getattr(chalicelib.inbound, name), "runtime", lambda: world.runtime)
    send(world, document(ship_to=ADDRESS, customer={"name": "A Buyer", "email": "buyer@example.org"}))
    contact = read_contact(world.tables, ID)
    assert contact
    assert contact.address["postcode"] == "45402"
    return world


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def ask(client: Client, world: Trade, **more: Any) -> dict[str, Any]:
    status, answer = call(client, "POST", f"{ORDER}/labels", {**WISH, **more})
    assert status == 202, answer
    world.run()
    return dict(answer)


def shown(client: Client, label_id: str = "L1") -> dict[str, Any]:
    status, answer = call(client, "GET", f"{ORDER}/labels")
    assert status == 200
    return next(label for label in answer["labels"] if label["label_id"] == label_id)


def test_a_label_is_bought_filed_and_its_parcel_recorded(world: Trade, client: Client) -> None:
    assert ask(client, world)["applied"]
    label, (parcel,) = shown(client), world.order().state.shipments
    assert (label["status"], label["cost"]["amount"], label["service"]) == ("bought", "8.20", label["service"])
    assert (parcel.shipment_id, parcel.tracking_number) == ("L1", label["tracking_number"])
    assert (parcel.carrier, dict(parcel.items)) == ("USPS", {0: 2})
    assert call(client, "POST", f"{ORDER}/labels", WISH)[0] == 200
    answer = client.http.get("/api/labels/L1/file", headers={**_token(), "Accept": "application/pdf"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert answer.body.startswith(b"%PDF")
    assert label["tracking_number"].encode() in answer.body
    assert world.sold() == 1
    books(world)


@pytest.mark.parametrize("copies", [1, 2])
def test_a_label_is_bought_once_though_its_answer_is_lost_and_the_message_doubled(
    world: Trade, client: Client, copies: int
) -> None:
    world.at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[world.at.kind])
    assert call(client, "POST", f"{ORDER}/labels", WISH)[0] == 202
    world.queues.waiting["labels"] *= copies
    world.run()
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["status"]) == (1, "bought")
    assert len(world.order().state.shipments) == 1
    books(world)


def test_the_purchase_that_was_begun_is_ended_though_the_order_is_held_meanwhile(world: Trade, client: Client) -> None:
    world.at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[world.at.kind])
    ask(client, world)
    world.queues.send("entry", [{"order": ID, "do": "hold", "fact": {"reason": "fraud"}}])
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["status"], world.order().state.shipments) == (1, "bought", ())
    assert call(client, "DELETE", f"{ORDER}/holds/fraud")[0] == 202
    world.run()
    assert (world.sold(), len(world.order().state.shipments)) == (1, 1)


def test_what_is_being_bought_does_not_change(world: Trade, client: Client) -> None:
    world.at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[world.at.kind])
    ask(client, world)
    ask(client, world, format="png", lines=ONE)
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["format"]) == (1, "pdf")
    assert dict(world.order().state.shipments[0].items) == {0: 2}


def test_an_address_that_nobody_delivers_to_holds_the_order_until_it_is_resolved(world: Trade, client: Client) -> None:
    bad = {**ADDRESS, "postcode": UNKNOWN_POSTCODE}
    send(world, document(at="2026-01-05T11:00:00Z", ship_to=bad))
    ask(client, world)
    (hold,) = world.order().state.holds
    assert (hold.reason, world.sold(), shown(client)["status"]) == ("address_undeliverable", 0, "wanted")
    assert "Elm" not in hold.detail
    ask(client, world)
    assert [hold.reason for hold in world.order().state.holds] == ["address_undeliverable"]
    assert call(client, "DELETE", f"{ORDER}/holds/address_undeliverable")[0] == 202
    world.run()
    assert (world.sold(), len(world.order().state.shipments)) == (1, 1)


def test_a_label_that_no_offer_fits_is_asked_for_again_with_other_limits(world: Trade, client: Client) -> None:
    """And goes to the address as it is by then, though the carrier was asked with the one before."""
    ask(client, world, most_amount="1.00", currency="USD")
    assert [(hold.reason, hold.detail) for hold in world.order().state.holds] == [("no_rate", "too_dear")]
    assert call(client, "DELETE", f"{ORDER}/holds/no_rate")[0] == 202
    world.run()
    assert [hold.reason for hold in world.order().state.holds] == ["no_rate"]  # looked at again, and no better
    send(world, document(at="2026-01-05T11:00:00Z", ship_to={**ADDRESS, "line1": "3 Oak Street"}))
    ask(client, world)
    assert (world.order().state.holds, world.sold(), len(world.order().state.shipments)) == ((), 1, 1)
    addressed = [json.dumps(each.asked) for each in world.at.desk.state.shipments.values() if "rate" not in each.asked]
    assert ["Oak" in asked for asked in addressed] == [False, True]


def test_an_account_that_takes_no_key_makes_its_labels_wait(world: Trade, client: Client) -> None:
    world.secrets.kept[f"{world.at.kind}/api"] = {"api_key": "revoked"}
    ask(client, world)
    assert (world.sold(), world.order().state.holds) == (0, ())
    world.secrets.kept[f"{world.at.kind}/api"] = {"api_key": world.at.desk.api_key}
    world.later(minutes=16)
    assert (world.sold(), len(world.order().state.shipments)) == (1, 1)


def test_a_label_alone_locks_the_location_and_its_void_gives_it_back(world: Trade, client: Client) -> None:
    status, answer = call(client, "POST", f"{ORDER}/labels", {"package": BOX, "ship": False})
    assert (status, answer["label_id"]) == (202, f"{ID}-main-1")
    world.run()
    assert (dict(world.order().state.fulfilment), world.order().state.shipments) == ({"main": "labelled"}, ())
    assert call(client, "POST", f"{ORDER}/labels", {"package": BOX, "ship": False})[0] == 200
    assert call(client, "POST", f"{ORDER}/labels/{ID}-main-1/void")[0] == 202
    world.run()
    assert shown(client, f"{ID}-main-1")["status"] == "voiding"
    assert call(client, "POST", f"{ORDER}/labels/{ID}-main-1/void")[0] == 200
    world.later(hours=30)
    ask_carriers(world.runtime)
    world.run()
    assert shown(client, f"{ID}-main-1")["status"] == "voided"
    assert dict(world.order().state.fulfilment) == {}
    assert unheard_labels(world.tables, world.now_ms + LOST_MS, 9) == []
    status, answer = call(client, "POST", f"{ORDER}/labels", {"package": BOX})
    assert (status, answer["label_id"]) == (202, f"{ID}-main-2")


def test_a_label_whose_parcel_the_carrier_has_stays(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)
    tell(client, world)
    assert shown(client)["tracking"] == "in_transit"
    status, answer = call(client, "POST", f"{ORDER}/labels/L1/void")
    assert (status, answer["error"]["reason"], queued(world)) == (409, "already_taken", 0)


def test_a_refused_void_leaves_the_label_bought(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)  # it is under way, and nobody has told us
    assert call(client, "POST", f"{ORDER}/labels/L1/void")[0] == 202
    world.run()
    assert (shown(client)["status"], shown(client)["why"][:14]) == ("bought", "label_not_void")


def tell(client: Client, world: Trade, webhooks: list[Delivery] | None = None) -> list[int]:
    """The desk's webhooks as they are now, or these; what the door answered."""
    statuses = []
    for each in webhooks or reports(world):
        path = f"/webhooks/{world.at.kind}?{urlsplit(each.url).query}"
        statuses.append(client.http.post(path, headers=dict(each.headers), body=each.body).status_code)
    world.run()
    return statuses


def reports(world: Trade) -> list[Delivery]:
    """A webhook for each parcel that has moved, which tells of all that has happened to it."""
    desk = world.at.desk
    return [desk._webhook(each, "unknown") for each in desk.state.shipments.values() if each.moves]


def test_a_parcel_is_followed_until_it_is_delivered_and_never_back(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)
    early = reports(world)
    assert tell(client, world) == [200]
    assert world.order().state.shipments[0].tracking == "in_transit"
    world.later(hours=40)
    tell(client, world)
    (parcel,) = world.order().state.shipments
    assert (parcel.tracking, world.now_ms - parcel.delivered_ms) == ("delivered", 7 * 3_600_000)
    version = world.order().state.version
    assert tell(client, world, early) == [200]
    assert (world.order().state.shipments, world.order().state.version) == ((parcel,), version)
    assert unheard_labels(world.tables, world.now_ms + LOST_MS, 9) == []
    view = call(client, "GET", ORDER)[1]["shipments"][0]
    assert (view["tracking"], view["delivered_ms"]) == ("delivered", parcel.delivered_ms)
    books(world)


def test_a_parcel_of_the_order_never_goes_back(world: Trade, client: Client) -> None:
    ask(client, world)
    number = world.order().state.shipments[0].tracking_number
    arrived = decide_tracking(world.order(), TrackingEvent(number, "delivered", 7), world.now_ms)
    assert arrived
    assert decide_tracking(arrived, TrackingEvent(number, "in_transit", 8), world.now_ms) is None
    back = decide_tracking(arrived, TrackingEvent(number, "return_to_sender", 9), world.now_ms)
    assert back
    assert (back.state.shipments[0].tracking, back.state.shipments[0].delivered_ms) == ("return_to_sender", 7)
    assert decide_tracking(world.order(), TrackingEvent("another", "delivered", 7), world.now_ms) is None


def test_what_was_said_of_another_parcel_with_that_number_is_not_believed(world: Trade, client: Client) -> None:
    ask(client, world)
    number = world.order().state.shipments[0].tracking_number
    report = {"tracking_number": number, "status": "delivered", "at_ms": world.now_ms - 90 * 86_400_000}
    world.queues.send("tracking", [report])
    world.run()
    assert (world.order().state.shipments[0].tracking, shown(client)["tracking"]) == ("", "")


def test_a_state_of_before_tracking_is_read(world: Trade, client: Client) -> None:
    ask(client, world)
    state = world.order().state
    stored = encode_state(state)
    assert [len(parcel) for parcel in stored[8]] == [7]  # as it was written before
    again = decode_state(stored, version=state.version, since_ms=state.since_ms, due_ms=state.due_ms)
    assert again.shipments == state.shipments
    tracked = replace(state, shipments=(replace(state.shipments[0], tracking="delivered", delivered_ms=7),))
    again = decode_state(encode_state(tracked), version=1, since_ms=0, due_ms=0)
    assert again.shipments == tracked.shipments


def test_a_forged_report_is_not_heard(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=40)
    world.secrets.kept[f"{world.at.kind}/webhook"] = {"secrets": ["another"]}
    assert tell(client, world) == [401]
    assert world.order().state.shipments[0].tracking == ""


def test_a_carrier_that_says_nothing_is_asked(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)
    ask_carriers(world.runtime)  # it may still tell by itself
    world.run()
    assert world.order().state.shipments[0].tracking == ""
    world.now_ms += UNHEARD_MS
    ask_carriers(world.runtime)
    world.run()
    assert world.order().state.shipments[0].tracking == "in_transit"
    assert unheard_labels(world.tables, world.now_ms - 1, 9) == []
    world.later(hours=40)
    ask_carriers(world.runtime)
    world.run()
    assert world.order().state.shipments[0].tracking == "delivered"


def test_a_report_before_the_parcel_is_recorded_is_not_lost(world: Trade, client: Client) -> None:
    ask(client, world, ship=False)
    world.later(hours=40)
    tell(client, world)
    label = shown(client)
    parcel = {
        "shipment_id": "own",
        "tracking_number": label["tracking_number"],
        "lines": [{"line_id": "1", "units": 2}],
    }
    assert call(client, "POST", f"{ORDER}/shipments", parcel)[0] == 202
    world.later(hours=7)
    ask_carriers(world.runtime)
    world.run()
    assert [each.tracking for each in world.order().state.shipments] == ["delivered"]


def test_the_file_of_a_label_is_found_when_its_buyer_is_erased(world: Trade, client: Client) -> None:
    contact = read_contact(world.tables, ID)
    assert contact
    named = type(contact)(**{**vars(contact), "buyer_ref": "buyer-7"})
    world.tables.write(contact_write(ID, named, world.now_ms))
    ask(client, world)
    found = traces_of(world.tables, [buyer_of("storefront", "buyer-7")])
    assert found.claims == (f"labels/{ID}/L1.pdf",)
    assert set(found.claims) <= set(world.bodies.kept)


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"label_id": "L1"}, 400, "package"),
        ({**WISH, "package": {"weight_g": 0}}, 400, "package.weight_g"),
        ({**WISH, "label_id": "a/b"}, 400, "label_id"),
        ({**WISH, "carrier_account": "dhl"}, 400, "carrier_account"),
        ({**WISH, "location": "moon"}, 400, "location"),
        ({**WISH, "location": "spare"}, 409, "'spare'"),
        ({**WISH, "most_amount": "5.00"}, 400, "currency"),
        ({**WISH, "most_amount": "much", "currency": "USD"}, 400, "most_amount"),
        ({**WISH, "prefer": "greenest"}, 400, "prefer"),
        ({**WISH, "lines": [{"line_id": "9", "units": 1}]}, 400, "'9'"),
        ({**WISH, "lines": [{"line_id": "1", "units": 3}]}, 409, "line 1"),
        ({**WISH, "format": "zpl"}, 400, "format"),
    ],
)
def test_a_wrong_wish_is_refused_by_name(
    world: Trade, client: Client, body: dict[str, Any], status: int, named: str
) -> None:
    found, answer = call(client, "POST", f"{ORDER}/labels", body)
    assert (found, queued(world)) == (status, 0), answer
    assert named in answer["error"]["detail"]


def test_of_two_labels_the_one_that_nobody_sells_stops_no_other_for_ever(world: Trade, client: Client) -> None:
    ask(client, world, label_id="A-dear", lines=ONE, most_amount="1.00", currency="USD")
    ask(client, world, lines=ONE)
    assert [hold.reason for hold in world.order().state.holds] == ["no_rate"]  # the dear one, looked at again
    assert call(client, "POST", f"{ORDER}/labels/A-dear/void")[0] == 202
    world.run()
    assert call(client, "DELETE", f"{ORDER}/holds/no_rate")[0] == 202
    world.run()
    assert (shown(client, "A-dear")["status"], shown(client)["status"]) == ("voided", "bought")
    assert ([each.shipment_id for each in world.order().state.shipments], world.order().state.holds) == (["L1"], ())


def test_the_channel_is_told_of_the_parcel(world: Trade, client: Client) -> None:
    shop = ShopStandIn(["MUG"], lambda: world.now_ms)

    def wire(request: HttpRequest) -> HttpResponse:
        return world.at.wire(request) if request.url.startswith(BASE) else shop.send(request)

    object.__setattr__(world.runtime, "transport", lambda: wire)
    add_account(world.tables, "shop", shop.account)
    world.secrets.kept["shop/api"] = shop.secret
    shop.place(document("7"))
    world.queues.send("entry", [{"channel": "shop", "raw": json.dumps(document("7", ship_to=ADDRESS)), "hint": {}}])
    world.run()
    assert call(client, "POST", "/api/orders/shop:7/labels", WISH)[0] == 202
    world.run()
    order = read_order(world.tables, "shop:7", content=True)
    assert order
    assert [(each.tracking_number[:2], each.confirmed_ms) for each in order.state.shipments] == [("94", world.now_ms)]


def test_an_id_is_the_label_of_one_order(world: Trade, client: Client) -> None:
    ask(client, world)
    send(world, document("1002", ship_to=ADDRESS))
    status, answer = call(client, "POST", "/api/orders/storefront:1002/labels", WISH)
    assert (status, answer["error"]["reason"]) == (409, "label_id_taken")
    wish = {"location": "main", "lines": [{"line_id": "1", "units": 2}], "package": BOX}
    message = {"order": "storefront:1002", "label": "L1", "account": world.at.kind, "wish": wish}
    world.queues.send("labels", [message])  # both were asked for at the same moment
    world.run()
    assert world.sold() == 1
    books(world)


def test_two_boxes_of_one_order_are_two_parcels(world: Trade, client: Client) -> None:
    ask(client, world, lines=ONE)
    assert dict(world.order().state.fulfilment) == {}  # the other unit has no label yet
    ask(client, world, label_id="L2", lines=ONE)
    assert [each.shipment_id for each in world.order().state.shipments] == ["L1", "L2"]
    assert world.sold() == 2
    books(world)


def _token() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}
