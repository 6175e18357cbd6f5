"""The WooCommerce shop of the simulation: the stand-in that speaks REST v3, with a shop's orders behind it.

It tells of every change once, calls off parts of an order as refunds of lines, and takes no key for what it is told;
so what was told twice is there twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse
from local.marketplaces.buyers import TOWNS, Buyer
from local.marketplaces.catalogue import Listing
from local.marketplaces.faults import CALM, FaultDie, Faults
from local.marketplaces.shelf import Sale, ShelfListing, SoldLine
from local.marketplaces.wire import Request, to_json
from local.marketplaces.woocommerce import WooCommerce, product_id
from local.simulation.shop import MARK, PRICE, START, Shop

KIND, HOST = "woocommerce", "127.0.0.1"
_TROUBLE = Faults(throttled=0.03, unavailable=0.02, answer_lost=0.15)
_CHANGES_A_SECOND = 4  # so that several orders change in one second
_ORDER = re.compile(r"/orders/(\d+)")
_MUTE = 0.4  # of all such shops
_MARK = re.compile(r"\[([^\[\]]+)\]$")  # what our client signs notes and refunds with


class _Wordpress(WooCommerce):
    """`binned`: products that are in the bin for a while; `failed`: orders whose payment has failed."""

    def __init__(self, clock: Callable[[], datetime], die: FaultDie, *, has_tracking: bool) -> None:
        super().__init__([Listing("", "", PRICE, "EUR")], clock, die, has_tracking=has_tracking)
        self.shelf.listings = {}
        self.binned: set[str] = set()
        self.failed: set[str] = set()

    def status(self, sale: Sale) -> str:
        found = super().status(sale)
        return "failed" if sale.order_id in self.failed and found in ("processing", "pending") else found

    def order(self, sale: Sale) -> dict[str, Any]:
        """As the stand-in tells it, of buyers in the country that everything is sent from."""
        told = super().order(sale)
        return told | {place: {**told[place], "country": "GB"} for place in ("billing", "shipping")}

    def _changed_product(self, wish: dict[str, Any]) -> dict[str, Any]:
        if any(product_id(sku) == wish["id"] for sku in self.binned):
            return {"id": wish["id"], "error": {"code": "woocommerce_rest_product_invalid_id", "message": ""}}
        return super()._changed_product(wish)


class WooShop(Shop):
    """`site` is the truth behind it; `heard` is told the number of every order that we have changed. One that `is_mute`
    sends no webhook at all."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        die = FaultDie(_TROUBLE if chance.random() < 0.7 else CALM, Random(chance.random()))
        self.site = _Wordpress(self._now, die, has_tracking=chance.random() < 0.5)
        self.heard: Callable[[str], None] = lambda number: None
        self._paid: set[str] = set()
        self.is_mute = chance.random() < _MUTE
        self._has_binned = chance.random() < 0.5
        self.secret = {"consumer_key": self.site.consumer_key, "consumer_secret": self.site.consumer_secret}
        self.settings = {"allow_private": True, "currency": "EUR"}

    def open(self, skus: tuple[str, ...]) -> None:
        """Its products, of which the first may be in the bin."""
        self.binned = {skus[0]} if self._has_binned else set()
        self.site.shelf.listings = {sku: ShelfListing(sku, sku, PRICE, "EUR", 0) for sku in skus}
        self.site.binned = self.binned

    def refs(self, sku: str) -> dict[str, str]:
        return {"product_id": str(product_id(sku))}

    def place(self, number: str, lines: list[dict[str, Any]], payment: dict[str, Any], **more: Any) -> None:
        """A new order, whose lines have names of their own in all the shop."""
        lines = [{**line, "id": f"{number}{index}"} for index, line in enumerate(lines)]
        first, _, last = MARK.partition(" ")
        self.site.shelf.sales[number] = Sale(
            number=int(number),
            order_id=number,
            placed_at=START,
            updated_at=START,
            buyer=Buyer(first, last, "", "", TOWNS[0], "", number),
            currency="EUR",
            lines=[SoldLine(line["id"], line["sku"], line["sku"], line["quantity"], PRICE, 0, 0) for line in lines],
        )
        super().place(number, lines, payment, **more)

    def changed(self, number: str, *, late: int = 0) -> None:  # noqa: ARG002 it shows at once what has changed
        """As at a shop; once all has left, no line is called off any more."""
        super().changed(number)
        document, sale, status = self.orders[number], self.site.shelf.sales[number], self._paid_status(number)
        sale.touch(self._now())
        sale.paid = number in self._paid
        (self.site.failed.add if status == "failed" else self.site.failed.discard)(number)
        sale.cancelled_at = sale.updated_at if document.get("cancelled") else None
        sale.buyer = replace(sale.buyer, street=document["ship_to"]["line1"])
        if number not in self.site.completed:
            off = {line["id"]: line["cancelled"] for line in document["lines"] if line.get("cancelled")}
            refunds = [each for each in self.site.refunds.get(number, ()) if each["id"]]
            self.site.refunds[number] = [*([_taken_off(off)] if off else []), *refunds]
        self._follow(number)

    def calm(self) -> None:
        """No more faults."""
        self.site.die.faults = CALM

    def document(self, number: str) -> str:
        return to_json(self.site.order(self.site.shelf.sales[number])).decode()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        answer = self.site.handle(Request(request.method, url.path, query, request.headers, request.body))
        self.shown = {sku: listing.quantity for sku, listing in self.site.shelf.listings.items()}
        if about := _ORDER.search(url.path):
            self._follow(about[1])
        for number in {change.order_id: None for change in self.site.drain_changes()}:
            self._changes += 1
            self.heard(number)
        return HttpResponse(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.body)

    def told(self, number: str) -> Counter[str]:
        """How often it was told of each parcel, by its name or its tracking number."""
        numbers = [each["tracking_number"] for each in self.site.trackings.get(number, ())]
        return Counter([*self._signed(number, to_customer=True), *numbers])

    def paid_back(self, number: str) -> Counter[str]:
        """How often it has paid each refund that we have asked for."""
        reasons = [each["reason"] for each in self.site.refunds.get(number, ())]
        return Counter(found[1] for reason in reasons if (found := _MARK.search(reason)))

    def _paid_status(self, number: str) -> str:
        status = str(self.orders[number]["payment"]["status"])
        self._paid |= {number} if status == "paid" else set()
        return status

    def _now(self) -> datetime:
        return START + timedelta(seconds=self._changes // _CHANGES_A_SECOND)

    def _follow(self, number: str) -> None:
        """The order reads as the site has it, and what the site was told of it is known."""
        document, status = self.orders[number], self.site.status(self.site.shelf.sales[number])
        refunds = self.site.refunds.get(number, [])
        document["cancelled"] = status == "cancelled"
        for line in document["lines"]:
            off = next((each["off"] for each in refunds if not each["id"]), {})
            line["cancelled"] = line["quantity"] if status == "refunded" else off.get(line["id"], 0)
        if status in ("cancelled", "refunded", "completed"):
            self.gone.add(number)
        self.parcels |= {(number, name): {} for name in self.told(number)}
        self.cancelled |= {(number, name): {} for name in self._signed(number, to_customer=False)}
        self.refund_ids |= {(number, str(each["id"])): round(float(each["amount"]) * 100) for each in refunds}

    def _signed(self, number: str, *, to_customer: bool) -> list[str]:
        """The names in the notes of ours."""
        notes = [each["note"] for each in self.site.notes.get(number, ()) if each["customer_note"] == to_customer]
        return [found[1] for note in notes if (found := _MARK.search(note))]


def _taken_off(off: dict[str, int]) -> dict[str, Any]:
    """Units that leave the order and no money: a refund of lines, as old as the order."""
    lines = [
        {"quantity": -units, "meta_data": [{"key": "_refunded_item_id", "value": line_id}]}
        for line_id, units in off.items()
    ]
    told = {"date_created_gmt": f"{START:%Y-%m-%dT%H:%M:%S}", "amount": "0.00", "reason": "", "line_items": lines}
    return {"id": 0, **told, "refunded_payment": False, "off": off}
