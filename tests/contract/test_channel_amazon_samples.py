"""Amazon's own samples of everything but orders and money, read as the client reads them."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl

import pytest

from chalicelib.channels.amazon.feeds import listing_verdicts
from chalicelib.channels.amazon.health import read_performance
from chalicelib.channels.amazon.notifications import IGNORED, Told, told_of
from chalicelib.channels.amazon.offers import listed_item
from chalicelib.channels.facts import ListedItem
from chalicelib.channels.fields import Node
from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused
from tests.contract.amazon_samples import SAMPLES, answered, sample
from tests.shared_data import shared
from tests.unit.channels.amazon_desk import DESK, US, Desk, availability

# --- listings -----------------------------------------------------------------------------------------


def test_the_recorded_listing_of_the_uk_tells_quantity_and_price_by_its_attributes() -> None:
    body = json.loads(sample("listings.getListingsItem.recorded-production-uk.json"))["response"]["body"]
    assert listed_item(Node(body), "A1F83G8C2ARO7P") == ListedItem(
        "SKU123", {}, quantity=1, price_minor=40000, currency="GBP", live=False
    )
    assert listed_item(Node(body), US).price_minor is None


def test_the_models_sample_listing_is_read_for_each_store() -> None:
    body = json.loads(sample("listings.getListingsItem.response.json"))
    here, there = listed_item(Node(body), US), listed_item(Node(body), "A2EUQ1WTGCTBG2")
    assert (here.quantity, here.price_minor, here.currency, here.live) == (100, 10000, "USD", True)
    assert (there.price_minor, there.currency, there.live) == (13000, "CAD", False)
    assert here.refs == {"asin": "B071VG5N9D", "product_type": "LUGGAGE"}


def test_the_sample_listing_without_an_offer_has_a_quantity_and_no_price() -> None:
    body = json.loads(sample("listings.getListingsItem.response.fulfillmentAvailability.json"))
    item = listed_item(Node(body), "A2Q3Y263D00KWC")
    assert (item.channel_sku, item.quantity, item.price_minor, item.live) == ("TEST-SKU-001", 100, None, True)


@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        ("listings.patchListingsItem.response.accepted.json", 200, "None"),
        ("listings.patchListingsItem.response.validation-preview-valid.json", 200, "listing_refused: VALID: "),
        (
            "listings.patchListingsItem.response.validation-preview-invalid.json",
            200,
            "listing_refused: INVALID: 90000900",
        ),
        ("error.400.patchListingsItem.json", 400, "channel_refused: Amazon answered 400: BAD_REQUEST"),
        ("error.429.QuotaExceeded.json", 429, "Amazon answered 429 to patchListingsItem"),
    ],
)
def test_a_patch_is_judged_by_its_sample_answer(name: str, status: int, outcome: str) -> None:
    desk = Desk()
    answered(desk, "patchListingsItem", name, status)
    (found,) = desk.client().push_availability([availability("GM-ZDPI-9B4E", 1)])
    assert str(found) == outcome


@pytest.mark.parametrize(
    ("name", "status", "operation"),
    [
        ("error.400.searchOrders.json", 400, "searchOrders"),
        ("error.400.confirmShipment.json", 400, "searchOrders"),
        ("error.429.QuotaExceeded.json", 429, "searchOrders"),
    ],
)
def test_an_error_is_told_by_its_code_and_never_by_its_message(name: str, status: int, operation: str) -> None:
    desk = Desk()
    answered(desk, operation, name, status)
    with pytest.raises((Busy, Refused)) as raised:
        list(desk.client().changed_orders(DESK))
    assert str(status) in str(raised.value)
    assert "exceeded" not in str(raised.value)


# --- feeds and reports --------------------------------------------------------------------------------


def test_the_sample_processing_report_judges_each_message_alone() -> None:
    report = sample("feed.JSON_LISTINGS_FEED.result.processing-report.json").decode()
    sent = [message["sku"] for message in json.loads(sample("feed.JSON_LISTINGS_FEED.input.json"))["messages"]]
    assert listing_verdicts(report, sent) == {
        "My-SKU-A": "",
        "My-SKU-B": "90220, 90220",
        "My-SKU-C": "99022",
        "My-SKU-D": "",
        "My-SKU-E": "",
    }


def test_our_feed_has_the_form_of_the_sample() -> None:
    desk = Desk()
    desk.client().push_availability([availability(f"S{number}", number) for number in range(1, 30)])
    (ours,) = [json.loads(body) for body in desk.uploads.values()]
    theirs = json.loads(sample("feed.JSON_LISTINGS_FEED.input.json"))
    assert set(ours) == set(theirs)
    assert set(ours["header"]) <= set(theirs["header"])
    merging = theirs["messages"][-1]
    for message in ours["messages"]:
        assert set(message) == set(merging)
        assert message["operationType"] == merging["operationType"]
        assert set(message["patches"][0]) == set(merging["patches"][0])
        assert message["patches"][0]["path"] == merging["patches"][0]["path"]


@pytest.mark.parametrize(
    ("name", "status", "has_report"),
    [("feed.getFeed.response.cancelled.json", "CANCELLED", False), ("feed.getFeed.response.done.json", "DONE", True)],
)
def test_a_sample_feed_is_finished(name: str, status: str, has_report: bool) -> None:
    desk = Desk()
    answered(desk, "getFeed", name)
    answered(desk, "getFeedDocument", "feed.getFeedDocument.response.json")
    desk.files["https://d34o8swod1owfl.cloudfront.net/Feed_101__POST_PRODUCT_DATA_.xml"] = b"report"
    feed = desk.feeds().look("1")
    assert feed is not None
    assert (feed.status, feed.report) == (status, "report" if has_report else "")


def test_the_sample_answers_carry_a_feed_from_document_to_feed() -> None:
    desk = Desk()
    answered(desk, "createFeedDocument", "feed.createFeedDocument.response.json", 201)
    answered(desk, "createFeed", "feed.createFeed.response.json", 202)
    desk.client().push_availability([availability(f"S{number}", number) for number in range(1, 30)])
    assert desk.job("road/JSON_LISTINGS_FEED") == {"known": ["3485934"]}
    put = next(request for request in desk.sent if request.method == "PUT")
    assert put.url == "https://d34o8swod1owfl.cloudfront.net/Feed_101__POST_PRODUCT_DATA_.xml"
    assert "x-amz-access-token" not in put.headers


def test_the_sample_performance_report_is_told_measure_by_measure() -> None:
    metrics = {
        metric.name: metric
        for metric in read_performance(sample("report.GET_V2_SELLER_PERFORMANCE_REPORT.json").decode(), US)
    }
    late = metrics["lateShipmentRate"]
    assert (late.value, late.limit, late.is_good, late.window) == (
        "0.03203973037",
        "0.04",
        True,
        "2020-10-21 - 2020-11-19",
    )
    assert (metrics["accountStatus"].value, metrics["accountStatus"].is_good) == ("AT_RISK", False)
    assert metrics["preFulfillmentCancellationRate"].limit == "0.01"
    assert metrics["validTrackingRate"].value == metrics["onTimeDeliveryRate"].value == "0.9529"
    assert metrics["orderDefectRate.mfn"].value == "0.009"
    assert metrics["unitOnTimeDeliveryRate"].value == "0.8848"
    assert metrics["listingPolicyViolations"].value == "86"
    assert metrics["listingPolicyViolations"].is_good is False
    assert metrics["accountHealthRating"].value == "WARNED"
    assert metrics["warningStates.spammingSellerMessaging"].is_good is False
    assert "marketplaceId" not in metrics


def test_the_sample_answers_carry_a_report_from_wish_to_file() -> None:
    desk = Desk()
    answered(desk, "createReport", "report.createReport.response.json", 202)
    answered(desk, "getReport", "report.getReport.response.json")
    with pytest.raises(Busy, match="is being made"):
        desk.client().health()
    assert desk.job("report/GET_V2_SELLER_PERFORMANCE_REPORT")["report_id"] == "ID323"
    answered(desk, "getReport", "report.getReport.response.done.json")
    answered(desk, "getReportDocument", "report.getReportDocument.response.json")
    desk.files["https://d34o8swod1owfl.cloudfront.net/Report_47700__GET_MERCHANT_LISTINGS_ALL_DATA_.txt"] = sample(
        "report.GET_V2_SELLER_PERFORMANCE_REPORT.json"
    )
    assert len(desk.client().health()) > 15
    assert desk.operations.count("createReport") == 1


def test_the_sample_of_a_packed_report_names_its_packing() -> None:
    document = json.loads(sample("report.getReportDocument.response.gzip.json"))
    desk = Desk()
    answered(desk, "getReportDocument", "report.getReportDocument.response.gzip.json")
    assert document["compressionAlgorithm"] == "GZIP"
    with pytest.raises(Refused, match="untrusted_address"):  # it lies on a plain address that is not ours
        desk.reports().document("D")


def test_the_sample_page_of_reports_is_followed_to_the_next() -> None:
    desk = Desk()
    answered(desk, "getReports", "report.getReports.response.with-nextToken.json")
    assert [report.text("reportId") for report in desk.reports().made("FEE_DISCOUNTS_REPORT", DESK)] == ["ReportId1"]
    assert desk.operations.count("getReports") == 2
    assert desk.sent[-1].url.endswith(
        "?nextToken=VGhpcyB0b2tlbiBpcyBvcGFxdWUgYW5kIGludGVudGlvbmFsbHkgb2JmdXNjYXRlZA%3D%3D"
    )


# --- setting up ---------------------------------------------------------------------------------------


def test_the_sample_answers_set_an_account_up() -> None:
    desk = Desk()
    answered(desk, "getMarketplaceParticipations", "sellers.getMarketplaceParticipations.json")
    answered(desk, "createDestination", "notifications-api.createDestination.response.json")
    answered(desk, "createSubscription", "notifications-api.createSubscription.response.json")
    client = desk.client()
    (store,) = client.participations()
    assert store["marketplace"]["id"] == US
    arn = "arn:aws:sqs:us-east-2:444455556666:queue1"
    assert client.ensure_destination(arn, "SQSDestination") == "9e7a83ee-7730-11e9-8f9e-2a86e4085a59"
    subscribed = client.ensure_subscription("ORDER_CHANGE", "3acafc7e-121b-1329-8ae8-1571be663aa2")
    assert subscribed == "7fcacc7e-727b-11e9-8848-1681be663d3e"


# --- notifications ------------------------------------------------------------------------------------

UNDERSTOOD = {
    "ORDER_CHANGE": lambda told: bool(told.seller_id and told.order_ids),
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": lambda told: told.skus == (("NLS-SHOES-03", 99),),
    "FEED_PROCESSING_FINISHED": lambda told: (told.work_id, told.status) == ("53347018456", "DONE"),
    "REPORT_PROCESSING_FINISHED": lambda told: (told.work_id, told.status) == ("54517018502", "CANCELLED"),
    "TRANSACTION_UPDATE": lambda told: (told.seller_id, told.order_ids) == ("A3TH9S8BH6GOGM", ("8129762527551",)),
}


def test_every_sample_notification_is_understood_or_ignored_on_purpose() -> None:
    names = sorted(path.name for path in shared(SAMPLES).glob("notification.*.sqs-body.json"))
    assert len(names) > 10
    for name in names:
        kind = name.split(".")[1]
        told = told_of(sample(name))
        assert told.kind == kind
        if kind in UNDERSTOOD:
            assert UNDERSTOOD[kind](told), name
        else:
            assert kind in IGNORED
            assert told == Told(kind, notification_id=told.notification_id)
    assert set(UNDERSTOOD) <= {name.split(".")[1] for name in names}


# --- tokens and parcels -------------------------------------------------------------------------------


def test_the_recorded_exchange_of_tokens_is_ours() -> None:
    recorded = json.loads(sample("auth.lwa-token-exchange.recorded.json"))
    desk = Desk()
    desk.instead["token"] = [HttpResponse(200, {}, json.dumps(recorded["response"]["body"]).encode())]
    desk.client(base_url="https://sellingpartnerapi-eu.amazon.com").participations()
    asked = desk.sent[0]
    assert (asked.method, asked.url) == (recorded["request"]["method"], recorded["request"]["uri"])
    assert asked.headers["content-type"].startswith(recorded["request"]["headers"]["Content-Type"])
    assert dict(parse_qsl(asked.body.decode())).keys() == dict(parse_qsl(recorded["request"]["body"])).keys()
    assert (desk.tokens.token, desk.tokens.expires_ms) == ("FILTERED", DESK + 3_300_000)


@pytest.mark.parametrize(
    ("name", "is_iso"),
    [("shipment.v0.confirmShipment.request.json", True), ("shipment.v0.confirmShipment.request-bad-date.json", False)],
)
def test_our_confirmation_has_the_fields_of_the_sample_and_a_date_as_the_good_one(name: str, is_iso: bool) -> None:
    theirs = json.loads(sample(name))["body"]
    desk = Desk()
    parcel = ShipmentConfirmation("S", 1, "FedEx", "112345678", DESK, (("79039765272157", 1),))
    desk.client().confirm_shipment("902-1106328-1059050", parcel)
    ours = json.loads(desk.sent[-1].body)
    assert set(ours) == set(theirs)
    wanted = {key: theirs["packageDetail"][key] for key in ("packageReferenceId", "carrierCode", "trackingNumber")}
    assert wanted.items() <= ours["packageDetail"].items()
    assert set(ours["packageDetail"]) <= set(theirs["packageDetail"])
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
    assert bool(form.fullmatch(theirs["packageDetail"]["shipDate"])) == is_iso
    assert form.fullmatch(ours["packageDetail"]["shipDate"])
