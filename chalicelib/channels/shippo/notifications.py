"""What Shippo tells of a parcel, asked for or not. Sources: recorded GET /tracks/; the enums of Shippo's SDK;
docs.goshippo.com, tracking webhooks."""

from __future__ import annotations

from chalicelib.channels.carrier_port import TrackingEvent
from chalicelib.channels.fields import Node, parse
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.parcels import in_order

_STATUSES = {
    "PRE_TRANSIT": "label_created",
    "TRANSIT": "in_transit",
    "DELIVERED": "delivered",
    "RETURNED": "return_to_sender",
    "FAILURE": "exception",
}
_IN_TRANSIT = {"out_for_delivery": "out_for_delivery", "pickup_available": "available_for_pickup"}


def read_tracking(body: bytes) -> tuple[TrackingEvent, ...]:
    """Every report in a webhook about a parcel, oldest first; () for an event about anything else.

    Raises `Unreadable` for what is no JSON object, and for a parcel without its number.
    """
    event = parse(body)
    return track_events(event.at("data")) if event.at("event").value == "track_updated" else ()


def track_events(track: Node) -> tuple[TrackingEvent, ...]:
    """Every report of a parcel by the carrier's own time, the present one too. One that cannot be read is left out."""
    number, carrier = track.identity("tracking_number"), track.text("carrier")
    reports = [*track.each("tracking_history"), track.at("tracking_status")]
    return in_order(event for report in reports if (event := _event(report, number, carrier)))


def _event(report: Node, number: str, carrier: str) -> TrackingEvent | None:
    try:
        detail = report.at("substatus").text("code")
        status = _STATUSES.get(report.text("status"), "unknown")
        if status == "in_transit":
            status = _IN_TRANSIT.get(detail, status)
        return TrackingEvent(number, status, report.time_ms("status_date"), carrier, detail)
    except Unreadable:
        return None
