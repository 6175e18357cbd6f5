"""Serves the marketplaces over HTTP and lets time pass: sells, delivers, saves.

Base URLs: http://127.0.0.1:PORT/shopify, …/amazon, …/ebay. Control: GET /_control/state, POST /_control/sell
{"marketplace", "n"?, "sku"?} and of own shops {"referral"?: "facebook", "authorised"?: true}, POST /_control/pause,
/_control/resume, /_control/faults {field of Faults: value}, /_control/webhooks {"woocommerce": whether it has any},
/_control/ask_to_cancel and /_control/send_back {"marketplace", "order_id"} for a buyer of Amazon or eBay,
/_control/ask_to_cancel {"marketplace", "order_id"} for a buyer of Amazon or eBay, /_control/send_back for one of
Shopify too, /_control/pay_out.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from local.marketplaces.faults import Faults
from local.marketplaces.wire import Request, Response, json_response
from local.marketplaces.world import Delivery, Marketplaces

TICK_S = 0.25
SAVE_EVERY_S = 5.0
DELIVERY_WORKERS = 4
Deliver = Callable[[Delivery], bool]
_OWN_SHOPS = ("shopify", "woocommerce")
_TELLING = tuple(f"POST /_control/{name}" for name in ("faults", "webhooks", "pay_out")) + ("GET /_control/state",)
_FAULTS = TypeAdapter(Faults)
_WRONG = (ValidationError, ValueError, KeyError, TypeError, AttributeError, StopIteration, NotImplementedError)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class MarketplaceServer:
    """A running stand-in. `deliver` takes a notification to the seller and says whether he took it.

    `world` must have been made with `clock=utc_now`. Use as a context manager, or call `start` and `stop`.
    """

    def __init__(
        self,
        world: Marketplaces,
        deliver: Deliver,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
    ) -> None:
        self.world = world
        self.deliver = deliver
        self.state = state
        self.lock = threading.Lock()
        self._stopping = threading.Event()
        self._workers = ThreadPoolExecutor(DELIVERY_WORKERS, thread_name_prefix="deliver")
        self._http = _Http((host, port), _handler(self))
        self._threads = [
            threading.Thread(target=self._http.serve_forever, name="serve", kwargs={"poll_interval": 0.1}),
            threading.Thread(target=self._let_time_pass, name="tick"),
        ]

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._http.server_address[1])

    def start(self) -> None:
        """Begins to answer and to sell, where the state file left off."""
        if self.state and self.state.exists():
            self.world.load(self.state)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends selling and answering, waits for deliveries under way, saves."""
        self._stopping.set()
        self._http.shutdown()
        for thread in self._threads:
            thread.join()
        self._http.server_close()
        self._workers.shutdown()
        self._save()

    def __enter__(self) -> MarketplaceServer:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def answer(self, request: Request) -> Response:
        """An API call or a control call, by the first part of the path."""
        _, _, rest = request.path.partition("/")
        prefix, _, path = rest.partition("/")
        with self.lock:
            if prefix in self.world.markets:
                return self.world.handle(prefix, dataclasses.replace(request, path=f"/{path}"))
            return self._control(request)

    def _control(self, request: Request) -> Response:
        call = f"{request.method} {request.path}"
        try:
            body: dict[str, Any] = request.json() if request.body else {}
            if call == "POST /_control/sell":
                self.world.now = utc_now()
                return json_response(200, {"order_ids": self._sell(**body)})
            if call == "POST /_control/webhooks":
                self.world.webhooks_on = bool(body["woocommerce"])
            if call in {"POST /_control/ask_to_cancel", "POST /_control/send_back"}:
                return json_response(200, self._of_a_buyer(call.rpartition("/")[2], body))
            if call == "POST /_control/pay_out":
                self.world.pay_out(utc_now())
            if call == "POST /_control/faults":
                self.world.set_faults(_FAULTS.validate_python(body))
        except (
            ValidationError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            StopIteration,
            NotImplementedError,
        ) as error:
            return json_response(400, {"error": str(error)})
        if call in {"POST /_control/pause", "POST /_control/resume"}:
            self.world.paused = call.endswith("pause")
        elif call not in _TELLING:
            return json_response(404, {"error": f"no such path: {request.path}"})
        return json_response(200, self.world.summary())

    def _sell(
        self, marketplace: str, n: int = 1, sku: str | None = None, *, referral: str = "", authorised: bool = False
    ) -> list[str]:
        if (referral or authorised) and marketplace not in _OWN_SHOPS:
            raise ValueError(f"referral and authorised are of {' and '.join(_OWN_SHOPS)} alone")
        if referral not in ("", "facebook"):
            raise ValueError("referral must be facebook")
        return self.world.sell(marketplace, n, sku, authorised=authorised, referred=bool(referral))

    def _of_a_buyer(self, wish: str, body: dict[str, Any]) -> dict[str, Any]:
        market = self.world.markets[body["marketplace"]]
        sale = market.shelf.sales[body["order_id"]]
        if wish == "ask_to_cancel":
            return {"asked": bool(market.request_cancel(sale, utc_now()))}
        line = next(line for line in sale.lines if sale.shipped(line.line_id))
        market.open_return(sale, line.line_id, 1, utc_now())
        return {"line_id": line.line_id}

    def _let_time_pass(self) -> None:
        saved_at = utc_now()
        while not self._stopping.wait(TICK_S):
            now = utc_now()
            with self.lock:
                due = self.world.tick(now)
            for delivery in due:
                self._workers.submit(self._try_to_deliver, delivery)
            if (now - saved_at).total_seconds() >= SAVE_EVERY_S:
                saved_at = now
                self._save()

    def _try_to_deliver(self, delivery: Delivery) -> None:
        if not self.deliver(delivery):
            with self.lock:
                self.world.undelivered(delivery, utc_now())

    def _save(self) -> None:
        if self.state:
            with self.lock:
                self.world.save(self.state)


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, as a Lambda does that is killed, is no error of ours; any other is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(server: MarketplaceServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            fields = dict(parse_qsl(query, keep_blank_values=True))
            response = server.answer(Request(self.command, path, fields, dict(self.headers.items()), body))
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.status != 204:  # which has no body, and so no length
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 - names the base class calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Says nothing: the console shows what happens."""

    return Handler
