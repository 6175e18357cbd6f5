"""Amazon's Reports API 2021-06-30: createReport, getReport, getReports. A settlement report cannot be created."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from local.marketplaces import amazon_documents, amazon_jobs
from local.marketplaces.amazon_back_office import Job
from local.marketplaces.amazon_errors import invalid, json_object, refuse, timestamp
from local.marketplaces.amazon_report_types import WRITERS, NoReportError
from local.marketplaces.market import Route
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

DEFAULT_RANGE = timedelta(days=1)


def create_report(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """POST /reports/2021-06-30/reports -> 202."""
    asked = json_object(request)
    kind = asked.get("reportType")
    if not isinstance(kind, str) or kind not in WRITERS:
        raise invalid(f"The report type {kind} cannot be requested.")
    job = amazon_jobs.new_job(market, kind, amazon_jobs.stores(market, asked.get("marketplaceIds")))
    now = market.clock()
    job.data_end = timestamp(asked["dataEndTime"], "dataEndTime") if "dataEndTime" in asked else now
    earliest = asked.get("dataStartTime")
    job.data_start = timestamp(earliest, "dataStartTime") if earliest else job.data_end - DEFAULT_RANGE
    if job.data_start > job.data_end:
        raise invalid("dataStartTime must not be after dataEndTime.")
    market.office.reports[job.job_id] = job
    market.catch_up()
    return json_response(202, {"reportId": job.job_id})


def get_report(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """GET /reports/2021-06-30/reports/{reportId}"""
    job = market.office.reports.get(names["report_id"])
    if job is None:
        raise refuse(404, "NotFound", "The requested report is not found.", names["report_id"])
    return json_response(200, amazon_jobs.body(job, market.clock(), "report"))


def get_reports(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """GET /reports/2021-06-30/reports"""
    return json_response(200, amazon_jobs.listed(market, market.office.reports, request.query, "report"))


def work_off(market: Amazon) -> None:
    """Writes the reports whose time has come."""
    now = market.clock()
    for job in list(market.office.reports.values()):
        if job.status not in amazon_jobs.FINISHED and job.ends_at <= now:
            _write(market, job)
            market.emit("REPORT_PROCESSING_FINISHED", job.job_id, job.ends_at)


def _write(market: Amazon, job: Job) -> None:
    try:
        content_type, content = WRITERS[job.kind](market, job)
    except NoReportError as none:
        job.status = none.status
        return
    job.status = "DONE"
    job.document_id = amazon_documents.written(market, "report", content_type, content).document_id


ROUTES = (
    Route("POST", r"/reports/2021-06-30/reports", "createReport", create_report),
    Route("GET", r"/reports/2021-06-30/reports", "getReports", get_reports),
    Route("GET", r"/reports/2021-06-30/reports/(?P<report_id>[^/]+)", "getReport", get_report),
)
