"""make run, with its faults on: own shops' orders from the click on Facebook to the payout, and a SKU that is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local.api import Api
from local.audit import audit
from local.marketplaces.catalogue import CATALOGUE
from local.replay.deployed import stored_items
from local.run import Run
from tests.e2e.running import PatientWarehouse, control, detail, ready, sell, state_of, told, until

pytestmark = pytest.mark.engine

SOLD_OUT = CATALOGUE[7].sku  # 18 knives
PLAIN = CATALOGUE[2].sku


@pytest.fixture
def polled_alone(run: Run) -> Iterator[None]:
    """WooCommerce has no webhooks any more."""
    control(run, "webhooks", woocommerce=False)
    yield
    control(run, "webhooks", woocommerce=True)


def referred(api: Api) -> int:
    """How many orders Facebook has sent until now, by the report."""
    today = datetime.now(UTC).date().isoformat()
    rows = api.get("/api/referrals", **{"from": today, "to": today})["referrals"]
    return sum(row["orders"] for row in rows if row["source"] == "facebook")


def taken(run: Run, order_id: str) -> list[int]:
    """What was taken of the held money, one by one, as Shopify shows it, or Stripe of the WooCommerce shop's orders."""
    shop, _, number = order_id.partition(":")
    known = control(run, "state") if shop == "shopify" else state_of(run.stripe_url)
    found: list[int] = known["captures"][number]
    return found


def follow(run: Run, api: Api, shop: str) -> None:
    """One order whose money is only held, of a buyer whom Facebook has sent, until all of it is over."""
    before, started = referred(api), time.monotonic()
    (order_id,) = sell(run, shop, PLAIN, referral="facebook", authorised=True)
    PatientWarehouse.spared.add(order_id)
    number = order_id.partition(":")[2]

    order, _ = until("the order is not allocated", lambda: ready(api, order_id))
    source = {name: order["referral"][name] for name in ("source", "medium", "evidence")}
    assert source == {"source": "facebook", "medium": "paid", "evidence": "fbclid"}
    assert referred(api) == before + 1
    assert (order["stage"], order["money"]["funding"], taken(run, order_id)) == ("shipping", "authorised", [])
    PatientWarehouse.spared.discard(order_id)

    def over() -> Any:
        order = detail(api, order_id)
        parcels = order["shipments"]
        return order["stage"] == "settled" and parcels and all(p["tracking"] == "delivered" for p in parcels) and order

    order, _ = until("it is not settled and delivered", over, within_s=420)
    told(f"{shop}: referred, authorised, labelled, captured, delivered, paid in {time.monotonic() - started:.1f} s")
    assert [each["status"] for each in order["captures"].values()] == ["confirmed"]
    assert order["money"]["captured"] == order["money"]["charged"] == order["money"]["settled"]
    assert taken(run, order_id) == [round(float(order["money"]["charged"]) * 100)]
    (parcel,), known = order["shipments"], state_of(run.services_url)
    (label,) = api.get(f"/api/orders/{order_id}/labels")["labels"]
    assert (label["status"], label["tracking_number"]) == ("bought", parcel["tracking_number"])
    sold = [name for names in known["labels"].values() for name in names if name.startswith(f"{label['label_id']}~")]
    assert len(sold) == 1
    assert known["meta"]["purchases"].count(number) == 1
    assert number in control(run, "state")["shipped_ids"][shop]


def test_a_shopify_order_of_facebook_is_captured_when_it_leaves_and_paid_out(run: Run, api: Api) -> None:
    follow(run, api, "shopify")


@pytest.mark.usefixtures("polled_alone")
def test_a_woocommerce_order_of_facebook_likewise_by_polling_alone(run: Run, api: Api) -> None:
    follow(run, api, "woocommerce")


def test_a_sku_sold_out_on_one_channel_is_unavailable_on_all_and_in_the_catalogue_feed(run: Run, api: Api) -> None:
    assert state_of(run.services_url)["meta"]["availability"][SOLD_OUT] == "in stock"
    while control(run, "state")["listings"]["woocommerce"][SOLD_OUT]:
        sell(run, "woocommerce", SOLD_OUT)

    def gone() -> bool:
        shown = control(run, "state")["listings"]
        return not any(shown[channel][SOLD_OUT] for channel in ("amazon", "ebay", "shopify", "woocommerce"))

    _, seconds = until("a sold-out SKU is still on offer", gone)

    def fed() -> bool:
        return bool(state_of(run.services_url)["meta"]["availability"][SOLD_OUT] == "out of stock")

    _, more = until("the catalogue still offers a sold-out SKU", fed)
    told(f"sold out on WooCommerce: 0 on every channel after {seconds:.1f} s, in the catalogue {more:.1f} s later\n")


def test_the_books_are_right_afterwards(run: Run) -> None:
    assert audit(*stored_items(run.engine)).wrong == []
