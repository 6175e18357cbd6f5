"""Amazon's recorded and published payloads: answers fit their models, notifications and feeds their schemas."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.amazon.finances import facts_of
from chalicelib.channels.fields import parse
from chalicelib.channels.transport import HttpRequest, HttpResponse, checked
from chalicelib.domain.errors import Busy, Refused, Unreadable
from local.read import unwrapped
from tests.contract.amazon_seller import Tokens
from tests.contract.official_models import wrong_in_request, wrong_in_response
from tests.contract.official_schemas import errors, file_validator
from tests.shared_data import shared

V0, V2026 = "/orders/v0/orders", "/orders/2026-01-01/orders"
FEEDS, REPORTS = "/feeds/2021-06-30", "/reports/2021-06-30"
FINANCES, FINANCES_V0 = "/finances/2024-06-19", "/finances/v0"
ITEM = "/listings/2021-08-01/items/A34PPN1ZLYCOGT/SKU123"
CONFIRM = f"{V0}/902-1106328-1059050/shipmentConfirmation"
# file -> (method, path, status) of the operation that it is an answer of
ANSWERS = {
    "feed.createFeed.response.json": ("POST", f"{FEEDS}/feeds", 202),
    "feed.createFeedDocument.response.json": ("POST", f"{FEEDS}/documents", 201),
    "feed.getFeed.response.cancelled.json": ("GET", f"{FEEDS}/feeds/1", 200),
    "feed.getFeed.response.done.json": ("GET", f"{FEEDS}/feeds/1", 200),
    "feed.getFeedDocument.response.json": ("GET", f"{FEEDS}/documents/1", 200),
    "fees.getMyFeesEstimateForSKU.json": ("POST", "/products/fees/v0/listings/S/feesEstimate", 200),
    "finances.2024-06-19.listBalances.1.json": ("GET", f"{FINANCES}/balances", 200),
    "finances.2024-06-19.listBalances.json": ("GET", f"{FINANCES}/balances", 200),
    "finances.2024-06-19.listSummary.json": ("GET", f"{FINANCES}/summary", 200),
    "finances.2024-06-19.listTransactions.json": ("GET", f"{FINANCES}/transactions", 200),
    "finances.2024-06-19.listTransactions.shipment-with-breakdowns-sek.json": ("GET", f"{FINANCES}/transactions", 200),
    "finances.v0.financialEvents.shipment-refund-fees-gbp.json": ("GET", f"{FINANCES_V0}/financialEvents", 200),
    "finances.v0.listFinancialEventGroups.json": ("GET", f"{FINANCES_V0}/financialEventGroups", 200),
    "finances.v0.listFinancialEvents.json": ("GET", f"{FINANCES_V0}/financialEvents", 200),
    "finances.v0.listFinancialEventsByOrderId.json": ("GET", f"{FINANCES_V0}/orders/1/financialEvents", 200),
    "listings.getListingsItem.response.fulfillmentAvailability.json": ("GET", ITEM, 200),
    "listings.getListingsItem.response.json": ("GET", ITEM, 200),
    "listings.patchListingsItem.response.accepted.json": ("PATCH", ITEM, 200),
    "listings.patchListingsItem.response.validation-preview-invalid.json": ("PATCH", ITEM, 200),
    "listings.patchListingsItem.response.validation-preview-valid.json": ("PATCH", ITEM, 200),
    "mfn.createShipment.json": ("POST", "/mfn/v0/shipments", 200),
    "notifications-api.createDestination.response.json": ("POST", "/notifications/v1/destinations", 200),
    "notifications-api.createSubscription.response.json": (
        "POST",
        "/notifications/v1/subscriptions/ORDER_CHANGE",
        200,
    ),
    **dict.fromkeys(
        ("pricing.v0.getPricing.json", "pricing.v0.getPricing.1.json", "pricing.v0.getPricing.2.json"),
        ("GET", "/products/pricing/v0/price", 200),
    ),
    "report.createReport.response.json": ("POST", f"{REPORTS}/reports", 202),
    "report.getReport.response.done.json": ("GET", f"{REPORTS}/reports/1", 200),
    "report.getReport.response.json": ("GET", f"{REPORTS}/reports/1", 200),
    "report.getReportDocument.response.gzip.json": ("GET", f"{REPORTS}/documents/1", 200),
    "report.getReportDocument.response.json": ("GET", f"{REPORTS}/documents/1", 200),
    "report.getReports.response.with-nextToken.json": ("GET", f"{REPORTS}/reports", 200),
    "sellers.getMarketplaceParticipations.json": ("GET", "/sellers/v1/marketplaceParticipations", 200),
    "tokens.createRestrictedDataToken.1.json": ("POST", "/tokens/2021-03-01/restrictedDataToken", 200),
    "tokens.createRestrictedDataToken.json": ("POST", "/tokens/2021-03-01/restrictedDataToken", 200),
    **{
        f"order.2026-01-01.getOrder.mfn-{name}.json": ("GET", f"{V2026}/1", 200)
        for name in ("shipped-tax", "shipped-uk", "unshipped-br", "unshipped-us")
    },
    **{
        f"order.2026-01-01.searchOrders.{name}.json": ("GET", V2026, 200)
        for name in ("afn-shipped-mx", "mfn-shipped-two-items", "mfn-shipped-uk", "mfn-unshipped-br")
    },
}
# What these are known to have otherwise than the model.
OTHERWISE = {
    "fees.getMyFeesEstimateForSKU.json": "'Mon Oct 28 18:49:32 UTC 2019' is not a 'date-time'",
    "finances.2024-06-19.listBalances.1.json": "'2025-01-12' is not a 'date-time'",
    "finances.2024-06-19.listSummary.json": "'2025-01-12' is not a 'date-time'",
    "finances.v0.financialEvents.shipment-refund-fees-gbp.json": "('PostedDate' was unexpected)",
    "notification.LISTINGS_ITEM_STATUS_CHANGE.sqs-body.json": "is not one of ['LISTINGS_ITEM_STATUS_CHANGED']",
    "report.GET_V2_SELLER_PERFORMANCE_REPORT.json": "'SUSPENDED' is not one of",
}
# file -> schema below specs/amazon/schemas
SCHEMAS = {
    f"notification.{topic}.sqs-body.json": f"notifications/{schema}.json"
    for topic, schema in {
        "ANY_OFFER_CHANGED": "AnyOfferChangedNotification",
        "FBA_INVENTORY_AVAILABILITY_CHANGES": "FBAInventoryAvailabilityChangeNotification",
        "FEED_PROCESSING_FINISHED": "FeedProcessingFinishedNotification",
        "FULFILLMENT_ORDER_STATUS": "FulfillmentOrderStatusNotification",
        "LISTINGS_ITEM_ISSUES_CHANGE": "ListingsItemIssuesChangeNotification",
        "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "ListingsItemMfnQuantityChange",
        "LISTINGS_ITEM_STATUS_CHANGE": "ListingsItemStatusChangeNotification",
        "ORDER_CHANGE": "OrderChangeNotification",
        "PRICING_HEALTH": "PricingHealthNotification",
        "REPORT_PROCESSING_FINISHED": "ReportProcessingFinishedNotification",
        "TRANSACTION_UPDATE": "TransactionUpdateNotification",
    }.items()
} | {
    "feed.JSON_LISTINGS_FEED.input.json": "feeds/listings-feed-schema-v2.json",
    "feed.JSON_LISTINGS_FEED.result.processing-report.json": "feeds/listings-feed-processing-report-schema-v2.json",
    "report.GET_V2_SELLER_PERFORMANCE_REPORT.json": "reports/accountHealthReport-2020-11-18.json",
}
# file -> (method, path, status) that it refuses, and what of it our transport raises
REFUSALS: dict[str, tuple[tuple[str, str, int], type[Exception], str]] = {
    "error.400.confirmShipment.json": (("POST", CONFIRM, 400), Refused, "Invalid Input"),
    "error.400.patchListingsItem.json": (("PATCH", ITEM, 400), Refused, "BAD_REQUEST"),
    "error.400.searchOrders.json": (("GET", V2026, 400), Refused, "InvalidInput"),
    "error.429.QuotaExceeded.json": (("GET", V2026, 429), Busy, "answered 429"),
}
# file -> what is wrong with it as a request
CONFIRMATIONS = {
    "shipment.v0.confirmShipment.request.json": [],
    "shipment.v0.confirmShipment.request-bad-date.json": [
        "body $.packageDetail.shipDate: '02/21/2022' is not a 'date-time'"
    ],
}
GBP_V0 = "finances.v0.financialEvents.shipment-refund-fees-gbp.json"
RECORDED_ITEM = "listings.getListingsItem.recorded-production-uk.json"
TOKEN = "auth.lwa-token-exchange.recorded.json"


def raw(name: str) -> bytes:
    return (shared("samples/amazon") / name).read_bytes()


def assert_known(name: str, wrong: list[str]) -> None:
    """Nothing is wrong, or for a file of OTHERWISE what it says."""
    assert bool(wrong) == (name in OTHERWISE), wrong
    assert OTHERWISE.get(name, "") in str(wrong).replace('"', "'")


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_fits_its_model(name: str) -> None:
    method, path, status = ANSWERS[name]
    assert_known(name, wrong_in_response(method, path, status, {}, unwrapped(raw(name))))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_document_fits_its_schema(name: str) -> None:
    validator = file_validator(f"specs/amazon/schemas/{SCHEMAS[name]}")
    assert_known(name, errors(validator, json.loads(raw(name))))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_fits_its_model_and_is_raised_by_its_kind(name: str) -> None:
    (method, path, status), raised, words = REFUSALS[name]
    answer = HttpResponse(status, {"content-type": "application/json"}, raw(name))
    assert wrong_in_response(method, path, status, answer.headers, answer.body) == []
    with pytest.raises(raised, match=words):
        checked(answer, "amazon")


@pytest.mark.parametrize("name", CONFIRMATIONS)
def test_a_shipment_confirmation_is_told_from_a_wrong_one(name: str) -> None:
    sent = json.loads(raw(name))["body"]
    body = json.dumps(sent).encode()
    assert wrong_in_request("POST", CONFIRM, {"Content-Type": "application/json"}, body) == CONFIRMATIONS[name]


def test_an_event_of_the_removed_finances_is_no_transaction() -> None:
    """Amazon removes Finances v0, so nothing reads it: its events, as transactions, are refused by the field that they
    have otherwise, and no amount of theirs is taken for money that was booked."""
    events = parse(raw(GBP_V0)).at("payload").at("FinancialEvents")
    refused, facts = set(), []
    for kind in events.value:
        for event in events.each(kind):
            try:
                facts += facts_of(event)
            except Unreadable as error:
                refused.add((kind, error.reason, error.detail.rpartition(".")[2].partition(" ")[0]))
    assert {kind for kind, _, _ in refused} >= {"ShipmentEventList", "RefundEventList", "ServiceFeeEventList"}
    assert {(reason, field) for _, reason, field in refused} == {("missing_field", "postedDate")}
    assert facts == []


def test_a_recorded_call_for_a_listing_fits_its_model_both_ways() -> None:
    recorded = json.loads(raw(RECORDED_ITEM))
    sent, answer = recorded["request"], recorded["response"]
    assert wrong_in_request(sent["method"], sent["uri"], {}, b"") == []
    body = json.dumps(answer["body"]).encode()
    assert wrong_in_response(sent["method"], sent["uri"], answer["status"], {}, body) == []


def test_a_recorded_token_exchange_is_what_our_client_does_and_takes() -> None:
    recorded = json.loads(raw(TOKEN))
    theirs, answer = recorded["request"], recorded["response"]
    assert wrong_in_request(theirs["method"], theirs["uri"], theirs["headers"], theirs["body"].encode()) == []
    order = raw("order.2026-01-01.getOrder.mfn-unshipped-us.json")
    sent: list[HttpRequest] = []

    def other_side(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        is_token = urlsplit(request.url).path == urlsplit(theirs["uri"]).path
        return HttpResponse(200, {}, json.dumps(answer["body"]).encode() if is_token else order)

    account = {"base_url": "https://sellingpartnerapi-eu.amazon.com", "seller_id": "A1", "marketplace_id": "M1"}
    credentials = dict.fromkeys(("client_id", "client_secret", "refresh_token"), "FILTERED")
    tokens = Tokens()
    AmazonClient(Access(other_side, account, credentials, tokens, 0)).get_order("1")
    assert (tokens.token, 0 < tokens.expires_ms <= 3_600_000) == ("FILTERED", True)
    assert (sent[0].url, sorted(sent[0].body.split(b"&"))) == (
        theirs["uri"],
        sorted(theirs["body"].encode().split(b"&")),
    )
    assert sent[1].headers["x-amz-access-token"] == "FILTERED"
