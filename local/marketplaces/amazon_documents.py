"""The files of feeds and reports: addresses that die after five minutes, an upload and a download without a token.

Sources: feeds_2021-06-30.json (createFeedDocument, getFeedDocument), reports_2021-06-30.json (getReportDocument). The
addresses are pre-signed storage ones: what they refuse is answered in XML, with 403.
"""

from __future__ import annotations

import gzip
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_back_office import Document
from local.marketplaces.amazon_errors import invalid, json_object, refuse
from local.marketplaces.market import Route
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

URL_LIFETIME = timedelta(minutes=5)


def new_document(market: Amazon, family: str, content_type: str) -> Document:
    """An empty document with an id of its own; `family` is feed, result or report."""
    number = market.office.next_id()
    document = Document(f"amzn1.tortuga.{family}.4.na.{number:012x}", content_type)
    market.office.documents[document.document_id] = document
    return document


def written(market: Amazon, family: str, content_type: str, body: bytes) -> Document:
    """A document that Amazon wrote, compressed on the way out when the stand-in compresses."""
    document = new_document(market, family, content_type)
    document.fill(body)
    document.compressed = market.compress_documents
    return document


def address(market: Amazon, document: Document, *, upload: bool) -> str:
    """A new address of the document, good for five minutes and for one of upload and download."""
    now = market.clock()
    number = market.office.next_id()
    signature = hashlib.sha256(f"{document.document_id}/{number}".encode()).hexdigest()
    document.urls = {known: until for known, until in document.urls.items() if until > now}
    document.urls[signature] = now + URL_LIFETIME
    if upload:
        document.puts.append(signature)
    return (
        f"{market.base_url}/documents/{document.document_id}"
        f"?X-Amz-Expires={int(URL_LIFETIME.total_seconds())}&X-Amz-Signature={signature}"
    )


def create_feed_document(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """POST /feeds/2021-06-30/documents -> 201."""
    content_type = json_object(request).get("contentType")
    if not isinstance(content_type, str) or "/" not in content_type:
        raise invalid("contentType is required.")
    document = new_document(market, "feed", content_type)
    return json_response(201, {"feedDocumentId": document.document_id, "url": address(market, document, upload=True)})


def get_feed_document(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """GET /feeds/2021-06-30/documents/{feedDocumentId}"""
    return json_response(200, _described(market, names["document_id"], "feedDocumentId"))


def get_report_document(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """GET /reports/2021-06-30/documents/{reportDocumentId}"""
    return json_response(200, _described(market, names["document_id"], "reportDocumentId"))


def _described(market: Amazon, document_id: str, name: str) -> dict[str, Any]:
    document = market.office.documents.get(document_id)
    if document is None or (".report." in document_id) != (name == "reportDocumentId"):
        raise refuse(404, "NotFound", "The requested document is not found.", document_id)
    described = {name: document_id, "url": address(market, document, upload=False)}
    return described | ({"compressionAlgorithm": "GZIP"} if document.compressed else {})


def put_file(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """PUT to an upload address, with the very Content-Type that the document was made with."""
    document = _signed(market, request, names, upload=True)
    if request.header("Content-Type") != document.content_type:
        raise storage_error("SignatureDoesNotMatch", "The signature does not fit the request.")
    document.fill(request.body)
    return Response(200)


def get_file(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """GET of a download address; the body is compressed when compressionAlgorithm said so."""
    document = _signed(market, request, names, upload=False)
    body = document.body or b""
    return Response(
        200,
        {"Content-Type": document.content_type},
        gzip.compress(body, mtime=0) if document.compressed else body,
    )


def _signed(market: Amazon, request: Request, names: dict[str, str], *, upload: bool) -> Document:
    document = market.office.documents.get(names["document_id"])
    signature = request.query.get("X-Amz-Signature", "")
    if document is None or signature not in document.urls or (signature in document.puts) != upload:
        raise storage_error("AccessDenied", "Access Denied")
    if document.urls[signature] <= market.clock():
        raise storage_error("AccessDenied", "Request has expired")
    return document


def storage_error(code: str, message: str) -> RefusalError:
    """403 as the storage says it."""
    return RefusalError(_in_xml(403, code, message))


def _in_xml(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(status, {"Content-Type": "application/xml"}, body.encode())


SLOW_DOWN = _in_xml(503, "SlowDown", "Please reduce your request rate.")


ROUTES = (
    Route("POST", r"/feeds/2021-06-30/documents", "createFeedDocument", create_feed_document),
    Route("GET", r"/feeds/2021-06-30/documents/(?P<document_id>[^/]+)", "getFeedDocument", get_feed_document),
    Route("GET", r"/reports/2021-06-30/documents/(?P<document_id>[^/]+)", "getReportDocument", get_report_document),
    Route("PUT", r"/documents/(?P<document_id>[^/]+)", "putFile", put_file),
    Route("GET", r"/documents/(?P<document_id>[^/]+)", "getFile", get_file),
)
