"""The package index: asked as little as can be, and never trusted."""

from __future__ import annotations

import gzip
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters import http as http_module
from bundler.adapters import index as index_module
from bundler.adapters.http import Http, TransientError
from bundler.adapters.index import Index
from bundler.adapters.store import Blob, Store
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.model.locked_wheel import LockedWheel
from bundler.progress import Silent
from tests.server import JSON_PAGE, Reply, Server, SimpleIndex, serving

CONTENT = random.Random(2).randbytes(10_000)


def fetch(index: Index, http: Http, wheel: LockedWheel, folder: Path) -> bytes:
    """Fetch a wheel as `build` does."""
    blob = Blob(wheel.filename, wheel.sha256, wheel.size)
    with Silent().task("", 0) as task:
        return Store(folder).fetch(blob, index.addresses(wheel), http, task).read_bytes()


def one_page(server: Server, content: bytes, kind: str, http: Http) -> Index:
    """An index whose only project has this page."""
    server.script("/simple/demo/", Reply(content, headers={"Content-Type": kind}))
    return Index(http, f"{server.address}/simple")


# Pages


@pytest.mark.parametrize("as_html", [False, True])
def test_a_wheel_is_looked_up_by_name_and_digest(server: Server, http: Http, as_html: bool) -> None:
    published = SimpleIndex(server, "/root/pypi/+simple", html=as_html)
    wheel = published.add("demo-project", CONTENT)
    published.add("demo-project", b"sdist", filename="demo_project-1.0.tar.gz")
    index = Index(http, published.address)
    assert index.look_up(wheel) == f"{server.address}/root/pypi/{wheel.hint}/{wheel.filename}"
    assert [file.filename for file in index.files("demo-project")] == [wheel.filename]
    asked = server.asked("/root/pypi/+simple/demo-project/")
    assert asked[0].headers["accept"].startswith(JSON_PAGE)
    assert len(asked) == 1


def test_a_json_page_may_use_any_kind_of_address(server: Server, http: Http) -> None:
    names = {"relative": "sub/a-1-py3-none-any.whl", "rooted": "/b/b-1-py3-none-any.whl"}
    names["full"] = "https://files.test/c/c-1-py3-none-any.whl"
    files = ", ".join(f'{{"filename": "{url.rpartition("/")[2]}", "url": "{url}"}}' for url in names.values())
    index = one_page(server, f'{{"files": [{files}]}}'.encode(), JSON_PAGE, http)
    assert [file.address for file in index.files("demo")] == [
        f"{server.address}/simple/demo/sub/a-1-py3-none-any.whl",
        f"{server.address}/b/b-1-py3-none-any.whl",
        "https://files.test/c/c-1-py3-none-any.whl",
    ]
    assert [file.sha256 for file in index.files("demo")] == [None] * 3


def test_an_html_page_is_read_as_browsers_read_it(server: Server, http: Http) -> None:
    page = """<!DOCTYPE html><html><head><title>Links</title><a>no href</a>
    <A HREF='/f/demo-1%2Blocal-py3-none-any.whl?a=1&amp;b=2#sha512=00'>x</A>
    <a href="demo-2-py3-none-any.whl#sha256=ABCDEF">demo-2<br><a data-yanked href="demo-3-py3-none-any.whl#md5=00">d</a>
    <a href="demo-4.zip">not a wheel</a>"""
    index = one_page(server, page.encode(), "text/html", http)
    assert [(file.filename, file.sha256) for file in index.files("demo")] == [
        ("demo-1+local-py3-none-any.whl", None),
        ("demo-2-py3-none-any.whl", "abcdef"),
        ("demo-3-py3-none-any.whl", None),
    ]
    assert index.files("demo")[0].address == f"{server.address}/f/demo-1%2Blocal-py3-none-any.whl?a=1&b=2"


def test_addresses_are_relative_to_where_a_page_was_redirected(server: Server, other: Server, http: Http) -> None:
    published = SimpleIndex(other, "/mirror")
    wheel = published.add("demo", CONTENT)
    server.script("/simple/demo/", Reply(status=302, headers={"Location": f"{other.address}/mirror/demo/"}))
    assert Index(http, f"{server.address}/simple").look_up(wheel).startswith(f"{other.address}/packages/")


