"""What a running business does by itself: a warehouse that ships and restocks, banks that pay, polls that run often.

Everything goes through the public API, as a real warehouse's or bank's connector would.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from chalicelib.domain.lifecycle import CANCELLED_AFTER_SHIPPING
from chalicelib.domain.money import to_minor, to_text
from local.api import Api, ApiError

LOCATION = "main"
RESTOCK_BELOW = 8  # units available; a SKU may well sell out before the delivery comes
FEE_PERCENT = 12
OWN_SHOPS = ("shopify", "woocommerce", "storefront")  # whose parcels go with labels that we buy
UNIT_G, BOX_MM = 400, {"length_mm": 300, "width_mm": 200, "height_mm": 150}
ASKED_AGAIN_S = 20  # a label takes a moment, and a carrier may be out of reach


class Warehouse:
    """Ships what is allocated: parcels of own shops by asking for a label at one of `carriers`, all others with
    numbers of its own. Orders more of a SKU when little is left, which arrives at the next round."""

    def __init__(self, api: Api, restock: dict[str, int], carriers: tuple[str, ...] = ()) -> None:
        self._api = api
        self._restock = restock
        self._carriers = carriers
        self._asked: dict[str, float] = {}
        self._rounds = int(time.time())

    def __call__(self) -> None:
        for stage in ("shipping", "allocation"):
            for order in self._api.orders(stage):
                if order["units"]["allocated"] and not order["holds"]:
                    self._ship(self._api.order(order["id"]))
        self._rounds += 1
        if self._rounds % 10 == 0:
            self._receive()

    def _ship(self, order: dict[str, Any]) -> None:
        is_own = order["channel"].partition("-")[0] in OWN_SHOPS and order["country"]
        if is_own and self._carriers:
            self._ask_for_a_label(order)
        else:
            self._send_off(order)

    def _ask_for_a_label(self, order: dict[str, Any]) -> None:
        """The parcel is recorded once its label is bought."""
        if time.monotonic() - self._asked.get(order["id"], -ASKED_AGAIN_S) < ASKED_AGAIN_S:
            return
        self._asked[order["id"]] = time.monotonic()
        carrier = self._carriers[sum(order["id"].encode()) % len(self._carriers)]  # the same when asked again
        package = {"weight_g": UNIT_G * order["units"]["allocated"], **BOX_MM}
        wish = {"location": LOCATION, "carrier_account": carrier, "package": package}
        self._api.post(f"/api/orders/{quote(order['id'], safe='')}/labels", wish)

    def _send_off(self, order: dict[str, Any]) -> None:
        lines = [
            {"line_id": line["line_id"], "units": line["allocations"][LOCATION]}
            for line in order["lines"]
            if line["allocations"].get(LOCATION)
        ]
        parcel = f"{order['external_id']}-{len(order['shipments']) + 1}"
        tracking = "1Z" + "".join(filter(str.isalnum, parcel)).upper()
        if lines:
            shipment = {"shipment_id": parcel, "location": LOCATION, "carrier": "UPS", "tracking_number": tracking}
            self._api.ship(order["id"], {**shipment, "lines": lines})

    def _receive(self) -> None:
        for sku, units in self._restock.items():
            if self._api.get(f"/api/stock/{sku}")["available"] < RESTOCK_BELOW:
                movement = f"delivery-{sku}-{self._rounds}"
                self._api.post(
                    "/api/stock/receipts",
                    {"movement_id": movement, "sku": sku, "location": LOCATION, "units": units},
                )


class Desk:
    """Decides what buyers of the marketplaces ask for: a cancellation is granted, goods that come back are looked at,
    taken into stock and paid back. A parcel that was called off too late is fetched back."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self) -> None:
        for stage in ("entry", "funding", "allocation", "shipping"):
            for order in self._api.orders(stage):
                if "cancel_requested" in order["holds"]:
                    self._post(order["id"], "rejections", {"reason": "cancel_requested"})
        for order in self._api.get("/api/orders", limit=100)["orders"]:
            if CANCELLED_AFTER_SHIPPING in order["holds"]:
                self._fetch_back(self._api.order(order["id"]))
            moves = [told["move"] for told in order["timeline"]]
            if {"request_return", "approve_return"} & set(moves):
                self._take_back(self._api.order(order["id"]))

    def _take_back(self, order: dict[str, Any]) -> None:
        prices = {line["line_id"]: line for line in order["lines"]}
        for return_id, back in order["returns"].items():
            step = {"return_id": return_id, "location": LOCATION}
            if back["status"] in ("requested", "approved"):
                self._post(order["id"], "returns", {**step, "step": "receive"})
            if back["status"] != "received":  # a queue keeps no order: what is not known to have come is not inspected
                continue
            self._post(order["id"], "returns", {**step, "step": "inspect"})
            currency = order["money"]["currency"]
            worth_minor = sum(
                to_minor(prices[line["line_id"]]["amount"], currency)
                // prices[line["line_id"]]["units"]["ordered"]
                * line["units"]
                for line in back["lines"]
            )
            wish = {"refund_id": f"return-{return_id}", "amount": to_text(worth_minor, currency), "reason": "return"}
            self._post(order["id"], "refunds", wish)

    def _fetch_back(self, order: dict[str, Any]) -> None:
        out = {line["line_id"]: line["units"]["shipped"] - line["units"]["returned"] for line in order["lines"]}
        lines = [{"line_id": line_id, "units": units} for line_id, units in out.items() if units]
        back = {"return_id": f"fetched-{order['external_id']}", "location": LOCATION, "lines": lines}
        self._post(order["id"], "returns", {**back, "step": "inspect"})

    def _post(self, order_id: str, what: str, body: dict[str, Any]) -> None:
        self._api.post(f"/api/orders/{quote(order_id, safe='')}/{what}", body)


