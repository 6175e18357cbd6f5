"""One call to eBay: counted, with the right token and scheme word, at the right host, signed where money moves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.ebay.answers import Throttled, read_answer
from chalicelib.channels.ebay.oauth import APP, app_token, seller_token
from chalicelib.channels.ebay.signing import sign, signing_key_of
from chalicelib.channels.transport import USER_AGENT, HttpRequest, HttpResponse, with_token
from chalicelib.domain.errors import Unanswered

_POST_ORDER = "/post-order/"
_NOTHING = 204
# Path -> the API whose calls are counted together (`limits.PLANS`).
_APIS = {
    "/sell/fulfillment/": "fulfillment",
    "/sell/inventory/": "inventory",
    "/sell/finances/": "finances",
    "/sell/account/": "account",
    "/sell/analytics/": "analytics",
    "/commerce/notification/": "notification",
    "/developer/analytics/": "rate_limit",
    "/developer/key_management/": "key_management",
    "/post-order/v2/cancellation": "cancellation",
    "/post-order/v2/return": "return",
}
_ON_APIZ = ("/sell/finances/", "/developer/key_management/")
_APIZ = {"api.ebay.com": "apiz.ebay.com", "api.sandbox.ebay.com": "apiz.sandbox.ebay.com"}


@dataclass(frozen=True)
class Call:
    """`path` begins with a slash and is encoded. `as_app`: with the application's token. `signed`: see `signing`."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    as_app: bool = False
    signed: bool = False


class EbayWire:
    """Everything that the calls of one account share."""

    def __init__(self, access: Access) -> None:
        self._transport = access.transport
        self._base_url = str(access.account.get("base_url") or "https://api.ebay.com").rstrip("/")
        self._credentials = access.credentials
        self._tokens = access.tokens
        self._budget = access.budget
        self.now_ms = access.now_ms
        self.site = str(access.account.get("marketplace_id") or "EBAY_US")

    def call(self, call: Call) -> Any:
        """The JSON of the answer, None when it has no body. Raises what `read_answer` does, and `OverBudget`."""
        return self._answer(call)[1]

    def ask(self, call: Call, wanted: str) -> dict[str, Any]:
        """An answer that holds `wanted`; a success without its content is no success."""
        answer = self.call(call)
        if not isinstance(answer, dict) or answer.get(wanted) is None:
            raise Unanswered(f"ebay answered without {wanted}", after_s=5)
        return answer

    def found(self, call: Call) -> dict[str, Any]:
        """What a search gives: an object, or nothing where eBay says that there is nothing (204)."""
        response, content = self._answer(call)
        if isinstance(content, dict):
            return content
        if response.status == _NOTHING:
            return {}
        raise Unanswered("ebay answered a search with no object", after_s=5)

    def created(self, call: Call) -> str:
        """The id of what a call has made, which eBay gives in the Location header alone."""
        response, _ = self._answer(call)
        made = urlsplit(response.headers.get("location", "")).path.rstrip("/").rpartition("/")[2]
        if not made:
            raise Unanswered("ebay made something and did not say what", after_s=5)
        return made

    def _answer(self, call: Call) -> tuple[HttpResponse, Any]:
        """A success, and what it holds."""
        api = next(name for prefix, name in _APIS.items() if call.path.startswith(prefix))
        url = f"{self._host(call.path)}{call.path}"
        data = json.dumps(call.body).encode() if call.body is not None else b""

        def send(token: str) -> tuple[HttpResponse, Any]:
            self._budget.spend(api)
            response = self._transport(HttpRequest(call.method, url, self._headers(call, url, data, token), data))
            try:
                return response, read_answer(response, self.now_ms)
            except Throttled as error:
                self._budget.drain(api, error.after_s)
                raise

        fetch, name = (self._fetch_app, APP) if call.as_app else (self._fetch_seller, "")
        found: tuple[HttpResponse, Any] = with_token(self._tokens, fetch, send, name)
        return found

    def _headers(self, call: Call, url: str, data: bytes, token: str) -> dict[str, str]:
        """Post-Order takes OAuth tokens under a scheme word of its own."""
        scheme = "IAF" if call.path.startswith(_POST_ORDER) else "Bearer"
        headers = {"Authorization": f"{scheme} {token}", "Accept": "application/json", "User-Agent": USER_AGENT}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        if call.path.startswith((_POST_ORDER, "/sell/finances/")):
            headers["X-EBAY-C-MARKETPLACE-ID"] = self.site
        key = signing_key_of(self._credentials, self.now_ms) if call.signed else None
        if key:
            headers |= sign(call.method, url, data, key.jwe, key.private_key, self.now_ms // 1000)
        return {**headers, **call.headers}

    def _host(self, path: str) -> str:
        """Some APIs are at a host of their own; a base_url that is none of eBay's is used as it is."""
        host = urlsplit(self._base_url).netloc
        if path.startswith(_ON_APIZ) and host in _APIZ:
            return self._base_url.replace(host, _APIZ[host], 1)
        return self._base_url

    def _fetch_seller(self) -> tuple[str, int]:
        return self._fetch(seller_token)

    def _fetch_app(self) -> tuple[str, int]:
        return self._fetch(app_token)

    def _fetch(self, grant: Callable[..., tuple[str, int]]) -> tuple[str, int]:
        self._budget.spend("token")
        try:
            return grant(self._transport, self._base_url, self._credentials, self.now_ms)
        except Throttled as error:
            self._budget.drain("token", error.after_s)
            raise
