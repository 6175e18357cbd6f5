"""The judge of a simulated business: what must hold at every step, and what must be true when all has come to rest.

Numbers are those of DESIGN §6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from chalicelib.domain.lifecycle import (
    CANCELLED_AFTER_SHIPPING,
    CLOSED,
    is_funded,
    stage,
    unsaid_to_channel,
    work_due,
)
from chalicelib.domain.money import to_text
from chalicelib.domain.moves import MOVES
from chalicelib.domain.orders import Order, total_units
from chalicelib.store.accounts import channels
from chalicelib.store.counters import read_counts
from chalicelib.store.labels import labels_of
from chalicelib.store.tables import Item
from local.audit import Books, audit
from local.memory.tables import Committed
from local.simulation.label_verdict import bought_in_vain, forgotten_labels, label_went_back, labels_wrong, went_back
from local.simulation.market import KIND
from local.simulation.money_verdict import market_wrong, till_wrong, woo_wrong
from local.simulation.shop import MARK, Shop
from local.simulation.world import FaultyWorld

_DAY_MS = 86_400_000


class Verdict:
    """Watches a world and judges it.

    paid      the shop's orders that we have seen paid, whatever it says later
    parcels   (order, parcel) that the warehouse has sent or tried to
    brought   (order, return) whose goods the warehouse has had in its hands
    vain      labels that were bought when their units were called off
    poisoned  how many bodies of rubbish came in
    """

    def __init__(self, world: FaultyWorld) -> None:
        self.world = world
        self.paid: set[str] = set()
        self.parcels: set[tuple[str, str]] = set()
        self.brought: set[tuple[str, str]] = set()
        self.vain: set[str] = set()
        self.poisoned = 0
        self._wrong: list[str] = []
        world.tables.watch = self._committed
        world.till.watch = self._money_moved

    def _committed(self, change: Committed) -> None:
        """3: never oversold; what is written of orders and labels gets on."""
        if change.new and change.sk.startswith("LOC#"):
            have, promised = change.new.get("on_hand", 0), change.new.get("allocated", 0)
            if not 0 <= promised <= have:
                self._wrong.append(f"3 oversold: {promised} of {have} {change.pk} are promised at {change.sk[4:]}")
        if change.pk.startswith("LABELS#"):
            self._wrong += label_went_back(change)
            self.vain |= bought_in_vain(self.world, change)
        if change.sk == "STATE" and change.new:
            self._order_committed(change)

    def _order_committed(self, change: Committed) -> None:
        """6: versions rise and tell a longer story; 8: nothing waits without a deadline; a held order gets nothing."""
        assert change.new
        after = self.world.order(change.new)
        before = self.world.order(change.old) if change.old else None
        told = after.state.timeline
        if len(told) != after.state.version or any(line.move not in MOVES for line in told):
            self._wrong.append(f"6 {after.order_id}: version {after.state.version} tells {len(told)} moves")
        if before:
            if after.state.version <= before.state.version or told[: before.state.version] != before.state.timeline:
                self._wrong.append(f"6 {after.order_id}: {before.state.version} is followed by {after.state.version}")
            if after.state.source < before.state.source:
                self._wrong.append(f"6 {after.order_id}: an older word won")
            self._wrong += went_back(before, after)
            grown = _allocated(after) > _allocated(before)
            if grown and before.state.holds:
                self._wrong.append(f"held {after.order_id} was promised stock")
            if _is_lost(after) and not _is_lost(before) and not _is_noticed(after):
                self._wrong.append(f"{after.order_id} was called off with its goods under way, and nobody is told")
        if stage(after) not in CLOSED and after.state.due_ms <= 0:
            self._wrong.append(f"8 {after.order_id} waits without a deadline")

    def _money_moved(self, what: str, reference: str) -> None:
        """Nothing is taken before something has left, nor given free after."""
        number = reference.removeprefix("pi_")
        gone = any(o.state.shipments for o in self.world.orders() if o.external_id == number)
        if gone != (what == "capture"):
            self._wrong.append(f"5 {what} of {reference}, whose goods {'have' if gone else 'have not'} left")

    def took_back(self, order: Order, return_id: str, step: str) -> None:
        """The warehouse says so of a return; what is known is inspected only when it has come."""
        if step == "receive" or (step == "inspect" and return_id not in order.state.returns):
            self.brought.add((order.order_id, return_id))

    def at_rest(self) -> None:
        """Whenever nothing is under way: no stage has work, the shop has been told all and shows what is there."""
        for order in self.world.orders():
            if work_due(order) or unsaid_to_channel(order):
                self._wrong.append(f"{order.order_id} was forgotten: {work_due(order) or 'its channel'}")
        self._wrong += [f"{channel} is still paused" for channel in self.world.paused()]
        self._wrong += forgotten_labels(self.world, self.vain)
        for channel in channels(self.world.tables):
            if channel not in self.world.shops:
                continue
            self._wrong += self._channel_wrong(channel, self.world.shops[channel])

    def of(self, accounts: Sequence[str]) -> list[str]:
        """Everything that is wrong at the end, of these channel accounts."""
        books = self.books()
        wrong = self._wrong + list(books.wrong)
        wrong += [
            f"{queue}: dead: {body}"
            for queue, dead in self.world.queues.dead.items()
            for body in dead
            if not _is_poison(body)
        ]
        for channel in accounts:
            wrong += self._orders_wrong(channel, books)
        unread = sum(order.external_id.startswith("unreadable") for order in books.orders.values())
        if unread > self.poisoned:
            wrong.append(f"2: {self.poisoned} bodies were rubbish, {unread} are kept as that")
        if KIND in accounts:
            wrong += market_wrong(self.world, books.orders)
        wrong += till_wrong(self.world, books.orders)
        wrong += labels_wrong(self.world)
        wrong += woo_wrong(self.world)
        wrong += [problem for order in books.orders.values() for problem in self._stuck(order, books)]
        return wrong + self._privacy_wrong()

    def _orders_wrong(self, channel: str, books: Books) -> list[str]:
        shop = self.world.shops[channel]
        found = [order for order in books.orders.values() if order.channel == channel and not _of_our_own(order)]
        wrong = []
        if {order.external_id for order in found} != set(shop.orders) or len(found) != len(shop.orders):
            wrong.append(f"1, 2: {channel} has {len(shop.orders)} orders, we have {len(found)}")
        for order in found:
            if order.external_id in shop.orders:
                wrong += self._order_wrong(order, shop.orders[order.external_id], shop)
            back = order.state.returns.items()
            here = {(order.order_id, name) for name, each in back if each.status in ("received", "inspected")}
            if not here <= self.brought:
                wrong.append(f"4 goods of {sorted(here - self.brought)} came without the warehouse")
        return wrong

    def books(self) -> Books:
        """The audited books: 3, 4, 5."""
        items: dict[str, list[Item]] = {"orders": [], "stock": [], "ledger": []}
        for key, item in self.world.tables.items.items():
            if key.table in items:
                items[key.table].append(item)
        return audit(items, read_counts(self.world.tables))

    def _order_wrong(self, order: Order, document: dict[str, Any], shop: Shop) -> list[str]:
        """The newest word of the shop is what we hold, and the shop has been told of all that we did."""
        name, state = order.order_id, order.state
        wrong = []
        if len(order.lines) != len(document["lines"]):
            return [f"{name}: {len(document['lines'])} lines, we hold {len(order.lines)}"]
        for line, stated, units in zip(order.lines, document["lines"], state.quantities, strict=True):
            wanted = 0 if document.get("cancelled") else stated["quantity"] - stated.get("cancelled", 0)
            if units.cancel_wanted != units.ordered - wanted:
                wrong.append(f"{name} line {line.line_id}: an older word of the shop won")
            if units.to_cancel > 0:
                wrong.append(f"{name} line {line.line_id}: called-off units are still promised")
        paid = document["payment"]["status"] == "paid" or order.external_id in self.paid
        if paid and state.payment.captured_minor == 0 and state.total_minor:
            wrong.append(f"{name}: a late failure lowered a paid order")
        numbers = {each.tracking_number: each.shipment_id for each in state.shipments if each.tracking_number}
        told = {numbers.get(parcel, parcel) for number, parcel in shop.parcels if number == order.external_id}
        if told != {shipment.shipment_id for shipment in state.shipments}:
            wrong.append(f"{name}: the shop knows the parcels {sorted(told)}")
        labelled = {label.label_id for label in labels_of(self.world.tables, name)}
        sent = labelled | {parcel for order_id, parcel in self.parcels if order_id == name}
        invented = [s.shipment_id for s in state.shipments if s.shipment_id not in sent]
        if invented:
            wrong.append(f"{name}: nobody has sent the parcels {invented}")
        confirmed = sum(refund.amount_minor for refund in state.refunds.values() if refund.status == "confirmed")
        paid_back = sum(minor for (number, _), minor in shop.refund_ids.items() if number == order.external_id)
        at_till = self.world.till.refunds.items()
        paid_back += sum(minor for (reference, _), minor in at_till if reference == f"pi_{order.external_id}")
        if paid_back != confirmed:
            wrong.append(f"5 {name}: {paid_back} were paid back, {confirmed} wanted")
        cancelled = {name for number, name in shop.cancelled if number == order.external_id}
        ours = {n for n, each in state.cancellations.items() if any(state.quantities[i].cancelled for i in each.items)}
        if not ours <= cancelled and order.external_id not in shop.gone:
            wrong.append(f"{name}: the shop was not told of {sorted(ours - cancelled)}")
        return wrong

    def _stuck(self, order: Order, books: Books) -> list[str]:
        """Every order is closed, or waits for what nobody here can give: the buyer's money, or goods."""
        units = total_units(order.state.quantities)
        name = f"{order.order_id} ({stage(order)}: {', '.join(hold.reason for hold in order.state.holds)})"
        if stage(order) in CLOSED or order.external_id.startswith("unreadable"):
            return []
        if not is_funded(order.state):
            kept = [f"{name} keeps {units['allocated']} units without money"] if units["allocated"] else []
            return (
                kept if order.state.payment.captured_minor < order.state.total_minor else [f"{name}: paid, not funded"]
            )
        if order.state.linked_to and order.state.holds:
            return []  # an exchange whose goods never came
        if units["backordered"] and not units["open"] and not order.state.holds:
            servable = [
                line.sku
                for line, ledger in zip(order.lines, order.state.quantities, strict=True)
                if ledger.backordered and _can_serve(line.parts, books)
            ]
            return [f"{name}: {servable} are free while it waits"] if servable else []
        return [f"{name}: is stuck with {units}"]

    def _channel_wrong(self, channel: str, shop: Shop) -> list[str]:
        """7: the channel shows what is there, at the price that is wanted."""
        tables = self.world.tables
        free: dict[str, Counter[str]] = defaultdict(Counter)
        for key, item in tables.items.items():
            if key.table == "stock" and key.sk.startswith("LOC#"):
                free[key.sk][key.pk] = max(item.get("available", 0), 0)
        wrong = []
        for key, item in tables.items.items():
            if key.table == "listings" and "price_minor" in item and item["channel"] == channel:
                wanted = to_text(item["price_minor"], item["currency"])
                if shop.prices.get(item["channel_sku"]) != wanted:
                    wrong.append(f"7 {item['channel_sku']} costs {shop.prices.get(item['channel_sku'])}, not {wanted}")
            if key.table == "listings" and key.sk == "SKU":
                sku = key.pk.removeprefix("SKU#")
                parts = item.get("components") or [[sku, 1]]
                there = sum(min(units[part] // each for part, each in parts) for units in free.values())
                if shop.shown.get(sku) != there and sku not in shop.binned:
                    wrong.append(f"7 {channel} shows {shop.shown.get(sku)} {sku}, there are {there}")
        return wrong

    def _privacy_wrong(self) -> list[str]:
        """9: the buyers' data stands nowhere but in contacts and raw bodies, and goes when it is due."""
        tables, wrong = self.world.tables, []
        for key, item in tables.items.items():
            if key.table != "contacts" and MARK in repr(item):
                wrong.append(f"9 personal data in {key}")
            if key.table == "contacts" and item["expires_at"] * 1000 > self.world.now_ms + 91 * _DAY_MS:
                wrong.append(f"9 {key.pk} is kept too long")
        lines = [line for line in self.world.logged if MARK in line]
        return wrong + [f"9 personal data in a log line: {line[:80]}" for line in lines]


def _is_poison(body: str) -> bool:
    """What no handler can make sense of belongs in the dead letters."""
    return ":none" in body


def _allocated(order: Order) -> int:
    return total_units(order.state.quantities)["allocated"]


def _is_lost(order: Order) -> bool:
    """The shop has called off all of it, and some is under way."""
    units = order.state.quantities
    all_off = order.state.cancelled and all(each.cancel_wanted == each.ordered for each in units)
    return all_off and any(each.shipped > each.returned for each in units)


def _is_noticed(order: Order) -> bool:
    reasons = {hold.reason for hold in order.state.holds} | {reason for reason, _ in order.state.waived}
    return CANCELLED_AFTER_SHIPPING in reasons


def _of_our_own(order: Order) -> bool:
    return bool(order.state.linked_to) or order.external_id.startswith("unreadable")


def _can_serve(parts: Any, books: Books) -> bool:
    places = {place for _, place in books.stock}
    return any(
        all(books.stock.get((sku, place), {}).get("available", 0) >= each for sku, each in parts) for place in places
    )
