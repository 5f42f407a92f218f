"""The sockets: four roles, each with its own origin, or two for GitHub Enterprise."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl, urlsplit

from tests.github import shapes
from tests.github.faults import NO_FAULT, Fault, Role, Seen
from tests.github.objects import answer_objects, answer_web
from tests.github.repository import Addresses, ApiError, GitHub
from tests.github.request import Answer, Request, Stored
from tests.github.routes import answer_api
from tests.github.uploads import PIECE, Body, Cut, receive
from tests.server import listening

# Paths of GitHub Enterprise, where one origin plays three roles.
_PREFIXES: tuple[tuple[str, Role, str], ...] = (
    ("/api/v3", "api", ""),
    ("/api/uploads", "uploads", ""),
    ("/api/graphql", "api", "/graphql"),
)
_LINGER_SECONDS = 2.0


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, role: Role, enterprise: bool, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.role, self.enterprise, self.tls = role, enterprise, tls
        self.hub: GitHub
        self.open_now: set[socket.socket] = set()
        host = "localhost" if tls and role != "objects" else "127.0.0.1"
        self.origin = f"{'https' if tls else 'http'}://{host}:{self.server_port}"

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        if self.tls:  # the handshake is the handler's, so that nobody waits for it
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are nobody's concern; what else goes wrong is kept."""
        error = sys.exception()
        if error and not isinstance(error, OSError):
            self.hub.crashes.append(error)


@contextmanager
def github(
    folder: Path, *, repo: str = "example/litellm", enterprise: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[GitHub]:
    """Serve one repository until the context ends; bytes of assets are kept in `folder`.

    With `tls`, the certificate has to be good for `localhost` and 127.0.0.1 (where the objects are).
    Raises AssertionError in the end if the server itself failed.
    """
    roles: tuple[Role, ...] = ("web", "objects") if enterprise else get_args(Role)
    listeners = {role: _Listener(role, enterprise, tls) for role in roles}
    web = listeners["web"].origin
    api = f"{web}/api/v3" if enterprise else listeners["api"].origin
    uploads = f"{web}/api/uploads" if enterprise else listeners["uploads"].origin
    hub = GitHub(folder, repo, Addresses(api, uploads, web, listeners["objects"].origin))
    for listener in listeners.values():
        listener.hub = hub
    try:
        with listening(*listeners.values()):
            yield hub
    finally:
        hub.closing.set()
        for connection in [each for listener in listeners.values() for each in listener.open_now]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
    if hub.crashes:
        raise AssertionError(f"the release server failed: {hub.crashes[0]!r}") from hub.crashes[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener
    _continue = False

    def setup(self) -> None:
        super().setup()
        self.server.open_now.add(self.connection)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.do_handshake()
            super().handle()

    def finish(self) -> None:
        self.server.open_now.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle_expect_100(self) -> bool:
        self._continue = True
        return True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        hub, seen = self.server.hub, self._seen()
        with hub.lock:
            hub.seen.append(seen)
            fault = next((each for each in list(hub.faults) if each.hits(seen)), NO_FAULT)
        length = seen.headers.get("content-length", "")
        chunked = "transfer-encoding" in seen.headers
        announced = int(length) if length.isdecimal() else None
        body = Body(self.rfile, announced, fault, self._send_continue, partial(hub.count, seen))
        if fault.stall:
            hub.closing.wait(fault.stall)
        answer = None
        try:
            answer = (
                self._refused(seen, ApiError(411, "Length Required")) if chunked else self._answer(seen, fault, body)
            )
            # Whoever waits to be told to go on has sent nothing.
            if chunked or (self._continue and body.left):
                self.close_connection = True
            else:
                body.discard()
            if hub.after:
                hub.after(seen)
            if fault.lose_answer:
                raise Cut
            self._send(seen, fault, answer)
        except Cut:
            self._cut(seen, fault, body)
        finally:
            self._continue = False
            if answer and answer.stored:
                answer.stored.file.close()

    do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

    def _seen(self) -> Seen:
        parts = urlsplit(self.path)
        role, path = self.server.role, parts.path
        if self.server.enterprise and role == "web":
            for prefix, kind, instead in _PREFIXES:
                if path == prefix or path.startswith(f"{prefix}/"):
                    role, path = kind, instead + path.removeprefix(prefix)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Seen(role, self.command, path, query, {name.lower(): value for name, value in self.headers.items()})

    def _answer(self, seen: Seen, fault: Fault, body: Body) -> Answer:
        hub = self.server.hub
        try:
            if fault.status is not None and fault.drop_after is None:
                body.discard()
                return _scripted(fault)
            if seen.role == "uploads":
                return receive(Request(hub, seen, fault), body)
            request = Request(hub, seen, fault, b"" if seen.role == "objects" else body.read())
            call = {"api": answer_api, "web": answer_web, "objects": answer_objects}[seen.role]
            with hub.lock:
                return call(request)
        except ApiError as error:
            return self._refused(seen, error)
        except Cut:
            raise
        except Exception as error:
            hub.crashes.append(error)
            return Answer(500, {"message": "Server Error"})

    def _refused(self, seen: Seen, error: ApiError) -> Answer:
        shape: shapes.Json = {"message": error.message, "documentation_url": shapes.DOCS}
        shape |= {"request_id": _request_id()} if seen.role == "uploads" else {"status": str(error.status)}
        return Answer(error.status, shape if error.errors is None else shape | {"errors": error.errors})

    def _send_continue(self) -> None:
        if self._continue:
            self._continue = False
            self.send_response_only(100)
            self.end_headers()

    def _cut(self, seen: Seen, fault: Fault, body: Body) -> None:
        """End the connection; a fault may answer before that."""
        self.close_connection = True
        with contextlib.suppress(OSError, Cut):
            if fault.status is not None:
                self._send(seen, fault, _scripted(fault))
                self.connection.settimeout(_LINGER_SECONDS)
                body.discard()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, seen: Seen, fault: Fault, answer: Answer) -> None:
        content = b"" if answer.raw is None else answer.raw
        headers = {"X-GitHub-Request-Id": _request_id()} | dict(answer.headers)
        if answer.content is not None:
            content = json.dumps(answer.content).encode()
            headers = {"Content-Type": "application/json; charset=utf-8"} | headers
        stored = answer.stored
        length = stored.end - stored.start if stored else len(content)
        seen.status = answer.status
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if seen.method == "HEAD":
            return
        self.wfile.write(content)
        if stored:
            _send_file(self.connection, stored, fault)


def _request_id() -> str:
    return secrets.token_hex(8).upper()


def _scripted(fault: Fault) -> Answer:
    body = fault.body if fault.body is not None else {"message": "Server Error", "documentation_url": shapes.DOCS}
    return Answer(fault.status or 500, body, fault.headers)


def _send_file(connection: socket.socket, stored: Stored, fault: Fault) -> None:
    """Send a file's bytes. Raises Cut after as many as the fault lets through."""
    left = stored.end - stored.start
    if fault.drop_after is not None:
        left = min(left, fault.drop_after)
    if left and not (fault.corrupt or fault.slow):
        connection.sendfile(stored.file, stored.start, left)
        left = 0
    stored.file.seek(stored.start)
    flip = fault.corrupt
    while left:
        piece = bytearray(stored.file.read(min(left, max(1, fault.slow // 20) if fault.slow else PIECE)))
        if flip:
            piece[0] ^= 1
            flip = False
        if fault.slow:
            time.sleep(len(piece) / fault.slow)
        connection.sendall(piece)
        left -= len(piece)
    if fault.drop_after is not None:
        raise Cut