class Bank:
    """Pays every shipped order of `channels` once, one statement for each channel and round. `file` remembers what was
    paid. Marketplaces pay by themselves."""

    def __init__(self, api: Api, file: Path, channels: tuple[str, ...]) -> None:
        self._api = api
        self._channels = channels
        self._file = file
        self._paid: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}

    def __call__(self) -> None:
        waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for order in self._api.orders("settlement"):
            if order["channel"] in self._channels and order["id"] not in self._paid and not order["holds"]:
                waiting[order["channel"]].append(self._api.order(order["id"]))
        for channel, orders in waiting.items():
            payout_id = f"{channel}-{int(time.time())}"
            self._paid |= dict.fromkeys((order["id"] for order in orders), payout_id)
            self._file.write_text(json.dumps(self._paid))  # before it is paid: nothing may be paid twice
            for currency in {order["money"]["currency"] for order in orders}:
                lines = [
                    line for order in orders if order["money"]["currency"] == currency for line in _statement(order)
                ]
                statement = {"channel": channel, "payout_id": f"{payout_id}-{currency}", "currency": currency}
                self._api.post("/api/payouts", {**statement, "paid_ms": time.time_ns() // 1_000_000, "lines": lines})


def _statement(order: dict[str, Any]) -> list[dict[str, str]]:
    money = order["money"]
    fee_minor = to_minor(money["outstanding"], money["currency"]) * FEE_PERCENT // 100
    amounts = {"sale": money["outstanding"], "fee": to_text(-fee_minor, money["currency"])}
    return [
        {"line_id": f"{kind}-{order['external_id']}", "order_id": order["id"], "kind": kind, "amount": amount}
        for kind, amount in amounts.items()
    ]


class Every:
    """Calls `job` every `period_s` seconds on a thread of its own until stopped; an unreachable API is tried again."""

    def __init__(self, period_s: float, job: Callable[[], None]) -> None:
        self._period_s = period_s
        self._job = job
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            try:
                self._job()
            except (ApiError, OSError, ValueError) as error:
                print(f"{type(self._job).__name__}: {error}", flush=True)
            except Exception as error:  # noqa: BLE001 a simulated actor must not end silently
                print(f"{type(self._job).__name__}: {type(error).__name__}: {error}", flush=True)
