"""Reports: asked for, waited for, and fetched, over as many calls of ours as it takes.

Source: reports_2021-06-30.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.amazon.documents import fetch_document
from chalicelib.channels.amazon.wire import Wire, having, iso
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.domain.errors import Busy, OverBudget, Refused

REPORTS = "/reports/2021-06-30"
_PENDING_S = 60
_FAILED_S = 900  # Amazon fails reports that are asked for too often
_SKEW_MS = 60_000
KEPT_MS = 89 * 86_400_000  # reports are kept for 90 days


class Reports:
    """The reports of one seller account."""

    def __init__(self, wire: Wire, jobs: Jobs) -> None:
        self._wire = wire
        self._jobs = jobs

    def fetch(self, report_type: str, start_ms: int = 0, end_ms: int = 0) -> str:
        """A new report of this type, between these times where they are given. "" when Amazon has no data for it.

        `Busy` until it is done: asking again goes on where the last call stopped. A report that an earlier call asked
        for and nobody has fetched is taken when it reaches back as far as this one.
        """
        name = f"report/{report_type}"
        job = dict(self._jobs.get(name) or {})
        if job and int(job.get("start_ms", 0)) > start_ms:
            self._jobs.drop(name)
            job = {}
        if not job:
            self._jobs.get(name)
            job = {"since_ms": self._wire.now_ms, "start_ms": start_ms, "end_ms": end_ms}
            self._jobs.put(name, job)
            job["report_id"] = self._asked(report_type, job)
        elif not job.get("report_id"):  # the answer to createReport was lost
            since_ms = int(job["since_ms"])
            lost = [each for each in self.made(report_type, since_ms - _SKEW_MS) if _is_of(each, int(job["start_ms"]))]
            job["report_id"] = lost[0].identity("reportId") if lost else self._asked(report_type, job)
        if self._jobs.get(name) != job:
            self._jobs.put(name, job)
        try:
            report = self.look(str(job["report_id"]))
        except Refused as refused:
            if refused.reason != "channel_refused":
                raise
            self._jobs.drop(name)  # else it would be looked for for ever
            raise Busy(f"{report_type} is gone: it is asked for anew", after_s=_PENDING_S) from None
        status = report.text("processingStatus")
        if status not in ("DONE", "FATAL", "CANCELLED"):
            raise Busy(f"{report_type} is being made", after_s=_PENDING_S)
        if status == "DONE" and not report.has("reportDocumentId"):
            self._jobs.drop(name)
            raise Busy(f"{report_type} is done without a document: it is asked for anew", after_s=_FAILED_S)
        text = self.document(report.identity("reportDocumentId")) if status == "DONE" else ""
        self._jobs.drop(name)
        if status == "FATAL":
            raise Busy(f"Amazon could not make {report_type}", after_s=_FAILED_S)
        return text

    def look(self, report_id: str) -> Node:
        """getReport: how far a report is."""
        answer = self._wire.call("getReport", "GET", f"{REPORTS}/reports/{quote(report_id, safe='')}")
        return Node(having(answer, "processingStatus"))

    def made(self, report_type: str, since_ms: int) -> Iterator[Node]:
        """getReports: every report of this type made since then (Unix ms), newest first as Amazon lists them."""
        query: Mapping[str, str] = {
            "reportTypes": report_type,
            "createdSince": iso(max(since_ms, self._wire.now_ms - KEPT_MS)),
            "pageSize": "100",
        }
        while True:
            answer = having(self._wire.call("getReports", "GET", f"{REPORTS}/reports?{urlencode(query)}"), "reports")
            yield from Node(answer).each("reports")
            if not answer.get("nextToken"):
                return
            query = {"nextToken": str(answer["nextToken"])}

    def document(self, document_id: str) -> str:
        """The text of a finished report."""
        path = f"{REPORTS}/documents/{quote(document_id, safe='')}"
        return fetch_document(self._wire, self._wire.call("getReportDocument", "GET", path))

    def _asked(self, report_type: str, job: Mapping[str, Any]) -> str:
        body: dict[str, Any] = {"reportType": report_type, "marketplaceIds": [self._wire.marketplace_id]}
        if job["start_ms"]:
            body["dataStartTime"] = iso(int(job["start_ms"]))
        if job["end_ms"]:
            body["dataEndTime"] = iso(int(job["end_ms"]))
        try:
            answer = self._wire.call("createReport", "POST", f"{REPORTS}/reports", body)
        except (OverBudget, Refused):
            self._jobs.drop(f"report/{report_type}")
            raise
        return str(having(answer, "reportId")["reportId"])


def _is_of(report: Node, start_ms: int) -> bool:
    """Whether it may be the one that was asked for: not dead, and beginning when it should."""
    if report.text("processingStatus") in ("CANCELLED", "FATAL"):
        return False
    return (
        not start_ms or not report.has("dataStartTime") or report.time_ms("dataStartTime") // 1000 == start_ms // 1000
    )