def test_a_compressed_page_is_read(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheel = published.add("demo", CONTENT)
    reply = published.reply("demo")
    headers = {**reply.headers, "Content-Encoding": "gzip"}
    server.script("/simple/demo/", replace(reply, body=gzip.compress(reply.body), headers=headers))
    assert wheel.filename in Index(http, published.address).look_up(wheel)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"not JSON", JSON_PAGE),
        (b"[]", JSON_PAGE),
        (b"null", JSON_PAGE),
        (b"{}", JSON_PAGE),
        (b'{"files": 1}', JSON_PAGE),
        (b'{"files": ["x"]}', JSON_PAGE),
        (b'{"files": [{"url": "x"}]}', JSON_PAGE),
        (b'{"files": [{"filename": "a.whl", "url": "http://[x/a.whl"}]}', JSON_PAGE),
        (b'{"files": [{"filename": "a.whl", "url": "a.whl", "hashes": 1}]}', JSON_PAGE),
        (b'{"files": [{"filename": "a.whl", "url": "a.whl", "hashes": "ab"}]}', JSON_PAGE),
        (b"\xff\xfe", JSON_PAGE),
        (b"[" * 100_000, JSON_PAGE),
        (b'<a href="http://[x/a.whl">', "text/html"),
    ],
)
def test_a_broken_page_is_an_error_that_names_it(server: Server, http: Http, content: bytes, kind: str) -> None:
    index = one_page(server, content, kind, http)
    with pytest.raises(BundleError) as caught:
        index.files("demo")
    assert caught.value.exit_code in (3, 4)
    assert f"{server.address}/simple/demo/" in caught.value.message


@pytest.mark.parametrize(
    "content", [b"", b"\xff<a href=", b"<html><body>Sign in</body></html>", b"<![x", b"<a href='x' <a"]
)
def test_a_page_without_files_lists_nothing(server: Server, http: Http, content: bytes) -> None:
    index = one_page(server, content, "text/html", http)
    with pytest.raises(UnreachableError, match="does not list demo"):
        index.look_up(LockedWheel("demo", "1", "demo-1-py3-none-any.whl", 1, "0" * 64))


def test_a_page_has_a_largest_size(server: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "LARGEST_PAGE", 1000)
    with pytest.raises(IntegrityError, match="larger than 1000 bytes"):
        one_page(server, b" " * 1001, JSON_PAGE, http).files("demo")


