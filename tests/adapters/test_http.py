"""HTTP against a real server that misbehaves: mirrors, retries, credentials, limits."""

from __future__ import annotations

import contextlib
import functools
import gzip
import os
import socket
import ssl
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import tenacity
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tenacity import RetryCallState, Retrying

from bundler.adapters import retry as retry_module
from bundler.adapters.credentials import origin_of, redact
from bundler.adapters.http import Http, Patience
from bundler.adapters.mirror import Mirror, best_mirror
from bundler.adapters.retry import MissingError, RangeRefusedError, TransientError, retrying
from bundler.errors import BundleError, IntegrityError, UnreachableError, UsageError
from tests.model.samples import examples
from tests.raw_server import Peer, raw_serving
from tests.server import Asked, Reply, Server, dropping, failing, redirect, serving

ATTEMPTS = 5


def get(http: Http, address: str, limit: int = 1000) -> bytes:
    return http.get(address, "*/*", limit).content


def stream(http: Http, address: str, start: int = 0) -> tuple[int, int | None, bytes]:
    with http.stream(address, start) as body:
        return body.start, body.total, b"".join(body.chunks)


def call(http: Http, address: str) -> bytes:
    return http.exchange("GET", address, {}, b"", 1000).content


def offsets(asked: list[Asked]) -> list[int]:
    return [one.offset for one in asked]


# Mirrors


@pytest.mark.parametrize(
    ("text", "source", "target"),
    [
        ("https://a.test/=file:///folder/", "https://a.test/", "file:///folder/"),
        ("https://a.test/x?k=v=https://b.test/", "https://a.test/x?k=v", "https://b.test/"),
        ("http://a.test=http://b.test", "http://a.test", "http://b.test"),
    ],
)
def test_a_mirror_is_parsed(text: str, source: str, target: str) -> None:
    assert Mirror.parse(text) == Mirror(source, target)


@pytest.mark.parametrize(
    "text", ["", "=", "https://a.test/", "a=https://b.test/", "https://a.test/=/folder", "file:///a=file:///b"]
)
def test_what_is_no_mirror_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not FROM=TO"):
        Mirror.parse(text)


def test_the_longest_matching_mirror_wins() -> None:
    short, long = Mirror("https://a.test/", "https://short.test/"), Mirror("https://a.test/x/", "https://long.test/")
    for mirrors in ([short, long], [long, short]):
        assert best_mirror(mirrors, "https://a.test/x/file") == long
        assert best_mirror(mirrors, "https://a.test/y/file") == short
        assert best_mirror(mirrors, "https://b.test/x/file") is None
    assert long.applied("https://a.test/x/file") == "https://long.test/file"


def test_a_mirror_may_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a+b c.bin").write_bytes(b"0123456789")
    with closing(Http([Mirror("https://a.test/", f"{tmp_path.as_uri()}/")])) as http:
        assert stream(http, "https://a.test/a%2Bb%20c.bin") == (0, 10, b"0123456789")
        assert stream(http, "https://a.test/a%2Bb%20c.bin", 4) == (4, 10, b"456789")
        assert stream(http, "https://a.test/a%2Bb%20c.bin", 11) == (0, 10, b"0123456789")


def test_a_file_that_is_not_in_the_mirrors_folder_is_named(tmp_path: Path) -> None:
    with closing(Http([Mirror("https://a.test/", f"{tmp_path.as_uri()}/")])) as http:
        with pytest.raises(UnreachableError, match=r"nothing\.bin: No such file") as caught:
            stream(http, "https://a.test/nothing.bin")
        with pytest.raises(UnreachableError, match="not a regular file"):
            stream(http, "https://a.test/")
    assert "--mirror" in caught.value.hint


def test_downloads_go_to_the_mirror_and_pages_do_not(server: Server, other: Server) -> None:
    """Pages are not pinned by a digest, so where they come from is the index's own setting."""
    for one in (server, other):
        one.script("/file", Reply(one.address.encode()))
    with closing(Http([Mirror(server.address, other.address)])) as http:
        assert stream(http, f"{server.address}/file")[2].decode() == other.address
        assert get(http, f"{server.address}/file").decode() == server.address


