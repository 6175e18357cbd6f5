"""Meta's catalogue: what an item should show, as requests of `POST /{catalogue}/items_batch`, keyed by our own id.

A batch is taken at once and carried out later; what became of it is asked for by its handle. Sources: Meta, catalogue
batch API (at most 5,000 items a call, under 3,000 advised) and its states; official model ProductCatalog.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from chalicelib.channels.fields import Node
from chalicelib.channels.meta.conversions import GRAPH, appsecret_proof, read_graph
from chalicelib.channels.transport import HttpRequest, Transport
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.money import to_text

MOST_ITEMS = 2_999
LISTED_TEXTS = ("link", "image_link", "description", "condition", "brand")  # refs of a listing, told as they are
_RUNNING = ("scheduled", "dispatched", "started", "in_progress")
_FINISHED = "finished"

ItemError = tuple[str, str]  # the item's retailer id, and Meta's word about it


@dataclass(frozen=True)
class CatalogueItem:
    """What one item should show. `price_minor` None and "": that stays as it is; `gone`: it is not sold any more.

    An item that Meta does not know yet needs a price and every text but `brand`.
    """

    retailer_id: str
    quantity: int
    price_minor: int | None = None
    currency: str = ""
    gone: bool = False
    title: str = ""
    link: str = ""
    image_link: str = ""
    description: str = ""
    condition: str = ""
    brand: str = ""

    @property
    def digest(self) -> str:
        """The same for what shows the same."""
        return hashlib.sha256(json.dumps(_request(self), sort_keys=True).encode()).hexdigest()[:16]


class Sent(NamedTuple):
    """A batch that Meta has taken: its handle, "" where no item of it passed; and the items that did not pass."""

    handle: str
    errors: list[ItemError]


class CatalogueClient:
    """Speaks to one catalogue. Setting: `catalogue_id`; `base_url` and credentials as of `ConversionsClient`.

    Everything raises `Busy` (throttled, out of reach), `Unauthorised` (the token is gone) and `Refused`.
    """

    def __init__(self, transport: Transport, account: Mapping[str, Any], credentials: Mapping[str, Any]) -> None:
        self._transport = transport
        self._url = f"{account.get('base_url') or GRAPH}/{account['catalogue_id']}"
        self._token = str(credentials["access_token"])
        secret = str(credentials.get("app_secret", ""))
        self._proof = {"appsecret_proof": appsecret_proof(self._token, secret)} if secret else {}

    def send(self, items: Sequence[CatalogueItem]) -> Sent:
        """Hand in one batch, of `MOST_ITEMS` at most. Sent twice, it changes nothing more."""
        (body,) = items_batches(items)
        answer = Node(self._call("POST", "items_batch", body | self._proof))
        errors = [
            (status.text("retailer_id"), _words(status.each("errors")))
            for status in answer.each("validation_status")
            if status.each("errors")
        ]
        handles = answer.at("handles").value
        handle = str(handles[0]) if isinstance(handles, list) and handles else ""
        if not handle and not errors:
            raise Busy("Meta has taken a batch without a handle", after_s=60)
        return Sent(handle, errors)

    def check(self, handle: str) -> list[ItemError] | None:
        """The items of a batch that came to nothing; None while Meta is at it. Raises `Refused` for a batch that broke
        off or that Meta does not know: what became of its items is not known."""
        asked = {"handle": handle, "load_ids_of_invalid_requests": "true", **self._proof}
        answer = Node(self._call("GET", f"check_batch_request_status?{urlencode(asked)}"))
        found = answer.each("data")
        state = found[0].text("status").lower() if found else ""
        if state in _RUNNING:
            return None
        if state != _FINISHED:
            raise Refused("batch_broke_off", f"Meta calls the batch {state[:40] or 'nothing'}")
        ids = found[0].at("ids_of_invalid_requests").value
        errors = dict.fromkeys(map(str, ids if isinstance(ids, list) else ()), "invalid")
        errors |= {error.text("id"): _words([error]) for error in found[0].each("errors")}
        return list(errors.items())

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["content-type"] = "application/json"
        raw = json.dumps(body).encode() if body is not None else b""
        return read_graph(self._transport(HttpRequest(method, f"{self._url}/{path}", headers, raw)))


def _words(errors: Sequence[Node]) -> str:
    return "; ".join(error.text("message") for error in errors)[:200]


def items_batches(items: Sequence[CatalogueItem]) -> Iterator[dict[str, Any]]:
    """The bodies to be sent, each within what a call takes. An update creates what Meta does not know yet."""
    for start in range(0, len(items), MOST_ITEMS):
        requests = [_request(item) for item in items[start : start + MOST_ITEMS]]
        yield {"item_type": "PRODUCT_ITEM", "allow_upsert": True, "requests": requests}


def _request(item: CatalogueItem) -> dict[str, Any]:
    if item.gone:
        return {"method": "DELETE", "data": {"id": item.retailer_id}}
    quantity = max(item.quantity, 0)
    data: dict[str, Any] = {
        "id": item.retailer_id,
        "availability": "in stock" if quantity else "out of stock",
        "quantity_to_sell_on_facebook": quantity,
    }
    if item.price_minor is not None:
        data["price"] = f"{to_text(item.price_minor, item.currency)} {item.currency}"
    told = {name: getattr(item, name) for name in ("title", *LISTED_TEXTS)}
    return {"method": "UPDATE", "data": data | {name: text for name, text in told.items() if text}}
