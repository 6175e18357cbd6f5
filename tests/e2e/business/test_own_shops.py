"""make run, with its faults on: own shops' orders from the click on Facebook to the payout, and a SKU that is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from local.api import Api
from local.audit import audit
from local.marketplaces.catalogue import CATALOGUE
from local.replay.deployed import stored_items
from local.run import Run
from tests.e2e.running import PatientWarehouse, Told, control, detail, ready, sell, state_of, until

pytestmark = pytest.mark.engine

SOLD_OUT = CATALOGUE[7].sku  # 18 knives
PLAIN = CATALOGUE[2].sku
SHOPS = ("shopify", "woocommerce")


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


@pytest.fixture(scope="module")
def placed(run: Run, api: Api) -> dict[str, str]:
    """One order at each shop, of a buyer whom Facebook has sent and whose money is only held. WooCommerce tells nothing
    any more, it is polled alone. Neither leaves before the first test lets it."""
    control(run, "webhooks", woocommerce=False)
    ids = {shop: sell(run, shop, PLAIN, referral="facebook", authorised=True)[0] for shop in SHOPS}
    PatientWarehouse.spared |= set(ids.values())
    return ids


def test_orders_of_facebook_are_attributed_authorised_and_allocated(
    run: Run, api: Api, placed: dict[str, str], told: Told
) -> None:
    for shop, order_id in placed.items():
        order, seconds = until("the order is not allocated", lambda order_id=order_id: ready(api, order_id))
        source = {name: order["referral"][name] for name in ("source", "medium", "evidence")}
        assert source == {"source": "facebook", "medium": "paid", "evidence": "fbclid"}
        assert (order["stage"], order["money"]["funding"], taken(run, order_id)) == ("shipping", "authorised", [])
        told(f"{shop}: an order of Facebook authorised and allocated after {seconds:.1f} s more")
    assert referred(api) == len(placed)
    PatientWarehouse.spared -= set(placed.values())


def test_a_sku_sold_out_on_one_channel_is_unavailable_on_all_and_in_the_catalogue_feed(run: Run, told: Told) -> None:
    def offered() -> str:
        return str(state_of(run.services_url)["meta"]["availability"].get(SOLD_OUT, ""))

    until("the catalogue was not fed", lambda: offered() == "in stock")
    while control(run, "state")["listings"]["woocommerce"][SOLD_OUT]:
        sell(run, "woocommerce", SOLD_OUT, authorised=True)

    def gone() -> bool:
        shown = control(run, "state")["listings"]
        return not any(shown[channel][SOLD_OUT] for channel in ("amazon", "ebay", "shopify", "woocommerce"))

    _, seconds = until("a sold-out SKU is still on offer", gone)
    _, more = until("the catalogue still offers a sold-out SKU", lambda: offered() == "out of stock")
    told(f"sold out on WooCommerce: 0 on every channel after {seconds:.1f} s, in the catalogue {more:.1f} s later")


@pytest.mark.parametrize("shop", SHOPS)
def test_an_order_of_facebook_is_labelled_captured_delivered_paid_out_and_told_once(
    run: Run, api: Api, placed: dict[str, str], shop: str, told: Told
) -> None:
    order_id = placed[shop]

    def over() -> Any:
        order = detail(api, order_id)
        parcels = order["shipments"]
        return order["stage"] == "settled" and parcels and all(p["tracking"] == "delivered" for p in parcels) and order

    order, seconds = until("it is not settled and delivered", over, within_s=420)
    told(f"{shop}: labelled, captured, delivered and paid out after {seconds:.1f} s more")
    assert [each["status"] for each in order["captures"].values()] == ["confirmed"]
    assert order["money"]["captured"] == order["money"]["charged"] == order["money"]["settled"]
    assert taken(run, order_id) == [round(float(order["money"]["charged"]) * 100)]
    (parcel,), known = order["shipments"], state_of(run.services_url)
    (label,) = api.get(f"/api/orders/{order_id}/labels")["labels"]
    assert (label["status"], label["tracking_number"]) == ("bought", parcel["tracking_number"])
    sold = [name for names in known["labels"].values() for name in names if name.startswith(f"{label['label_id']}~")]
    assert len(sold) == 1
    number = order_id.partition(":")[2]
    assert known["meta"]["purchases"].count(number) == 1
    assert number in control(run, "state")["shipped_ids"][shop]


def test_the_books_are_right_afterwards(run: Run) -> None:
    assert audit(*stored_items(run.engine)).wrong == []
