"""A stand-in for Shippo. Shapes: calls recorded by its SDK; no more of them than is read."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from local.carriers.desk import OFFERS, UNKNOWN_POSTCODE, Desk, Shipment, iso
from local.marketplaces.wire import RefusalError, Request, Response, json_response, to_json
from local.marketplaces.world import Delivery

_STATUSES = {"label_created": "PRE_TRANSIT", "delivered": "DELIVERED"}
_REFUNDS = {"": "SUCCESS", "submitted": "REFUNDPENDING", "refunded": "REFUNDED", "rejected": "REFUNDREJECTED"}
_REFUND_ANSWERS = {"submitted": "PENDING", "refunded": "SUCCESS", "rejected": "ERROR"}


class Shippo(Desk):
    """Sells one rate as often as it is asked to. Its webhooks repeat the token of their URL.

    `queued`: so many purchases are answered QUEUED first. `failing`: so many end in ERROR.
    """

    name = "shippo"
    queued = 0
    failing = 0

    def _refuse(self, status: int, code: str) -> RefusalError:
        return RefusalError(json_response(status, {"detail": code}))

    def _answer(self, request: Request) -> Response:
        if request.header("authorization") != f"ShippoToken {self.api_key}":
            raise self._refuse(401, "Token does not exist")
        if request.path.startswith("/webhooks"):
            return self._hooked(request)
        return self._made(request) if request.method == "POST" else self._seen(request)

    def _hooked(self, request: Request) -> Response:
        """Webhooks are listed, made and replaced."""
        hooks = self.state.hooks
        if request.method == "GET":
            return _page(request, list(hooks.values()))
        hook_id = request.path.removeprefix("/webhooks").strip("/")
        if request.method == "PUT" and hook_id not in hooks:
            raise self._refuse(404, "Not found.")
        hook_id = hook_id or self._new_id("")
        hooks[hook_id] = {"object_id": hook_id, **request.json()}
        return json_response(201 if request.method == "POST" else 200, hooks[hook_id])

    def _made(self, request: Request) -> Response:
        made = {
            "/shipments/": lambda asked: self._body(self._created(asked)),
            "/transactions/": self._bought,
            "/refunds/": self._refunded,
            "/addresses/": self._address,
        }
        if request.path not in made:
            raise self._refuse(404, "Not found.")
        return json_response(201, made[request.path](request.json()))

    def _seen(self, request: Request) -> Response:
        match request.path.strip("/").split("/"):
            case ["shipments"]:
                start = request.query.get("object_created_gte", "")
                found = [each for each in self.state.shipments.values() if iso(each.made_at) >= start]
                return _page(request, [self._body(each) for each in found if "rate" not in each.asked])
            case ["carrier_accounts"]:
                found = [{"carrier": name.lower(), "carrier_name": name, "active": True} for name in self.carriers]
                return _page(request, found)
            case ["shipments", shipment_id]:
                return json_response(200, self._body(self._shipment(shipment_id)))
            case ["transactions"]:
                rate = request.query.get("rate", "")
                return _page(request, [self._transaction(each) for each in self._sold() if each.asked["rate"] == rate])
            case ["transactions", transaction_id]:
                return json_response(200, self._transaction(self._shipment(transaction_id)))
            case ["tracks", _, number]:
                return json_response(200, self._tracked(number))
        raise self._refuse(404, "Not found.")

    def _created(self, asked: dict[str, Any]) -> Shipment:
        if not all(asked["parcels"][0].get(name) for name in ("weight", "length", "width", "height")):
            raise self._refuse(400, "parcels")
        return self._make(str(asked.get("metadata") or ""), asked)

    def _sold(self) -> list[Shipment]:
        """Its transactions: each label that is sold has a record of its own beside the shipment that was rated."""
        return [each for each in self.state.shipments.values() if "rate" in each.asked]

    def _bought(self, asked: dict[str, Any]) -> dict[str, Any]:
        number, _, shipment_id = str(asked["rate"]).removeprefix("rate_").partition("_")
        self._shipment(shipment_id)
        status = "SUCCESS"
        if self.failing:
            self.failing, status = self.failing - 1, "ERROR"
        elif self.queued:
            self.queued, status = self.queued - 1, "QUEUED"
        record = self._make(str(asked.get("metadata") or ""), {**asked, "status": status}, asked["label_file_type"])
        if status != "ERROR":
            self._sell(record, int(number))
        answer = self._transaction(record)
        record.asked["status"] = "ERROR" if status == "ERROR" else "SUCCESS"  # what was queued is done by the next look
        return answer

    def _refunded(self, asked: dict[str, Any]) -> dict[str, Any]:
        transaction_id = str(asked["transaction"])
        record = self._shipment(transaction_id)
        if record.refund:
            raise self._refuse(400, "already refunded")
        self._ask_refund(record)
        return {"object_id": self._new_id(""), "transaction": transaction_id, "status": _REFUND_ANSWERS[record.refund]}

    def _address(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = asked.get("zip") != UNKNOWN_POSTCODE
        said = [] if found else [{"source": "Shippo", "code": "Address Not Found", "text": "said by the stand-in"}]
        results = {"is_valid": found, "messages": said} if asked.get("validate") else {}
        kept = {name: value for name, value in asked.items() if name != "validate"}
        return {"object_id": self._new_id(""), "is_complete": True, **kept, "validation_results": results}

    def _body(self, shipment: Shipment) -> dict[str, Any]:
        return {
            "object_id": shipment.shipment_id,
            "object_created": iso(shipment.made_at),
            "status": "SUCCESS",
            "metadata": shipment.reference,
            "messages": [],
            "rates": [_rate(shipment, number) for number in range(len(OFFERS))],
        }

    def _transaction(self, record: Shipment) -> dict[str, Any]:
        status = record.asked["status"]
        done = status == "SUCCESS"
        failed = [{"source": "UPS", "code": "carrier_timeout", "text": "said by the stand-in"}]
        return {
            "object_id": record.shipment_id,
            "object_state": "VALID",
            "object_created": iso(record.made_at),
            "status": _REFUNDS[record.refund] if done else status,
            "rate": record.asked["rate"],
            "metadata": record.reference,
            "tracking_number": record.tracking_number if done else "",
            "label_url": self._file_url(record) if done else "",
            "messages": failed if status == "ERROR" else [],
        }

    def _tracked(self, number: str) -> dict[str, Any]:
        record = self._by_number(number)
        if record is None:
            raise self._refuse(404, "Not found.")
        return self._track(record)

    def _track(self, record: Shipment) -> dict[str, Any]:
        history = [
            {
                "object_id": f"{record.shipment_id}-{number}",
                "status": _STATUSES.get(move.status, "TRANSIT"),
                "status_details": "said by the stand-in",
                "status_date": iso(move.at),
                "substatus": {"code": move.status} if move.status == "out_for_delivery" else None,
                "location": None,
            }
            for number, move in enumerate(record.moves)
        ]
        carrier = OFFERS[record.offer or 0][0].lower()
        known = {"carrier": carrier, "tracking_number": record.tracking_number, "metadata": record.reference}
        return known | {"tracking_status": history[-1] if history else None, "tracking_history": history}

    def _webhook(self, shipment: Shipment, previous: str) -> Delivery:  # noqa: ARG002 Shippo does not tell it
        track = self._track(shipment)
        event = {"event": "track_updated", "test": True, "carrier": track["carrier"], "data": track}
        url = f"{self.webhook_url}?token={quote(self.secret, safe='')}"
        return Delivery(self.name, self.now, to_json(event), {"Content-Type": "application/json"}, url=url)


def _page(request: Request, found: list[dict[str, Any]]) -> Response:
    size, page = int(request.query.get("results", "25")), int(request.query.get("page", "1"))
    shown, more = found[(page - 1) * size : page * size], len(found) > page * size
    following = f"?page={page + 1}&results={size}" if more else None
    return json_response(200, {"next": following, "previous": None, "results": shown})


def _rate(shipment: Shipment, number: int) -> dict[str, Any]:
    carrier, service, cents, days = OFFERS[number]
    return {
        "object_id": f"rate_{number}_{shipment.shipment_id}",
        "shipment": shipment.shipment_id,
        "amount": f"{cents // 100}.{cents % 100:02d}",
        "currency": "USD",
        "provider": carrier,
        "servicelevel": {"name": service, "token": f"{carrier}_{service}".lower()},
        "days": days,
        "messages": [],
    }
