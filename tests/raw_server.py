"""A server on loopback that sends exactly the bytes that it is told, at the pace that it is told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Script = Callable[["Peer"], None]


@dataclass
class Peer:
    """One connection, accepted."""

    connection: socket.socket
    closing: threading.Event
    sent: int = 0

    def head(self) -> bytes:
        """Read a request up to the end of its head."""
        got = b""
        while not got.endswith(b"\r\n\r\n") and (byte := self.connection.recv(1)):
            got += byte
        return got

    def send(self, data: bytes) -> None:
        """Send all of `data` at once."""
        self.connection.sendall(data)
        self.sent += len(data)

    def drip(self, data: bytes, pause: float = 0.005, piece: int = 1) -> None:
        """Send `data` in pieces with a pause after each, until the test ends."""
        for begin in range(0, len(data), piece):
            self.send(data[begin : begin + piece])
            if self.closing.wait(pause):
                return

    def for_ever(self, data: bytes, pause: float = 0.005) -> None:
        """Send `data` again and again, until the test ends."""
        while not self.closing.wait(pause):
            self.send(data)


@dataclass
class RawServer:
    """Where it listens, and every connection that it had."""

    port: int
    peers: list[Peer] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The server's address, without TLS."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def raw_serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Run `script` for each connection, in a thread of its own, until the context ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server, closing = RawServer(listener.getsockname()[1]), threading.Event()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            made = tls.wrap_socket(connection, server_side=True) if tls else connection
            peer = Peer(made, closing)
            server.peers.append(peer)
            with made:
                script(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(20)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        closing.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def tunnel(peer: Peer) -> None:
    """Be a proxy: answer a CONNECT and carry bytes both ways."""
    target = peer.head().split()[1].decode()
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), 20) as onward:
        peer.send(b"HTTP/1.1 200 Go on\r\n\r\n")
        thread = threading.Thread(target=_carry, args=(onward, peer.connection), daemon=True)
        thread.start()
        _carry(peer.connection, onward)
        thread.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
