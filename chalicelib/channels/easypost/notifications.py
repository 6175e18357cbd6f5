"""What EasyPost tells of a parcel, asked for or not. Source: EasyPost/examples, trackers and tracking webhooks."""

from __future__ import annotations

from chalicelib.channels.carrier_port import TrackingEvent
from chalicelib.channels.fields import Node, parse
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.parcels import in_order

_STATUSES = {
    "pre_transit": "label_created",
    "in_transit": "in_transit",
    "out_for_delivery": "out_for_delivery",
    "available_for_pickup": "available_for_pickup",
    "delivered": "delivered",
    "return_to_sender": "return_to_sender",
    "failure": "exception",
    "error": "exception",
    "cancelled": "cancelled",
}
_EVENTS = ("tracker.created", "tracker.updated")


def read_tracking(body: bytes) -> tuple[TrackingEvent, ...]:
    """Every report in a webhook about a tracker, oldest first; () for an event about anything else.

    Raises `Unreadable` for what is no JSON object, and for a tracker without its code.
    """
    event = parse(body)
    if event.at("description").value not in _EVENTS:
        return ()
    return tracker_events(event.at("result"))


def tracker_events(tracker: Node) -> tuple[TrackingEvent, ...]:
    """Every report that a tracker holds, by the carrier's own time; its present status too, where no report tells it
    (a parcel that the carrier has never seen has none). A report that cannot be read is left out."""
    code, carrier = tracker.identity("tracking_code"), tracker.text("carrier")
    details = tracker.each("tracking_details")
    events = [event for detail in details if (event := _event(detail, "datetime", code, carrier))]
    present = _event(tracker, "updated_at", code, carrier)
    if present and present.status not in {"unknown", *(event.status for event in events)}:
        events.append(present)
    return in_order(events)


def _event(report: Node, at: str, code: str, carrier: str) -> TrackingEvent | None:
    try:
        status = _STATUSES.get(report.text("status"), "unknown")
        return TrackingEvent(code, status, report.time_ms(at), carrier, report.text("status_detail"))
    except Unreadable:
        return None
