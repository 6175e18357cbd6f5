"""Amazon's Feeds API 2021-06-30: createFeed, getFeed, getFeeds, and what happens when a feed's time has come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from local.marketplaces import amazon_documents, amazon_jobs
from local.marketplaces.amazon_back_office import Job
from local.marketplaces.amazon_errors import invalid, json_object, refuse
from local.marketplaces.amazon_feed_types import PROCESSORS, UnreadableError
from local.marketplaces.amazon_plans import FEED_TYPE_LIMITS
from local.marketplaces.market import Route
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon


def create_feed(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """POST /feeds/2021-06-30/feeds -> 202. Some types have a limit of their own, which answers 429 too."""
    asked = json_object(request)
    kind, input_id = asked.get("feedType"), asked.get("inputFeedDocumentId")
    if not isinstance(kind, str) or kind not in PROCESSORS:
        raise invalid(f"feedType is not one of {', '.join(PROCESSORS)}.")
    if not isinstance(input_id, str) or input_id not in market.office.documents:
        raise invalid("inputFeedDocumentId names no document.")
    places = amazon_jobs.stores(market, asked.get("marketplaceIds"))
    if _type_exhausted(market, kind):
        market.over_budget["createFeed"] += 1
        raise RefusalError(market.throttled(request))
    job = amazon_jobs.new_job(market, kind, places)
    job.input_id = input_id
    market.office.feeds[job.job_id] = job
    market.catch_up()
    return json_response(202, {"feedId": job.job_id})


def _type_exhausted(market: Amazon, kind: str) -> bool:
    if kind not in FEED_TYPE_LIMITS:
        return False
    count, window_s = FEED_TYPE_LIMITS[kind]
    since = market.clock() - timedelta(seconds=window_s / market.rate_scale)
    return sum(job.kind == kind and job.created_at > since for job in market.office.feeds.values()) >= count


def get_feed(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """GET /feeds/2021-06-30/feeds/{feedId}"""
    job = market.office.feeds.get(names["feed_id"])
    if job is None:
        raise refuse(404, "NotFound", "The requested feed is not found.", names["feed_id"])
    return json_response(200, amazon_jobs.body(job, market.clock(), "feed"))


def get_feeds(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """GET /feeds/2021-06-30/feeds"""
    return json_response(200, amazon_jobs.listed(market, market.office.feeds, request.query, "feed"))


def work_off(market: Amazon) -> None:
    """Ends the feeds whose time has come, in the order in which they end."""
    now = market.clock()
    ripe = [job for job in market.office.feeds.values() if job.status not in amazon_jobs.FINISHED]
    for job in sorted(ripe, key=lambda each: each.ends_at):
        if job.ends_at <= now:
            _end(market, job)
            market.emit("FEED_PROCESSING_FINISHED", job.job_id, job.ends_at)


def _end(market: Amazon, job: Job) -> None:
    content = market.office.documents[job.input_id].body
    try:
        if content is None:
            raise UnreadableError("nothing was uploaded")
        content_type, report = PROCESSORS[job.kind](market, job, content)
    except UnreadableError:
        job.status = "FATAL"
        return
    job.status = "DONE"
    job.document_id = amazon_documents.written(market, "result", content_type, report).document_id


ROUTES = (
    Route("POST", r"/feeds/2021-06-30/feeds", "createFeed", create_feed),
    Route("GET", r"/feeds/2021-06-30/feeds", "getFeeds", get_feeds),
    Route("GET", r"/feeds/2021-06-30/feeds/(?P<feed_id>[^/]+)", "getFeed", get_feed),
)
