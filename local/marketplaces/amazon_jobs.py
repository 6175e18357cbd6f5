"""Feeds and reports have one life: queued, in progress, done; and one way to be listed.

Sources: feeds_2021-06-30.json and reports_2021-06-30.json (getFeeds, getReports: filters, page size, nextToken).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_back_office import Job
from local.marketplaces.amazon_errors import choices, invalid, timestamp
from local.marketplaces.amazon_order_body import stamp

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

STATUSES = frozenset({"CANCELLED", "DONE", "FATAL", "IN_PROGRESS", "IN_QUEUE"})
FINISHED = frozenset({"CANCELLED", "DONE", "FATAL"})
KEPT = timedelta(days=90)
MAX_PAGE, DEFAULT_PAGE = 100, 10


def new_job(market: Amazon, kind: str, marketplace_ids: list[str]) -> Job:
    """A job in the queue, with the hours at which it will start and end."""
    now = market.clock()
    starts_at = now + timedelta(seconds=market.queue_s)
    number = 50_000_000_000 + market.office.next_id()
    return Job(str(number), kind, marketplace_ids, now, starts_at, starts_at + timedelta(seconds=market.processing_s))


def status_at(job: Job, now: datetime) -> str:
    """The status before the end has been worked out."""
    if job.status in FINISHED:
        return job.status
    return "IN_PROGRESS" if now >= job.starts_at else "IN_QUEUE"


def body(job: Job, now: datetime, family: str) -> dict[str, Any]:
    """Feed or Report, which differ in the names; `family` is feed or report."""
    status = status_at(job, now)
    shown: dict[str, Any] = {
        f"{family}Id": job.job_id,
        f"{family}Type": job.kind,
        "marketplaceIds": job.marketplace_ids,
        "createdTime": stamp(job.created_at),
        "processingStatus": status,
    }
    if job.data_start and job.data_end:
        shown |= {"dataStartTime": stamp(job.data_start), "dataEndTime": stamp(job.data_end)}
    if status != "IN_QUEUE":
        shown["processingStartTime"] = stamp(job.starts_at)
    if status in FINISHED:
        shown["processingEndTime"] = stamp(job.ends_at)
    if job.document_id:
        shown["resultFeedDocumentId" if family == "feed" else "reportDocumentId"] = job.document_id
    return shown


def stores(market: Amazon, asked: object) -> list[str]:
    """marketplaceIds of a request; refused unless the seller's store is among them."""
    if not isinstance(asked, list) or market.marketplace_id not in asked or len(asked) > 25:
        raise invalid("marketplaceIds is required, and must name the seller's store.")
    return [str(each) for each in asked]


def listed(market: Amazon, jobs: Mapping[str, Job], query: Mapping[str, str], family: str) -> dict[str, Any]:
    """getFeeds or getReports: one page, the newest first."""
    if "nextToken" in query:
        if set(query) != {"nextToken"}:
            raise invalid("nextToken must be the only parameter.")
        asked, offset = _continued(query["nextToken"], family)
    else:
        asked, offset = dict(query), 0
        # What comes into being between two pages must not shift them.
        asked.setdefault("createdUntil", market.clock().isoformat())
    found = _found(market, jobs, asked, family)
    size = _page_size(asked.get("pageSize", str(DEFAULT_PAGE)))
    page = [body(job, market.clock(), family) for job in found[offset : offset + size]]
    answer: dict[str, Any] = {f"{family}s": page}
    if offset + size < len(found):
        token = json.dumps({"family": family, "asked": asked, "offset": offset + size})
        answer["nextToken"] = base64.urlsafe_b64encode(token.encode()).decode()
    return answer


def _found(market: Amazon, jobs: Mapping[str, Job], asked: dict[str, str], family: str) -> list[Job]:
    if not asked.get(f"{family}Types"):
        raise invalid(f"Either {family}Types or nextToken is required.")
    kinds = asked[f"{family}Types"].split(",")
    if len(kinds) > 10:
        raise invalid(f"{family}Types holds ten types at most.")
    statuses = choices(asked.get("processingStatuses", ""), STATUSES, "processingStatuses") or STATUSES
    now = market.clock()
    since = timestamp(asked["createdSince"], "createdSince") if "createdSince" in asked else now - KEPT
    until = timestamp(asked["createdUntil"], "createdUntil")
    wanted = asked.get("marketplaceIds", market.marketplace_id).split(",")
    found = [
        job
        for job in jobs.values()
        if job.kind in kinds
        and max(since, now - KEPT) <= job.created_at <= until
        and status_at(job, now) in statuses
        and set(wanted) & set(job.marketplace_ids)
    ]
    return sorted(found, key=lambda job: (job.created_at, int(job.job_id)), reverse=True)


def _page_size(text: str) -> int:
    size = int(text) if text.isdecimal() else 0
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"pageSize must be between 1 and {MAX_PAGE}.")
    return size


def _continued(token: str, family: str) -> tuple[dict[str, str], int]:
    try:
        known = json.loads(base64.urlsafe_b64decode(token))
        asked, offset = dict(known["asked"]), int(known["offset"])
    except (ValueError, KeyError, TypeError):
        raise invalid("nextToken is not valid.") from None
    if known["family"] != family:
        raise invalid("nextToken is of another operation.")
    return asked, offset
