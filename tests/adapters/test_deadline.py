"""Deadlines and bounds of an exchange, against servers that send anything but an answer, slowly or without end."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpcore
import pytest
import trustme

from bundler.adapters.deadline import Backend, _Open, _Stream
from bundler.adapters.http import Http, Patience
from bundler.adapters.retry import TransientError
from bundler.adapters.transport import trusted
from bundler.errors import BundleError
from tests.raw_server import Peer, RawServer, Script, raw_serving, tunnel
from tests.server import Reply, serving

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

LIMIT = 1 << 20
Ask = Callable[[Http, str], bytes]
# An exchange has this long, and a trickling peer sends something well within each wait's time.
WHOLE = 0.08
SILENCE = 5.0
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def patience(whole: float = WHOLE) -> Patience:
    return Patience(connect=SILENCE, silence=SILENCE, page=whole, download=whole, answer=0.15)


def a_page(http: Http, address: str) -> bytes:
    return http._get(address, "*/*", LIMIT).content


def a_file(http: Http, address: str) -> bytes:
    with http.stream(address) as body:
        return b"".join(body.chunks)


def an_exchange(http: Http, address: str) -> bytes:
    return http.exchange("POST", address, {}, b"{}", LIMIT).content


def head_drip(peer: Peer) -> None:
    peer.head()
    peer.drip(OK + b"X-A: b\r\n" * 2000)


def status_drip(peer: Peer) -> None:
    peer.head()
    peer.drip(b"HTTP/1.1 200 " + b"O" * 5000)


def endless_hints(peer: Peer) -> None:
    peer.head()
    peer.for_ever(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


def endless_continue(peer: Peer) -> None:
    peer.head()
    peer.for_ever(b"HTTP/1.1 100 Continue\r\n\r\n")


def chunk_extension(peer: Peer) -> None:
    peer.head()
    peer.send(CHUNKED + b"1;x=")
    peer.drip(b"y" * 5000)


def chunk_size(peer: Peer) -> None:
    peer.head()
    peer.send(CHUNKED + b"1\r\nx\r\n")
    peer.drip(b"00000000000000000001\r\nx\r\n" * 500, 0.05)


def trailers(peer: Peer) -> None:
    peer.head()
    peer.send(CHUNKED + b"1\r\nx\r\n0\r\n")
    peer.drip(b"X-A: b\r\n" * 2000)


def body_drip(peer: Peer) -> None:
    peer.head()
    peer.send(OK + b"Content-Length: 100000\r\n\r\n")
    peer.drip(b"x" * 5000)


def endless_body(peer: Peer) -> None:
    peer.head()
    peer.send(OK + b"\r\n")
    peer.for_ever(b"x")


def gzip_header(peer: Peer) -> None:
    peer.head()
    peer.send(OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08" + bytes(6))
    peer.for_ever(b"name")


def redirect_body(peer: Peer) -> None:
    peer.head()
    peer.send(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9999\r\n\r\n")
    peer.drip(b"x" * 5000)


def redirect_chain(peer: Peer) -> None:
    """Each takes twice as long as the last: whatever time there is runs out before the redirects do."""
    pause = 0.03
    while peer.head() and not peer.closing.wait(pause):
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        pause *= 2


SLOW: list[Script] = [
    head_drip, status_drip, endless_hints, endless_continue, chunk_extension, chunk_size, trailers, body_drip,
    endless_body, gzip_header, redirect_body, redirect_chain,
]  # fmt: skip


EVERY_WAY = [a_page, *(pytest.param(ask, marks=pytest.mark.slow) for ask in (a_file, an_exchange))]


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def given_up(peer: RawServer, address: str, ask: Ask = a_page, *, more_than: int = 5) -> TransientError:
    """Why an exchange is given up while a peer sends; one that had no time to, on a busy machine, gets more."""
    for whole in (WHOLE, 20 * WHOLE):
        with closing(Http(patience=patience(whole))) as http, at_most(15), pytest.raises(TransientError) as caught:
            ask(http, address)
        if peer.peers and peer.peers[-1].sent > more_than:
            break
    assert peer.peers[-1].sent > more_than
    return caught.value


@pytest.mark.parametrize("ask", EVERY_WAY)
@pytest.mark.parametrize("script", SLOW)
def test_no_trickle_stretches_an_exchange(script: Script, ask: Ask) -> None:
    if ask is an_exchange and script in (redirect_body, redirect_chain):
        script = body_drip  # redirects are not followed there
    with raw_serving(script) as server:
        error = given_up(server, server.address, ask, more_than=0)
        assert re.search(r"not there after|slower than", error.message)


def flood_of_hints(peer: Peer) -> None:
    peer.head()
    while True:
        peer.send(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 100)


def flood_of_framing(peer: Peer) -> None:
    peer.head()
    peer.send(CHUNKED)
    while True:
        peer.send(b"1;" + b"x" * 20_000 + b"\r\nx\r\n")


def flood_of_trailers(peer: Peer) -> None:
    peer.head()
    peer.send(CHUNKED + b"0\r\n")
    while True:
        peer.send(b"X: y\r\n" * 100)


def flood_of_headers(peer: Peer) -> None:
    peer.head()
    peer.send(OK)
    while True:
        peer.send(b"X: y\r\n" * 100)


@pytest.mark.parametrize("ask", EVERY_WAY)
@pytest.mark.parametrize("script", [flood_of_hints, flood_of_framing, flood_of_trailers, flood_of_headers])
def test_no_flood_beside_the_content_goes_on(script: Script, ask: object) -> None:
    """However long there is time for."""
    with raw_serving(script) as server, closing(Http()) as http:
        with at_most(15), pytest.raises(TransientError):
            ask(http, server.address)  # type: ignore[operator]
        assert server.peers[0].sent < 12 << 20  # what the sockets' buffers took included


def test_content_in_the_smallest_of_chunks_is_no_flood() -> None:
    content = b"x" * 30_000

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(CHUNKED + b"1\r\nx\r\n" * len(content) + b"0\r\n\r\n")

    with raw_serving(script) as server, closing(Http()) as http:
        assert a_page(http, server.address) == content


@pytest.mark.slow
def test_what_moves_earns_a_download_time_and_a_page_none() -> None:
    def script(peer: Peer) -> None:
        while peer.head():
            peer.send(OK + b"Content-Length: 6000\r\n\r\n")
            peer.drip(b"x" * 6000, 0.05, 500)

    known = Patience(page=0.2, download=0.2, slowest=5000)
    with raw_serving(script) as server, closing(Http(patience=known)) as http:
        assert a_file(http, server.address) == b"x" * 6000
        with pytest.raises(TransientError, match=r"not there after 0\.2 s"):
            a_page(http, server.address)


@pytest.mark.slow
def test_the_next_exchange_on_a_connection_has_a_deadline_of_its_own() -> None:
    def script(peer: Peer) -> None:
        while peer.head() and not peer.closing.wait(0.3):
            peer.send(OK + b"Content-Length: 2\r\n\r\nok")

    with raw_serving(script) as server, closing(Http(patience=patience(0.8))) as http:
        assert [a_page(http, server.address) for _ in range(3)] == [b"ok"] * 3
        assert len(server.peers) == 1


def test_an_upload_that_is_read_slowly_is_given_up_and_one_that_moves_is_not() -> None:
    def slow(peer: Peer) -> None:
        peer.head()
        while not peer.closing.wait(0.02):
            peer.connection.recv(1)

    def steady(peer: Peer) -> None:
        peer.head()
        left = 3 << 20
        while left:
            left -= len(peer.connection.recv(1 << 19))
            peer.closing.wait(0.01)
        peer.send(OK + b"Content-Length: 2\r\n\r\nok")

    def upload(address: str, size: int, http: Http) -> bytes:
        pieces = iter([bytes(1 << 16)] * (size >> 16))
        return http.exchange("POST", address, {"Content-Length": str(size)}, pieces, 99).content

    quick = Patience(page=0.3, answer=1.0, slowest=1 << 24)
    with closing(Http(patience=quick)) as http:
        with raw_serving(slow) as server, at_most(15), pytest.raises(TransientError):
            upload(server.address, 64 << 20, http)
        with raw_serving(steady) as server:
            assert upload(server.address, 3 << 20, http) == b"ok"


# TLS and proxies


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that is trusted from now on."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return made


def context_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def handshake_drip(peer: Peer) -> None:
    """A record of a handshake, a byte at a time."""
    peer.connection.recv(1)
    peer.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(5000))


def connect_drip(peer: Peer) -> None:
    peer.head()
    peer.drip(OK + b"X-A: b\r\n" * 2000)


def connect_hints(peer: Peer) -> None:
    peer.head()
    peer.for_ever(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def connect_then_drip(peer: Peer) -> None:
    peer.head()
    peer.send(OK + b"\r\n")
    handshake_drip(peer)


def test_no_handshake_stretches_an_exchange() -> None:
    with raw_serving(handshake_drip) as server:
        given_up(server, f"https://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("script", [connect_drip, connect_hints, connect_then_drip])
@pytest.mark.parametrize("secure", [False, True])
def test_no_proxy_stretches_an_exchange(
    script: Script, secure: bool, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_serving(script, context_of(authority) if secure else None) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"{'https' if secure else 'http'}://me:secret@127.0.0.1:{proxy.port}")
        error = given_up(proxy, "https://127.0.0.1:1/")
        assert "secret" not in error.message + error.hint


@pytest.mark.parametrize("secure", [False, True])
def test_tls_goes_through_a_proxy_from_the_environment(
    secure: bool, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(300_000)
    with (
        serving(context_of(authority)) as server,
        raw_serving(tunnel, context_of(authority) if secure else None) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"{'https' if secure else 'http'}://127.0.0.1:{proxy.port}")
        address = server.script("/file", Reply(content))
        with closing(Http()) as http:
            assert a_file(http, address) == content
            assert a_file(http, address) == content
        assert len(proxy.peers) == 1


@contextmanager
def tls_stream(script: Script, authority: trustme.CA) -> Iterator[httpcore.NetworkStream]:
    """A connection of ours to `script`, in TLS."""
    with raw_serving(script, context_of(authority)) as server:
        plain = Backend().connect_tcp("127.0.0.1", server.port, SILENCE)
        secured = plain.start_tls(trusted(os.environ["SSL_CERT_FILE"], ""), "127.0.0.1", SILENCE)
        with closing(secured):
            yield secured


def test_a_read_takes_every_record_that_is_there(authority: trustme.CA) -> None:
    content, all_sent = os.urandom(100_000), threading.Event()

    def script(peer: Peer) -> None:
        peer.send(content)
        all_sent.set()
        peer.closing.wait(SILENCE)

    with tls_stream(script, authority) as stream:
        assert all_sent.wait(SILENCE)
        assert stream.read(1, SILENCE) == content
        with at_most(SILENCE), pytest.raises(httpcore.ReadTimeout):
            stream.read(1, 0.01)


def test_what_came_before_a_connection_broke_is_not_lost(authority: trustme.CA) -> None:
    """And not taken for the whole: what no key of the connection made ends it, time and again."""
    content, all_sent = os.urandom(1 << 15), threading.Event()

    def script(peer: Peer) -> None:
        peer.send(content)
        with socket.socket(fileno=os.dup(peer.connection.fileno())) as bare:
            bare.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        all_sent.set()
        peer.closing.wait(SILENCE)

    with tls_stream(script, authority) as stream:
        assert all_sent.wait(SILENCE)
        assert stream.read(1, SILENCE) == content
        for _ in range(2):
            with pytest.raises(httpcore.ReadError, match=r"decryption failed|bad record mac"):
                stream.read(1, SILENCE)


def test_a_record_that_comes_byte_by_byte_is_not_waited_for_longer(authority: trustme.CA) -> None:
    """A read has one time-out, however often there is something to be read that is nothing yet."""

    def script(peer: Peer) -> None:
        with socket.socket(fileno=os.dup(peer.connection.fileno())) as bare, suppress(OSError):
            bare.sendall(b"\x17\x03\x03\x40\x00")
            while not peer.closing.wait(0.02):
                bare.sendall(b"x")

    with tls_stream(script, authority) as stream, at_most(SILENCE), pytest.raises(httpcore.ReadTimeout):
        stream.read(1, 0.3)


def test_a_wait_whose_time_is_over_already_is_none() -> None:
    """The system takes a negative time-out for no end."""
    here, there = socket.socketpair()
    with here, there, pytest.raises(TimeoutError):
        _Stream(here, _Open())._await(-0.001)


def test_a_connection_that_another_thread_closes_before_a_wait_is_closed_and_no_more() -> None:
    """After a failure nobody waits for downloads that are under way."""

    class ClosedMeanwhile(_Stream):
        def _taken(self, max_bytes: int) -> bytes | None:
            self.close()
            return None

    here, there = socket.socketpair()
    with here, there, pytest.raises(httpcore.ReadError):
        ClosedMeanwhile(here, _Open()).read(1, SILENCE)


@contextmanager
def in_another_thread(work: Callable[[], object]) -> Iterator[Future[object]]:
    """`work`, under way until the context ends."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)


