"""Amazon's back office in memory: just enough of feeds, reports, listings, money and notifications for the client."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.amazon.feeds import Feeds
from chalicelib.channels.amazon.limits import PLANS
from chalicelib.channels.amazon.reports import Reports
from chalicelib.channels.amazon.wire import Wire, iso
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.port import Availability
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import OverBudget, Stale
from tests.tokens import Tokens

BASE = "https://sp.example"
US = "ATVPDKIKX0DER"
DESK = 1_780_000_000_000
ACCOUNT = {"base_url": BASE, "seller_id": "A1", "marketplace_id": US}
SECRET = {"client_id": "c", "client_secret": "s", "refresh_token": "r"}
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, b"<html>busy</html>")

_ROUTES = (
    ("POST", r"/auth/o2/token", "token"),
    ("GET", r"/orders/2026-01-01/orders", "searchOrders"),
    ("GET", r"/orders/2026-01-01/orders/([^/]+)", "getOrder"),
    ("POST", r"/orders/v0/orders/([^/]+)/shipmentConfirmation", "confirmShipment"),
    ("PATCH", r"/listings/2021-08-01/items/A1/([^/]+)", "patchListingsItem"),
    ("GET", r"/listings/2021-08-01/items/A1", "searchListingsItems"),
    ("POST", r"/feeds/2021-06-30/documents", "createFeedDocument"),
    ("GET", r"/feeds/2021-06-30/documents/([^/]+)", "getFeedDocument"),
    ("POST", r"/feeds/2021-06-30/feeds", "createFeed"),
    ("GET", r"/feeds/2021-06-30/feeds", "getFeeds"),
    ("GET", r"/feeds/2021-06-30/feeds/([^/]+)", "getFeed"),
    ("POST", r"/reports/2021-06-30/reports", "createReport"),
    ("GET", r"/reports/2021-06-30/reports", "getReports"),
    ("GET", r"/reports/2021-06-30/reports/([^/]+)", "getReport"),
    ("GET", r"/reports/2021-06-30/documents/([^/]+)", "getReportDocument"),
    ("GET", r"/finances/2024-06-19/transactions", "listTransactions"),
    ("GET", r"/sellers/v1/marketplaceParticipations", "getMarketplaceParticipations"),
    ("GET", r"/notifications/v1/destinations", "getDestinations"),
    ("POST", r"/notifications/v1/destinations", "createDestination"),
    ("GET", r"/notifications/v1/subscriptions/([^/]+)", "getSubscription"),
    ("POST", r"/notifications/v1/subscriptions/([^/]+)", "createSubscription"),
)


class Counted:
    """A budget that notes what it is asked for. `used_up`: operations of which no call may be made."""

    def __init__(self) -> None:
        self.spent: list[str] = []
        self.corrected: dict[str, float] = {}
        self.drained: dict[str, int] = {}
        self.used_up: set[str] = set()

    def spend(self, operation: str) -> None:
        assert operation in PLANS
        if operation in self.used_up:
            raise OverBudget(f"{operation} is used up", after_s=120)
        self.spent.append(operation)

    def correct(self, operation: str, rate_per_s: float) -> None:
        self.corrected[operation] = rate_per_s

    def drain(self, operation: str, after_s: int) -> None:
        self.drained[operation] = after_s


class StrictJobs(JobsInMemory):
    """As the table keeps them: what was not read, or was written since by another, is `Stale`."""

    def __init__(self, shelf: dict[str, tuple[int, str]]) -> None:
        super().__init__()
        self.shelf = shelf
        self.versions: dict[str, int] = {}

    def get(self, name: str) -> Any:
        version, text = self.shelf.get(name, (0, "null"))
        self.versions[name] = version
        return json.loads(text)

    def put(self, name: str, job: Any) -> None:
        if self.shelf.get(name, (0, ""))[0] != self.versions.get(name, 0):
            raise Stale(name)
        self.versions[name] = self.versions.get(name, 0) + 1
        self.shelf[name] = (self.versions[name], json.dumps(dict(job)))

    def drop(self, name: str) -> None:
        self.shelf.pop(name, None)
        self.versions.pop(name, None)


class Desk:
    """A transport. `instead`: answers to give to the next calls of an operation, which are then not carried out;
    `lost`: operations whose next call is carried out and answered by a gateway's page."""

    def __init__(self) -> None:
        self.now_ms = DESK
        self.sent: list[HttpRequest] = []
        self.operations: list[str] = []
        self.instead: dict[str, list[HttpResponse]] = {}
        self.lost: list[str] = []
        self.shelf: dict[str, tuple[int, str]] = {}
        self.budget = Counted()
        self.tokens = Tokens()
        self.orders: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, bytes] = {}  # by document id
        self.files: dict[str, bytes] = {}  # by address
        self.file_headers: dict[str, str] = {"content-type": "text/plain; charset=UTF-8"}
        self.feeds_made: dict[str, dict[str, Any]] = {}
        self.inputs: dict[str, str] = {}  # the document of each feed
        self.reports_made: dict[str, dict[str, Any]] = {}
        self.patched: list[tuple[str, dict[str, Any]]] = []
        self.listed: list[dict[str, Any]] = []
        self.transactions: list[dict[str, Any]] = []
        self.destinations: list[dict[str, Any]] = []
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.forms: list[dict[str, str]] = []

    # --- the client's side ------------------------------------------------------------------------

    def client(self, **account: Any) -> AmazonClient:
        """A new worker's client."""
        jobs = StrictJobs(self.shelf)
        return AmazonClient(Access(self, {**ACCOUNT, **account}, SECRET, self.tokens, self.now_ms, self.budget, jobs))

    def wire(self) -> Wire:
        return Wire(Access(self, ACCOUNT, SECRET, self.tokens, self.now_ms, self.budget))

    def feeds(self) -> Feeds:
        return Feeds(self.wire(), StrictJobs(self.shelf))

    def reports(self) -> Reports:
        return Reports(self.wire(), StrictJobs(self.shelf))

    def job(self, name: str) -> Any:
        return json.loads(self.shelf[name][1])

    def jobs(self, prefix: str) -> list[str]:
        return sorted(name for name in self.shelf if name.startswith(prefix))

    # --- Amazon's side ----------------------------------------------------------------------------

    def finish(self, feed_id: str, report: str | None, status: str = "DONE") -> None:
        """Amazon has processed a feed."""
        self.feeds_made[feed_id]["processingStatus"] = status
        if report is not None:
            self.feeds_made[feed_id]["resultFeedDocumentId"] = f"result-{feed_id}"
            self.files[f"{BASE}/files/result-{feed_id}"] = report.encode()

    def made(self, report_id: str, body: bytes, report_type: str = "", status: str = "DONE") -> None:
        """Amazon has made a report."""
        report = self.reports_made.setdefault(
            report_id, {"reportId": report_id, "reportType": report_type, "createdTime": iso(self.now_ms)}
        )
        report |= {"processingStatus": status, "reportDocumentId": f"doc-{report_id}"}
        self.files[f"{BASE}/files/doc-{report_id}"] = body

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        url = urlsplit(request.url)
        if request.method == "PUT":
            self.operations.append("upload")
            self.uploads[url.path.rsplit("/", 1)[-1]] = request.body
            return HttpResponse(200, {}, b"")
        if request.url in self.files:
            self.operations.append("download")
            return HttpResponse(200, self.file_headers, self.files[request.url])
        if url.path.startswith("/files/"):
            return HttpResponse(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
        operation, names = next(
            (operation, [unquote(name) for name in match.groups()])
            for method, pattern, operation in _ROUTES
            if method == request.method and (match := re.fullmatch(pattern, url.path))
        )
        self.operations.append(operation)
        if self.instead.get(operation):
            return self.instead[operation].pop(0)
        if operation != "token":
            assert request.headers["x-amz-access-token"]
        act: Callable[..., Any] = getattr(self, f"_{operation}")
        answer = act(request, dict(parse_qsl(url.query)), *names)
        if operation in self.lost:
            self.lost.remove(operation)
            return GATEWAY
        return answer if isinstance(answer, HttpResponse) else _json(answer)

    def _token(self, request: HttpRequest, _query: dict[str, str]) -> Any:
        self.forms.append(dict(parse_qsl(request.body.decode())))
        return {"access_token": f"Atza|{len(self.forms)}", "expires_in": 3600, "token_type": "bearer"}

    def _searchOrders(self, *_: Any) -> Any:  # noqa: N802
        return {"orders": list(self.orders.values())}

    def _getOrder(self, _request: HttpRequest, _query: dict[str, str], order_id: str) -> Any:  # noqa: N802
        if order_id not in self.orders:
            return HttpResponse(404, {}, b'{"errors":[{"code":"NotFound","message":"x"}]}')
        return {"order": self.orders[order_id]}

    def _confirmShipment(self, *_: Any) -> Any:  # noqa: N802
        return HttpResponse(204, {}, b"")

    def _patchListingsItem(self, request: HttpRequest, _query: dict[str, str], sku: str) -> Any:  # noqa: N802
        self.patched.append((sku, json.loads(request.body)["patches"][0]))
        return {"sku": sku, "status": "ACCEPTED", "submissionId": "x", "issues": []}

    def _searchListingsItems(self, _request: HttpRequest, query: dict[str, str]) -> Any:  # noqa: N802
        within = [item for item in self.listed if query.get("createdAfter", "") <= _created(item)]
        within = [item for item in within if _created(item) <= query.get("createdBefore", "9")]
        first, size = int(query.get("pageToken", "0")), int(query["pageSize"])
        page = within[first : first + size]
        more = {"pagination": {"nextToken": str(first + size)}} if first + size < min(len(within), 1000) else {}
        return {"numberOfResults": len(within), "items": page, **more}

    def _createFeedDocument(self, *_: Any) -> Any:  # noqa: N802
        number = sum(1 for operation in self.operations if operation == "createFeedDocument")
        return _json({"feedDocumentId": f"in-{number}", "url": f"{BASE}/up/in-{number}"}, 201)

    def _createFeed(self, request: HttpRequest, _query: dict[str, str]) -> Any:  # noqa: N802
        feed_id = f"F{len(self.feeds_made) + 1}"
        wanted = json.loads(request.body)
        self.inputs[feed_id] = wanted.pop("inputFeedDocumentId")
        self.feeds_made[feed_id] = {
            "feedId": feed_id,
            "createdTime": iso(self.now_ms),
            "processingStatus": "IN_QUEUE",
            **wanted,
        }
        return _json({"feedId": feed_id}, 202)

    def _getFeed(self, _request: HttpRequest, _query: dict[str, str], feed_id: str) -> Any:  # noqa: N802
        return self.feeds_made[feed_id]

    def _getFeeds(self, _request: HttpRequest, query: dict[str, str]) -> Any:  # noqa: N802
        feeds = [feed for feed in self.feeds_made.values() if feed["feedType"] == query["feedTypes"]]
        return {"feeds": [feed for feed in feeds if feed["createdTime"] >= query["createdSince"]]}

    def _getFeedDocument(self, _request: HttpRequest, _query: dict[str, str], document_id: str) -> Any:  # noqa: N802
        return {"feedDocumentId": document_id, "url": f"{BASE}/files/{document_id}"}

    def _createReport(self, request: HttpRequest, _query: dict[str, str]) -> Any:  # noqa: N802
        report_id = f"R{len(self.reports_made) + 1}"
        self.reports_made[report_id] = {
            "reportId": report_id,
            "createdTime": iso(self.now_ms),
            "processingStatus": "IN_QUEUE",
            **json.loads(request.body),
        }
        return _json({"reportId": report_id}, 202)

    def _getReport(self, _request: HttpRequest, _query: dict[str, str], report_id: str) -> Any:  # noqa: N802
        return self.reports_made[report_id]

    def _getReports(self, _request: HttpRequest, query: dict[str, str]) -> Any:  # noqa: N802
        if "nextToken" in query:
            return {"reports": []}
        reports = [report for report in self.reports_made.values() if report["reportType"] == query["reportTypes"]]
        return {"reports": [report for report in reports if report["createdTime"] >= query["createdSince"]]}

    def _getReportDocument(self, _request: HttpRequest, _query: dict[str, str], document_id: str) -> Any:  # noqa: N802
        return {"reportDocumentId": document_id, "url": f"{BASE}/files/{document_id}"}

    def _listTransactions(self, _request: HttpRequest, query: dict[str, str]) -> Any:  # noqa: N802
        within = [
            each for each in self.transactions if query["postedAfter"] <= each["postedDate"] < query["postedBefore"]
        ]
        token = query.get("nextToken", "0")
        first = int(token) if token.isdecimal() and len(token) < 9 else len(within)
        more = {"nextToken": str(first + 1)} if first < len(within) else {}  # the last page is empty
        return {"payload": {"transactions": within[first : first + 1], **more}}

    def _getMarketplaceParticipations(self, *_: Any) -> Any:  # noqa: N802
        return {"payload": []}

    def _getDestinations(self, *_: Any) -> Any:  # noqa: N802
        return {"payload": self.destinations}

    def _createDestination(self, request: HttpRequest, _query: dict[str, str]) -> Any:  # noqa: N802
        body = json.loads(request.body)
        made = {"destinationId": f"D{len(self.destinations)}", "name": body["name"]}
        self.destinations.append({**made, "resource": body["resourceSpecification"]})
        return {"payload": self.destinations[-1]}

    def _getSubscription(self, _request: HttpRequest, _query: dict[str, str], kind: str) -> Any:  # noqa: N802
        if kind not in self.subscriptions:
            return HttpResponse(404, {}, b'{"errors":[{"code":"NotFound","message":"x"}]}')
        return {"payload": self.subscriptions[kind]}

    def _createSubscription(self, request: HttpRequest, _query: dict[str, str], kind: str) -> Any:  # noqa: N802
        self.subscriptions[kind] = {"subscriptionId": f"sub-{kind}", **json.loads(request.body)}
        self.subscriptions[kind].pop("processingDirective", None)
        return {"payload": self.subscriptions[kind]}


def availability(sku: str, quantity: int, version: int = 1) -> Availability:
    return Availability(sku, {}, quantity, version)


def order_body(order_id: str = "114-1", **lines: tuple[int, str]) -> dict[str, Any]:
    """An unshipped order in USD: line id = (units, price of the line)."""
    items = [
        {
            "orderItemId": line_id,
            "quantityOrdered": units,
            "product": {"sellerSku": f"SKU-{line_id}", "asin": "B0"},
            "proceeds": {"breakdowns": [{"type": "ITEM", "subtotal": {"amount": price, "currencyCode": "USD"}}]},
        }
        for line_id, (units, price) in lines.items()
    ]
    total = f"{sum(float(price) for _, price in lines.values()):.2f}"
    return {
        "orderId": order_id,
        "createdTime": "2026-05-01T00:00:00Z",
        "lastUpdatedTime": "2026-05-01T00:00:00Z",
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT"},
        "proceeds": {"grandTotal": {"amount": total, "currencyCode": "USD"}},
        "orderItems": items,
    }


def flat_report(processed: int, successful: int, *errors: tuple[int, str]) -> str:
    """A flat file's processing report as Amazon writes it."""
    lines = [
        "Feed Processing Summary:",
        f"\tNumber of records processed\t\t{processed}",
        f"\tNumber of records successful\t\t{successful}",
        "",
        "original-record-number\toriginal-id\terror-code\terror-type\terror-message",
        *(f"{number}\tx\t{code}\tError\tsecret 114-1" for number, code in errors),
    ]
    return "\n".join(lines) + "\n"


def _json(answer: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {"x-amzn-requestid": "req-1"}, json.dumps(answer).encode())


def _created(item: dict[str, Any]) -> str:
    return str(item["summaries"][0]["createdDate"])