@pytest.mark.parametrize("netrc", ["", "machine elsewhere.test login x password y\n"])
def test_credentials_of_a_mirror_are_used_and_not_shown(server: Server, tmp_path: Path, netrc: str) -> None:
    (tmp_path / "home" / ".netrc").write_text(netrc)
    server.script("/m/file", Reply(b"content", login=("me", "se/cret")))
    mirror = Mirror("https://a.test/", server.address.replace("//", "//me:se%2Fcret@") + "/m/")
    with closing(Http([mirror])) as http:
        assert stream(http, "https://a.test/file")[2] == b"content"
        with pytest.raises(UnreachableError) as caught:
            stream(http, "https://a.test/nothing")
    assert "cret" not in str(caught.value)


# Retries


def test_failures_are_tried_again(server: Server, http: Http) -> None:
    address = server.script("/page", *failing(Reply(b"ok"), ATTEMPTS - 1))
    assert get(http, address) == b"ok"
    assert len(server.asked("/page")) == ATTEMPTS


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_tries_are_bounded(server: Server, http: Http, status: int) -> None:
    address = server.script("/page", Reply(status=status))
    with pytest.raises(TransientError, match=f"answered {status}") as caught:
        get(http, address)
    assert len(server.asked("/page")) == ATTEMPTS
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_permanent_errors_are_not_tried_again(server: Server, http: Http, status: int) -> None:
    address = server.script("/page", Reply(status=status))
    with pytest.raises(UnreachableError, match=f"answered {status}") as caught:
        get(http, address)
    assert len(server.asked("/page")) == 1
    assert ("credentials" in caught.value.hint) == (status in (401, 403))


def test_waits_grow_and_stay_bounded() -> None:
    state = RetryCallState(Retrying(), None, (), {})
    longest = []
    for attempt in range(1, 12):
        state.attempt_number = attempt
        longest.append(max(retry_module._backoff(state) for _ in range(200)))
    assert 0.2 < longest[0] <= 0.25
    assert longest[3] > longest[1] > longest[0]
    assert max(longest) <= 8


def test_retry_after_in_seconds_is_waited_for(server: Server, http: Http, waits: list[float]) -> None:
    address = server.script("/page", Reply(status=429, headers={"Retry-After": "17"}), Reply(b"ok"))
    assert get(http, address) == b"ok"
    assert waits == [17.0]


def test_retry_after_as_a_date_is_waited_for(server: Server, http: Http, waits: list[float]) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    address = server.script(
        "/page",
        Reply(status=503, headers={"Retry-After": later}),
        Reply(status=503, headers={"Retry-After": past}),
        Reply(b"ok"),
    )
    assert get(http, address) == b"ok"
    assert 25 < waits[0] <= 30
    assert waits[1] == 0


