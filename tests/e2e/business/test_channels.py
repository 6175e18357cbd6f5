"""make run, with its faults on: both marketplaces do all that a seller needs of them, and pay."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from local.api import Api
from local.audit import audit
from local.marketplaces.catalogue import CATALOGUE
from local.replay.deployed import stored_items
from local.run import Run
from tests.e2e.running import PatientWarehouse, Told, control, detail, listed, ready, sell, until

pytestmark = pytest.mark.engine

MARKETPLACES = ("amazon", "ebay")
RARE = CATALOGUE[8].sku  # 14 throws
PAIR = CATALOGUE[4].sku


def test_a_sku_sold_out_on_ebay_reads_0_on_amazon_and_on_the_shop(run: Run, api: Api, told: Told) -> None:
    while control(run, "state")["listings"]["ebay"][RARE]:
        sell(run, "ebay", RARE)

    def gone() -> bool:
        listings = control(run, "state")["listings"]
        return listings["amazon"][RARE] == 0 and listings["shopify"][RARE] == 0

    _, seconds = until("a sold-out SKU is still on offer", gone)
    told(f"sold out on eBay: 0 on Amazon and on the shop after {seconds:.1f} s")


@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_a_buyers_wish_to_cancel_is_granted_and_the_channel_is_told(
    run: Run, api: Api, marketplace: str, told: Told
) -> None:
    for _ in range(8):  # the warehouse may have been quicker
        (order_id,) = sell(run, marketplace, PAIR)
        PatientWarehouse.spared.add(order_id)
        until("the order does not come in", lambda order_id=order_id: ready(api, order_id))
        asked = control(run, "ask_to_cancel", marketplace=marketplace, order_id=order_id.partition(":")[2])
        if asked["asked"]:
            break
    order, seconds = until(
        "the order is not cancelled", lambda: (o := detail(api, order_id))["stage"] == "cancelled" and o
    )
    assert order["units"]["cancelled"] == order["units"]["ordered"]
    number = order_id.partition(":")[2]
    _, more = until("the channel was not told", lambda: number in control(run, "state")["cancelled_ids"][marketplace])
    told(f"{marketplace}: a cancel request went through after {seconds + more:.1f} s")


@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_an_order_goes_in_two_parcels_and_a_unit_of_it_comes_back_and_is_paid_back(
    run: Run, api: Api, marketplace: str, told: Told
) -> None:
    def of_two() -> str:
        for _ in range(10):
            candidates = sell(run, marketplace, PAIR, n=6)
            PatientWarehouse.spared |= set(candidates)
            for order_id in candidates:
                order, _ = until("the order does not come in", lambda order_id=order_id: ready(api, order_id))
                if order["units"]["allocated"] >= 2:
                    PatientWarehouse.spared -= set(candidates) - {order_id}
                    return order_id
            PatientWarehouse.spared -= set(candidates)
        raise AssertionError("nobody buys two")

    order_id = of_two()
    order, _ = until("the order is not allocated", lambda: ready(api, order_id))
    number = order_id.partition(":")[2]
    left = [(line["line_id"], line["units"]["ordered"]) for line in order["lines"]]
    (first, units), *rest = left
    parcels = [[(first, 1)], [*([(first, units - 1)] if units > 1 else []), *rest]]
    for n, lines in enumerate(parcels, start=1):
        parcel = {"shipment_id": f"{number}-{n}", "location": "main", "carrier": "UPS"}
        parcel |= {"tracking_number": f"1Z{marketplace}{n}{number}".replace("-", "").upper()}
        api.ship(order_id, {**parcel, "lines": [{"line_id": line_id, "units": n} for line_id, n in lines]})

    def confirmed() -> Any:
        order = detail(api, order_id)
        return len(order["shipments"]) == 2 and all(s["confirmed_ms"] for s in order["shipments"]) and order

    _, seconds = until("two parcels are not confirmed", confirmed)
    assert number in control(run, "state")["shipped_ids"][marketplace]
    told(f"{marketplace}: both parcels of a split shipment confirmed after {seconds:.1f} s")

    control(run, "send_back", marketplace=marketplace, order_id=number)

    def paid_back() -> Any:
        order = detail(api, order_id)
        refunds = [refund for refund in order["refunds"].values() if refund["reason"] == "return"]
        return order["units"]["returned"] == 1 and [r for r in refunds if r["status"] == "confirmed"] and order

    order, seconds = until("the return was not paid back", paid_back)
    assert float(order["money"]["refunded"]) > 0
    told(f"{marketplace}: a return was taken in and paid back after {seconds:.1f} s")


def test_orders_of_both_reach_settlement_by_the_channels_own_payouts(run: Run, api: Api, told: Told) -> None:
    placed = [order_id for marketplace in MARKETPLACES for order_id in sell(run, marketplace, n=3)]

    def open_orders() -> list[str]:
        found = listed(api)
        return [i for i in placed if found.get(i, {}).get("stage") not in ("settled", "cancelled")]

    _, seconds = until(
        "not all orders are settled", lambda: not open_orders(), 600, lambda: [detail(api, i) for i in open_orders()]
    )
    settled = [order_id for order_id in placed if listed(api)[order_id]["stage"] == "settled"]
    assert {order_id.partition(":")[0] for order_id in settled} == set(MARKETPLACES)
    facts = api.get(f"/api/orders/{quote(settled[0], safe='')}/money")
    assert facts["facts"]
    told(f"orders of both marketplaces settled by their payouts after {seconds:.1f} s\n")


def test_the_books_are_right_afterwards(run: Run) -> None:
    assert audit(*stored_items(run.engine)).wrong == []
