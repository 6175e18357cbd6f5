"""A seller's calls to the stand-in Amazon beside orders: each answer is held to the official model."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from local.marketplaces.amazon import Amazon
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.wire import Request, Response
from tests.contract.marketplaces_calls import FORM, Time, amazon_call, amazon_token
from tests.contract.marketplaces_models import amazon_notification, amazon_request_body, amazon_response, errors

FEEDS, REPORTS = "/feeds/2021-06-30", "/reports/2021-06-30"
NOTIFICATIONS = "/notifications/v1"
LISTINGS = "JSON_LISTINGS_FEED"
CANCELS = "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA"
REFUNDS = "POST_FLAT_FILE_PAYMENT_ADJUSTMENT_DATA"
RETURNS = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
HEALTH = "GET_V2_SELLER_PERFORMANCE_REPORT"
SETTLEMENT = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
TABBED = "text/tab-separated-values; charset=UTF-8"
SUBSCRIBABLE = {
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "ListingsItemMfnQuantityChange",
    "LISTINGS_ITEM_ISSUES_CHANGE": "ListingsItemIssuesChangeNotification",
    "TRANSACTION_UPDATE": "TransactionUpdateNotification",
    "FEED_PROCESSING_FINISHED": "FeedProcessingFinishedNotification",
    "REPORT_PROCESSING_FINISHED": "ReportProcessingFinishedNotification",
    "ORDER_CHANGE": "OrderChangeNotification",
}
SPECS = {
    "/feeds/": "feeds_2021-06-30.json",
    "/reports/": "reports_2021-06-30.json",
    "/finances/": "finances_2024-06-19.json",
    "/notifications/": "notifications.json",
    "/sellers/": "sellers.json",
    "/listings/": "listingsItems_2021-08-01.json",
    "/orders/2026": "orders_2026-01-01.json",
}


def grantless_token(market: Amazon) -> str:
    fields = {
        "grant_type": "client_credentials",
        "scope": "sellingpartnerapi::notifications",
        "client_id": market.client_id,
        "client_secret": market.client_secret,
    }
    answer = market.handle(Request("POST", "/auth/o2/token", {}, FORM, urlencode(fields).encode()))
    assert answer.status == 200, answer
    return str(answer.json()["access_token"])


def call(
    market: Amazon,
    method: str,
    template: str,
    status: int,
    *,
    names: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: Any = None,
    token: str | None = None,
) -> Any:
    """The body of the answer, which has this status and fits the model of `template`, as the request's body does."""
    spec = next(spec for prefix, spec in SPECS.items() if template.startswith(prefix))
    if body is not None and status < 400:
        assert errors(amazon_request_body(spec, template, method.lower()), body) == []
    response = amazon_call(market, method, template.format(**(names or {})), query, body, token)
    return modelled(response, template, method, status)


def modelled(response: Response, template: str, method: str, status: int) -> Any:
    """The body of an answer that has this status and fits the model."""
    spec = next(spec for prefix, spec in SPECS.items() if template.startswith(prefix))
    assert response.status == status, response
    body = response.json() if response.body else None
    assert errors(amazon_response(spec, template, method.lower(), status), body) == []
    assert response.headers["x-amzn-RequestId"]
    assert ("x-amzn-RateLimit-Limit" in response.headers) == (status < 300)
    return body


def at(market: Amazon, method: str, url: str, content_type: str = "", body: bytes = b"") -> Response:
    """A call to the address of a document, without a token."""
    assert url.startswith(market.base_url + "/")
    parts = urlsplit(url.removeprefix(market.base_url))
    headers = {"Content-Type": content_type} if content_type else {}
    return market.handle(Request(method, parts.path, dict(parse_qsl(parts.query)), headers, body))


def upload(market: Amazon, body: bytes, content_type: str) -> str:
    """A feed document with this content; its id."""
    made = call(market, "POST", f"{FEEDS}/documents", 201, body={"contentType": content_type})
    assert at(market, "PUT", made["url"], content_type, body).status == 200
    return str(made["feedDocumentId"])


def submit(market: Amazon, kind: str, body: bytes, content_type: str = TABBED) -> str:
    """A feed with this content; its id."""
    document_id = upload(market, body, content_type)
    asked = {"feedType": kind, "marketplaceIds": [market.marketplace_id], "inputFeedDocumentId": document_id}
    return str(call(market, "POST", f"{FEEDS}/feeds", 202, body=asked)["feedId"])


def feed(market: Amazon, feed_id: str) -> Any:
    return call(market, "GET", f"{FEEDS}/feeds/{{feedId}}", 200, names={"feedId": feed_id})


def report(market: Amazon, report_id: str) -> Any:
    return call(market, "GET", f"{REPORTS}/reports/{{reportId}}", 200, names={"reportId": report_id})


