"""What is read of channel accounts on a schedule beside their orders: money, returns, how the channel rates the seller,
what it lists, and whether any order has slipped through. One account that does not answer stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.channels.facts import ListedItem
from chalicelib.channels.port import ChannelClient
from chalicelib.channels.registry import PROCESSORS, kind_of
from chalicelib.domain.errors import HeadraceError, Refused, Unauthorised
from chalicelib.inbound.comparison import find_orders
from chalicelib.inbound.disputes import read_disputes
from chalicelib.inbound.money import PAYOUTS, read_money, together
from chalicelib.inbound.polls import resume
from chalicelib.inbound.returns import read_returns
from chalicelib.inbound.upkeep import WEBHOOKED, check_account
from chalicelib.runtime.clients import client_for, pause, processor_for
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, read_account, read_cursor, read_pause
from chalicelib.store.findings import (
    Shown,
    Unlinked,
    keep_account_view,
    keep_unlinked,
    read_budgets,
    read_shown,
)

blueprint = Blueprint(__name__)

MARKETPLACES = ("amazon", "ebay")  # they rate their sellers
TAKERS_BACK = (*MARKETPLACES, "shopify")  # buyers ask there for returns
DISPUTED = ("shopify",)  # their disputes are read; Stripe tells of its own by event
PAYERS = (*MARKETPLACES, "shopify", *PROCESSORS)  # they tell what they book and pay out

_SETTLING_MS = 15 * 60_000  # what was acknowledged last may not be shown yet
_TITLE_KEPT = 120
_SALE_ARRIVES_S = 900  # to repeat our number before the order of a sale has come would offer the sold unit again
_SECRET_WORDS = ("secret", "token", "password", "key", "credential")


# Each Lambda's work, for those who run it without Lambda too.
JOBS: Mapping[str, Callable[[Runtime], None]] = {
    "check_accounts": lambda runtime: each_account(
        "account_checked", {*MARKETPLACES, *WEBHOOKED}, check_account, runtime
    ),
    "poll_money": lambda runtime: money_and_disputes(runtime),
    "poll_returns": lambda runtime: each_account("returns_read", TAKERS_BACK, read_returns, runtime),
    "check_listings": lambda runtime: each_account("listings_checked", SYNC_QUEUES, compare_listings, runtime),
    "check_orders": lambda runtime: each_account("orders_compared", SYNC_QUEUES, find_orders, runtime),
    "show_accounts": lambda runtime: show(runtime),
}


@blueprint.schedule(Rate(60, unit=Rate.MINUTES), name="poll_money")
@on_schedule(JOBS["poll_money"])
def poll_money(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(30, unit=Rate.MINUTES), name="poll_returns")
@on_schedule(JOBS["poll_returns"])
def poll_returns(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(6, unit=Rate.HOURS), name="check_accounts")
@on_schedule(JOBS["check_accounts"])
def check_accounts(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(60, unit=Rate.MINUTES), name="check_listings")
@on_schedule(JOBS["check_listings"])
def check_listings(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(60, unit=Rate.MINUTES), name="check_orders")
@on_schedule(JOBS["check_orders"])
def check_orders(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(5, unit=Rate.MINUTES), name="show_accounts")
@on_schedule(JOBS["show_accounts"])
def show_accounts(event: Any) -> None:
    """Lambda."""


Work = Callable[[str, Any, Runtime], dict[str, int]]


def each_account(done: str, kinds: Iterable[str], work: Work, runtime: Runtime) -> None:
    """Do the work for every account of these kinds and log what it counted under the name `done`. A bug that one
    account brings to light stops no other, and fails the function in the end."""
    bugs: list[Exception] = []
    for channel in channels(runtime.tables):
        if kind_of(channel) not in kinds:
            continue
        try:
            if kind_of(channel) in PROCESSORS:
                log(done, channel=channel, **_of_processor(channel, work, runtime))
            else:
                log(done, channel=channel, **work(channel, client_for(channel, runtime), runtime))
        except HeadraceError as error:
            reason = error.reason if isinstance(error, Refused) else ""
            if reason != "not_supported":
                log("account_broken_off", channel=channel, work=done, error=type(error).__name__, reason=reason)
        except Exception as bug:  # noqa: BLE001 raised below, when the others have had their turn
            log("account_broken_off", channel=channel, work=done, error=type(bug).__name__, reason="bug")
            bugs.append(bug)
    if bugs:
        raise bugs[0]


def _of_processor(account: str, work: Work, runtime: Runtime) -> dict[str, int]:
    """Paused, it is tried all the same: where it answers again, it is resumed."""
    try:
        counted = work(account, processor_for(account, runtime, probing=True), runtime)
    except Unauthorised as refused:
        pause(account, refused.detail, runtime)
        raise
    if read_pause(runtime.tables, account):
        resume(account, runtime)
    return counted


def money_and_disputes(runtime: Runtime) -> None:
    """What was booked comes first: a dispute that is over is told in it too."""
    each_account("money_read", PAYERS, read_money, runtime)
    each_account("disputes_read", DISPUTED, read_disputes, runtime)


# --- what the channel lists -----------------------------------------------------------------------------


def compare_listings(channel: str, client: ChannelClient, runtime: Runtime) -> dict[str, int]:
    """Have SKUs pushed again whose listing does not show what the channel acknowledged, and keep what is linked to no
    SKU for a person to link."""
    items = wrong = 0
    unlinked: list[tuple[str, str]] = []
    for some in together(client.listings()):
        ours = read_shown(runtime.tables, channel, [item.channel_sku for item in some])
        shown_wrong = [item for item in some if _is_wrong(item, ours, runtime.clock())]
        skus = {ours[item.channel_sku].sku for item in shown_wrong}
        at_once = {ours[each.channel_sku].sku for each in shown_wrong if _is_more(each, ours)}
        for delay_s, due in ((0, at_once), (_SALE_ARRIVES_S, skus - at_once)):
            if due:
                messages = [{"sku": sku, "again": True} for sku in sorted(due)]
                runtime.queues.send(SYNC_QUEUES[kind_of(channel)], messages, delay_s=delay_s)
        unlinked += [(item.channel_sku, item.title[:_TITLE_KEPT]) for item in some if item.channel_sku not in ours]
        items, wrong = items + len(some), wrong + len(skus)
    keep_unlinked(runtime.tables, channel, Unlinked(len(unlinked), unlinked, runtime.clock()))
    return {"items": items, "shown_wrong": wrong, "unlinked": len(unlinked)}


def _is_more(item: ListedItem, ours: dict[str, Shown]) -> bool:
    """More than was acknowledged may be sold again; less may be a sale."""
    return item.quantity is not None and item.quantity > ours[item.channel_sku].quantity


def _is_wrong(item: ListedItem, ours: dict[str, Shown], now_ms: int) -> bool:
    known = ours.get(item.channel_sku)
    settled_ms = now_ms - _SETTLING_MS
    return known is not None and (_shows_another_number(item, known, settled_ms) or _costs(item, known, settled_ms))


def _shows_another_number(item: ListedItem, known: Shown, settled_ms: int) -> bool:
    is_told = known.quantity >= 0 and item.quantity is not None
    return is_told and item.quantity != known.quantity and known.acked_ms < settled_ms


def _costs(item: ListedItem, known: Shown, settled_ms: int) -> bool:
    """Whether it costs something else than the channel acknowledged; a price in another currency says nothing."""
    if known.price is None or item.price_minor is None or item.currency != known.price[1]:
        return False
    return item.price_minor != known.price[0] and known.price_acked_ms < settled_ms


# --- how the accounts stand -----------------------------------------------------------------------------


def show(runtime: Runtime) -> None:
    """Keep how each account stands where the API may read it."""
    for channel in channels(runtime.tables):
        pause = read_pause(runtime.tables, channel)
        view = {
            "kind": kind_of(channel),
            "settings": _without_secrets(read_account(runtime.tables, channel)),
            "paused": {"why": pause.why, "since_ms": pause.since_ms} if pause else None,
            "read_to_ms": read_cursor(runtime.tables, channel).read_to_ms,
            "payouts_read_to_ms": read_cursor(runtime.tables, channel, PAYOUTS).read_to_ms,
            "budgets": list(_budgets(channel, runtime)),
        }
        keep_account_view(runtime.tables, channel, view)


def _without_secrets(value: Any) -> Any:
    """Secrets are kept elsewhere; what looks like one all the same is shown to nobody, however deep it lies: by its
    name, or in an address, which may bear credentials."""
    if isinstance(value, Mapping):
        shown = {name: each for name, each in value.items() if not any(w in name.lower() for w in _SECRET_WORDS)}
        return {name: _without_secrets(each) for name, each in shown.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    return _plain_address(value) if isinstance(value, str) and "://" in value else value


def _plain_address(url: str) -> str:
    """Scheme, host and path of an address."""
    scheme, _, rest = url.partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _budgets(channel: str, runtime: Runtime) -> Iterator[dict[str, Any]]:
    for owner in dict.fromkeys((channel, kind_of(channel))):
        for left in read_budgets(runtime.tables, owner):
            yield {**left._asdict(), "shared": owner != channel}
