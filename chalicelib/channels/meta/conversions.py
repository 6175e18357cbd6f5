"""Meta's Conversions API: a purchase as an event, and the client that sends events.

Sources: Meta, Conversions API parameters and server events (page of 2025-12-13); Graph error handling; the call is
`POST /{dataset}/events` of the official model AdsPixel.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.channels.meta.hashing import hashed
from chalicelib.channels.transport import HttpRequest, HttpResponse, Transport, json_in, retry_after_s
from chalicelib.domain.channel_order import Contact
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised
from chalicelib.domain.money import to_text
from chalicelib.domain.orders import Order

GRAPH = "https://graph.facebook.com/v26.0"
OLDEST_S = 7 * 86_400  # one older event fails the whole request
_MOST_EVENTS = 1000
_AHEAD_S = 60  # clocks differ
_BUSY_CODES = frozenset((1, 2, 4, 17, 341, 613))
_BUSINESS_LIMITS = range(80_000, 81_000)
_OF_THE_TOKEN = frozenset((10, 190, *range(200, 300)))  # it has expired, or lacks a permission
_BACK_OFF_S = 60

Event = Mapping[str, Any]


def purchase_event(order: Order, contact: Contact | None, shop_url: str, now_ms: int) -> dict[str, Any]:
    """A web purchase. `order` is read with its content; `shop_url` is a page of the verified domain. One that a shop's
    clock puts ahead of ours happens now, since Meta takes no event of the future.

    Its id is the same however often it is made, and is what the theme's pixel must send too: Meta counts both as one.
    Raises `Refused` when too little is known of the buyer for Meta to take the event.
    """
    content = order.content
    assert content
    contact = contact or Contact()
    return {
        "event_name": "Purchase",
        "event_time": min(order.state.placed_ms, now_ms) // 1000,
        "event_id": f"purchase.{order.channel}.{order.external_id}",
        "action_source": "website",
        "event_source_url": shop_url,
        "user_data": _user_data(contact),
        "custom_data": {
            "currency": content.currency,
            "value": _number(order.state.total_minor, content.currency),
            "order_id": order.external_id,
            "content_type": "product",
            "contents": [
                {
                    "id": line.sku or line.channel_sku,
                    "quantity": units.ordered,
                    "item_price": _number(line.price_minor // units.ordered, content.currency),
                }
                for line, units in zip(order.lines, order.state.quantities, strict=True)
                if units.ordered
            ],
        },
    }


class ConversionsClient:
    """Sends events of one account. Settings: `dataset_id`, `test_event_code` while it is being set up, and `base_url`
    where it is not Meta's own; credentials: `access_token`, and `app_secret` where the app asks for a proof."""

    def __init__(
        self, transport: Transport, account: Mapping[str, Any], credentials: Mapping[str, Any], now_ms: int
    ) -> None:
        self._send = transport
        self._url = f"{account.get('base_url') or GRAPH}/{account['dataset_id']}/events"
        self._test_code = str(account.get("test_event_code", ""))
        self._token = str(credentials["access_token"])
        self._app_secret = str(credentials.get("app_secret", ""))
        self._now_s = now_ms // 1000

    def send(self, events: Sequence[Event]) -> list[HeadraceError | None]:
        """What became of each event: None where Meta has it. One that is too old is never sent, since it would take
        all others down with it; where Meta refuses several, each is sent by itself. Raises `Busy` and `Unauthorised`.
        """
        outcomes: list[HeadraceError | None] = [self._too_old(event) for event in events]
        due = [index for index, refusal in enumerate(outcomes) if refusal is None]
        for chunk in _chunks(due):
            for index, refusal in zip(chunk, self._sent([events[index] for index in chunk]), strict=True):
                outcomes[index] = refusal
        return outcomes

    def _sent(self, events: Sequence[Event]) -> list[HeadraceError | None]:
        try:
            self._post(events)
        except Unauthorised:
            raise
        except Refused as refused:
            if len(events) == 1:
                return [refused]
            return [refusal for event in events for refusal in self._sent([event])]
        return [None] * len(events)

    def _too_old(self, event: Event) -> Refused | None:
        age_s = self._now_s - int(event["event_time"])
        if -_AHEAD_S <= age_s < OLDEST_S:
            return None
        return Refused("event_too_old", f"Meta takes events of the last 7 days; this one is {age_s} s old")

    def _post(self, events: Sequence[Event]) -> None:
        """The token goes into a header: a URL ends up in logs. Source: Graph takes OAuth 2.0 bearer tokens."""
        body: dict[str, Any] = {"data": list(events)}
        if self._test_code:
            body["test_event_code"] = self._test_code
        if self._app_secret:
            body["appsecret_proof"] = appsecret_proof(self._token, self._app_secret)
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        read_graph(self._send(HttpRequest("POST", self._url, headers, json.dumps(body).encode())))


