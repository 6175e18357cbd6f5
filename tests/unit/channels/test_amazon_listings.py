"""Quantities and prices of many listings: patches, feeds, and never both at once for one SKU."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.amazon.feeds import listing_verdicts
from chalicelib.channels.amazon.listings import BULK_FROM
from chalicelib.channels.amazon.wire import iso
from chalicelib.channels.port import Price
from chalicelib.domain.errors import Busy, OverBudget, Refused
from tests.unit.channels.amazon_desk import ACCOUNT, GATEWAY, SECRET, US, Desk, StrictJobs, availability

MANY = [f"S{number}" for number in range(BULK_FROM + 5)]
LISTINGS = "JSON_LISTINGS_FEED"


def push(desk: Desk, quantity: int = 3, skus: list[str] | None = None) -> list[Any]:
    return desk.client().push_availability([availability(sku, quantity) for sku in (MANY if skus is None else skus)])


def report(*errors: tuple[str, str], processed: int = len(MANY)) -> str:
    issues = [{"messageId": 1, "sku": sku, "code": code, "severity": "ERROR", "message": "x"} for sku, code in errors]
    return json.dumps({"header": {"feedId": "F1"}, "issues": issues, "summary": {"messagesProcessed": processed}})


def messages(desk: Desk, number: int = 1) -> dict[str, Any]:
    sent = json.loads(desk.uploads[f"in-{number}"])["messages"]
    assert [message["messageId"] for message in sent] == list(range(1, len(sent) + 1))
    return {message["sku"]: message["patches"][0]["value"][0] for message in sent}


def test_a_few_listings_go_by_patches_in_the_order_given() -> None:
    desk = Desk()
    skus = MANY[:BULK_FROM][::-1]
    assert push(desk, skus=skus) == [None] * BULK_FROM
    assert [sku for sku, _ in desk.patched] == skus
    assert desk.feeds_made == {}
    assert desk.shelf == {}


def test_many_go_by_one_feed_and_what_falls_to_nothing_by_patch() -> None:
    desk = Desk()
    wanted = [availability(sku, 0 if sku in ("S3", "S9") else 5) for sku in MANY]
    outcome = desk.client().push_availability(wanted)
    assert [sku for sku, _ in desk.patched] == ["S3", "S9"]
    assert [index for index, each in enumerate(outcome) if each is None] == [3, 9]
    assert all(isinstance(each, Busy) and each.after_s == 60 for each in outcome if each)
    assert {sku: value["quantity"] for sku, value in messages(desk).items()} == {
        sku: 5 for sku in MANY if sku not in ("S3", "S9")
    }
    assert desk.operations == [
        "token",
        "patchListingsItem",
        "patchListingsItem",
        "createFeedDocument",
        "upload",
        "createFeed",
    ]
    assert desk.budget.spent[-2:] == [LISTINGS, "createFeed"]
    (feed,) = desk.feeds_made.values()
    assert (feed["feedType"], feed["marketplaceIds"], desk.inputs["F1"]) == (LISTINGS, [US], "in-1")


def test_the_document_goes_up_under_its_content_type_and_without_a_token() -> None:
    desk = Desk()
    push(desk)
    (put,) = [request for request in desk.sent if request.method == "PUT"]
    (asked,) = [request for request in desk.sent if request.url.endswith("/documents")]
    assert put.headers == {"content-type": json.loads(asked.body)["contentType"]}


def test_while_a_feed_is_unfinished_nothing_else_is_sent_for_its_listings() -> None:
    desk = Desk()
    push(desk)
    before = len(desk.operations)
    for skus in (["S1"], ["S1", "S2"], MANY):
        assert all(isinstance(each, Busy) and each.after_s == 60 for each in push(desk, 0, skus))
    assert desk.operations[before:] == ["getFeed"] * 3
    assert desk.patched == []
    assert push(desk, 2, ["OTHER"]) == [None]


def test_each_listing_of_a_finished_feed_is_judged_alone() -> None:
    desk = Desk()
    push(desk)
    desk.finish("F1", report(("S2", "90220"), ("S4", "8560")))
    outcome = push(desk)
    assert {index: str(each) for index, each in enumerate(outcome) if each} == {
        2: "listing_refused: 90220",
        4: "listing_refused: 8560",
    }
    assert isinstance(outcome[2], Refused)
    assert desk.operations.count("getFeedDocument") == 1
    assert desk.jobs("feed/") == desk.jobs("listing/") == []


def test_a_newer_quantity_than_the_feeds_is_sent_when_the_feed_is_done() -> None:
    desk = Desk()
    push(desk, 3)
    desk.finish("F1", report(("S1", "90220")))
    assert push(desk, 4, ["S0", "S1"]) == [None, None]
    assert [(sku, patch["value"][0]["quantity"]) for sku, patch in desk.patched] == [("S0", 4), ("S1", 4)]
    assert push(desk, 3, ["S2"]) == [None]
    assert len(desk.patched) == 2
    assert desk.operations.count("getFeedDocument") == 1  # its verdicts are remembered
    assert push(desk, 3, MANY[3:]) == [None] * (len(MANY) - 3)
    assert desk.jobs("feed/") == []


@pytest.mark.parametrize(
    ("status", "told"),
    [("FATAL", None), ("CANCELLED", None), ("DONE", None), ("DONE", "<html>"), ("DONE", '{"issues": []}')],
)
def test_after_a_feed_that_tells_nothing_the_patch_is_tried(status: str, told: str | None) -> None:
    desk = Desk()
    push(desk)
    desk.finish("F1", told, status)
    assert push(desk, 3, ["S0", "S1"]) == [None, None]
    assert [sku for sku, _ in desk.patched] == ["S0", "S1"]


def test_an_error_of_the_whole_feed_judges_no_listing() -> None:
    whole = json.dumps({"issues": [{"severity": "ERROR", "code": "4000003", "message": "x"}], "summary": {}})
    warned = json.dumps({"issues": [{"severity": "WARNING", "sku": "A", "message": "x"}], "summary": {}})
    by_number = json.dumps({"issues": [{"severity": "ERROR", "messageId": 2, "message": "x"}], "summary": {}})
    assert listing_verdicts(whole, ["A", "B"]) is None
    assert listing_verdicts(warned, ["A", "B"]) == {"A": "", "B": ""}
    assert listing_verdicts(by_number, ["A", "B"]) == {"A": "", "B": "no code"}


def test_a_feed_whose_answer_was_lost_is_found_and_not_sent_again() -> None:
    desk = Desk()
    desk.lost = ["createFeed"]
    assert all(isinstance(each, Busy) for each in push(desk))
    assert all(isinstance(each, Busy) for each in push(desk))
    assert list(desk.feeds_made) == ["F1"]
    assert desk.operations.count("getFeeds") == 1
    desk.finish("F1", report())
    assert push(desk) == [None] * len(MANY)
    assert list(desk.feeds_made) == ["F1"]


def test_a_feed_that_is_already_known_is_not_taken_for_the_lost_one() -> None:
    desk = Desk()
    push(desk, skus=[f"A{sku}" for sku in MANY])
    desk.instead["createFeed"] = [GATEWAY]
    push(desk)
    outcome = push(desk)
    assert all(isinstance(each, Busy) and "looked for again" in str(each) for each in outcome)
    desk.now_ms += 301_000
    assert all(isinstance(each, Busy) for each in push(desk))
    assert list(desk.feeds_made) == ["F1", "F2"]  # it was never made, and is sent now
    desk.finish("F2", report())
    assert push(desk) == [None] * len(MANY)


def stranger(desk: Desk, *names: str) -> None:
    """Another program of the seller's has sent feeds."""
    for name in names:
        desk.feeds_made[name] = {"feedId": name, "feedType": LISTINGS, "createdTime": iso(desk.now_ms)}
        desk.finish(name, report(processed=3))