def ask(market: Amazon, kind: str, **dates: str) -> str:
    """A report asked for; its id."""
    asked = {"reportType": kind, "marketplaceIds": [market.marketplace_id], **dates}
    return str(call(market, "POST", f"{REPORTS}/reports", 202, body=asked)["reportId"])


def downloaded(market: Amazon, document_id: str, family: str = "feed") -> bytes:
    """The content of a document, unpacked when it says so."""
    base, name = (FEEDS, "feedDocumentId") if family == "feed" else (REPORTS, "reportDocumentId")
    document = call(market, "GET", f"{base}/documents/{{{name}}}", 200, names={name: document_id})
    assert document[name] == document_id
    answer = at(market, "GET", document["url"])
    assert answer.status == 200
    return gzip.decompress(answer.body) if document.get("compressionAlgorithm") == "GZIP" else answer.body


def finished_feed(market: Amazon, time: Time, kind: str, body: bytes, content_type: str = TABBED) -> bytes:
    """The processing report of a feed that ends DONE."""
    feed_id = submit(market, kind, body, content_type)
    time.pass_(seconds=10)
    done = feed(market, feed_id)
    assert done["processingStatus"] == "DONE"
    return downloaded(market, done["resultFeedDocumentId"])


def finished_report(market: Amazon, time: Time, kind: str, **dates: str) -> bytes:
    """The content of a report that ends DONE."""
    report_id = ask(market, kind, **dates)
    time.pass_(seconds=10)
    done = report(market, report_id)
    assert done["processingStatus"] == "DONE"
    return downloaded(market, done["reportDocumentId"], "report")


def tabbed(*rows: dict[str, str]) -> bytes:
    """Rows as a flat file."""
    columns = list(rows[0])
    return "\n".join(["\t".join(columns), *("\t".join(row[name] for name in columns) for row in rows), ""]).encode()


def table(content: bytes) -> list[dict[str, str]]:
    """A flat file as rows."""
    head, *lines = content.decode().rstrip("\n").split("\n")
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def paid_sale(market: Amazon, time: Time, *, lines: int = 1, seed: int = 1, **wanted: bool) -> Sale:
    """A new order that is paid and will not be cancelled, with so many lines, and what else is wanted of its money."""
    rng = Random(seed)
    for _ in range(300):
        sale = market.sell(rng, time.pass_(seconds=1))
        assert sale
        sale.paid = True
        market.shelf.due.clear()
        if len(sale.lines) == lines and all(bool(getattr(sale, name)) == want for name, want in wanted.items()):
            return sale
    raise AssertionError("no such order in 300")


def shipped(market: Amazon, sale: Sale, time: Time, reference: str = "1", **units: int) -> None:
    """A parcel with all units of the order, or so many of each line (named by `units`: l0, l1 …)."""
    counts = {
        line.line_id: units.get(f"l{place}", line.quantity if not units else 0) for place, line in enumerate(sale.lines)
    }
    wanted = {line_id: count for line_id, count in counts.items() if count}
    market.ship(sale, Parcel(reference, "UPS", "1Z0000000000000001", time.now, time.now, wanted))


def subscribe(market: Amazon, *kinds: str) -> None:
    """A destination, and a subscription for each kind."""
    arn = f"arn:aws:sqs:us-east-1:111122223333:queue-{len(market.office.destinations)}"
    body = {"name": "inbound", "resourceSpecification": {"sqs": {"arn": arn}}}
    token = grantless_token(market)
    made = call(market, "POST", f"{NOTIFICATIONS}/destinations", 200, body=body, token=token)
    for kind in kinds:
        wanted = {"payloadVersion": "1.0", "destinationId": made["payload"]["destinationId"]}
        names = {"notificationType": kind}
        call(market, "POST", f"{NOTIFICATIONS}/subscriptions/{{notificationType}}", 200, names=names, body=wanted)


def told(market: Amazon, kind: str) -> list[Any]:
    """The notifications of one kind since the last look, each as its schema says."""
    bodies = [json.loads(market.notification(change)) for change in market.drain_changes()]
    found = [body for body in bodies if body.get("NotificationType", body.get("notificationType")) == kind]
    for body in found:
        assert errors(amazon_notification(SUBSCRIBABLE[kind]), body) == []
    return found


def transactions(market: Amazon, **query: str) -> list[Any]:
    """All pages of listTransactions."""
    found: list[Any] = []
    token, path = amazon_token(market), "/finances/2024-06-19/transactions"
    while True:
        payload = call(market, "GET", path, 200, query=query, token=token)["payload"]
        found += payload["transactions"]
        if not payload.get("nextToken"):
            return found
        query = {**query, "nextToken": payload["nextToken"]}


def ago(time: Time, **units: float) -> str:
    return (time.now - timedelta(**units)).isoformat()
