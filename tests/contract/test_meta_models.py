"""Every request to Meta fits its official model, and the stand-in refuses what the model refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.channels.meta.catalogue import CatalogueClient, CatalogueItem
from chalicelib.channels.meta.conversions import ConversionsClient, purchase_event
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.channel_order import Contact
from local.meta.graph import Graph, whole_item
from tests.contract.meta_models import held, wrong_in_request
from tests.factories import T0_MS, entered, fact

ACCOUNT = {"dataset_id": "d-1", "catalogue_id": "c-1", "test_event_code": "TEST1"}
CREDENTIALS = {"access_token": "t", "app_secret": "s"}
ADDRESS = {"city": "Berlin", "region": "BE", "postcode": "10115", "country": "DE", "phone": "+49 30 1234567"}
TRACKING = {"user_agent": "Browser", "ip": "192.0.2.1", "fbc": "fb.1.123.IwAbC", "fbp": "fb.1.123.456"}
WHOLE = CatalogueItem(
    "MUG",
    3,
    999,
    "EUR",
    title="Mug",
    link="https://shop.example/mug",
    image_link="https://shop.example/mug.jpg",
    description="Holds tea.",
    condition="new",
    brand="Mugs",
)


class Desk:
    """Both clients, and all that they send."""

    def __init__(self) -> None:
        self.graph = Graph("t", "d-1", T0_MS)
        self.sent: list[HttpRequest] = []
        wire = held(self._send)
        self.catalogue = CatalogueClient(wire, ACCOUNT, CREDENTIALS)
        self.events = ConversionsClient(wire, ACCOUNT, CREDENTIALS, T0_MS)

    def _send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return self.graph.handle(request)

    def one_of_each(self) -> dict[str, HttpRequest]:
        """What is sent for a purchase, a batch and its state, by edge."""
        contact = Contact("Ada Example", "ada@example.com", "", "c-7", ADDRESS, TRACKING)
        assert self.events.send([purchase_event(entered(fact()), contact, "https://shop.example/", T0_MS)]) == [None]
        assert self.catalogue.check(self.catalogue.send([WHOLE]).handle) == []
        return {urlsplit(request.url).path.rpartition("/")[2]: request for request in self.sent}


def test_every_request_fits_its_model_and_is_taken() -> None:
    desk = Desk()
    assert desk.one_of_each().keys() == {"events", "items_batch", "check_batch_request_status"}
    assert desk.graph.items["MUG"]["brand"] == "Mugs"
    desk.catalogue.check(desk.catalogue.send([CatalogueItem("MUG", 0, gone=True)]).handle)
    assert desk.graph.items == {}


def test_an_item_that_meta_does_not_know_needs_its_texts_and_one_that_it_knows_does_not() -> None:
    desk = Desk()
    bare = CatalogueItem("MUG", 0)
    assert desk.catalogue.check(desk.catalogue.send([bare]).handle)
    desk.graph.items["MUG"] = whole_item("MUG")
    assert desk.catalogue.check(desk.catalogue.send([bare]).handle) == []
    assert desk.graph.items["MUG"]["availability"] == "out of stock"


def event(body: Any) -> Any:
    return body["data"][0]


def item(body: Any) -> Any:
    return body["requests"][0]


# What is changed in a valid body -> both the model and the stand-in have something against it
WRONG: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a parameter of another": ("events", lambda body: body.update(requests=[])),
    "no data": ("events", lambda body: body.pop("data")),
    "an unknown field": ("events", lambda body: event(body).update(colour="red")),
    "an unknown key of a user": ("events", lambda body: event(body)["user_data"].update(name="Ada")),
    "an e-mail that is not hashed": ("events", lambda body: event(body)["user_data"].update(em=["ada@example.com"])),
    "a hashed cookie": ("events", lambda body: event(body)["user_data"].update(fbc="a" * 64)),
    "no user agent": ("events", lambda body: event(body)["user_data"].pop("client_user_agent")),
    "no source": ("events", lambda body: event(body).pop("action_source")),
    "no time": ("events", lambda body: event(body).pop("event_time")),
    "no value": ("events", lambda body: event(body)["custom_data"].pop("value")),
    "no item type": ("items_batch", lambda body: body.pop("item_type")),
    "requests that are no list": ("items_batch", lambda body: body.update(requests="x")),
    "a parameter of feeds": ("items_batch", lambda body: body.update(update_only=True)),
    "a method that is none": ("items_batch", lambda body: item(body).update(method="PATCH")),
    "an item without an id": ("items_batch", lambda body: item(body)["data"].pop("id")),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_model_refuses_the_stand_in_refuses(name: str) -> None:
    desk = Desk()
    edge, change = WRONG[name]
    request = desk.one_of_each()[edge]
    body = json.loads(request.body)
    change(body)
    wrong = replace(request, body=json.dumps(body).encode())
    assert wrong_in_request(request) == []
    assert wrong_in_request(wrong) != []
    assert desk.graph.handle(wrong).status == 400


@pytest.mark.parametrize("change", [{"colour_of": "red"}, {"price": "9,99"}], ids=["unknown field", "price"])
def test_an_item_that_the_model_refuses_comes_to_nothing(change: dict[str, str]) -> None:
    desk = Desk()
    request = desk.one_of_each()["items_batch"]
    body = json.loads(request.body)
    item(body)["data"] |= change
    wrong = replace(request, body=json.dumps(body).encode())
    assert wrong_in_request(wrong) != []
    handle = json.loads(desk.graph.handle(wrong).body)["handles"][0]
    assert [name for name, _ in desk.catalogue.check(handle) or []] == ["MUG"]


def test_a_handle_that_is_not_told_and_a_token_in_the_url_are_refused() -> None:
    desk = Desk()
    request = desk.one_of_each()["check_batch_request_status"]
    for url in (request.url.partition("?")[0], f"{request.url}&access_token=t"):
        assert wrong_in_request(replace(request, url=url)) != []
        assert desk.graph.handle(replace(request, url=url)).status == 400
