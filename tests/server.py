"""An HTTP server on loopback that misbehaves as told and remembers what it was asked; and a package index for it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from bundler.model.locked_wheel import LockedWheel

JSON_PAGE = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Reply:
    """One answer to one request: a good one, unless a field says otherwise.

    `length` is announced instead of the true one, 0 announces none; `drop_after` cuts the connection after so many
    bytes of the body; `start` is where a 206 claims to begin; `silent` answers nothing at all; `pause` is waited
    between pieces of `piece` bytes; `login` is asked for (user, password); `bearer` is a token that is asked for, with
    the challenge (WWW-Authenticate) that says so.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    ranges: bool = True
    start: int | None = None
    length: int | None = None
    chunked: bool = False
    drop_after: int | None = None
    silent: bool = False
    pause: float = 0.0
    piece: int = 1 << 16
    login: tuple[str, str] | None = None
    bearer: tuple[str, str] | None = None


def redirect(address: str, status: int = 302) -> Reply:
    """An answer that sends the asker to another address."""
    return Reply(status=status, headers={"Location": address})


@dataclass(frozen=True)
class Asked:
    """A request as it came; header names in lower case."""

    path: str
    headers: Mapping[str, str]

    @property
    def offset(self) -> int:
        """The first byte that the request asks for."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


class Server:
    """What the server was told to answer, path by path, and what it was asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[Asked] = []
        self.sent, self.counting = 0, threading.Lock()
        self.closing = threading.Event()
        self._replies: dict[str, list[Reply]] = {}
        self._lock = threading.Lock()

    def script(self, path: str, *replies: Reply) -> str:
        """Answer requests for `path` with one reply after the other; the last one stays. Returns the address."""
        with self._lock:
            self._replies[path] = list(replies)
        return f"{self.address}{path}"

    def asked(self, path: str) -> list[Asked]:
        """Every request for `path`, in order."""
        return [one for one in self.requests if one.path == path]

    def next_reply(self, asked: Asked) -> Reply:
        """Note a request and take the reply to it."""
        with self._lock:
            self.requests.append(asked)
            replies = self._replies.get(asked.path, [Reply(status=404)])
            return replies.pop(0) if len(replies) > 1 else replies[0]


@contextmanager
def listening(*servers: TCPServer) -> Iterator[None]:
    """Take connections in one thread until the context ends, then close the servers.

    The end is told to the thread, while `serve_forever` looks for it now and then: for the hundreds of servers that
    tests start, that is seconds.
    """
    told, tell = socket.socketpair()

    def take() -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(told, selectors.EVENT_READ)
            for server in servers:
                waiting.register(server, selectors.EVENT_READ, server)
            while True:
                for key, _ in waiting.select():
                    if key.data is None:
                        return
                    key.data.handle_request()

    thread = threading.Thread(target=take)
    with told, tell:
        thread.start()
        try:
            yield
        finally:
            tell.send(b"x")
            thread.join()
            for server in servers:
                server.server_close()


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server until the context ends; then every connection is cut."""
    open_now: set[socket.socket] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            open_now.add(self.request)

        def finish(self) -> None:
            open_now.discard(self.request)
            with contextlib.suppress(OSError):
                super().finish()

        def do_GET(self) -> None:
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
            with contextlib.suppress(OSError):
                _answer(self, server, asked, server.next_reply(asked))

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    listener = Listener(("127.0.0.1", 0), Handler)
    if tls:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    server = Server(f"{'https' if tls else 'http'}://127.0.0.1:{listener.server_port}")
    try:
        with listening(listener):
            yield server
    finally:
        server.closing.set()
        for connection in list(open_now):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _answer(handler: BaseHTTPRequestHandler, server: Server, asked: Asked, reply: Reply) -> None:
    if reply.silent:
        server.closing.wait(60)
        handler.close_connection = True
        return
    if reply.login and asked.headers.get("authorization") != _basic(reply.login):
        reply = Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="test"'})
    if reply.bearer and asked.headers.get("authorization") != f"Bearer {reply.bearer[0]}":
        reply = Reply(status=401, headers={"WWW-Authenticate": reply.bearer[1]})
    body, status, headers = reply.body, reply.status, {"Content-Type": "application/octet-stream"}
    if "range" in asked.headers and reply.ranges and status == 200:
        if asked.offset >= len(body):
            body, status, headers["Content-Range"] = b"", 416, f"bytes */{len(body)}"
        else:
            start = asked.offset if reply.start is None else reply.start
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif reply.length != 0:
        headers["Content-Length"] = str(len(body) if reply.length is None else reply.length)
    handler.send_response(status)
    for name, value in (headers | dict(reply.headers)).items():
        handler.send_header(name, value)
    handler.end_headers()
    last = len(body) if reply.drop_after is None else reply.drop_after
    for begin in range(0, last, reply.piece):
        piece = body[begin : min(begin + reply.piece, last)]
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.chunked else piece)
        with server.counting:
            server.sent += len(piece)
        if reply.pause and server.closing.wait(reply.pause):
            break
    if reply.chunked and reply.drop_after is None:
        handler.wfile.write(b"0\r\n\r\n")
    if reply.drop_after is not None or reply.length is not None:
        handler.close_connection = True


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


@dataclass
class SimpleIndex:
    """A package index (PEP 503, PEP 691) on a server, at `root`; files lie where the public index files them."""

    server: Server
    root: str = "/simple"
    html: bool = False
    login: tuple[str, str] | None = None
    files: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """What a client is told."""
        return f"{self.server.address}{self.root}/"

    def add(self, project: str, content: bytes, *, filename: str = "", listed_sha256: str = "") -> LockedWheel:
        """Publish a wheel of `content`; return what a lock says of it."""
        filename = filename or f"{project.replace('-', '_')}-1.0-py3-none-any.whl"
        blake2b = hashlib.blake2b(content, digest_size=32).hexdigest()
        hint = f"packages/{blake2b[:2]}/{blake2b[2:4]}/{blake2b[4:]}"
        sha256 = hashlib.sha256(content).hexdigest()
        self.server.script(f"/{hint}/{filename}", Reply(content, login=self.login))
        self.files.setdefault(project, []).append((filename, f"../../{hint}/{filename}", listed_sha256 or sha256))
        self.server.script(self.page(project), self.reply(project))
        return LockedWheel(project, "1.0", filename, len(content), sha256, hint)

    def page(self, project: str) -> str:
        """The path of a project's page."""
        return f"{self.root}/{project}/"

    def reply(self, project: str) -> Reply:
        """A project's page as it is answered."""
        files = self.files[project]
        if self.html:
            lines = [f'<a href="{html.escape(url)}#sha256={sha}">{name}</a><br/>' for name, url, sha in files]
            text, kind = "<!DOCTYPE html><html><body>" + "\n".join(lines) + "</body></html>", "text/html; charset=utf-8"
        else:
            listed = [{"filename": name, "url": url, "hashes": {"sha256": sha}} for name, url, sha in files]
            text, kind = json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": listed}), JSON_PAGE
        return Reply(text.encode(), headers={"Content-Type": kind}, login=self.login)


def failing(reply: Reply, times: int, status: int = 500) -> list[Reply]:
    """`times` failures, then `reply`."""
    return [*(Reply(status=status) for _ in range(times)), reply]


def dropping(reply: Reply, *after: int) -> list[Reply]:
    """The same reply, cut after so many bytes each time, and whole in the end."""
    return [*(replace(reply, drop_after=count) for count in after), reply]


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until `condition` holds. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.002)