def appsecret_proof(token: str, app_secret: str) -> str:
    """HMAC-SHA256 of the token with the app's secret, hex. Source: Graph, securing requests."""
    return hmac.digest(app_secret.encode(), token.encode(), hashlib.sha256).hex()


def read_graph(response: HttpResponse) -> Any:
    """The JSON of a Graph answer. Its error code counts before the HTTP status: Graph throttles with a 400, too.

    Codes 1, 2, 4, 17, 341, 613 and 80xxx, or `is_transient`, are `Busy`; 190, 10 and 2xx, a missing permission, are
    `Unauthorised`; any other is `Refused`.
    """
    answer = json_in(response)
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        _raise_for(error, response)
    if response.status == 429 or response.status >= 500 or answer is None:
        raise Busy(f"Meta answered {response.status}", after_s=retry_after_s(response))
    if response.status >= 300:
        raise Refused("channel_refused", f"Meta answered {response.status} without an error code")
    return answer


def _raise_for(error: Mapping[str, Any], response: HttpResponse) -> None:
    """Meta's words stay out: they may quote what we sent."""
    code = error.get("code")
    told = f"Meta answered {response.status}: code {code!r:.20}, subcode {error.get('error_subcode')!r:.20}"
    number = int(str(code)) if re.fullmatch("[0-9]{1,9}", str(code)) else 0
    if number in _OF_THE_TOKEN:
        raise Unauthorised(told)
    if number in _BUSY_CODES or number in _BUSINESS_LIMITS or error.get("is_transient") is True:
        raise Busy(told, after_s=max(retry_after_s(response), _BACK_OFF_S))
    raise Refused("channel_refused", told)


def _user_data(contact: Contact) -> dict[str, Any]:
    first, _, last = contact.name.strip().rpartition(" ")
    address, tracking = contact.address, contact.tracking
    plain = {
        "em": contact.email,
        "ph": contact.phone or address.get("phone", ""),
        "fn": first or last,
        "ln": last if first else "",
        "ct": address.get("city", ""),
        "st": address.get("region", ""),
        "zp": address.get("postcode", ""),
        "country": address.get("country", ""),
        "external_id": contact.buyer_ref,
    }
    digests = {key: digest for key, text in plain.items() if (digest := hashed(key, text))}
    cookies = {key: tracking[key] for key in ("fbc", "fbp") if tracking.get(key)}
    strong = digests.keys() & {"em", "ph", "external_id"} | cookies.keys()
    if not strong or not tracking.get("user_agent"):
        raise Refused("too_little_known", "Meta needs the browser's user agent and one of e-mail, phone, id, fbc, fbp")
    unhashed = {"client_user_agent": tracking["user_agent"]}
    if tracking.get("ip"):
        unhashed["client_ip_address"] = tracking["ip"]
    return {**{key: [digest] for key, digest in digests.items()}, **cookies, **unhashed}


def _number(amount_minor: int, currency: str) -> float:
    """JSON has no decimals; this is the only place where money leaves as a float."""
    return float(to_text(amount_minor, currency))


def _chunks(indexes: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(indexes), _MOST_EVENTS):
        yield indexes[start : start + _MOST_EVENTS]