@pytest.mark.parametrize("value", ["61", "86400", "9" * 400, "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_server_that_wants_too_much_patience_is_given_up(
    server: Server, http: Http, waits: list[float], value: str
) -> None:
    address = server.script("/page", Reply(status=429, headers={"Retry-After": value}))
    with pytest.raises(UnreachableError, match="answered 429") as caught:
        get(http, address)
    assert not isinstance(caught.value, TransientError)
    assert "come back in" in caught.value.hint
    assert len(server.asked("/page")) == 1
    assert waits == []


@pytest.mark.parametrize(
    "value",
    ["soon", "-5", "", "²", "Mon, 01 Jan 99999 00:00:00 GMT", "Mon, 01 Jan 2027 00:00:00 +99999999999999999999"],
)
def test_a_senseless_retry_after_counts_for_nothing(
    server: Server, http: Http, monkeypatch: pytest.MonkeyPatch, waits: list[float], value: str
) -> None:
    monkeypatch.setattr(retry_module, "_backoff", lambda state: 0.125)
    address = server.script("/page", Reply(status=503, headers={"Retry-After": value}), Reply(b"ok"))
    assert get(http, address) == b"ok"
    assert waits == [0.125]


def test_only_transient_errors_are_tried_again() -> None:
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        raise IntegrityError("wrong")

    with pytest.raises(IntegrityError):
        retrying(broken)
    assert len(calls) == 1


def test_a_page_that_breaks_off_is_asked_for_again(server: Server, http: Http) -> None:
    address = server.script("/page", *dropping(Reply(b"x" * 900), 0, 100, 899))
    assert get(http, address) == b"x" * 900
    assert len(server.asked("/page")) == 4


def test_nobody_listening_is_transient(http: Http) -> None:
    with serving() as gone:
        address = f"{gone.address}/page"
    with pytest.raises(TransientError) as caught:
        get(http, address)
    assert address in caught.value.message
    assert "network" in caught.value.hint


def test_silence_is_a_time_out(server: Server, impatient: Http) -> None:
    address = server.script("/page", Reply(silent=True))
    with pytest.raises(TransientError, match="no answer in time"):
        stream(impatient, address)
    server.script("/page", Reply(silent=True), Reply(b"ok"))
    assert get(impatient, address) == b"ok"


def test_a_pause_within_the_body_is_a_time_out(server: Server, impatient: Http) -> None:
    address = server.script("/page", Reply(b"x" * 10, piece=5, pause=5))
    with pytest.raises(TransientError, match="no answer in time"):
        stream(impatient, address)


def test_a_page_that_trickles_is_given_up(server: Server) -> None:
    http = Http(patience=Patience(page=0.1))
    address = server.script("/page", Reply(b"x" * 50, piece=1, pause=0.01), Reply(b"ok"))
    with closing(http):
        assert get(http, address) == b"ok"
    assert len(server.asked("/page")) == 2


# Pages


@pytest.mark.parametrize("chunked", [False, True])
def test_a_page_larger_than_the_limit_is_refused(server: Server, http: Http, chunked: bool) -> None:
    address = server.script("/page", Reply(b"x" * 1001, chunked=chunked))
    with pytest.raises(IntegrityError, match="larger than 1000 bytes"):
        get(http, address, 1000)
    assert len(get(http, address, 1001)) == 1001


def test_the_limit_counts_what_a_compressed_page_unpacks_to(server: Server, http: Http) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    address = server.script("/page", Reply(bomb, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(IntegrityError, match="larger than"):
        get(http, address, 1_000_000)


def test_pages_may_come_compressed_and_are_named_by_where_they_came_from(server: Server, http: Http) -> None:
    server.script(
        "/real", Reply(gzip.compress(b"page"), headers={"Content-Encoding": "gzip", "Content-Type": "A/b; c=d"})
    )
    page = http.get(server.script("/page", redirect("/real")), "text/x", 100)
    assert page.content == b"page"
    assert page.media_type == "a/b"
    assert page.address == f"{server.address}/real"
    assert server.asked("/page")[0].headers["accept"] == "text/x"
    assert server.asked("/page")[0].headers["accept-encoding"] == "gzip"


def test_a_page_that_is_compressed_badly_is_an_error(server: Server, http: Http) -> None:
    address = server.script("/page", Reply(b"not gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(UnreachableError):
        get(http, address)


def test_downloads_are_asked_for_as_they_are(server: Server, http: Http) -> None:
    address = server.script("/file", Reply(b"content"))
    assert stream(http, address) == (0, 7, b"content")
    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert server.requests[0].headers["user-agent"].startswith("aiws-bundle/")
    assert "range" not in server.requests[0].headers


# Small files


def test_a_small_file_is_read_whole_over_a_bad_line(server: Server, http: Http) -> None:
    short = Reply(b"0123456789", drop_after=4, length=0)
    address = server.script("/file", short, *dropping(Reply(b"0123456789"), 4), Reply(b"0123456789"))
    server.script("/other", *failing(Reply(b"0123456789", chunked=True), 2))
    assert http.read(f"{server.address}/other", 10) == b"0123456789"
    assert http.read(address, 10) == b"0123", "nobody knows that more was to come: its digest will tell"
    assert http.read(address, 10) == b"0123456789"
    assert offsets(server.asked("/file")) == [0, 0, 0]


def test_a_small_file_comes_from_a_mirror_and_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with closing(Http([Mirror("https://a.test/", f"{tmp_path.as_uri()}/")])) as http:
        assert http.read("https://a.test/file", 10) == b"0123456789"
        with pytest.raises(IntegrityError, match="larger than 9 bytes"):
            http.read("https://a.test/file", 9)
        with pytest.raises(MissingError):
            http.read("https://a.test/nothing", 9)


def test_a_small_file_is_asked_for_as_often_as_is_said(server: Server, http: Http) -> None:
    address = server.script("/file", Reply(status=503))
    with pytest.raises(TransientError):
        http.read(address, 10, 2)
    assert len(server.requests) == 2


@pytest.mark.parametrize(("status", "missing"), [(404, True), (410, True), (403, False), (400, False)])
def test_what_is_not_there_is_told_from_what_is_refused(server: Server, http: Http, status: int, missing: bool) -> None:
    with pytest.raises(UnreachableError) as caught:
        http.read(server.script("/file", Reply(status=status)), 10)
    assert isinstance(caught.value, MissingError) == missing


# Ranges


def test_a_download_goes_on_at_an_offset(server: Server, http: Http) -> None:
    address = server.script("/file", Reply(b"0123456789"))
    assert stream(http, address, 6) == (6, 10, b"6789")
    assert server.requests[0].headers["range"] == "bytes=6-"


def test_a_server_may_ignore_the_offset(server: Server, http: Http) -> None:
    address = server.script("/file", Reply(b"0123456789", ranges=False))
    assert stream(http, address, 6) == (0, 10, b"0123456789")


def test_the_size_may_be_unknown(server: Server, http: Http) -> None:
    assert stream(http, server.script("/chunked", Reply(b"0123", chunked=True))) == (0, None, b"0123")
    assert stream(http, server.script("/silent", Reply(b"0123", length=0))) == (0, None, b"0123")
    partial = Reply(b"23", status=206, headers={"Content-Range": "Bytes 2-3/*"})
    assert stream(http, server.script("/partial", partial), 2) == (2, None, b"23")


def test_an_offset_that_the_server_refuses(server: Server, http: Http) -> None:
    with pytest.raises(RangeRefusedError, match="answered 416"):
        stream(http, server.script("/file", Reply(b"0123")), 9)


@pytest.mark.parametrize(
    "content_range",
    ["", "bytes", "bytes */10", "items 2-3/10", "bytes x-3/10", "bytes ²-3/10", "bytes 2-3/" + "9" * 5000],
)
def test_a_206_that_does_not_say_where_it_begins_cannot_be_gone_on_with(
    server: Server, http: Http, content_range: str
) -> None:
    reply = Reply(b"23", status=206, headers={"Content-Range": content_range})
    with pytest.raises(RangeRefusedError, match="without a usable Content-Range"):
        stream(http, server.script("/file", reply), 2)


# Redirects and credentials


def test_redirects_are_followed_and_keep_the_range(server: Server, other: Server, http: Http) -> None:
    target = other.script("/there", Reply(b"0123456789"))
    assert stream(http, server.script("/here", redirect(target)), 4) == (4, 10, b"456789")


def test_a_redirect_loop_ends(server: Server, http: Http) -> None:
    server.script("/a", redirect("/b"))
    address = server.script("/b", redirect("/a"))
    with pytest.raises(UnreachableError, match="redirects") as caught:
        get(http, address)
    assert not isinstance(caught.value, TransientError)
    assert len(server.requests) < 50


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "http://a..b/", "http://[x/", "http://\u2603.x:99999/"]
)
def test_a_redirect_to_what_is_no_web_address_is_not_followed(server: Server, http: Http, target: str) -> None:
    address = server.script("/page", Reply(status=302, headers={"Location": target.encode().decode("latin-1")}))
    with pytest.raises(UnreachableError):
        get(http, address)


def test_credentials_go_to_their_own_origin_only(server: Server, other: Server, http: Http) -> None:
    login = ("me@corp", "p:w/d")
    clean = http.sign_in(server.address.replace("//", "//me%40corp:p%3Aw%2Fd@") + "/simple/?a=b")
    assert clean == f"{server.address}/simple/?a=b"
    server.script("/simple/x", Reply(b"mine", login=login))
    server.script("/away", redirect(other.script("/y", Reply(b"theirs"))))
    named = server.address.replace("127.0.0.1", "localhost")
    server.script("/by-name", redirect(f"{named}/z"))
    server.script("/z", Reply(b"also theirs"))
    assert get(http, f"{server.address}/simple/x") == b"mine"
    assert get(http, f"{server.address}/away") == b"theirs"
    assert get(http, f"{other.address}/y") == b"theirs"
    assert get(http, f"{server.address}/by-name") == b"also theirs"
    assert "authorization" in server.asked("/away")[0].headers
    assert all("authorization" not in one.headers for one in [*other.requests, *server.asked("/z")])
    assert len(other.requests) == 2


def test_an_origin_is_the_same_however_it_is_spelled(http: Http) -> None:
    http.sign_in("https://me:pw@Index.test:443/simple")
    known = http._credentials
    assert known.of(origin_of("https://index.test/files/x")) == ("me", "pw")
    assert known.of(origin_of("https://index.test:8443/files/x")) is None
    assert known.of(origin_of("http://index.test/files/x")) is None


def test_credentials_come_from_netrc(server: Server, tmp_path: Path) -> None:
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o644)
    address = server.script("/page", Reply(b"ok", login=("me", "secret")))
    with closing(Http()) as http:
        http.sign_in(f"{server.address}/simple/")
        assert get(http, address) == b"ok"


def test_an_address_without_credentials_signs_nobody_in(http: Http) -> None:
    assert http.sign_in("https://a.test/simple") == "https://a.test/simple"
    assert http._credentials.of(origin_of("https://a.test/simple")) is None


@pytest.mark.parametrize(
    "address", ["http://[a/simple", "http://a.test:port/simple", "http://me:se/cret@a.test/simple"]
)
def test_what_is_no_address_is_refused_without_its_secret(http: Http, address: str) -> None:
    with pytest.raises(UsageError, match="is not an address") as signing:
        http.sign_in(address)
    with pytest.raises(UnreachableError, match="is not an address") as asking:
        get(http, address)
    assert "se/" not in f"{signing.value} {asking.value}"


@pytest.mark.parametrize(
    "address", ["http://a..test/", "http://" + "a" * 70 + ".test/", "http://127.0.0.1:1/\n", "x", ""]
)
def test_an_address_that_no_client_can_ask_is_unreachable(http: Http, address: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        get(http, address)
    assert not isinstance(caught.value, TransientError)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:secret@a.test/x?token=secret#secret", "https://a.test/x"),
        ("https://secret@a.test:8443/x", "https://a.test:8443/x"),
        ("https://me:sec@secret@a.test/x", "https://a.test/x"),
        ("https://me:sec/ret@a.test/x?secret", "a.test/x"),
        ("file:///folder/x", "file:///folder/x"),
    ],
)
def test_an_address_in_print_shows_no_secret(address: str, shown: str) -> None:
    assert redact(address) == shown


@pytest.mark.parametrize(
    "reply",
    [Reply(status=503), Reply(status=404), Reply(b"x" * 99), Reply(b"x" * 9, drop_after=1), redirect("ftp://x/")],
)
def test_no_error_shows_the_query_of_an_address(server: Server, http: Http, reply: Reply) -> None:
    address = server.script("/page?token=secret", reply)
    with pytest.raises((UnreachableError, IntegrityError)) as caught:
        get(http, address, 10)
    assert "secret" not in caught.value.message + caught.value.hint
    assert "/page" in caught.value.message


# TLS and settings


def test_an_untrusted_certificate_is_said_to_be_one_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(context) as server:
        address = server.script("/page", Reply(b"ok"))
        with closing(Http()) as http, pytest.raises(UnreachableError, match="certificate is not trusted") as caught:
            get(http, address)
        assert "SSL_CERT_FILE" in caught.value.hint
        assert waits == []
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with closing(Http()) as http:
            assert get(http, address) == b"ok"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/to/be/found.pem"),
        ("ALL_PROXY", "gopher://127.0.0.1:1"),
        ("HTTPS_PROXY", "http://a:b:c"),
    ],
)
def test_settings_that_cannot_be_used_are_the_users_to_mend(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="network settings") as caught:
        Http()
    assert name in caught.value.hint


