"""Feeds: work that Amazon does over minutes, sent so that none is sent twice.

A job is written before its feed is created. Feeds of one type are begun one after another, and the type's road
remembers who is beginning one: should the answer to createFeed be lost, the feed is looked for in getFeeds by its time,
and the one that none of our jobs knows is ours. Source: feeds_2021-06-30.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.amazon.documents import fetch_document
from chalicelib.channels.amazon.wire import Wire, having, iso
from chalicelib.channels.fields import parse
from chalicelib.channels.memory import Jobs
from chalicelib.domain.errors import Busy, OverBudget, Refused, Retry, Unreadable

FEEDS = "/feeds/2021-06-30"
LISTINGS = "JSON_LISTINGS_FEED"
_DONE, _DEAD = "DONE", ("FATAL", "CANCELLED")
_KNOWN = 60  # feed ids that a road remembers: more than Amazon lets us begin in two hours
_SKEW_MS = 60_000  # their clock against ours
_SETTLED_MS = 300_000  # a feed that getFeeds does not show after so long was never created
_LOOK_AGAIN_S = 60
_UNCLEAR = "it is not clear which feed was ours: look at the order on Amazon, and finish it there"


@dataclass(frozen=True)
class Feed:
    """A finished feed: DONE, FATAL or CANCELLED, and its processing report, "" when there is none."""

    status: str
    report: str


class Feeds:
    """The feeds of one seller account."""

    def __init__(self, wire: Wire, jobs: Jobs) -> None:
        self._wire = wire
        self._jobs = jobs

    def advance(self, name: str, feed_type: str, content_type: str, body: bytes) -> Feed | None:
        """Take the job of this name one step further: begin its feed, or look how far it is. None while it is pending.

        The job exists (`Jobs.put` it first) and keeps what its owner put into it. `found` in it says that its feed was
        found by its time alone: its report must show as many records as were sent. Raises `Busy` while the feed cannot
        be begun, and `Refused` when Amazon will not take it; the job is then as if it had never been tried.
        """
        job = self._job(name)
        if not job.get("feed_id"):
            self._begin(name, feed_type, content_type, body)
            return None
        return self.look(str(job["feed_id"]))

    def look(self, feed_id: str) -> Feed | None:
        """A feed that was begun: None while Amazon is at work on it, whatever it calls that."""
        path = f"{FEEDS}/feeds/{quote(feed_id, safe='')}"
        feed = having(self._wire.call("getFeed", "GET", path), "processingStatus")
        status = str(feed["processingStatus"])
        if status != _DONE and status not in _DEAD:
            return None
        document_id = feed.get("resultFeedDocumentId")
        return Feed(status, self._report(str(document_id)) if document_id else "")

    def unbegun_since_ms(self, name: str) -> int | None:
        """When a job without a feed was written; None once it has one, or may have one that we do not know yet."""
        job = self._job(name)
        if job.get("feed_id") or self._road(str(job["type"])).get("holder") == name:
            return None
        return int(job["since_ms"])

    def settle(self, feed_type: str) -> None:
        """Find out what became of a feed whose beginning was broken off. Raises `Busy` while that cannot be told."""
        road = self._road(feed_type)
        holder = str(road.get("holder", ""))
        if not holder:
            return
        known = [str(feed_id) for feed_id in road.get("known", [])]
        job = dict(self._jobs.get(holder) or {})
        if job.get("feed_id"):
            self._free(feed_type, str(job["feed_id"]))
            return
        found = [feed_id for feed_id in self._created(feed_type, int(road["since_ms"])) if feed_id not in known]
        if len(found) > 1:  # another program of the seller's sends such feeds too
            if job and feed_type != LISTINGS:  # a listing may be sent again, money may not
                self._jobs.put(holder, {**job, "outcome": _UNCLEAR})
            self._free(feed_type, *found)
        elif found:
            if job:
                self._jobs.put(holder, {**job, "feed_id": found[0], "found": True})
            self._free(feed_type, found[0])
        elif self._wire.now_ms - int(road["since_ms"]) < _SETTLED_MS:
            raise Busy("a feed's beginning is unclear: it is looked for again", after_s=_LOOK_AGAIN_S)
        else:
            self._free(feed_type)

    def _begin(self, name: str, feed_type: str, content_type: str, body: bytes) -> None:
        self.settle(feed_type)
        job = self._job(name)
        if job.get("outcome"):
            raise Refused("feed_unclear", str(job["outcome"]))
        if job.get("feed_id"):  # it was ours, and is found
            return
        document_id = self._document(content_type, body)
        self._jobs.put(name, {**job, "tried_ms": self._wire.now_ms})  # still ours: `Stale` when it is not
        road = self._road(feed_type)
        if road.get("holder"):
            raise Busy("another worker is beginning a feed of this type", after_s=5)
        self._jobs.put(_road_of(feed_type), {**road, "holder": name, "since_ms": self._wire.now_ms})
        try:
            feed_id = self._create(feed_type, document_id)
        except (OverBudget, Refused):  # it was not carried out
            self._free(feed_type)
            raise
        self._jobs.put(name, {**self._job(name), "feed_id": feed_id})
        self._free(feed_type, feed_id)

    def _create(self, feed_type: str, document_id: str) -> str:
        if feed_type == LISTINGS:
            self._wire.spend(LISTINGS)
        specification = {
            "feedType": feed_type,
            "marketplaceIds": [self._wire.marketplace_id],
            "inputFeedDocumentId": document_id,
        }
        answer = self._wire.call("createFeed", "POST", f"{FEEDS}/feeds", specification)
        return str(having(answer, "feedId")["feedId"])

    def _document(self, content_type: str, body: bytes) -> str:
        answer = self._wire.call("createFeedDocument", "POST", f"{FEEDS}/documents", {"contentType": content_type})
        document = having(answer, "feedDocumentId", "url")
        self._wire.upload(str(document["url"]), content_type, body)
        return str(document["feedDocumentId"])

    def _created(self, feed_type: str, since_ms: int) -> list[str]:
        """The ids of all feeds of this type created since then."""
        query: dict[str, str] = {
            "feedTypes": feed_type,
            "createdSince": iso(since_ms - _SKEW_MS),
            "pageSize": "100",
        }
        found: list[str] = []
        while True:
            answer = having(self._wire.call("getFeeds", "GET", f"{FEEDS}/feeds?{urlencode(query)}"), "feeds")
            try:
                found += [str(feed["feedId"]) for feed in answer["feeds"]]
            except (TypeError, KeyError):
                raise Busy("Amazon listed feeds without their ids", after_s=_LOOK_AGAIN_S) from None
            if not answer.get("nextToken"):
                return found
            query = {"nextToken": str(answer["nextToken"])}

    def _report(self, document_id: str) -> str:
        path = f"{FEEDS}/documents/{quote(document_id, safe='')}"
        return fetch_document(self._wire, self._wire.call("getFeedDocument", "GET", path))

    def _job(self, name: str) -> Mapping[str, Any]:
        job = self._jobs.get(name)
        if job is None:
            raise Retry(f"the job {name} is gone: begin again")
        return job

    def _road(self, feed_type: str) -> Mapping[str, Any]:
        return self._jobs.get(_road_of(feed_type)) or {}

    def _free(self, feed_type: str, *feed_ids: str) -> None:
        """Nobody is beginning a feed any more; these are known from now on."""
        known = [str(each) for each in self._road(feed_type).get("known", [])]
        self._jobs.put(_road_of(feed_type), {"known": [*known, *feed_ids][-_KNOWN:]})


def _road_of(feed_type: str) -> str:
    return f"road/{feed_type}"


def begun(feed_type: str, now_ms: int, **more: Any) -> dict[str, Any]:
    """A new job for a feed, with what its owner wants to remember."""
    return {"type": feed_type, "since_ms": now_ms, **more}


@dataclass(frozen=True)
class Verdict:
    """What a flat file's processing report says: records read and taken, and the errors, one line each."""

    processed: int
    successful: int
    errors: tuple[str, ...]


