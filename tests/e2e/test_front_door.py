"""The proxy before the engine changes no byte of a signed body, and says so when nothing stands behind it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.proxy import Proxy

PREFIX = "/restapis/id/api/_user_request_"


class Upstream(ThreadingHTTPServer):
    """Stands where the engine would; remembers the last request and answers 201 with bytes."""

    seen: dict[str, Any]


class Remember(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen = {"path": self.path, "headers": self.headers, "body": body}
        self.send_response(201)
        self.send_header("Content-Length", "3")
        self.send_header("X-Answer", "a")
        self.send_header("X-Answer", "b")
        self.end_headers()
        self.wfile.write(b"\x00\xff\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(("127.0.0.1", 0), Remember) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def door(upstream: Upstream) -> Iterator[Proxy]:
    with Proxy(0, f"http://127.0.0.1:{upstream.server_port}", PREFIX) as proxy:
        yield proxy


@pytest.fixture
def client(door: Proxy) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=5)
    yield connection
    connection.close()


BODY = b'{"total": 1.50, \xc3\xa9:\t"x"}\r\n'


def test_path_query_headers_and_body_pass_unchanged(upstream: Upstream, client: http.client.HTTPConnection) -> None:
    client.request("POST", "/webhooks/shopify?a=1&b=%2F", BODY, {"X-Shopify-Hmac-Sha256": "q+/=", "X-Twice": "1"})
    answer = client.getresponse()
    assert (answer.status, answer.read(), answer.headers.get_all("X-Answer")) == (201, b"\x00\xff\n", ["a", "b"])
    assert upstream.seen["path"] == f"{PREFIX}/webhooks/shopify?a=1&b=%2F"
    assert upstream.seen["body"] == BODY
    assert upstream.seen["headers"]["X-Shopify-Hmac-Sha256"] == "q+/="


def test_a_chunked_body_arrives_whole_and_the_connection_lives_on(
    upstream: Upstream, client: http.client.HTTPConnection
) -> None:
    parts = [b"x" * 100_000, BODY, b"y"]
    for _ in range(2):
        client.request("POST", "/x", iter(parts), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert client.getresponse().read() == b"\x00\xff\n"
        assert upstream.seen["body"] == b"".join(parts)


def test_without_an_engine_the_answer_is_502_in_json() -> None:
    with Upstream(("127.0.0.1", 0), Remember) as closed:
        port = closed.server_port
    with Proxy(0, f"http://127.0.0.1:{port}", PREFIX) as door:
        client = http.client.HTTPConnection("127.0.0.1", door.port, timeout=5)
        client.request("POST", "/x", b"a" * 1000)
        answer = client.getresponse()
        body = json.loads(answer.read())
        client.close()
    assert (answer.status, body["code"]) == (502, "EngineUnavailable")
