"""A stand-in for EasyPost's API v2. Shapes: EasyPost/examples, recorded answers; no more of them than is read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from typing import Any

from local.carriers.desk import OFFERS, UNKNOWN_POSTCODE, Desk, Shipment, iso
from local.marketplaces.wire import RefusalError, Request, Response, json_response, to_json
from local.marketplaces.world import Delivery

_STATUSES = {"label_created": "pre_transit"}


class Easypost(Desk):
    """Sells each shipment once. Its webhooks carry X-Hmac-Signature."""

    name = "easypost"

    def _refuse(self, status: int, code: str) -> RefusalError:
        error = {"code": code, "message": "said by the stand-in", "errors": []}
        return RefusalError(json_response(status, {"error": error}))

    def _answer(self, request: Request) -> Response:
        key = base64.b64encode(f"{self.api_key}:".encode()).decode()
        if request.header("authorization") != f"Basic {key}":
            raise self._refuse(401, "APIKEY.INACTIVE")
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["shipments"]:
                return json_response(201, self._body(self._created(request.json()["shipment"])))
            case "GET", ["shipments"]:
                return json_response(200, self._list(request))
            case "GET", ["shipments", shipment_id]:
                return json_response(200, self._body(self._shipment(shipment_id)))
            case "POST", ["shipments", shipment_id, "buy"]:
                return json_response(200, self._body(self._buy(shipment_id, request.json()["rate"]["id"])))
            case "POST", ["shipments", shipment_id, "refund"]:
                return json_response(200, self._body(self._refund(shipment_id)))
            case "POST", ["trackers"]:
                return json_response(201, self._tracked(request.json()["tracker"]))
            case "POST", ["addresses"]:
                return json_response(201, self._address(request.json()))
        return self._of_the_account(request)

    def _of_the_account(self, request: Request) -> Response:
        """Carriers, and webhooks, whose secrets are not shown."""
        hooks = self.state.hooks
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["carrier_accounts"]:
                return json_response(200, self._carriers())
            case "GET", ["webhooks"]:
                return json_response(200, {"webhooks": [_without_secret(each) for each in hooks.values()]})
            case "POST", ["webhooks"]:
                hook_id = self._new_id("hook_")
                hooks[hook_id] = {"id": hook_id, "object": "Webhook", "disabled_at": None, **request.json()["webhook"]}
                return json_response(201, _without_secret(hooks[hook_id]))
            case "PATCH", ["webhooks", hook_id] if hook_id in hooks:
                hooks[hook_id] |= {**request.json()["webhook"], "disabled_at": None}
                return json_response(200, _without_secret(hooks[hook_id]))
        raise self._refuse(404, "NOT_FOUND")

    def _carriers(self) -> list[dict[str, Any]]:
        """For production keys only."""
        if self.api_key.startswith("EZTK"):
            raise self._refuse(403, "MODE.UNAUTHORIZED")
        return [{"id": f"ca_{name}", "object": "CarrierAccount", "readable": name} for name in self.carriers]

    def _created(self, asked: dict[str, Any]) -> Shipment:
        if not asked.get("parcel", {}).get("weight"):
            raise self._refuse(422, "PARCEL.WEIGHT.INVALID")
        file_format = asked.get("options", {}).get("label_format", "PNG")
        return self._make(str(asked.get("reference") or ""), asked, file_format)

    def _list(self, request: Request) -> dict[str, Any]:
        """Newest first; only what is bought, unless asked for all."""
        everything = request.query.get("purchased", "true") == "false"
        start, before = request.query.get("start_datetime", ""), request.query.get("before_id")
        size = int(request.query.get("page_size", "20"))
        found = [each for each in reversed(self.state.shipments.values()) if everything or each.label_id]
        found = [each for each in found if iso(each.made_at) >= start]
        if before:
            ids = [each.shipment_id for each in found]
            found = found[ids.index(before) + 1 :]
        return {"shipments": [self._body(each) for each in found[:size]], "has_more": len(found) > size}

    def _buy(self, shipment_id: str, rate_id: str) -> Shipment:
        shipment = self._shipment(shipment_id)
        if shipment.label_id:
            raise self._refuse(422, "SHIPMENT.POSTAGE.EXISTS")
        offers = [_rate_id(shipment, number) for number in range(len(OFFERS))]
        if rate_id not in offers:
            raise self._refuse(404, "RATE.NOT_FOUND")
        self._sell(shipment, offers.index(rate_id))
        return shipment

    def _refund(self, shipment_id: str) -> Shipment:
        shipment = self._shipment(shipment_id)
        if not shipment.label_id or shipment.refund:
            raise self._refuse(422, "SHIPMENT.REFUND.UNAVAILABLE")
        self._ask_refund(shipment)
        return shipment

    def _tracked(self, asked: dict[str, Any]) -> dict[str, Any]:
        shipment = self._by_number(str(asked["tracking_code"]))
        if shipment is None:
            return _tracker(str(asked["tracking_code"]), str(asked.get("carrier") or ""), iso(self.now))
        return self._tracker(shipment)

    def _address(self, asked: dict[str, Any]) -> dict[str, Any]:
        address = asked["address"]
        found = address.get("zip") != UNKNOWN_POSTCODE
        errors = [] if found else [{"code": "E.ADDRESS.NOT_FOUND", "field": "address", "message": "Address not found"}]
        verified = {"delivery": {"success": found, "errors": errors, "details": None}} if asked.get("verify") else {}
        made_of = hashlib.sha256(to_json(address)).hexdigest()[:32]  # looking twice makes no difference afterwards
        return {"id": f"adr_{made_of}", "object": "Address", **address, "verifications": verified}

    def _body(self, shipment: Shipment) -> dict[str, Any]:
        rates = [_rate(shipment, number) for number in range(len(OFFERS))]
        bought = shipment.offer is not None
        return {
            "id": shipment.shipment_id,
            "object": "Shipment",
            "created_at": iso(shipment.made_at),
            "reference": shipment.reference or None,
            "status": "unknown",
            "messages": [],
            "tracking_code": shipment.tracking_number or None,
            "parcel": {"object": "Parcel", **shipment.asked["parcel"]},
            "postage_label": self._label(shipment) if bought else None,
            "rates": rates,
            "selected_rate": rates[shipment.offer] if shipment.offer is not None else None,
            "refund_status": shipment.refund or None,
            "tracker": self._tracker(shipment) if bought else None,
        }

    def _label(self, shipment: Shipment) -> dict[str, Any]:
        kind = "image/png" if shipment.file_format == "PNG" else "application/pdf"
        url = self._file_url(shipment)
        return {"object": "PostageLabel", "id": shipment.label_id, "label_file_type": kind, "label_url": url}

    def _tracker(self, shipment: Shipment) -> dict[str, Any]:
        carrier = OFFERS[shipment.offer or 0][0]
        last = iso(shipment.moves[-1].at if shipment.moves else shipment.bought_at or self.now)
        tracker = _tracker(shipment.tracking_number, carrier, last)
        details = [
            {
                "object": "TrackingDetail",
                "status": _STATUSES.get(move.status, move.status),
                "status_detail": "status_update",
                "message": "said by the stand-in",
                "datetime": iso(move.at),
                "source": carrier,
            }
            for move in shipment.moves
        ]
        return tracker | {"tracking_details": details, "status": details[-1]["status"] if details else "unknown"}

    def _webhook(self, shipment: Shipment, previous: str) -> Delivery:
        event = {
            "id": self._new_id("evt_"),
            "object": "Event",
            "description": "tracker.updated",
            "previous_attributes": {"status": _STATUSES.get(previous, previous)},
            "result": self._tracker(shipment),
        }
        body = to_json(event)
        key = unicodedata.normalize("NFKD", self.secret).encode()
        signature = f"hmac-sha256-hex={hmac.digest(key, body, 'sha256').hex()}"
        headers = {"Content-Type": "application/json", "X-Hmac-Signature": signature}
        return Delivery(self.name, self.now, body, headers, url=self.webhook_url)


def _without_secret(hook: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in hook.items() if name != "webhook_secret"}


def _rate_id(shipment: Shipment, number: int) -> str:
    return f"rate_{number}_{shipment.shipment_id}"


def _rate(shipment: Shipment, number: int) -> dict[str, Any]:
    carrier, service, cents, days = OFFERS[number]
    return {
        "id": _rate_id(shipment, number),
        "object": "Rate",
        "service": service,
        "carrier": carrier,
        "rate": f"{cents // 100}.{cents % 100:02d}",
        "currency": "USD",
        "delivery_days": days,
        "est_delivery_days": days,
        "shipment_id": shipment.shipment_id,
    }


def _tracker(code: str, carrier: str, updated_at: str) -> dict[str, Any]:
    known = {"id": f"trk_{code}", "object": "Tracker", "tracking_code": code, "carrier": carrier}
    return known | {"status": "unknown", "updated_at": updated_at, "tracking_details": []}