def test_another_programs_feed_is_not_believed_to_be_ours() -> None:
    desk = Desk()
    desk.instead["createFeed"] = [GATEWAY]
    push(desk)
    stranger(desk, "X")
    assert push(desk, 3, ["S1"]) == [None]
    assert [sku for sku, _ in desk.patched] == ["S1"]


def test_feeds_of_another_program_do_not_hold_ours_up() -> None:
    desk = Desk()
    desk.instead["createFeed"] = [GATEWAY]
    push(desk)
    stranger(desk, "X", "Y")
    assert isinstance(push(desk, 3, ["S1"])[0], Busy)
    desk.now_ms += 121_000
    assert push(desk, 3, ["S1"]) == [None]
    assert [sku for sku, _ in desk.patched] == ["S1"]
    push(desk)
    assert len(desk.feeds_made) == 3


@pytest.mark.parametrize("operation", ["createFeed", "createFeedDocument", LISTINGS])
def test_a_feed_that_may_not_be_made_now_frees_its_listings(operation: str) -> None:
    desk = Desk()
    desk.budget.used_up = {operation}
    assert all(isinstance(each, OverBudget) for each in push(desk))
    assert desk.jobs("listing/") == desk.jobs("feed/") == []
    assert desk.feeds_made == {}
    desk.budget.used_up = set()
    push(desk)
    assert list(desk.feeds_made) == ["F1"]


def test_a_feed_that_its_worker_left_before_sending_is_given_up_after_a_while() -> None:
    desk = Desk()
    desk.instead["createFeedDocument"] = [GATEWAY]
    desk.shelf["feed/x"] = (1, json.dumps({"type": LISTINGS, "since_ms": desk.now_ms, "skus": {"S1": "9"}}))
    desk.shelf["listing/S1"] = (1, json.dumps({"feed": "feed/x"}))
    (young,) = push(desk, 3, ["S1"])
    assert isinstance(young, Busy)
    desk.now_ms += 121_000
    assert push(desk, 3, ["S1"]) == [None]
    assert desk.shelf == {}
    assert [sku for sku, _ in desk.patched] == ["S1"]