def flat_verdict(report: str) -> Verdict | None:
    """The verdict of a processing report in words, None when it is none.

    Two counts stand first, then one tab-separated row for each fault, below a header that begins with
    original-record-number. A row is quoted by its code and its type only: its message may repeat what we sent.
    """
    counts = [_count(report, words) for words in ("records processed", "records successful")]
    if counts == [None, None]:  # the report may be in the store's language: the two counts stand first all the same
        counts = _first_counts(report)
    if counts[0] is None or counts[1] is None:
        return None
    errors: list[str] = []
    names: list[str] = []
    for line in report.splitlines():
        cells = [cell.strip() for cell in line.split("\t")]
        if cells[0].lower() == "original-record-number":
            names = [cell.lower() for cell in cells]
        elif names and any(cells):
            row = dict(zip(names, cells, strict=False))
            if row.get("error-type", "error").lower() != "warning":
                errors.append(
                    f"record {row.get('original-record-number', '?')[:10]}: {row.get('error-code', '?')[:40]}"
                )
    return Verdict(counts[0], counts[1], tuple(errors))


def _count(report: str, words: str) -> int | None:
    for line in report.splitlines():
        if words in line.lower():
            number = line.lower().rpartition(words)[2].strip(" \t:")
            return int(number) if number.isdecimal() and len(number) < 8 else None
    return None


def _first_counts(report: str) -> list[int | None]:
    """The numbers at the ends of the first two lines that are a label and a number, above the table of faults."""
    found: list[int | None] = []
    for line in report.splitlines():
        cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
        if cells and cells[0].lower() == "original-record-number":
            break
        if len(cells) == 2 and cells[1].isdecimal() and len(cells[1]) < 8:
            found.append(int(cells[1]))
    return found if len(found) == 2 else [None, None]


def listing_verdicts(report: str, skus: list[str], *, exactly: bool = False) -> dict[str, str] | None:
    """What became of each SKU of a JSON listings feed: "" when it was taken, else the codes of its errors.

    None when the report does not tell them apart, or is none, counts more refused messages than it names, or
    with `exactly` counts another number of messages than were sent.
    An issue names its SKU, its messageId (counted from 1 as we sent them), or neither.
    Source: listings-feed-processing-report-schema-v2.json.
    """
    try:
        root = parse(report)
        issues = root.each("issues")
        summary = root.at("summary")
        if exactly and summary.whole("messagesProcessed", -1) != len(skus):
            return None
        verdicts = dict.fromkeys(skus, "")
        for issue in issues:
            if issue.text("severity").upper() != "ERROR":
                continue
            sku = issue.text("sku")
            number = issue.whole("messageId")
            if sku not in verdicts:
                if sku or not 1 <= number <= len(skus):
                    return None
                sku = skus[number - 1]
            verdicts[sku] = ", ".join(filter(None, (verdicts[sku], issue.text("code") or "no code")))[:200]
        if summary.whole("messagesInvalid") > sum(1 for codes in verdicts.values() if codes):
            return None
    except Unreadable:
        return None
    return verdicts if root.has("summary") else None