def test_a_malformed_netrc_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "home" / ".netrc").write_text("machine a.test login me pass word secret\n")
    with pytest.raises(UsageError, match=r"\.netrc, line 1"):
        Http()


def test_the_clock_of_the_tests_is_the_one_that_retries_use(waits: list[float]) -> None:
    """Else tests would wait for real."""
    tenacity.nap.sleep(3600)
    assert waits == [3600]


# Content codings


@functools.cache
def bomb() -> bytes:
    """What unpacks to 64 MiB: made when it is needed, not by every worker that collects."""
    return gzip.compress(gzip.compress(bytes(64 << 20), mtime=0), mtime=0)


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206])
def test_what_is_not_the_whole_page_is_none(server: Server, http: Http, status: int) -> None:
    headers = {"Content-Range": "bytes 0-4/100"} if status == 206 else {}
    address = server.script("/page", Reply(b"" if status in (204, 205) else b"begin", status=status, headers=headers))
    with pytest.raises(UnreachableError, match=f"answered {status}"):
        get(http, address)


@pytest.mark.parametrize(
    "coding", ["gzip, gzip", "gzip,identity", "br", "zstd", "deflate", "compress", "x", "\x1b[2J", "gzip;q=1"]
)
def test_no_coding_but_one_gzip_is_taken(server: Server, http: Http, coding: str) -> None:
    address = server.script("/page", Reply(bomb(), headers={"Content-Encoding": coding}))
    for ask in (get, stream, call):
        with pytest.raises(UnreachableError, match="compressed as nobody asked for") as caught:
            ask(http, address)
        assert not isinstance(caught.value, TransientError)
        assert caught.value.message.isprintable()
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"page") * 2,
        gzip.compress(b"page") + b"\0",
        gzip.compress(b"page")[:-1],
        b"\x1f\x8b\x08\x08" + bytes(6) + b"name",
    ],
    ids=["two members", "trailing", "cut", "header"],
)
def test_a_gzip_page_is_one_whole_member(server: Server, http: Http, content: bytes) -> None:
    address = server.script("/page", Reply(content, headers={"Content-Encoding": "gzip"}))
    for ask in (get, call):
        with pytest.raises(UnreachableError, match="compressed badly"):
            ask(http, address)