def test_listings_that_another_worker_puts_into_a_feed_at_once_wait_for_that_one() -> None:
    desk = Desk()
    desk.tokens.put("Atza|1", desk.now_ms * 2)
    mine, others = StrictJobs(desk.shelf), desk.client()
    get = mine.get

    def late(name: str) -> Any:
        found = get(name)
        if name.startswith("feed/"):  # all pointers have been looked for, none is written
            others.push_availability([availability(sku, 8) for sku in MANY])
        return found

    mine.get = late  # type: ignore[method-assign]
    client = AmazonClient(Access(desk, ACCOUNT, SECRET, desk.tokens, desk.now_ms, desk.budget, mine))
    outcome = client.push_availability([availability(sku, 3) for sku in MANY])
    assert all(isinstance(each, Busy) for each in outcome)
    assert list(desk.feeds_made) == ["F1"]
    assert {value["quantity"] for value in messages(desk).values()} == {8}
    assert len(desk.jobs("feed/")) == 1


def prices(*skus: str, minor: int = 1999) -> list[Price]:
    return [Price(sku, {}, minor, "USD", 1) for sku in skus]


def test_a_price_is_merged_for_everybody_and_leaves_the_rest_of_the_offer() -> None:
    desk = Desk()
    assert desk.client().push_prices(prices("S1")) == [None]
    ((sku, patch),) = desk.patched
    assert sku == "S1"
    assert (patch["op"], patch["path"]) == ("merge", "/attributes/purchasable_offer")
    assert patch["value"] == [
        {
            "marketplace_id": US,
            "currency": "USD",
            "audience": "ALL",
            "our_price": [{"schedule": [{"value_with_tax": 19.99}]}],
        }
    ]


def test_many_prices_go_by_a_feed_that_does_not_hold_quantities_up() -> None:
    desk = Desk()
    outcome = desk.client().push_prices(prices(*MANY))
    assert all(isinstance(each, Busy) for each in outcome)
    assert messages(desk)["S1"]["our_price"] == [{"schedule": [{"value_with_tax": 19.99}]}]
    assert push(desk, 0, ["S1"]) == [None]
    desk.finish("F1", report(("S1", "18155")))
    outcome = desk.client().push_prices(prices(*MANY))
    assert [str(each) for each in outcome if each] == ["listing_refused: 18155"]
    assert desk.client().push_prices(prices("S1", minor=2000)) == [None]


# --- reading back -------------------------------------------------------------------------------------


def listed(number: int, created: str) -> dict[str, Any]:
    summary = {"marketplaceId": US, "asin": f"B{number}", "status": ["BUYABLE"], "createdDate": created}
    available = [{"fulfillmentChannelCode": "DEFAULT", "quantity": number}]
    return {"sku": f"S{number}", "summaries": [summary], "fulfillmentAvailability": available}


def test_every_page_of_listings_is_read() -> None:
    desk = Desk()
    desk.listed = [listed(number, "2021-01-01T00:00:00Z") for number in range(45)]
    found = list(desk.client().listings())
    assert [(item.channel_sku, item.quantity) for item in found] == [(f"S{number}", number) for number in range(45)]
    assert desk.operations.count("searchListingsItems") == 3


def test_more_listings_than_one_query_shows_are_read_by_the_time_they_were_made() -> None:
    desk = Desk()
    desk.listed = [
        listed(n, f"20{10 + n % 15}-{1 + n % 12:02}-{1 + n % 28:02}T00:00:{n % 60:02}Z") for n in range(2300)
    ]
    found = [item.channel_sku for item in desk.client().listings()]
    assert sorted(found) == sorted(f"S{n}" for n in range(2300))


def test_listings_that_cannot_all_be_shown_are_refused_and_not_cut_off() -> None:
    desk = Desk()
    desk.listed = [listed(number, "2021-01-01T00:00:00Z") for number in range(1001)]
    with pytest.raises(Refused, match="too_many_listings"):
        list(desk.client().listings())


def test_a_reading_of_listings_goes_on_where_it_was_throttled() -> None:
    desk = Desk()
    desk.listed = [listed(number, "2021-01-01T00:00:00Z") for number in range(45)]
    items = desk.client().listings()
    found = [next(items) for _ in range(20)]
    desk.budget.used_up = {"searchListingsItems"}
    with pytest.raises(OverBudget):
        next(items)
    desk.budget.used_up = set()
    found += items
    assert len(found) == 45


def test_what_amazon_ships_has_no_quantity_of_ours() -> None:
    desk = Desk()
    desk.listed = [
        listed(1, "2021-01-01T00:00:00Z") | {"fulfillmentAvailability": [{"fulfillmentChannelCode": "AMAZON_NA"}]}
    ]
    (item,) = desk.client().listings()
    assert item.quantity is None
    assert item.refs["fulfilled_by"] == "AMAZON_NA"
