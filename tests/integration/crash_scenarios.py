"""What each function is given before it crashes: a state brought about by the real handlers, and the event."""

from __future__ import annotations

from tests.integration.crash_accounts import ACCOUNTS
from tests.integration.crash_api import API
from tests.integration.crash_channels import SHOP, erased, hinted, marketplace, notified, sold, told_by_ebay
from tests.integration.crash_labels import LABELS, TRACKING, labelled, referred
from tests.integration.crash_stages import ALLOCATION, ENTRY, FUNDING, RECONCILE, RELAY, SETTLEMENT, SHIPPING, SWEEP
from tests.integration.crash_steps import SOLD_AT, Scenario, after, later

SCENARIOS: dict[str, list[Scenario]] = {
    "buy_labels": LABELS,
    "tracking": TRACKING,
    "poll_tracking": [Scenario("a parcel unheard of", after(labelled, later(hours=40), then=None))],
    "api_handler": API,
    "amazon_notifications": [Scenario("two orders", notified)],
    "ebay_notifications": [
        Scenario("two orders", told_by_ebay("ORDER_CONFIRMATION", "1", "2")),
        Scenario("consent is gone", told_by_ebay("AUTHORIZATION_REVOCATION")),
    ],
    "erase": [Scenario("a buyer with two orders", erased)],
    "fetch": [
        *(Scenario(f"hint of {channel}", hinted(channel)) for channel in ("shop", *SOLD_AT)),
        Scenario("an app that was uninstalled", lambda _: [{"channel": "shopify", "uninstalled": True}]),
    ],
    "entry": ENTRY,
    "funding": FUNDING,
    "allocation": ALLOCATION,
    "shipping": SHIPPING,
    "settlement": SETTLEMENT,
    "relay": RELAY,
    "feed_catalogue": [
        Scenario("what was sent is asked after", after(lambda box: box.deliver("feed_catalogue", None), then=None))
    ],
    "tell_meta": [Scenario("a purchase", referred)],
    "sync_shop": SHOP,
    **{f"sync_{channel}": marketplace(channel) for channel in SOLD_AT},
    **{f"poll_{channel}": [Scenario("new orders", sold(channel))] for channel in ("shop", *SOLD_AT)},
    "sweep": SWEEP,
    "reconcile": RECONCILE,
    **ACCOUNTS,
}