def test_a_gzip_header_without_end_is_too_large(server: Server, http: Http) -> None:
    endless = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 1_000_000
    address = server.script("/page", Reply(endless, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(IntegrityError, match="larger than 1000 bytes"):
        get(http, address)


def test_an_api_answer_may_be_one_gzip_and_unpacks_within_the_limit(server: Server, http: Http) -> None:
    packed = {"Content-Encoding": "X-GZip"}
    assert call(http, server.script("/a", Reply(gzip.compress(b"{}"), headers=packed))) == b"{}"
    with pytest.raises(IntegrityError, match="larger than 1000 bytes"):
        call(http, server.script("/b", Reply(gzip.compress(bytes(1 << 20)), headers=packed)))


def test_a_file_that_is_called_gzip_stays_as_it_is(server: Server, http: Http) -> None:
    """As Apache calls every .tar.gz; the digest decides."""
    archive = gzip.compress(b"archive")
    address = server.script("/a.tar.gz", Reply(archive, headers={"Content-Encoding": "x-gzip"}))
    assert stream(http, address)[2] == archive


# Redirects


def test_no_redirect_leads_from_https_to_http(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    plain = server.script("/file", Reply(b"content"))
    with serving(context) as secure, closing(Http()) as http:
        for ask in (get, stream):
            with pytest.raises(UnreachableError, match="redirects from https to http"):
                ask(http, secure.script("/page", redirect(plain)))
        http.sign_in(server.address.replace("//", "//me:pw@"))
        assert get(http, server.script("/up", redirect(secure.script("/x", Reply(b"ok"))))) == b"ok"
        assert "authorization" in server.asked("/up")[0].headers
        assert "authorization" not in secure.asked("/x")[0].headers
    assert server.asked("/file") == []


def test_who_a_redirect_says_to_be_is_ignored(server: Server, other: Server, http: Http) -> None:
    other.script("/x", Reply(b"ok"))
    assert get(http, server.script("/a", redirect(other.address.replace("//", "//root:toor@") + "/x"))) == b"ok"
    assert get(http, server.address.replace("//", "//root:toor@") + "/a") == b"ok"
    assert all("authorization" not in one.headers for one in (*server.requests, *other.requests))


def test_credentials_do_not_come_back_by_way_of_another_origin(server: Server, other: Server, http: Http) -> None:
    http.sign_in(server.address.replace("//", "//me:pw@"))
    back = other.script("/back", redirect(server.script("/end", Reply(b"ok"))))
    assert get(http, server.script("/start", redirect(back))) == b"ok"
    assert ["authorization" in one.headers for one in server.requests] == [True, False]
    with http.stream(f"{server.address}/start", 0, {"Authorization": "Bearer x"}) as body:
        assert b"".join(body.chunks) == b"ok"
    assert [one.headers.get("authorization") for one in server.requests[2:]] == ["Bearer x", None]
    assert all("authorization" not in one.headers for one in other.requests)


@pytest.mark.parametrize(
    "location",
    ["ws://127.0.0.1/", "wss://127.0.0.1/", "javascript:alert(1)", "data:,x", "FILE:///etc/passwd", "http://", "http:///x",
     "https://.x/", "//127.0.0.1:0x50/", "http://127.0.0.1:99999/", "http://\u2100.test/", "x" * 70_000, "http://a\tb/"],
)  # fmt: skip
def test_an_odd_redirect_is_an_error_and_no_bug(server: Server, http: Http, location: str) -> None:
    address = server.script("/page", Reply(status=302, headers={"Location": location.encode().decode("latin-1")}))
    for ask in (get, stream):
        with pytest.raises(UnreachableError):
            ask(http, address)


def test_a_chain_of_redirects_has_an_end_and_one_connection(server: Server, http: Http) -> None:
    for number in range(10):
        server.script(f"/{number}", replace(redirect(f"/{number + 1}"), body=b"moved"))
    server.script("/10", Reply(b"ok"))
    assert get(http, f"{server.address}/0") == b"ok"
    server.script("/10", redirect("/11"))
    with pytest.raises(UnreachableError, match="more than 10 redirects"):
        get(http, f"{server.address}/0")


def test_cookies_are_nobodys_business(server: Server, http: Http) -> None:
    odd = "a=b; expires=1 a 1" + " " * 60_000 + "x!"
    address = server.script("/page", Reply(b"ok", headers={"Set-Cookie": odd}), Reply(b"ok"))
    assert [get(http, address), get(http, address)] == [b"ok", b"ok"]
    assert "cookie" not in server.requests[1].headers


# .netrc


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    path = tmp_path / "home" / ".netrc"
    path.write_text("machine 127.0.0.1 login me password secret\ndefault login all password secret\n")
    return path


@pytest.mark.usefixtures("netrc")
def test_netrc_is_for_the_origin_that_was_named_and_no_other_port(server: Server, other: Server) -> None:
    for one in (server, other):
        one.script("/page", Reply(b"ok"))
    server.script("/away", redirect(f"{other.address}/page"))
    with closing(Http([Mirror("https://a.test/", f"{server.address}/")])) as http:
        for address in (f"{server.address}/page", f"{server.address}/away", f"{other.address}/page"):
            assert get(http, address) == b"ok"
    assert all("authorization" in one.headers for one in server.requests)
    assert all("authorization" not in one.headers for one in other.requests)


@pytest.mark.usefixtures("netrc")
def test_netrc_is_for_https_at_its_usual_port() -> None:
    with closing(Http()) as http:
        known = http._credentials
        assert known.of(origin_of("https://127.0.0.1/x")) == ("me", "secret")
        for address in ("http://127.0.0.1/", "https://127.0.0.1:8443/", "https://default/", "https://other.test/"):
            assert known.of(origin_of(address)) is None
        http.sign_in("https://you:pw@127.0.0.1/simple")
        assert known.of(origin_of("https://127.0.0.1/x")) == ("you", "pw")


# Files


def test_only_a_mirror_makes_a_file_of_an_address(server: Server, http: Http, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    for scheme in ("file", "FILE"):
        address = path.as_uri().replace("file", scheme, 1)
        for ask in (get, stream, call):
            with pytest.raises(UnreachableError, match="not a web address"):
                ask(http, address)
        with pytest.raises(UnreachableError), http.stream(address, 0, {"Authorization": "Bearer x"}):
            pass
        with pytest.raises(UnreachableError, match="no web address"):
            stream(http, server.script("/x", redirect(address)))


@pytest.mark.parametrize("name", ["pipe", "folder", "socket", "null"])
def test_what_is_no_file_in_a_mirrors_folder_holds_nobody_up(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    with (
        socket.socket(socket.AF_UNIX) as listening,
        closing(Http([Mirror("https://a.test/", f"{tmp_path.as_uri()}/")])) as http,
    ):
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(UnreachableError, match="not a regular file") as caught:
            stream(http, f"https://a.test/{name}")
    assert "--mirror" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["../secret", "%2e%2e/secret", "x/../../secret", "..%2Fsecret", "%00", "x%00y", "/../secret"]
)
def test_no_address_leads_out_of_a_mirrors_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "folder" / "x").mkdir(parents=True)
    mirror = Mirror("https://a.test/", f"{(tmp_path / 'folder').as_uri()}/")
    with closing(Http([mirror])) as http, pytest.raises(UnreachableError, match="names no file"):
        stream(http, f"https://a.test/{name}")


# Anything at all


HEADS = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK",
            b"HTTP/1.0 200",
            b"HTTP/1.1 206 P",
            b"HTTP/1.1 302 F",
            b"HTTP/1.1 101 S",
            b"HTTP/9.9 999 X",
            b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK",
            b"Content-Length: 4",
            b"Content-Length: \xb2",
            b"Content-Length: -1",
            b"Content-Length: 99999999999999999999",
            b"Content-Encoding: gzip",
            b"Content-Encoding: zstd",
            b"Location: /",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Content-Range: bytes 0-3/4",
            b"Location: \xff",
            b"Content-Range: bytes \xb2-3/4",
            b"Retry-After: \xb2",
            b"HTTP/1.1 429 T",
            b"Content-Type: \xff/\x00",
            b" folded",
            b"Location: http://[",
            b"Set-Cookie: a=b; expires=\xff",
            b": x",
            b"X",
        ]
    ),
    max_size=6,
)
BODIES = st.sampled_from(
    [b"", b"body", b"4\r\nbody\r\n0\r\n\r\n", b"zz\r\n", b"\x1f\x8b", gzip.compress(b"body"), b"4;x\r\nbo"]
)


def once(http: Http, address: str) -> bytes:
    return http._get(address, "*/*", 1000).content


def anything(examples: list[tuple[list[bytes], bytes]]) -> None:
    left = iter([b"\r\n".join(head) + b"\r\n\r\n" + body for head, body in examples for _ in range(3)])

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(next(left, b""))

    with raw_serving(script) as raw, closing(Http(patience=Patience(page=2, download=2, answer=1))) as http:
        for _ in examples:
            for ask in (once, stream, call):
                with contextlib.suppress(BundleError):
                    ask(http, raw.address)


@given(st.lists(st.tuples(HEADS, BODIES), min_size=1, max_size=4))
@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
def test_no_answer_is_a_bug(examples: list[tuple[list[bytes], bytes]]) -> None:
    anything(examples)


@pytest.mark.slow
@given(st.lists(st.tuples(HEADS, BODIES | st.binary(max_size=99)), min_size=5, max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_answer_is_a_bug_at_length(examples: list[tuple[list[bytes], bytes]]) -> None:
    anything(examples)