def test_a_connection_that_is_made_while_all_are_closed_is_closed_too(authority: trustme.CA) -> None:
    """Of a thread that nobody waits for, after a failure: the pool does not know the connection yet."""
    accepted, closed, ended = threading.Event(), threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        accepted.set()
        closed.wait(SILENCE)
        # Where the connection is cut off before TLS is there, the peer is told so by an error.
        cut_off = suppress(ssl.SSLEOFError, ConnectionError)
        with cut_off, context_of(authority).wrap_socket(peer.connection, server_side=True) as secured:
            made = Peer(secured, peer.closing)
            if made.head():
                made.send(OK + b"Content-Length: 1\r\n\r\nx")
            if secured.recv(1):
                return
        ended.set()

    with raw_serving(script) as server, closing(Http(patience=patience(SILENCE))) as http:
        address = f"https://127.0.0.1:{server.port}/"
        with in_another_thread(lambda: a_page(http, address)) as asked:
            assert accepted.wait(SILENCE)
            http.close()
            closed.set()
            with pytest.raises(TransientError, match="the connections were closed"):
                asked.result(SILENCE)
        assert ended.wait(SILENCE)


@pytest.mark.parametrize("secured", [False, True])
def test_who_waits_for_an_answer_is_told_when_all_is_closed(secured: bool, authority: trustme.CA) -> None:
    asking = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        asking.set()
        peer.closing.wait(SILENCE)

    context = context_of(authority) if secured else None
    with raw_serving(script, context) as server, closing(Http(patience=patience(SILENCE))) as http:
        address = f"http{'s' if secured else ''}://127.0.0.1:{server.port}/"
        with in_another_thread(lambda: a_page(http, address)) as asked:
            assert asking.wait(SILENCE)
            with at_most(1), pytest.raises(TransientError):
                http.close()
                asked.result(SILENCE)


