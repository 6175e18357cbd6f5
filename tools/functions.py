"""One table: every Lambda function, what starts it, and the little it may do.

tools/template.py turns this table into Chalice's config, one IAM policy per function and the merge template.
A function that needs one more permission gets it here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.permissions import (
    May,
    deletes_bodies,
    opens,
    opens_accounts_of,
    opens_carriers,
    puts_bodies,
    puts_labels,
    queries,
    reads,
    reads_bodies,
    reads_labels,
    sends,
    writes,
)

STAGES = ("funding", "allocation", "shipping", "settlement")
"""Queues that `relay` feeds. `entry` is fed from outside."""

SYNCED_CHANNELS = ("shopify", "amazon", "ebay", "shop", "woocommerce")

SYNC_QUEUES = tuple(f"sync-{kind}" for kind in SYNCED_CHANNELS)

QUEUES = (
    "amazon-notifications",
    "ebay-notifications",
    "erasure",
    "hints",
    "entry",
    *STAGES,
    *SYNC_QUEUES,
    "meta",
    "labels",
    "tracking",
)


@dataclass(frozen=True, slots=True)
class Table:
    """Keyed by pk and sk. `indexes` maps an index to the attributes it carries beside its keys."""

    name: str
    has_stream: bool = False
    expires_by: str | None = None
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)


TABLES = (
    Table("orders", has_stream=True, indexes={"open": ("since",), "placed": ()}),
    Table("stock", has_stream=True),
    Table("listings"),
    Table("ledger"),
    Table("contacts", expires_by="expires_at"),
    Table("channels"),
)


@dataclass(frozen=True, slots=True)
class Routes:
    """All HTTP routes; Chalice puts them in one function."""


@dataclass(frozen=True, slots=True)
class FromQueue:
    queue: str
    batch_size: int = 10
    window_s: int = 0
    max_concurrency: int = 10


@dataclass(frozen=True, slots=True)
class FromStreams:
    """A decorator names one stream, the first; the merge template adds the others."""

    tables: tuple[str, ...]
    batch_size: int = 100
    window_s: int = 0


@dataclass(frozen=True, slots=True)
class Every:
    minutes: int


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda. Its name is the Python function's and, with the stage before it, the deployed one's."""

    name: str
    trigger: Routes | FromQueue | FromStreams | Every
    may: tuple[May, ...]
    memory_mb: int = 512
    timeout_s: int = 30


# Partitions of the table `channels`; the last kind, CHANNEL#…, holds access tokens.
COUNTERS = ("COUNTERS",)
SETTINGS = ("SETTINGS",)
FINDINGS = ("ACCOUNTS", "HEALTH", "UNLINKED")
KEYS = ("KEYS#ebay",)  # public keys only


# Time is billed by memory, and most of it is waiting for somebody's answer. Measured: all four clients of AWS and
# three of channels made, a function is 60 MB large.
WAITING_MB = 160
STAGE_MB = 256

PAID_AT_PROCESSORS = ("shop", "woocommerce")  # own shops, of whose orders a payment processor has the money


def _sync(kind: str) -> Function:
    return Function(
        f"sync_{kind}",
        # The channel's rate budget is the limit. Amazon takes many listings in one feed, where many change at once.
        FromQueue(f"sync-{kind}", batch_size=500 if kind == "amazon" else 50, window_s=1, max_concurrency=2),
        (
            *writes("orders", "listings", "channels"),
            *reads("stock"),
            *queries("open"),
            *sends(f"sync-{kind}"),
            *opens_accounts_of(kind),
            *(opens_accounts_of("stripe") if kind in PAID_AT_PROCESSORS else ()),
        ),
        memory_mb=WAITING_MB,
        timeout_s=60,
    )


def _poll(kind: str, minutes: int) -> Function:
    return Function(
        f"poll_{kind}",
        Every(minutes),
        (*writes("channels"), *sends("entry", f"sync-{kind}"), *puts_bodies(), *opens_accounts_of(kind)),
        memory_mb=WAITING_MB,
        timeout_s=120,
    )


