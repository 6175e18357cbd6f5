"""The front door on this machine: `/x` here is `/restapis/ID/api/_user_request_/x` at the engine.

Bodies pass as the bytes they are, since webhooks are signed over them.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

CHUNK = 64 * 1024
# Of one connection, not of the message (RFC 9110 section 7.6.1); Host and Content-Length are set anew.
HOP_BY_HOP = {
    "connection", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "content-length",
}  # fmt: skip


class Proxy:
    """Serves on `port` of the loopback interface until closed. Raises OSError when the port is taken."""

    def __init__(self, port: int, engine: str, api_path: str, *, timeout_s: float = 35) -> None:
        target = urlsplit(engine)
        handler = type(
            "Handler",
            (_Handler,),
            {"upstream": (target.hostname, target.port), "prefix": api_path, "timeout_s": timeout_s},
        )
        self._server = _Server(("127.0.0.1", port), handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # header and body in one packet
    upstream: ClassVar[tuple[str, int]]
    prefix: ClassVar[str]
    timeout_s: ClassVar[float]

    def forward(self) -> None:
        connection = http.client.HTTPConnection(*self.upstream, timeout=self.timeout_s)
        try:
            self._send(connection)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._refuse(error)
            return
        else:
            self._relay(answer)
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = forward  # noqa: N815 - stdlib's names

    def _send(self, connection: http.client.HTTPConnection) -> None:
        connection.putrequest(self.command, self.prefix + self.path, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                connection.putheader(name, value)
        length = self.headers.get("Content-Length")
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif length is not None:
            connection.putheader("Content-Length", length)
        body = _chunks(self.rfile) if chunked else _exactly(self.rfile, int(length or 0))
        connection.endheaders(body, encode_chunked=chunked)

    def _relay(self, answer: http.client.HTTPResponse) -> None:
        body = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status not in {204, 304}:
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, error: Exception) -> None:
        reason = "did not answer in time" if isinstance(error, socket.timeout) else "is not running"
        body = json.dumps({"code": "EngineUnavailable", "message": f"The local engine {reason}: {error}"}).encode()
        self.close_connection = True  # the request's body may still lie unread in the connection
        self.send_response(502)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Quiet: the app has its own log."""


def _exactly(stream: Any, length: int) -> Iterator[bytes]:
    while length:
        part = stream.read(min(CHUNK, length))
        if not part:
            raise http.client.IncompleteRead(b"", length)
        length -= len(part)
        yield part


def _chunks(stream: Any) -> Iterator[bytes]:
    """The parts of a chunked body (RFC 9112 section 7.1), without their framing."""
    while size := int(stream.readline().split(b";")[0], 16):
        yield from _exactly(stream, size)
        stream.readline()
    while stream.readline() not in {b"\r\n", b"\n", b""}:
        pass
