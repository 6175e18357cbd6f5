"""What is read of accounts beside their orders: the account is a list, every call of ours is real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.channels.facts import ChannelDispute, ChannelReturn, ListedItem, Metric, Payout
from chalicelib.domain.settlement import LedgerFact
from chalicelib.inbound import accounts
from chalicelib.runtime.clients import pause
from chalicelib.store.accounts import add_account, read_account
from local.trade import START
from tests.accounts import Account
from tests.integration.crash_sandbox import Sandbox
from tests.integration.crash_steps import (
    CHANNEL,
    NUMBER,
    Event,
    Prepare,
    Scenario,
    after,
    enter,
    later,
    only_the_shop,
    ship,
)


def reading(account: Account, *steps: Callable[[Sandbox], Any]) -> Prepare:
    """The only account, `shop`, is a marketplace that answers from lists."""

    def prepare(box: Sandbox) -> Event:
        only_the_shop(box)
        for step in steps:
            step(box)
        for kinds in ("MARKETPLACES", "TAKERS_BACK", "PAYERS", "DISPUTED"):
            box.patch.setattr(accounts, kinds, ("shop",))
        box.patch.setattr(accounts, "client_for", lambda channel, runtime: account)
        return None

    return prepare


def booked(name: str, kind: str, amount_minor: int, order: str = NUMBER) -> LedgerFact:
    return LedgerFact(name, kind, amount_minor, "EUR", 1, order)


SOLD = (booked("s", "sale", 1000), booked("f", "fee", -120), booked("r", "refund", -250), booked("m", "fee", -39, ""))
RETURNS = [
    ChannelReturn("r1", NUMBER, "approve", (("1", 1),), "", 5),
    ChannelReturn("r2", "old", "request", (("1", 1),), "", 5),
]
DISPUTES = [ChannelDispute(f"d{order}", order, 400, "EUR", "open", 9) for order in (NUMBER, "old")]
METRICS = [Metric("late", "3.1", "3", is_good=False), Metric("defects", "0", "2", is_good=True)]
LISTED = [ListedItem("MUG", {}, quantity=99), ListedItem("SET", {}, quantity=0), ListedItem("OTHER", {}, "Other")]


def acknowledged(box: Sandbox) -> None:
    box.deliver("sync_shop", [{"sku": "MUG"}, {"sku": "CUP"}])
    box.pass_time(minutes=20)


STARTED_MS = round(START.timestamp() * 1000)


def tells_a_webhook(box: Sandbox) -> None:
    tables = box.ports().tables
    add_account(tables, CHANNEL, {**read_account(tables, CHANNEL), "webhook_url": "https://oms.example/webhooks/shop"})


UNHEARD_OF = [(str(number), b'{"id": "%d"}' % number, STARTED_MS) for number in range(12)]  # more than a batch


ACCOUNTS = {
    "poll_money": [
        Scenario("transactions, one a refund", reading(Account(facts=list(SOLD)), ship)),
        Scenario("a payout", reading(Account(paid=[Payout("po", "EUR", 5, 591, SOLD)]), ship)),
        Scenario(
            "transactions that are paid out, to a sum that is wrong",
            reading(Account(facts=list(SOLD), paid=[Payout("po", "EUR", 5, 1, SOLD)]), ship),
        ),
        Scenario("a dispute of a known and of an unknown order", reading(Account(disputed=DISPUTES), ship)),
    ],
    "poll_returns": [Scenario("one known and one unknown", reading(Account(sent_back=RETURNS), ship))],
    "check_accounts": [
        Scenario("a bad measure", reading(Account(metrics=METRICS))),
        Scenario("webhooks that are made", reading(Account(webhooks={"order": "created"}), tells_a_webhook)),
    ],
    "check_listings": [Scenario("one wrong, one unlinked", reading(Account(items=LISTED), acknowledged))],
    "check_orders": [
        Scenario(
            "orders that slipped through, and one that has changed since",
            reading(Account(orders=[*UNHEARD_OF, (NUMBER, b"{}", STARTED_MS)]), enter, later(hours=2)),
        ),
        Scenario("several pages", reading(Account(orders=UNHEARD_OF, page=4), later(hours=2))),
    ],
    "show_accounts": [
        Scenario("two accounts", lambda box: only_the_shop(box, "amazon")),
        Scenario("a paused account", after(only_the_shop, lambda box: pause(CHANNEL, "why", box.ports()), then=None)),
    ],
}