def test_another_build_of_a_file_is_named_with_both_digests(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheel = published.add("demo", CONTENT, listed_sha256="ab" * 32)
    with pytest.raises(UnreachableError, match=wheel.filename) as caught:
        Index(http, published.address).look_up(wheel)
    assert "ab" * 32 in caught.value.message
    assert wheel.sha256 in caught.value.message


def test_of_two_files_of_a_name_the_locked_one_is_taken(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    published.add("demo", b"another build")
    wheel = published.add("demo", CONTENT)
    assert f"{wheel.hint}/" in Index(http, published.address).look_up(wheel)


def test_a_file_that_is_not_listed_is_named(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheel = replace(published.add("demo", CONTENT), filename="demo-9-py3-none-any.whl")
    with pytest.raises(UnreachableError, match=r"does not list demo-9-py3-none-any\.whl") as caught:
        Index(http, published.address).look_up(wheel)
    assert "lock --upgrade" in caught.value.hint


def test_a_project_that_the_index_lacks_is_an_error(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheel = replace(published.add("demo", CONTENT), project="other")
    with pytest.raises(UnreachableError, match="/simple/other/ answered 404"):
        Index(http, published.address).look_up(wheel)


def test_each_page_is_asked_for_once_whoever_asks(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheels = [published.add("demo", bytes([n]), filename=f"demo-{n}-py3-none-any.whl") for n in range(20)]
    server.script("/simple/demo/", replace(published.reply("demo"), pause=0.02))
    index = Index(http, published.address)
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(index.look_up, wheels))
    assert len(set(found)) == 20
    assert len(server.asked("/simple/demo/")) == 1


def test_only_few_pages_are_read_at_a_time(server: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed pages are large; all at once would not fit into the memory that we promise."""
    published = SimpleIndex(server)
    wheels = [published.add(f"demo{n}", bytes([n])) for n in range(8)]
    busy, most, guard = [0], [0], threading.Lock()
    get = http.get

    def counted(address: str, accept: str, limit: int) -> http_module.Page:
        with guard:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        try:
            return get(address, accept, limit)
        finally:
            with guard:
                busy[0] -= 1

    monkeypatch.setattr(http, "get", counted)
    index = Index(http, published.address)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(index.look_up, wheels))
    assert most[0] == 2


# Hints


def test_one_look_up_teaches_where_all_files_are(server: Server, http: Http, tmp_path: Path) -> None:
    published = SimpleIndex(server)
    wheels = [published.add(f"demo{n}", CONTENT + bytes([n])) for n in range(12)]
    index = Index(http, published.address)
    with ThreadPoolExecutor(6) as pool:
        contents = list(pool.map(lambda wheel: fetch(index, http, wheel, tmp_path), wheels))
    assert contents == [CONTENT + bytes([n]) for n in range(12)]
    pages = [one for one in server.requests if one.path.startswith("/simple/")]
    assert len(pages) == 1
    assert len(server.requests) == 13


def test_a_hint_that_misses_is_looked_up(server: Server, http: Http, tmp_path: Path) -> None:
    published = SimpleIndex(server)
    first, second = published.add("first", b"1"), published.add("second", CONTENT)
    moved = replace(second, hint="packages/00/00/" + "0" * 60)
    index = Index(http, published.address)
    assert fetch(index, http, first, tmp_path) == b"1"
    assert fetch(index, http, moved, tmp_path) == CONTENT
    assert [one.path for one in server.requests[2:]] == [
        f"/{moved.hint}/{second.filename}",
        "/simple/second/",
        f"/{second.hint}/{second.filename}",
    ]


def test_an_index_that_files_otherwise_is_asked_for_every_page(server: Server, http: Http, tmp_path: Path) -> None:
    published = SimpleIndex(server)
    wheels = [replace(published.add(f"demo{n}", bytes([n])), hint="packages/00/00/" + "0" * 60) for n in range(3)]
    index = Index(http, published.address)
    assert [fetch(index, http, wheel, tmp_path) for wheel in wheels] == [b"\0", b"\1", b"\2"]
    assert [one.path for one in server.requests if one.path.startswith("/simple/")] == [
        f"/simple/demo{n}/" for n in range(3)
    ]
    assert not server.asked(f"/{wheels[0].hint}/{wheels[0].filename}")


def test_a_wheel_without_a_hint_is_looked_up(server: Server, http: Http, tmp_path: Path) -> None:
    published = SimpleIndex(server)
    wheel = replace(published.add("demo", CONTENT), hint=None)
    assert list(Index(http, published.address).addresses(wheel)) == [
        f"{server.address}/{published.files['demo'][0][1][6:]}"
    ]


def test_a_file_that_fails_where_the_page_lists_it_is_not_tried_there_twice(
    server: Server, http: Http, tmp_path: Path
) -> None:
    published = SimpleIndex(server)
    wheel = published.add("demo", CONTENT)
    server.script(f"/{wheel.hint}/{wheel.filename}", Reply(status=503))
    with pytest.raises(TransientError, match="answered 503"):
        fetch(Index(http, published.address), http, wheel, tmp_path)
    assert len(server.asked(f"/{wheel.hint}/{wheel.filename}")) == 5


# Credentials


def test_credentials_reach_the_index_and_nobody_else(server: Server, other: Server, http: Http, tmp_path: Path) -> None:
    login = ("me", "se:cret")
    published = SimpleIndex(server, login=login)
    near = published.add("near", CONTENT)
    far = published.add("far", CONTENT + b"!")
    other.script("/far.whl", Reply(CONTENT + b"!"))
    published.files["far"] = [(far.filename, f"{other.address}/far.whl", far.sha256)]
    server.script("/simple/far/", published.reply("far"))
    index = Index(http, published.address.replace("//", "//me:se%3Acret@", 1))
    assert fetch(index, http, near, tmp_path) == CONTENT
    assert fetch(index, http, replace(far, hint=None), tmp_path) == CONTENT + b"!"
    assert all("authorization" in one.headers for one in server.requests)
    assert [one.path for one in other.requests] == ["/far.whl"]
    assert "authorization" not in other.requests[0].headers
    assert "cret" not in index.address


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(status=401), "answered 401"),
        (Reply(status=404), "answered 404"),
        (Reply(status=503), "answered 503"),
        (Reply(b"x", headers={"Content-Type": JSON_PAGE}), "no index page"),
        (Reply(b"", headers={"Content-Type": "text/html"}), "does not list"),
        (Reply(b"x" * 100, drop_after=5), "/simple/demo/"),
    ],
)
def test_no_error_shows_the_credentials(server: Server, http: Http, reply: Reply, says: str) -> None:
    server.script("/simple/demo/", reply)
    index = Index(http, server.address.replace("//", "//topuser:topsecret@") + "/simple/")
    with pytest.raises(BundleError, match=says) as caught:
        index.look_up(LockedWheel("demo", "1", "demo-1-py3-none-any.whl", 1, "0" * 64))
    assert "top" not in caught.value.message + caught.value.hint


# An index that is down


def look_up_all(index: Index, count: int) -> list[str]:
    """Look up as many wheels as a target has, eight at a time; return each one's error."""

    def error_of(number: int) -> str:
        with pytest.raises(UnreachableError) as caught:
            index.look_up(LockedWheel(f"demo{number}", "1", f"demo{number}-1-py3-none-any.whl", 1, "0" * 64, None))
        return caught.value.message

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(error_of, range(count)))


@pytest.mark.parametrize("reply", [Reply(status=503), Reply(drop_after=0)])
def test_an_index_that_is_down_costs_few_retries_however_many_wheels_there_are(
    server: Server, http: Http, waits: list[float], reply: Reply
) -> None:
    for number in range(100):
        server.script(f"/simple/demo{number}/", replace(reply, body=b"x" * 9))
    errors = look_up_all(Index(http, f"{server.address}/simple"), 100)
    assert len(errors) == 100
    assert len(server.requests) <= 3 * 5
    assert len(waits) <= 3 * 4
    assert len(set(errors)) <= 3


def test_an_index_that_nobody_serves_is_told_at_once(http: Http, waits: list[float]) -> None:
    with serving() as gone:
        address = gone.address
    errors = look_up_all(Index(http, address), 100)
    assert all(address in error for error in errors)
    assert len(waits) <= 3 * 4


def test_one_page_that_fails_does_not_take_the_others_down(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheels = [published.add(f"demo{n}", bytes([n])) for n in range(6)]
    index = Index(http, published.address)
    for number in (0, 2, 4):
        server.script(f"/simple/demo{number}/", Reply(status=500))
    for number, wheel in enumerate(wheels):
        if number % 2:
            assert wheel.filename in index.look_up(wheel)
        else:
            with pytest.raises(TransientError, match=f"/simple/demo{number}/ answered 500"):
                index.look_up(wheel)


def test_pages_that_are_merely_missing_do_not_count_as_down(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheel = published.add("demo", CONTENT)
    index = Index(http, published.address)
    for number in range(5):
        with pytest.raises(UnreachableError, match="404"):
            index.files(f"missing{number}")
    assert wheel.filename in index.look_up(wheel)


def test_a_page_already_read_serves_on_when_the_index_goes_down(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheel = published.add("demo", CONTENT)
    index = Index(http, published.address)
    index.look_up(wheel)
    for number in range(3):
        server.script(f"/simple/down{number}/", Reply(status=503))
        with pytest.raises(UnreachableError, match=r"/simple/down[01]/ answered 503"):
            index.files(f"down{number}")
    assert wheel.filename in index.look_up(wheel)
    assert not server.asked("/simple/down2/")


def test_a_page_that_fails_first_may_be_asked_for_again(server: Server, http: Http) -> None:
    published = SimpleIndex(server)
    wheel = published.add("demo", CONTENT)
    server.script("/simple/demo/", *[Reply(status=503)] * 5, published.reply("demo"))
    index = Index(http, published.address)
    with pytest.raises(TransientError):
        index.look_up(wheel)
    assert wheel.filename in index.look_up(wheel)


@pytest.mark.parametrize("address", ["http://[a/simple", "http://me:se/cret@a.test/simple"])
def test_an_index_that_is_no_address_is_a_setting_to_mend(http: Http, address: str) -> None:
    with pytest.raises(BundleError, match="is not an address") as caught:
        Index(http, address)
    assert caught.value.exit_code == 2
    assert "se/" not in caught.value.message


def test_the_client_stays_usable_for_several_indexes(server: Server, other: Server) -> None:
    found: list[str] = []
    with closing(Http()) as http:
        for one in (server, other):
            published = SimpleIndex(one)
            found.append(Index(http, published.address).look_up(published.add("demo", CONTENT)))
    assert found[0].startswith(server.address)
    assert found[1].startswith(other.address)