def test_plain_requests_go_through_a_proxy_with_its_password_unless_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def script(peer: Peer) -> None:
        asked.append(peer.head())
        peer.send(OK + b"Content-Length: 5\r\n\r\nproxy")

    with raw_serving(script) as proxy, serving() as server:
        address = server.script("/page", Reply(b"server"))
        monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{proxy.port}")
        with closing(Http()) as http:
            assert a_page(http, "http://nowhere.test/page") == b"proxy"
        assert asked[0].startswith(b"GET http://nowhere.test/page HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in asked[0]
        for excepted in (
            "127.0.0.1",
            "*",
            "x.test, 127.0.0.1",
            f"http://127.0.0.1:{server.address.rpartition(':')[2]}",
        ):
            monkeypatch.setenv("NO_PROXY", excepted)
            with closing(Http()) as http:
                assert a_page(http, address) == b"server"
        monkeypatch.setenv("NO_PROXY", "nowhere.test,localhost,::1,10.0.0.0/8")
        with closing(Http()) as http:
            assert a_page(http, address) == b"proxy"


def test_a_proxy_that_refuses_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 407 Who are you\r\n\r\n")

    with raw_serving(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        with closing(Http()) as http, pytest.raises(BundleError, match="407 Who are you") as caught:
            a_page(http, "https://a.test/")
    assert "secret" not in caught.value.message + caught.value.hint
