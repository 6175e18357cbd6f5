"""HTTP to one WordPress site: where we may send to, and what its answers mean.

Between us and WooCommerce stand the host, a firewall and caches, which answer in HTML whatever they like: only JSON is
WooCommerce's own word. Source: notes on WC_REST_Authentication and WP_REST_Server; wc-v3-index.json.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.transport import HttpRequest, HttpResponse, json_in, retry_after_s
from chalicelib.domain.errors import Busy, Refused, Unauthorised

WC = "/wp-json/wc/v3"
AGENT = "Headrace/0.1 (Language=Python)"
_LOCAL_NAMES = ("localhost", "local", "internal", "localdomain", "home", "lan", "arpa")

Resolve = Callable[[str], Sequence[str]]


class Declined(Refused):
    """WooCommerce says no, in JSON: `code` is its own word, `status` the HTTP status."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__("channel_refused", f"WooCommerce answered {status}: {code}")
        self.code, self.status = code, status


@dataclass(frozen=True)
class Answer:
    """A success: its JSON, and how many pages there are (0: not told)."""

    data: Any
    pages: int = 0


def resolved(host: str) -> Sequence[str]:
    """The addresses of a name; none when it cannot be resolved, which the transport then says better."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def safe_url(base_url: str, *, allow_private: bool = False) -> str:
    """The address without its last slash. Raises `Refused` for what is not https, carries a user, or is an address or
    name of a private network. `allow_private` admits http to 127.0.0.1 and ::1, for a stand-in."""
    try:
        url = urlsplit(base_url)
        host, user, port = (url.hostname or "").rstrip("."), url.username, url.port
    except ValueError:
        host, user, port = "", None, None
    last = host.rpartition(".")[2]
    is_name = "." in host and not last.isdecimal() and not last.startswith("0x")
    if allow_private and host in ("127.0.0.1", "::1"):
        return base_url.rstrip("/")
    if not host or user is not None or port == 0 or "?" in base_url or "#" in base_url:
        raise Refused("not_authorised", "base_url of the account must be the https address of the shop, nothing more")
    if not base_url.lower().startswith("https://"):
        raise Refused("not_authorised", "base_url of the account must begin with https://")
    if ":" in host or host.replace(".", "").isdecimal():
        check_address(host)
    elif not is_name or last in _LOCAL_NAMES:
        raise Refused("not_authorised", "base_url of the account names a private network")
    return base_url.rstrip("/")


def check_address(text: str) -> None:
    """Raises `Refused` for an address that is not public, or that is none (2130706433 is 127.0.0.1 to some)."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise Refused("not_authorised", "base_url of the account is no public address") from None
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    if not address.is_global or not mapped.is_global or address.is_multicast:
        raise Refused("not_authorised", "base_url of the account is an address of a private network")


class WooWire:
    """Calls with the consumer key and secret of one account."""

    def __init__(self, access: Access, resolve: Resolve = resolved) -> None:
        account, credentials = access.account, access.credentials
        self._allow_private = account.get("allow_private") is True
        self._base_url = safe_url(str(account.get("base_url") or ""), allow_private=self._allow_private)
        self._resolve = resolve
        self._is_checked = self._allow_private
        pair = f"{credentials['consumer_key']}:{credentials['consumer_secret']}".encode()
        self._authorization = f"Basic {base64.b64encode(pair).decode()}"
        self._transport, self._tokens = access.transport, access.tokens

    def get(self, path: str, **query: str) -> Answer:
        """GET; `path` begins with /wp-json."""
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """POST or PUT of JSON; the answer's JSON."""
        return self._call(method, path, json.dumps(body).encode()).data

    def one(self, path: str) -> dict[str, Any]:
        """GET of an object that has an id. `Busy` for a success without it."""
        return having_id(self.get(path).data)

    def pages(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All objects of a list, page by page."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self.get(path, **query, per_page="100", page=str(page))
            here = listed(answer)
            found += here
            if not is_more(answer, page, len(here)):
                return found
            page += 1

    def _call(self, method: str, path: str, sent: bytes = b"") -> Answer:
        self._check_host()
        headers = {"authorization": self._authorization, "accept": "application/json", "user-agent": AGENT}
        if sent:
            headers["content-type"] = "application/json"
        try:
            return judged(self._transport(HttpRequest(method, self._base_url + path, headers, sent)))
        except Unauthorised as refused:
            self._tokens.lost(refused.detail)
            raise

    def _check_host(self) -> None:
        """Every address that the name has now must be public. The transport resolves again: a name that changes in
        between is not met here."""
        if not self._is_checked:
            for found in self._resolve(urlsplit(self._base_url).hostname or ""):
                check_address(found)
            self._is_checked = True


def judged(response: HttpResponse) -> Answer:
    """The JSON of a success. 401 in JSON is `Unauthorised`, any other 4xx in JSON `Declined`; what is no JSON, 429, a
    redirect and 5xx are `Busy`, but for a refund that the gateway refuses: WooCommerce answers that with 500."""
    status, data = response.status, json_in(response)
    code = str(data.get("code") or "")[:80] if isinstance(data, dict) else ""
    if code == "woocommerce_rest_cannot_create_order_refund":
        raise Declined(code, status)
    if status == 429 or status >= 500:
        raise Busy(f"WooCommerce answered {status}", after_s=retry_after_s(response))
    if data is None or (status >= 400 and not code) or 300 <= status < 400:
        raise Busy(f"the site answered {status} with something that is not WooCommerce's", after_s=30)
    if status == 401:
        raise Unauthorised("WooCommerce does not take the key: renew consumer_key and consumer_secret of the account")
    if status == 403 and not code.startswith("woocommerce_"):
        raise Busy("something before WooCommerce answered 403: let our requests through the firewall", after_s=60)
    if status >= 400:
        raise Declined(code, status)
    pages = response.headers.get("x-wp-totalpages", "")
    return Answer(data, int(pages) if pages.isdecimal() else 0)


def listed(answer: Answer) -> list[dict[str, Any]]:
    """The objects of a list. `Busy` when it is none."""
    if not isinstance(answer.data, list):
        raise Busy("WooCommerce answered without a list", after_s=5)
    return [each for each in answer.data if isinstance(each, dict)]


def is_more(answer: Answer, page: int, count: int) -> bool:
    """Whether there is a page after this one; a full page has one where a cache has taken the header away."""
    return page < answer.pages if answer.pages else count == 100


def having_id(data: Any) -> dict[str, Any]:
    """The answer, when it is an object with an id; a success without it tells nothing."""
    if not isinstance(data, dict) or not data.get("id"):
        raise Busy("WooCommerce answered without an id", after_s=5)
    return data
