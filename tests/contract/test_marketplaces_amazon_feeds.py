"""The stand-in Amazon's feeds: their documents, their life, and bulk quantities and prices."""

from __future__ import annotations

import json
from typing import Any

import pytest
import urllib3

from local.marketplaces.amazon import Amazon
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.faults import Faults
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.world import Marketplaces
from tests.contract.marketplaces_amazon_office import (
    CANCELS,
    FEEDS,
    LISTINGS,
    REFUNDS,
    TABBED,
    ago,
    at,
    call,
    downloaded,
    feed,
    finished_feed,
    submit,
    upload,
)
from tests.contract.marketplaces_calls import Time, opened
from tests.contract.marketplaces_models import amazon_file, errors

JSON_TYPE = "application/json; charset=UTF-8"
SKU, OTHER_SKU = CATALOGUE[0].sku, CATALOGUE[1].sku


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


# --- documents ----------------------------------------------------------------------------------------


def test_an_upload_needs_the_declared_content_type_and_comes_within_five_minutes(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    made = call(market, "POST", f"{FEEDS}/documents", 201, body={"contentType": TABBED})
    assert at(market, "PUT", made["url"], "text/plain", b"x").status == 403
    assert at(market, "PUT", made["url"].replace("Signature=", "Signature=0"), TABBED, b"x").status == 403
    assert at(market, "GET", made["url"]).status == 403
    time.pass_(seconds=299)
    assert at(market, "PUT", made["url"], TABBED, b"x").status == 200
    time.pass_(seconds=1)
    late = at(market, "PUT", made["url"], TABBED, b"x")
    assert (late.status, late.headers["Content-Type"]) == (403, "application/xml")
    assert b"expired" in late.body


def test_a_download_address_dies_and_is_renewed_by_asking_again(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    document_id = upload(market, b"abc", TABBED)
    names = {"feedDocumentId": document_id}
    document = call(market, "GET", f"{FEEDS}/documents/{{feedDocumentId}}", 200, names=names)
    assert at(market, "GET", document["url"]).body == b"abc"
    assert at(market, "PUT", document["url"], TABBED, b"x").status == 403
    time.pass_(minutes=5)
    assert at(market, "GET", document["url"]).status == 403
    assert downloaded(market, document_id) == b"abc"
    call(market, "GET", f"{FEEDS}/documents/{{feedDocumentId}}", 404, names={"feedDocumentId": "none"})


def test_a_result_is_compressed_only_when_it_says_so(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    for compressed in (True, False):
        market.compress_documents = compressed
        feed_id = submit(market, LISTINGS, listing_feed(market, quantity(SKU, 1)), JSON_TYPE)
        time.pass_(seconds=10)
        names = {"feedDocumentId": feed(market, feed_id)["resultFeedDocumentId"]}
        document = call(market, "GET", f"{FEEDS}/documents/{{feedDocumentId}}", 200, names=names)
        assert ("compressionAlgorithm" in document) == compressed
        assert (at(market, "GET", document["url"]).body[:2] == b"\x1f\x8b") == compressed


def test_the_storage_says_in_its_own_way_that_there_are_too_many_calls(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    made = call(market, "POST", f"{FEEDS}/documents", 201, body={"contentType": TABBED})
    market.die.faults = Faults(throttled=1.0)
    refused = at(market, "PUT", made["url"], TABBED, b"x")
    assert (refused.status, b"SlowDown" in refused.body) == (503, True)


def test_a_document_goes_up_and_down_over_http() -> None:
    world = Marketplaces(1, clock=utc_now, start=utc_now(), rate_per_s=0)
    with MarketplaceServer(world, lambda _delivery: True) as server:
        market = world.amazon
        market.base_url = f"http://127.0.0.1:{server.port}/amazon"
        made = call(market, "POST", f"{FEEDS}/documents", 201, body={"contentType": TABBED})
        put = urllib3.request("PUT", made["url"], body=b"a\tb\n", headers={"Content-Type": TABBED})
        assert put.status == 200
        names = {"feedDocumentId": made["feedDocumentId"]}
        document = call(market, "GET", f"{FEEDS}/documents/{{feedDocumentId}}", 200, names=names)
        assert urllib3.request("GET", document["url"]).data == b"a\tb\n"


# --- a feed's life ------------------------------------------------------------------------------------


def test_a_feed_waits_runs_and_ends(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.queue_s, market.processing_s = 30, 60
    feed_id = submit(market, LISTINGS, listing_feed(market, quantity(SKU, 5)), JSON_TYPE)
    assert feed(market, feed_id)["processingStatus"] == "IN_QUEUE"
    time.pass_(seconds=30)
    assert feed(market, feed_id)["processingStatus"] == "IN_PROGRESS"
    assert market.shelf.listings[SKU].quantity == CATALOGUE[0].quantity
    time.pass_(seconds=60)
    assert feed(market, feed_id)["processingStatus"] == "DONE"
    assert market.shelf.listings[SKU].quantity == 5


def test_a_feed_ends_at_once_when_it_takes_no_time(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    market.queue_s = market.processing_s = 0
    feed_id = submit(market, LISTINGS, listing_feed(market, quantity(SKU, 5)), JSON_TYPE)
    assert market.shelf.listings[SKU].quantity == 5
    assert feed(market, feed_id)["processingStatus"] == "DONE"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (LISTINGS, b"{"),
        (LISTINGS, b"[]"),
        (LISTINGS, b'{"header": {"sellerId": "OTHER", "version": "2.0"}, "messages": [{}]}'),
        (CANCELS, b"\xff\xfe"),
        (CANCELS, b"order-id\n114-1\n"),
        (REFUNDS, b""),
    ],
)
def test_an_unreadable_body_is_fatal_and_has_no_report(amazon: tuple[Amazon, Time], kind: str, body: bytes) -> None:
    market, time = amazon
    feed_id = submit(market, kind, body)
    time.pass_(seconds=10)
    ended = feed(market, feed_id)
    assert ended["processingStatus"] == "FATAL"
    assert "resultFeedDocumentId" not in ended


def test_a_feed_without_an_upload_is_fatal(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    made = call(market, "POST", f"{FEEDS}/documents", 201, body={"contentType": TABBED})
    asked = {"feedType": CANCELS, "inputFeedDocumentId": made["feedDocumentId"]}
    body = {**asked, "marketplaceIds": [market.marketplace_id]}
    feed_id = call(market, "POST", f"{FEEDS}/feeds", 202, body=body)["feedId"]
    time.pass_(seconds=10)
    assert feed(market, feed_id)["processingStatus"] == "FATAL"


def test_what_createfeed_does_not_know_gets_400_and_an_unknown_feed_404(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    good = {
        "feedType": CANCELS,
        "marketplaceIds": [market.marketplace_id],
        "inputFeedDocumentId": upload(market, b"x", TABBED),
    }
    for wrong in (
        {"feedType": "POST_PRODUCT_DATA"},
        {"marketplaceIds": ["A1F83G8C2ARO7P"]},
        {"inputFeedDocumentId": "none"},
    ):
        call(market, "POST", f"{FEEDS}/feeds", 400, body={**good, **wrong})
    call(market, "GET", f"{FEEDS}/feeds/{{feedId}}", 404, names={"feedId": "1"})


def test_the_sixth_listings_feed_in_five_minutes_is_refused(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    document_id = upload(market, listing_feed(market, quantity(SKU, 1)), JSON_TYPE)
    asked = {"feedType": LISTINGS, "marketplaceIds": [market.marketplace_id], "inputFeedDocumentId": document_id}
    for _ in range(5):
        call(market, "POST", f"{FEEDS}/feeds", 202, body=asked)
    call(market, "POST", f"{FEEDS}/feeds", 429, body=asked)
    assert market.over_budget == {"createFeed": 1}
    call(market, "POST", f"{FEEDS}/feeds", 202, body={**asked, "feedType": CANCELS})
    time.pass_(minutes=5)
    call(market, "POST", f"{FEEDS}/feeds", 202, body=asked)


def test_feeds_are_listed_newest_first_over_pages_that_do_not_shift(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    ids = []
    for _ in range(3):
        ids.append(submit(market, CANCELS, b"x"))
        time.pass_(minutes=1)
    listed = call(market, "GET", f"{FEEDS}/feeds", 200, query={"feedTypes": f"{CANCELS},{REFUNDS}", "pageSize": "2"})
    time.pass_(seconds=1)
    submit(market, CANCELS, b"x")
    rest = call(market, "GET", f"{FEEDS}/feeds", 200, query={"nextToken": listed["nextToken"]})
    assert [each["feedId"] for each in listed["feeds"] + rest["feeds"]] == ids[::-1]
    assert "nextToken" not in rest


def test_feeds_are_filtered_by_type_status_and_time(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    submit(market, CANCELS, b"x")
    time.pass_(hours=1)
    recent = submit(market, CANCELS, b"x")

    def found(status: int = 200, **query: str) -> list[str]:
        answer = call(market, "GET", f"{FEEDS}/feeds", status, query=query)
        return [each["feedId"] for each in answer.get("feeds", [])]

    assert found(feedTypes=CANCELS, createdSince=ago(time, minutes=5)) == [recent]
    assert found(feedTypes=CANCELS, processingStatuses="IN_QUEUE") == [recent]
    assert found(feedTypes=REFUNDS) == []
    assert found(400) == []
    assert found(400, feedTypes=CANCELS, pageSize="101") == []
    assert found(400, feedTypes=CANCELS, nextToken="x") == []
    time.pass_(days=91)
    assert found(feedTypes=CANCELS) == []
    assert found(feedTypes=CANCELS, createdSince=ago(time, days=100)) == []


# --- JSON_LISTINGS_FEED -------------------------------------------------------------------------------


def listing_feed(market: Amazon, *messages: dict[str, Any]) -> bytes:
    numbered = [{"messageId": number, **message} for number, message in enumerate(messages, start=1)]
    header = {"sellerId": market.seller_id, "version": "2.0", "issueLocale": "en_US"}
    body = {"header": header, "messages": numbered}
    assert errors(amazon_file("feeds/listings-feed-schema-v2"), body) == []
    return json.dumps(body).encode()


def patch(sku: str, *patches: dict[str, Any]) -> dict[str, Any]:
    return {"sku": sku, "operationType": "PATCH", "productType": "PRODUCT", "patches": list(patches)}


def quantity(sku: str, units: Any) -> dict[str, Any]:
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": units}]
    return patch(sku, {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value})


def processing_report(content: bytes) -> Any:
    report = json.loads(content)
    assert errors(amazon_file("feeds/listings-feed-processing-report-schema-v2"), report) == []
    return report


def test_quantities_and_prices_are_set_and_each_message_is_judged_on_its_own(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    price = {"currency": "USD", "our_price": [{"schedule": [{"value_with_tax": 19.99}]}]}
    body = listing_feed(
        market,
        quantity(SKU, 7),
        quantity("NO-SUCH", 1),
        quantity(OTHER_SKU, -1),
        patch(OTHER_SKU, {"op": "merge", "path": "/attributes/purchasable_offer", "value": [price]}),
        {"sku": OTHER_SKU, "operationType": "DELETE"},
    )
    report = processing_report(finished_feed(market, time, LISTINGS, body, JSON_TYPE))
    assert report["summary"] == {
        "errors": 3,
        "warnings": 0,
        "messagesProcessed": 5,
        "messagesAccepted": 2,
        "messagesInvalid": 3,
    }
    assert [issue["messageId"] for issue in report["issues"]] == [2, 3, 5]
    assert market.shelf.listings[SKU].quantity == 7
    assert market.shelf.listings[OTHER_SKU].quantity == CATALOGUE[1].quantity
    assert market.shelf.listings[OTHER_SKU].price_minor == 1999


def test_listings_are_reported_as_they_are_when_the_header_asks(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    wanted = {"includedData": ["fulfillmentAvailability"], "apiVersion": "2021-08-01"}
    feed_body = json.loads(listing_feed(market, quantity(SKU, 7), quantity("NO-SUCH", 1)))
    feed_body["header"]["report"] = wanted
    content = finished_feed(market, time, LISTINGS, json.dumps(feed_body).encode(), JSON_TYPE)
    report = processing_report(content)
    assert report["header"]["report"] == wanted
    assert report["summary"]["itemSummary"]["items"] == 1
    available = [{"fulfillmentChannelCode": "DEFAULT", "quantity": 7}]
    assert report["items"] == [{"sku": SKU, "fulfillmentAvailability": available}]
