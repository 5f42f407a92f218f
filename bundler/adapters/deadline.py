"""Sockets for HTTP on which every wait ends with its exchange, however little a peer sends at a time.

httpcore hands a request's time-outs on, as they are, to each connect, handshake, read and write that the request
causes: on a connection that is new or used again, through a proxy, for headers, interim answers, chunk framing and
trailers alike. A `Wait` is such a time-out that knows its exchange. Names are looked up by the system, which has
time-outs of its own (resolv.conf(5)) and no way to be given one.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakSet

import httpcore

from bundler.adapters.turns import waiting

# Of one name; the rest would only be more of the same.
_MOST_ADDRESSES = 8
# For a read or write that httpcore gives no time-out: within the greeting of a SOCKS proxy.
_UNSAID_SECONDS = 30.0
# Bytes that may come beside the content: heads, interim answers, framing. A chunk of one byte takes six.
_MOST_BESIDE = 1 << 20
_MOST_BESIDE_A_BYTE = 16
_TLS_RECORD = 1 << 14
# What one read of TLS takes at most: less is more steps of Python a byte, more is no faster.
_MOST_AT_ONCE = 1 << 18
T = TypeVar("T")


class Exchange:
    """What one exchange may still take, redirects included: `seconds`, and more for content at so many bytes/s."""

    def __init__(self, seconds: float, *, receiving: float = 0.0, sending: float = 0.0) -> None:
        self._ends = time.monotonic() + seconds
        self._receiving, self._sending = receiving, sending
        self._beside = _MOST_BESIDE
        pace = receiving or sending
        self.fault = f"slower than {pace:.0f} bytes/s" if pace else f"not there after {seconds:.3g} s"

    def left(self) -> float:
        """Seconds until it has to be over; negative if it should be."""
        return self._ends - time.monotonic()

    def came(self, size: int) -> None:
        """Note that `size` bytes of content came, of those that were received."""
        self._beside += size * (1 + _MOST_BESIDE_A_BYTE)
        if self._receiving:
            self._ends += size / self._receiving

    def went(self, size: int) -> None:
        """Note that `size` bytes of content were sent."""
        if self._sending:
            self._ends += size / self._sending

    def received(self, size: int) -> None:
        """Note that `size` bytes of any kind came. Raises httpcore.RemoteProtocolError if few of them are content."""
        self._beside -= size
        if self._beside < 0:
            raise httpcore.RemoteProtocolError("the server sends headers or chunk framing without end")


class Wait(float):
    """Seconds for one wait of an exchange."""

    exchange: Exchange

    def __new__(cls, seconds: float, exchange: Exchange) -> Wait:
        """Make one; it is a float for everybody who does not know better."""
        made = super().__new__(cls, seconds)
        made.exchange = exchange
        return made


class _Open:
    """The sockets of one backend that are open, so that all can be ended, whoever waits on them."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()
        self._ended = False

    def add(self, connected: socket.socket) -> None:
        """Count one more. Raises OSError if all were ended: the one that made it closes it."""
        with self._lock:
            if self._ended:
                raise OSError(errno.ESHUTDOWN, "the connections were closed")
            self._sockets.add(connected)

    def end(self) -> None:
        """End all that are open and all that are opened from now on. Whoever waits on one is told, and closes it."""
        with self._lock:
            self._ended = True
            for one in self._sockets:
                with suppress(OSError):  # closed, or cut off, already
                    # Not SSLSocket's own, after which a read in another thread would take ciphertext for content.
                    socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Stream(httpcore.NetworkStream):
    """A connected socket, or TLS over it."""

    # What a read waits for: TLS may have something to send first.
    _awaited = select.POLLIN

    def __init__(self, connected: socket.socket, among: _Open) -> None:
        among.add(connected)
        self._socket, self._among = connected, among

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, at most `max_bytes`; b"" at the end. Raises httpcore.ReadTimeout, ReadError."""
        ends = time.monotonic() + _seconds(timeout, httpcore.ReadTimeout)
        try:
            self._socket.settimeout(0)
            while (data := self._taken(max_bytes)) is None:
                with waiting():
                    self._await(ends - time.monotonic())
        except TimeoutError as error:
            raise httpcore.ReadTimeout(_why(timeout)) from error
        except (OSError, ValueError) as error:  # ValueError: of a socket that another thread has closed
            raise httpcore.ReadError(str(error)) from error
        if isinstance(timeout, Wait):
            timeout.exchange.received(len(data))
        return data

    def _taken(self, max_bytes: int) -> bytes | None:
        """What is there, at most `max_bytes`; None if that is nothing yet. Raises OSError."""
        try:
            return self._socket.recv(max_bytes)
        except BlockingIOError:
            return None

    def _await(self, seconds: float) -> None:
        """Wait until there may be something to read. Raises TimeoutError."""
        poll = select.poll()
        poll.register(self._socket, self._awaited)
        if seconds <= 0 or not poll.poll(seconds * 1000):
            raise TimeoutError

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of `buffer`. Raises httpcore.WriteTimeout, WriteError."""
        unsent = memoryview(buffer)
        try:
            while unsent:
                self._socket.settimeout(_seconds(timeout, httpcore.WriteTimeout))
                unsent = unsent[self._socket.send(unsent) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(_why(timeout)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on in TLS. Raises httpcore.ConnectTimeout, ConnectError."""
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                return _TlsInTls(self, ssl_context, server_hostname, timeout)
            # One deadline for the whole handshake: ssl counts the time-out from its first byte.
            self._socket.settimeout(_seconds(timeout, httpcore.ConnectTimeout))
            with waiting():
                self._socket = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
            return _TlsStream(self._socket, self._among)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError | httpcore.TimeoutException):
                raise httpcore.ConnectTimeout(_why(timeout)) from error
            if isinstance(error, OSError | ValueError | httpcore.NetworkError):  # ValueError: of a host's name
                raise httpcore.ConnectError(str(error)) from error
            raise

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def get_extra_info(self, info: str) -> object:
        """Say whether an idle connection has something to read, which can only be its end; None for all else."""
        return _readable(self._socket) if info == "is_readable" else None


class _TlsStream(_Stream):
    """TLS, of which ssl hands out one record of at most 16 KiB a call: what came behind it is taken at once too."""

    def __init__(self, connected: ssl.SSLSocket, among: _Open) -> None:
        super().__init__(connected, among)
        self._room = memoryview(bytearray(_MOST_AT_ONCE))
        self._fault: OSError | None = None

    def _taken(self, max_bytes: int) -> bytes | None:
        """All that is there, also more than `max_bytes`, for h11 cares not how many they are."""
        if self._fault:
            raise self._fault
        size = 0
        try:
            while size < _MOST_AT_ONCE and (more := self._socket.recv_into(self._room[size:])):
                size += more
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            self._awaited = select.POLLIN if isinstance(error, ssl.SSLWantReadError) else select.POLLOUT
            if not size:
                return None
        except OSError as error:
            if not size:
                raise
            self._fault = error  # what came before it counts; the next read is the one that fails
        return bytes(self._room[:size])


class _TlsInTls(httpcore.NetworkStream):
    """TLS through a proxy that speaks TLS itself: ssl.SSLContext.wrap_socket takes no socket that does already."""

    def __init__(
        self, outer: _Stream, context: ssl.SSLContext, server_hostname: str | None, timeout: float | None
    ) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._turn(self._tls.do_handshake, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As `_Stream.read`."""
        try:
            return self._turn(lambda: self._tls.read(max_bytes), timeout)
        except ssl.SSLError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As `_Stream.write`."""
        unsent = memoryview(buffer)
        try:
            while unsent:
                unsent = unsent[self._turn(lambda: self._tls.write(unsent), timeout) :]  # noqa: B023 - called at once
        except ssl.SSLError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._outer.close()

    def get_extra_info(self, info: str) -> object:
        """As `_Stream.get_extra_info`."""
        return self._outer.get_extra_info(info)

    def _turn(self, step: Callable[[], T], timeout: float | None) -> T:
        """Do a step of TLS, and carry to and from the outer connection what it takes."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._outer.write(self._outgoing.read(), timeout)
                if data := self._outer.read(_TLS_RECORD, timeout):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self._outer.write(self._outgoing.read(), timeout)
                return result


class Backend(httpcore.NetworkBackend):
    """Connects; httpcore's way to be given other sockets (encode.io/httpcore/network-backends)."""

    def __init__(self) -> None:
        self._open = _Open()

    def close(self) -> None:
        """End every connection, those included that a thread is still making: httpcore's pool knows nothing of them."""
        self._open.end()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that lets us. Raises httpcore.ConnectTimeout, ConnectError."""
        fault: Exception = httpcore.ConnectError(f"{host} has no address")
        try:
            with waiting():
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for family, kind, protocol, _, address in found[:_MOST_ADDRESSES]:
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(_seconds(timeout, httpcore.ConnectTimeout))
                with waiting():
                    made.connect(address)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(made, self._open)
            except TimeoutError:
                fault = httpcore.ConnectTimeout(_why(timeout))
            except OSError as error:
                fault = httpcore.ConnectError(str(error))
            except BaseException:
                made.close()
                raise
            made.close()
        raise fault


def _seconds(timeout: float | None, fault: type[httpcore.TimeoutException]) -> float:
    """How long to wait now. Raises `fault` if the exchange should be over."""
    if timeout is None:
        return _UNSAID_SECONDS
    if isinstance(timeout, Wait) and (left := timeout.exchange.left()) < timeout:
        if left <= 0:
            raise fault(_why(timeout))
        return left
    return timeout


def _why(timeout: float | None) -> str:
    """What a wait that ended ran into: the end of its exchange, or, of which nothing is to be said, its own."""
    return timeout.exchange.fault if isinstance(timeout, Wait) and timeout.exchange.left() <= 0 else ""


def _readable(connected: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))