def _looks_at_accounts(name: str, minutes: int, *may: May, kinds: tuple[str, ...] = SYNCED_CHANNELS) -> Function:
    """Reads something of every account of these kinds; it shares their tokens and budgets with all others."""
    keys = tuple(one for kind in kinds for one in opens_accounts_of(kind))
    return Function(name, Every(minutes), (*writes("channels"), *may, *keys), memory_mb=WAITING_MB, timeout_s=300)


MARKETPLACES = ("amazon", "ebay")  # they rate their sellers
WEBHOOKED = ("shopify", "woocommerce")  # they drop webhooks without a word
TAKERS_BACK = (*MARKETPLACES, "shopify")  # buyers ask there for returns
PAYERS = (*MARKETPLACES, "shopify", "stripe")  # they tell what they book and pay out


# A function that takes from a queue may also send to it: work that must wait is put back with a delay.
FUNCTIONS = (
    Function(
        "api_handler",
        Routes(),
        (
            *reads("orders", "ledger"),
            *reads("channels", only=COUNTERS + SETTINGS + FINDINGS),
            *writes("channels", only=KEYS),
            *writes("stock", "listings"),
            *queries("open", "placed"),
            *sends("entry", "funding", "allocation", "shipping", "settlement", *SYNC_QUEUES),
            *sends("ebay-notifications", "erasure", "hints", "labels", "tracking"),
            *puts_bodies(),
            *reads_labels(),
            *opens("*/webhook", "api-tokens"),
            *opens_accounts_of("ebay"),  # to fetch the keys with which eBay signs
        ),
        memory_mb=512,
        timeout_s=29,  # API Gateway waits no longer
    ),
    Function(
        "amazon_notifications",
        FromQueue("amazon-notifications"),
        (*reads("channels", "listings"), *sends("hints", "amazon-notifications", "sync-amazon")),
        memory_mb=WAITING_MB,
    ),
    Function(
        "ebay_notifications",
        FromQueue("ebay-notifications"),
        (*writes("channels"), *sends("hints", "ebay-notifications")),
        memory_mb=WAITING_MB,
    ),
    Function(
        "erase",
        FromQueue("erasure", max_concurrency=2),
        (*writes("contacts"), *sends("erasure"), *deletes_bodies()),
        memory_mb=WAITING_MB,
        timeout_s=120,
    ),
    Function(
        "fetch",
        FromQueue("hints", window_s=1, max_concurrency=2),
        (*writes("channels"), *sends("entry", "funding", "hints"), *puts_bodies(), *opens("*/api")),
        memory_mb=WAITING_MB,
        timeout_s=60,
    ),
    Function(
        "entry",
        FromQueue("entry", window_s=1),
        (*writes("orders", "contacts"), *reads("listings"), *sends("entry"), *reads_bodies(), *puts_bodies()),
        memory_mb=STAGE_MB,
    ),
    Function("funding", FromQueue("funding"), (*writes("orders"), *sends("funding")), memory_mb=STAGE_MB),
    Function(
        "allocation",
        FromQueue("allocation", batch_size=100, window_s=1, max_concurrency=4),
        (*writes("orders", "stock"), *reads("channels", only=SETTINGS), *sends("allocation")),
        timeout_s=60,
    ),
    Function(
        "shipping",
        FromQueue("shipping", window_s=1),
        (*writes("orders", "stock"), *reads("listings"), *sends("shipping")),
    ),
    Function(
        "settlement",
        FromQueue("settlement", window_s=5),
        (*writes("orders", "ledger"), *sends("settlement")),
        memory_mb=STAGE_MB,
    ),
    Function(
        "relay",
        FromStreams(("orders", "stock"), window_s=1),
        (
            *writes("channels", only=COUNTERS),
            *sends("hints", "entry", "funding", "allocation", "meta", "labels"),
            *sends(*(f"sync-{kind}" for kind in SYNCED_CHANNELS)),
        ),
        memory_mb=WAITING_MB,
        timeout_s=60,
    ),
    *(_sync(kind) for kind in SYNCED_CHANNELS),
    Function(
        "tell_meta",
        FromQueue("meta", max_concurrency=2),
        (
            *reads("orders"),
            May("dynamodb", "contacts", ("GetItem",)),  # of one order whose buyer consents, to be told as digests
            *writes("channels", only=("CHANNEL#meta",)),
            *sends("meta"),
            *opens("meta/api"),
        ),
        memory_mb=WAITING_MB,
        timeout_s=60,
    ),
    Function(
        "feed_catalogue",
        Every(15),
        (
            *reads("listings", "stock"),
            *reads("channels", only=SETTINGS),
            *writes("channels", only=("CHANNEL#meta",)),
            *opens("meta/api"),
        ),
        memory_mb=WAITING_MB,
        timeout_s=300,
    ),
    Function(
        "buy_labels",
        FromQueue("labels", max_concurrency=2),
        (
            *writes("orders", "channels"),
            May(
                "dynamodb", "contacts", ("GetItem", "PutItem")
            ),  # reads where the parcel goes, and has the label's file erased with the buyer
            *sends("labels", "shipping"),
            *puts_labels(),
            *opens_carriers(),
        ),
        memory_mb=WAITING_MB,
        timeout_s=90,
    ),
    Function(
        "tracking",
        FromQueue("tracking", max_concurrency=2),
        (*writes("orders"), *sends("tracking")),
        memory_mb=WAITING_MB,
    ),
    Function(
        "poll_tracking",
        Every(30),
        (*reads("orders"), *writes("channels"), *sends("tracking", "labels"), *opens_carriers()),
        memory_mb=WAITING_MB,
        timeout_s=120,
    ),
    _poll("shopify", 5),
    _poll("amazon", 15),
    _poll("ebay", 5),
    _poll("shop", 5),
    _poll("woocommerce", 5),
    _looks_at_accounts(
        "poll_money",
        60,
        *reads("orders"),
        *writes("ledger"),
        *sends("funding", "settlement", *(f"sync-{kind}" for kind in PAID_AT_PROCESSORS)),
        kinds=PAYERS,
    ),
    _looks_at_accounts("poll_returns", 30, *reads("orders"), *sends("shipping"), kinds=TAKERS_BACK),
    _looks_at_accounts(
        "check_accounts",
        6 * 60,
        # a webhook that is made there is told what to sign with
        *opens("woocommerce/webhook", "woocommerce-*/webhook"),
        kinds=(*MARKETPLACES, *WEBHOOKED),
    ),
    _looks_at_accounts("check_listings", 60, *reads("listings"), *sends(*SYNC_QUEUES)),
    _looks_at_accounts("check_orders", 60, *reads("orders"), *sends("entry"), *puts_bodies()),
    Function(
        "show_accounts",
        Every(5),
        (*reads("channels"), *writes("channels", only=("ACCOUNTS",))),
        memory_mb=WAITING_MB,
        timeout_s=60,
    ),
    Function(
        "sweep",
        Every(1),
        (
            *writes("orders"),
            *reads("channels", only=SETTINGS),
            *queries("open", "placed"),
            *sends("entry", "funding", "allocation"),
        ),
        timeout_s=60,
    ),
    Function(
        "reconcile",
        Every(24 * 60),
        (
            *reads("orders", "listings"),
            *reads("channels", only=COUNTERS + SETTINGS),
            *queries("open"),
            *writes("stock"),
        ),
        timeout_s=300,
    ),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """What differs between the places the same app is deployed to."""

    name: str
    keeps_data: bool
    """Deletion protection, backups, and tables that outlive the stack."""
    log_days: int
    timeout_cap_s: int = 900
    concurrency_cap: int = 1000
    poll_minutes_cap: int = 60

    @property
    def is_local(self) -> bool:
        return self.name == "local"

    def timeout_s(self, function: Function) -> int:
        return min(function.timeout_s, self.timeout_cap_s)


# Locally every concurrent worker is a process of about 50 MB, and a message whose worker died waits for the
# queue's visibility timeout (six times the function's), so both are kept short.
DEPLOYED = {
    stage.name: stage
    for stage in (
        Stage("local", keeps_data=False, log_days=1, timeout_cap_s=15, concurrency_cap=2, poll_minutes_cap=1),
        Stage("dev", keeps_data=False, log_days=14),
        Stage("prod", keeps_data=True, log_days=90),
    )
}
