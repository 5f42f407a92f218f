"""Bringing what locks pin into the store: each file once, and errors that say what to do."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters.http import Http, Mirror
from bundler.adapters.index import Index
from bundler.adapters.store import Store
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.fetch import Fetch, Fetching, addresses_of, blob_of, distinct, from_store, hinted
from bundler.kinds.wheelhouse.lock import Lock, facts_for
from bundler.kinds.wheelhouse.order import WheelhouseJob
from bundler.kinds.wheelhouse.recipe import Recipe
from bundler.kinds.wheelhouse.request import Request
from bundler.model.interpreter import Interpreter
from bundler.model.locked_wheel import LockedWheel
from bundler.model.pin import InArchive, Pin
from bundler.model.portable_python import PortablePython, PythonPin
from bundler.model.target import Target
from bundler.progress import Silent
from tests.server import Reply, Server, SimpleIndex, serving

REQUEST = Request(
    component="demo",
    target=Target("debian", "12", "amd64", 36, "3.11.2"),
    python=Interpreter("3.11.2", "linux-amd64", 36),
    portable=False,
    requirement="demo==1.0",
    extra_requirements=(),
    bootstrap=(),
)
PYTHON = PortablePython("3.13.5", "1", {"amd64": PythonPin("https://files.test/a/python.tar.gz", "f" * 64)}, ())
WHEELS = tuple(LockedWheel(f"demo{n}", "1.0", f"demo{n}-1.0-py3-none-any.whl", n + 1, f"{n}" * 64) for n in range(4))


def recipe(*, portable: bool) -> Recipe:
    python = Interpreter(PYTHON.version, "linux-amd64", 36) if portable else REQUEST.python
    request = replace(REQUEST, portable=portable, python=python)
    return Recipe(request, "demo.tar.gz", "pylock.toml", "", PYTHON, bytes, 0)


def lock(*wheels: LockedWheel) -> Lock:
    return Lock(facts_for(REQUEST, "uv 1", "2026-11-20T00:00:00Z", {}), wheels)


def wanted(wheel: LockedWheel) -> Pin:
    return Pin.of_wheel(wheel)


def no_registry() -> str:
    raise AssertionError("no npm registry was needed")


def no_archive(name: str) -> str:
    raise AssertionError(f"no archive of {name} was needed")


def waited(items: list[Pin], fetch: Fetch) -> None:
    with ThreadPoolExecutor(4) as pool:
        Fetching.start(items, fetch, pool).wait(items)


def failing(*errors: BundleError | None) -> Fetch:
    """A fetch whose calls end as told, by the digit that a digest consists of."""

    def fetch(one: Pin) -> Path:
        if error := errors[int(one.sha256[0])]:
            raise error
        return Path("there")

    return fetch


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Http]:
    monkeypatch.setattr("bundler.adapters.retry._backoff", lambda state: 0.0)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    with closing(Http([Mirror("https://files.test/a/", f"{tmp_path.as_uri()}/mirror/")])) as made:
        yield made


# What is wanted


def test_an_archive_wants_its_wheels_by_size_and_digest() -> None:
    assert WheelhouseJob(recipe(portable=False), lock(*WHEELS)).pins() == [wanted(wheel) for wheel in WHEELS]


def test_a_portable_archive_wants_its_python_first() -> None:
    first, *others = WheelhouseJob(recipe(portable=True), lock(*WHEELS)).pins()
    assert first.origin == "https://files.test/a/python.tar.gz"
    assert first.sha256 == "f" * 64
    assert first.size is None
    assert first.name == "portable CPython 3.13.5 for linux-amd64"
    assert others == [wanted(wheel) for wheel in WHEELS]


def test_files_that_archives_share_are_fetched_once_and_in_order() -> None:
    items = [wanted(WHEELS[n]) for n in (2, 0, 2, 1, 0)]
    assert distinct(items) == tuple(wanted(WHEELS[n]) for n in (2, 0, 1))


def test_a_pinned_address_needs_no_index_and_a_wheel_does(server: Server, http: Http) -> None:
    def no_index() -> Index:
        raise UnreachableError("no package index is known")

    pinned = Pin("python", "f" * 64, None, "https://files.test/a/python.tar.gz")
    assert list(addresses_of(pinned, no_index, no_registry, no_archive)) == ["https://files.test/a/python.tar.gz"]
    with pytest.raises(UnreachableError, match="no package index"):
        list(addresses_of(wanted(WHEELS[0]), no_index, no_registry, no_archive))
    published = SimpleIndex(server)
    wheel = published.add("demo", b"content")
    found = list(addresses_of(wanted(wheel), lambda: Index(http, published.address), no_registry, no_archive))
    assert found == [f"{server.address}/{wheel.hint}/{wheel.filename}"]


def test_a_package_is_asked_for_in_its_distributions_archive_wherever_that_is() -> None:
    pinned = Pin("g++.deb", "f" * 64, 1, InArchive("debian", "pool/main/g/gcc/g++_1~2_amd64.deb"))
    found = addresses_of(pinned, lambda: pytest.fail("no index"), no_registry, lambda name: f"https://{name}.test/a/")
    assert list(found) == ["https://debian.test/a/pool/main/g/gcc/g%2B%2B_1~2_amd64.deb"]
    assert "lock again" in hinted(UnreachableError("answered 404"), pinned).hint


# The store alone


def test_without_a_network_only_the_store_serves(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fetch = from_store(store)
    with pytest.raises(UnreachableError, match=r"demo0-1\.0-py3-none-any\.whl is not in the store") as caught:
        fetch(wanted(WHEELS[0]))
    assert "--offline" in caught.value.hint
    path = store.path(WHEELS[0].sha256)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert fetch(wanted(WHEELS[0])) == path


# Waiting


def test_waiting_ends_when_all_is_there() -> None:
    done: list[str] = []
    gate = threading.Event()

    def fetch(one: Pin) -> Path:
        assert gate.wait(10)
        done.append(one.sha256)
        return Path("there")

    items = [wanted(wheel) for wheel in WHEELS]
    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(1) as waiter:
        fetching = Fetching.start(items, fetch, pool)
        waiting = waiter.submit(fetching.wait, items)
        assert not waiting.done()
        gate.set()
        waiting.result()
    assert sorted(done) == [wheel.sha256 for wheel in WHEELS]


def test_one_archive_waits_for_its_own_files_only() -> None:
    never = threading.Event()

    def fetch(one: Pin) -> Path:
        if one.sha256[0] == "3":
            never.wait(10)
        return Path("there")

    items = [wanted(wheel) for wheel in WHEELS]
    with ThreadPoolExecutor(4) as pool:
        fetching = Fetching.start(items, fetch, pool)
        fetching.wait(items[:3])
        assert not fetching.futures[WHEELS[3].sha256].done()
        never.set()


def test_work_ahead_is_done_once_the_last_is_there() -> None:
    gates = [threading.Event() for _ in WHEELS]
    items, done = [wanted(wheel) for wheel in WHEELS], list[str]()

    def fetch(one: Pin) -> Path:
        assert gates[items.index(one)].wait(10)
        return Path("there")

    def refuse() -> None:
        done.append("refused")
        raise IntegrityError("it is told by whoever needs it")

    with ThreadPoolExecutor(4) as pool:
        fetching = Fetching.start(items, fetch, pool)
        fetching.then(items[:1], lambda: done.append("first"))
        fetching.then([*items, items[0]], lambda: done.append("all"))
        fetching.then(items, refuse)
        for one, gate in zip(items, gates, strict=True):
            assert "all" not in done
            gate.set()
            fetching.wait([one])
    assert done == ["first", "all", "refused"]


def test_no_work_is_done_ahead_where_a_file_could_not_be_had() -> None:
    items, done = [wanted(wheel) for wheel in WHEELS], list[str]()
    with ThreadPoolExecutor(4) as pool:
        fetching = Fetching.start(items, failing(None, UnreachableError("answered 404"), None, None), pool)
        fetching.then(items, lambda: done.append("all"))
        fetching.then(items[2:], lambda: done.append("both"))
    assert done == ["both"]


def test_one_failure_is_told_as_it_is() -> None:
    error = UnreachableError("answered 404", "do this")
    with pytest.raises(UnreachableError) as caught:
        waited([wanted(wheel) for wheel in WHEELS], failing(None, error, None, None))
    assert caught.value is error


def test_several_failures_are_told_as_one_and_the_gravest_counts() -> None:
    away, wrong = UnreachableError("answered 404", "do this"), IntegrityError("SHA-256 mismatch", "do that")
    with pytest.raises(
        UnreachableError, match=r"^2 of 4 files could not be fetched; the first: answered 404$"
    ) as caught:
        waited([wanted(wheel) for wheel in WHEELS], failing(None, away, None, away))
    assert caught.value.hint == "do this"
    with pytest.raises(IntegrityError, match=r"^3 of 4 files .*: SHA-256 mismatch$") as graver:
        waited([wanted(wheel) for wheel in WHEELS], failing(away, None, wrong, away))
    assert (graver.value.hint, graver.value.exit_code) == ("do that", 3)


def test_a_full_disk_is_not_taken_for_a_network_that_is_down() -> None:
    def fetch(one: Pin) -> Path:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        waited([wanted(WHEELS[0])], fetch)


def test_a_pinned_address_out_of_reach_tells_how_to_bring_the_file() -> None:
    pinned = Pin("python", "0" * 64, None, "https://files.test/a/python+1.tar.gz")
    with pytest.raises(UnreachableError, match="answered 404") as caught:
        waited([pinned], failing(UnreachableError("answered 404", "is it there?")))
    assert "python+1.tar.gz" in caught.value.hint
    assert "--mirror https://files.test/a/=file:///FOLDER/" in caught.value.hint


def test_the_mirror_of_that_hint_works(http: Http, tmp_path: Path) -> None:
    content = random.Random(6).randbytes(5000)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "python.tar.gz").write_bytes(content)
    store = Store(tmp_path / "store")
    pinned = Pin("python", sha(content), None, "https://files.test/a/python.tar.gz")
    waited([pinned], downloading(store, http, lambda: pytest.fail("no index is needed")))
    assert store.path(sha(content)).read_bytes() == content


# All together, against a real server


def downloading(store: Store, http: Http, index: Callable[[], Index]) -> Fetch:
    """A fetch as `build` makes it."""

    def fetch(one: Pin) -> Path:
        with Silent().task("", 0) as task:
            return store.fetch(blob_of(one), addresses_of(one, index, no_registry, no_archive), http, task)

    return fetch


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_wheelhouse_is_fetched_over_a_bad_line(server: Server, http: Http, tmp_path: Path) -> None:
    published = SimpleIndex(server)
    contents = [random.Random(n).randbytes(20_000 + n) for n in range(30)]
    wheels = [published.add(f"demo{n}", content) for n, content in enumerate(contents)]
    for number, (wheel, content) in enumerate(zip(wheels, contents, strict=True)):
        good = Reply(content)
        bad = [Reply(status=503), replace(good, drop_after=9_000), replace(good, ranges=False, drop_after=15_000)]
        server.script(f"/{wheel.hint}/{wheel.filename}", *bad[: number % 4], good)
    items = [wanted(wheel) for wheel in wheels]
    index, store = Index(http, published.address), Store(tmp_path / "store")
    waited(items, downloading(store, http, lambda: index))
    assert [store.path(wheel.sha256).read_bytes() for wheel in wheels] == contents
    assert len([one for one in server.requests if one.path.startswith("/simple/")]) == 1


def test_what_could_be_fetched_stays_when_something_could_not(server: Server, http: Http, tmp_path: Path) -> None:
    published = SimpleIndex(server)
    wheels = [published.add(f"demo{n}", bytes([n]) * 100) for n in range(6)]
    server.script(f"/{wheels[3].hint}/{wheels[3].filename}", Reply(b"\xff" * 100))
    server.script(f"/{wheels[4].hint}/{wheels[4].filename}", Reply(status=404))
    index, store = Index(http, published.address), Store(tmp_path / "store")
    with pytest.raises(IntegrityError, match=r"2 of 6 files .*demo3-1\.0-py3-none-any\.whl: SHA-256 mismatch"):
        waited([wanted(wheel) for wheel in wheels], downloading(store, http, lambda: index))
    assert [store.has(blob_of(wanted(wheel))) for wheel in wheels] == [True, True, True, False, False, True]
