"""The store against servers and neighbours that misbehave: a file appears in it only complete and verified."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from bundler.adapters import store as store_module
from bundler.adapters.http import Http, Patience
from bundler.adapters.mirror import Mirror
from bundler.adapters.retry import RangeRefusedError, TransientError
from bundler.adapters.store import Blob, Pruned, Store
from bundler.errors import IntegrityError, UnreachableError
from tests.forks import Forks
from tests.server import Asked, Reply, Server, dropping, failing, wait_until

CONTENT = random.Random(1).randbytes(300_000)


class Tally:
    """A task that adds up."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, amount: int) -> None:
        self.done += amount


def blob_of(content: bytes, *, sized: bool = True) -> Blob:
    return Blob("a.whl", hashlib.sha256(content).hexdigest(), len(content) if sized else None)


BLOB = blob_of(CONTENT)
UNSIZED = blob_of(CONTENT, sized=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def fetch(store: Store, http: Http, *addresses: str, blob: Blob = BLOB) -> Path:
    """Fetch, and see that the progress shown is the file's size in the end."""
    tally = Tally()
    path = store.fetch(blob, iter(addresses), http, tally)
    assert tally.done == path.stat().st_size
    return path


def put_partial(store: Store, content: bytes, blob: Blob = BLOB) -> None:
    """Leave an unfinished download behind."""
    (store.root / "partial").mkdir(parents=True, exist_ok=True)
    (store.root / "partial" / blob.sha256).write_bytes(content)


def files_in(store: Store) -> list[str]:
    """Everything in the store but lock files."""
    return [path.name for path in store.root.rglob("*") if path.is_file() and path.suffix != ".lock"]


def offsets(asked: list[Asked]) -> list[int]:
    return [one.offset for one in asked]


# Complete and verified


@pytest.mark.parametrize("blob", [BLOB, UNSIZED])
@pytest.mark.parametrize("reply", [Reply(CONTENT), Reply(CONTENT, chunked=True), Reply(CONTENT, length=0)])
def test_a_file_is_fetched_once_and_kept(server: Server, http: Http, store: Store, blob: Blob, reply: Reply) -> None:
    address = server.script("/a.whl", reply)
    assert not store.has(blob)
    path = fetch(store, http, address, blob=blob)
    assert path == store.path(blob.sha256)
    assert path.read_bytes() == CONTENT
    assert store.has(blob)
    assert files_in(store) == [blob.sha256]
    assert fetch(store, http, address, blob=blob) == path
    assert len(server.requests) == 1


def test_a_file_of_another_size_is_not_the_file(server: Server, http: Http, store: Store) -> None:
    """A disk that was full, a copy that was cut: the size alone tells."""
    store.path(BLOB.sha256).parent.mkdir(parents=True)
    store.path(BLOB.sha256).write_bytes(CONTENT[:-1])
    assert not store.has(BLOB)
    assert fetch(store, http, server.script("/a.whl", Reply(CONTENT))).read_bytes() == CONTENT


def test_a_file_is_never_seen_before_it_is_whole(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT, piece=10_000, pause=0.002))
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(fetch, store, http, address)
        looks = 0
        while not fetching.done():
            if store.path(BLOB.sha256).exists():
                assert store.path(BLOB.sha256).read_bytes() == CONTENT
            looks += 1
        assert fetching.result().read_bytes() == CONTENT
    assert looks > 10


def test_a_digest_mismatch_names_both_and_leaves_nothing(server: Server, http: Http, store: Store) -> None:
    other = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    address = server.script("/a.whl?token=secret", Reply(other))
    with pytest.raises(IntegrityError, match="SHA-256 mismatch") as caught:
        fetch(store, http, address)
    assert f"expected {BLOB.sha256}" in caught.value.message
    assert f"actual   {hashlib.sha256(other).hexdigest()}" in caught.value.message
    assert f"{server.address}/a.whl" in caught.value.message
    assert "secret" not in caught.value.message
    assert files_in(store) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_too_many_bytes_are_refused_early(server: Server, http: Http, store: Store, chunked: bool) -> None:
    endless = Reply(CONTENT + bytes(50_000_000), chunked=chunked, piece=1 << 14, pause=0.001)
    with pytest.raises(IntegrityError, match="size mismatch") as caught:
        fetch(store, http, server.script("/a.whl", endless))
    assert f"expected {len(CONTENT)} bytes" in caught.value.message
    assert files_in(store) == []
    assert server.sent < 5_000_000
    assert len(server.requests) == 1


def test_a_shorter_file_is_refused(server: Server, http: Http, store: Store) -> None:
    with pytest.raises(IntegrityError, match=rf"expected {len(CONTENT)} bytes\n  actual   1000\n"):
        fetch(store, http, server.script("/a.whl", Reply(CONTENT[:1000])))
    assert files_in(store) == []
    assert len(server.requests) == 1


def test_a_short_answer_that_does_not_say_so_is_gone_on_with(server: Server, http: Http, store: Store) -> None:
    """Without a length, only the lock tells that bytes are missing."""
    address = server.script("/a.whl", Reply(CONTENT, drop_after=1000, length=0), Reply(CONTENT))
    assert fetch(store, http, address).read_bytes() == CONTENT
    assert offsets(server.requests) == [0, 1000]


def test_an_unsized_file_has_a_limit_too(
    server: Server, http: Http, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LARGEST_UNSIZED", len(CONTENT) - 1)
    with pytest.raises(IntegrityError, match="size mismatch"):
        fetch(store, http, server.script("/a.whl", Reply(CONTENT)), blob=UNSIZED)


# Resuming


@pytest.mark.parametrize("blob", [BLOB, UNSIZED])
def test_drops_are_resumed_where_they_happened(server: Server, http: Http, store: Store, blob: Blob) -> None:
    address = server.script("/a.whl", *dropping(Reply(CONTENT), 70_000, 10_000, 100_001))
    assert fetch(store, http, address, blob=blob).read_bytes() == CONTENT
    assert offsets(server.requests) == [0, 70_000, 80_000, 180_001]
    wait_until(lambda: server.sent == len(CONTENT))


def test_failures_between_drops_cost_nothing(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT, drop_after=200_000), *failing(Reply(CONTENT), 2, 503))
    assert fetch(store, http, address).read_bytes() == CONTENT
    assert offsets(server.requests) == [0, 200_000, 200_000, 200_000]


def test_another_run_goes_on_where_the_last_one_gave_up(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT, drop_after=20_000))
    with pytest.raises(TransientError):
        fetch(store, http, address)
    assert offsets(server.requests) == [0, 20_000, 40_000, 60_000, 80_000]
    assert not store.has(BLOB)
    server.script("/a.whl", Reply(CONTENT))
    assert fetch(store, http, address).read_bytes() == CONTENT
    assert server.requests[-1].offset == 100_000


def test_a_server_that_ignores_ranges_begins_anew(server: Server, http: Http, store: Store) -> None:
    whole = Reply(CONTENT, ranges=False)
    address = server.script("/a.whl", *dropping(whole, 70_000, 290_000))
    assert fetch(store, http, address).read_bytes() == CONTENT
    assert offsets(server.requests) == [0, 70_000, 290_000]


def test_a_server_that_resumes_elsewhere_is_not_believed(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT, drop_after=70_000), Reply(CONTENT, start=60_000), Reply(CONTENT))
    assert fetch(store, http, address).read_bytes() == CONTENT
    assert offsets(server.requests) == [0, 70_000, 0]


def test_a_server_that_always_resumes_elsewhere_is_asked_for_the_whole(
    server: Server, http: Http, store: Store
) -> None:
    put_partial(store, CONTENT[:70_000])
    address = server.script("/a.whl", Reply(CONTENT, start=1))
    assert fetch(store, http, address).read_bytes() == CONTENT
    assert offsets(server.requests) == [70_000, 0]


@pytest.mark.parametrize("content_range", ["", "bytes 70000-/*", "rubbish"])
def test_a_206_without_a_place_is_asked_for_the_whole(
    server: Server, http: Http, store: Store, content_range: str
) -> None:
    put_partial(store, CONTENT[:70_000])
    odd = Reply(CONTENT[70_000:], status=206, headers={"Content-Range": content_range})
    assert fetch(store, http, server.script("/a.whl", odd, Reply(CONTENT))).read_bytes() == CONTENT
    assert offsets(server.requests) == [70_000, 0]


def test_a_refused_range_begins_anew(server: Server, http: Http, store: Store) -> None:
    put_partial(store, CONTENT[:70_000])
    address = server.script("/a.whl", Reply(status=416), Reply(CONTENT))
    assert fetch(store, http, address).read_bytes() == CONTENT
    assert offsets(server.requests) == [70_000, 0]


def test_a_server_that_refuses_everything_is_given_up(server: Server, http: Http, store: Store) -> None:
    with pytest.raises(RangeRefusedError):
        fetch(store, http, server.script("/a.whl", Reply(status=416)))
    assert len(server.requests) == 5


@pytest.mark.parametrize("blob", [BLOB, UNSIZED])
@pytest.mark.parametrize("length", [1, 70_000, len(CONTENT) - 1, len(CONTENT), len(CONTENT) + 1, 2 * len(CONTENT)])
def test_a_partial_file_of_other_bytes_begins_anew(
    server: Server, http: Http, store: Store, blob: Blob, length: int
) -> None:
    put_partial(store, bytes(length), blob)
    address = server.script("/a.whl", Reply(CONTENT))
    assert fetch(store, http, address, blob=blob).read_bytes() == CONTENT
    assert len(server.requests) <= 2
    assert server.requests[-1].offset == 0
    assert files_in(store) == [blob.sha256]


def test_a_download_that_was_killed_before_its_check_is_only_checked(server: Server, http: Http, store: Store) -> None:
    put_partial(store, CONTENT)
    assert fetch(store, http, server.script("/a.whl", Reply(CONTENT))).read_bytes() == CONTENT
    assert server.requests == []


def test_a_resumed_download_of_replaced_bytes_says_so_in_the_end(server: Server, http: Http, store: Store) -> None:
    put_partial(store, CONTENT[:70_000])
    with pytest.raises(IntegrityError, match="SHA-256 mismatch"):
        fetch(store, http, server.script("/a.whl", Reply(bytes(len(CONTENT)))))
    assert offsets(server.requests) == [70_000, 0]
    assert files_in(store) == []


def test_a_download_slower_than_is_any_use_is_given_up(server: Server, store: Store) -> None:
    trickle = Reply(CONTENT, piece=10, pause=0.01)
    address = server.script("/a.whl", trickle, Reply(CONTENT))
    with closing(Http(patience=Patience(download=0.02))) as http:
        assert fetch(store, http, address, blob=UNSIZED).read_bytes() == CONTENT
    assert server.requests[1].offset > 0


# Several addresses


def test_each_address_is_tried_until_one_has_it(server: Server, other: Server, http: Http, store: Store) -> None:
    missing = server.script("/missing", Reply(status=404))
    wrong = server.script("/wrong", Reply(bytes(len(CONTENT))))
    shorter = server.script("/shorter", Reply(CONTENT[:-1]))
    right = other.script("/right", Reply(CONTENT))
    unasked = other.script("/unasked", Reply(CONTENT))
    assert fetch(store, http, missing, wrong, shorter, right, unasked).read_bytes() == CONTENT
    assert [one.path for one in [*server.requests, *other.requests]] == ["/missing", "/wrong", "/shorter", "/right"]


def test_the_second_address_goes_on_where_the_first_one_dropped(server: Server, http: Http, store: Store) -> None:
    first = server.script("/first", Reply(CONTENT, drop_after=50_000), *[Reply(status=503)] * 4)
    second = server.script("/second", Reply(CONTENT))
    assert fetch(store, http, first, second).read_bytes() == CONTENT
    assert offsets(server.asked("/second")) == [50_000]


def test_the_last_addresss_error_is_raised(server: Server, http: Http, store: Store) -> None:
    wrong = server.script("/wrong", Reply(bytes(len(CONTENT))))
    missing = server.script("/missing", Reply(status=404))
    with pytest.raises(UnreachableError, match="404"):
        fetch(store, http, wrong, missing)
    with pytest.raises(IntegrityError):
        fetch(store, http, missing, wrong)


def test_no_address_at_all_is_an_error(http: Http, store: Store) -> None:
    with pytest.raises(UnreachableError, match="no address is known"):
        fetch(store, http)


def test_an_address_that_cannot_be_found_ends_the_fetch(server: Server, http: Http, store: Store) -> None:
    missing = server.script("/missing", Reply(status=404))

    def addresses() -> Iterator[str]:
        yield missing
        raise UnreachableError("the index does not list it")

    with pytest.raises(UnreachableError, match="does not list"):
        store.fetch(BLOB, addresses(), http, Tally())
    assert files_in(store) == []


@pytest.mark.parametrize("blob", [BLOB, UNSIZED])
def test_a_mirror_folder_serves_and_resumes_as_a_server_does(store: Store, tmp_path: Path, blob: Blob) -> None:
    (tmp_path / "a.whl").write_bytes(CONTENT)
    put_partial(store, CONTENT[:1000], blob)
    http = Http([Mirror("https://a.test/", f"{tmp_path.as_uri()}/")])
    assert fetch(store, http, "https://a.test/a.whl", blob=blob).read_bytes() == CONTENT
    (tmp_path / "a.whl").write_bytes(bytes(len(CONTENT)))
    store.discard(blob.sha256)
    with pytest.raises(IntegrityError):
        fetch(store, http, "https://a.test/a.whl", blob=blob)


# Neighbours


def test_many_threads_download_a_file_once(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT, pause=0.01))
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch(store, http, address), range(8)))
    assert {path.read_bytes() == CONTENT for path in paths} == {True}
    assert len(server.requests) == 1


@pytest.mark.slow
def test_several_processes_download_a_file_once(server: Server, store: Store, children: Forks) -> None:
    address = server.script("/a.whl", Reply(CONTENT, piece=10_000, pause=0.005))
    words = (str(store.root), BLOB.name, BLOB.sha256, len(CONTENT), address)
    running = [children.start("fetch", *words) for _ in range(5)]
    assert [children.wait(pid) for pid in running] == [0] * 5
    assert store.path(BLOB.sha256).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_waiting_process_takes_over_from_a_killed_one(server: Server, store: Store, children: Forks) -> None:
    address = server.script("/a.whl", Reply(CONTENT, piece=10_000, pause=0.01), Reply(CONTENT))
    words = (str(store.root), BLOB.name, BLOB.sha256, len(CONTENT), address)
    first = children.start("fetch", *words)
    wait_until(lambda: server.sent >= 100_000)
    second = children.start("fetch", *words)
    assert children.kill(first)
    assert children.wait(second) == 0
    assert store.path(BLOB.sha256).read_bytes() == CONTENT
    assert offsets(server.requests)[1] > 0


@pytest.mark.slow
def test_killed_downloads_leave_nothing_false_and_go_on(
    server: Server, http: Http, store: Store, children: Forks
) -> None:
    chance = random.Random(20261124)
    content = chance.randbytes(4_000_000)
    blob = blob_of(content)
    address = server.script("/a.whl", Reply(content, piece=1 << 14, pause=0.0005))
    words = (str(store.root), blob.name, blob.sha256, len(content), address)
    killed = resumed = 0
    for turn in range(18):
        before, asked = server.sent, len(server.requests)
        moment = [0, *(chance.randrange(100_000, len(content) // 3) for _ in range(3)), len(content)][turn % 5]
        child = children.start("fetch", *words)
        deadline = time.monotonic() + 0.5
        while server.sent - before < moment and not store.has(blob) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.005))
        killed += children.kill(child)
        resumed += any(one.offset for one in server.requests[asked:])
        for path in store.entries():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        if store.has(blob):
            store.discard(blob.sha256)
    assert killed >= 10
    assert resumed >= 3
    assert fetch(store, http, address, blob=blob).read_bytes() == content
    assert files_in(store) == [blob.sha256]


def test_a_cancelled_download_stops_and_can_be_gone_on_with(server: Server, http: Http, tmp_path: Path) -> None:
    looks = iter([False, False, True])
    store = Store(tmp_path / "store", lambda: next(looks, True))
    address = server.script("/a.whl", Reply(CONTENT, piece=10_000, pause=0.001))
    with pytest.raises(UnreachableError, match="interrupted"):
        fetch(store, http, address)
    assert server.sent < len(CONTENT)
    assert fetch(Store(tmp_path / "store"), http, address).read_bytes() == CONTENT
    assert server.requests[-1].offset > 0


# Tidying


def pruned(store: Store, *keep: str) -> tuple[int, int]:
    """How many files, and bytes, pruning removes."""
    done = store.prune(keep)
    return done.files, done.size


def test_pruning_keeps_what_is_named(server: Server, http: Http, store: Store) -> None:
    contents = [bytes([number]) * 1000 for number in range(3)]
    for number, content in enumerate(contents):
        fetch(store, http, server.script(f"/{number}", Reply(content)), blob=blob_of(content))
    put_partial(store, b"x" * 10)
    assert len(list(store.entries())) == 3
    named = blob_of(contents[1]).sha256
    assert store.prune([named], dry_run=True) == Pruned(3, 2010, {named: 1000})
    assert len(list(store.entries())) == 3
    assert (store.root / "partial" / BLOB.sha256).exists()
    assert store.prune([named]) == Pruned(3, 2010, {named: 1000})
    assert files_in(store) == [named]
    assert list(store.leftovers()) == []
    assert pruned(store) == (1, 1000)
    assert pruned(store) == (0, 0)


def test_pruning_keeps_what_was_used_of_late(server: Server, http: Http, store: Store) -> None:
    taken, joined, left = blobs = [blob_of(bytes([number]) * 1000) for number in range(3)]
    for number, blob in enumerate(blobs):
        path = fetch(store, http, server.script(f"/{number}", Reply(bytes([number]) * 1000)), blob=blob)
        os.utime(path, (0, 1000))
    put_partial(store, b"x" * 10)
    os.utime(store.root / "partial" / BLOB.sha256, (0, 3000))
    assert store.prune([], unused_since=1000) == Pruned(0, 0, dict.fromkeys((one.sha256 for one in blobs), 1000))
    assert store.take(taken) == store.path(taken.sha256)
    store.join(joined, [])
    fetch(store, http, blob=taken)
    assert store.prune([], unused_since=2000) == Pruned(1, 1000, {taken.sha256: 1000, joined.sha256: 1000})
    assert not store.has(left)
    assert store.prune([], unused_since=4000).files == 1, "the download that nobody goes on with"


def test_a_file_that_cannot_be_touched_is_taken_all_the_same(
    server: Server, http: Http, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch(store, http, server.script("/a.whl", Reply(CONTENT)))

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "utime", refuse)
    assert store.take(BLOB) == path


def test_pruning_an_empty_store_is_no_error(store: Store) -> None:
    assert pruned(store) == (0, 0)
    assert list(store.entries()) == list(store.leftovers()) == []


def test_pruning_leaves_a_download_that_is_under_way_alone(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT, piece=10_000, pause=0.005))
    put_partial(store, b"x", replace(BLOB, sha256="0" * 64))
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(fetch, store, http, address)
        wait_until(lambda: server.sent >= 50_000)
        assert pruned(store) == (1, 1)
        with pytest.raises(Timeout):
            FileLock(store.root / "partial" / f"{BLOB.sha256}.lock").acquire(blocking=False)
    assert fetching.result().read_bytes() == CONTENT


@pytest.mark.slow
def test_pruning_while_others_fetch_never_ends_in_false_bytes(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT, piece=50_000, pause=0.001))
    end = time.monotonic() + 0.7

    def fetch_and_drop() -> int:
        rounds = 0
        while time.monotonic() < end:
            store.fetch(BLOB, iter([address]), http, Tally())
            for path in store.entries():
                try:
                    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
                except FileNotFoundError:
                    continue
            store.discard(BLOB.sha256)
            rounds += 1
        return rounds

    def prune() -> int:
        rounds = 0
        while time.monotonic() < end:
            store.prune([BLOB.sha256])
            rounds += 1
        return rounds

    with ThreadPoolExecutor(5) as pool:
        running = [*(pool.submit(fetch_and_drop) for _ in range(4)), pool.submit(prune)]
        assert sum(one.result() for one in running[:-1]) > 10
        assert running[-1].result() > 10


def test_a_discarded_file_is_fetched_anew(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.whl", Reply(CONTENT))
    fetch(store, http, address)
    store.discard(BLOB.sha256)
    store.discard(BLOB.sha256)
    assert not store.has(BLOB)
    fetch(store, http, address)
    assert len(server.requests) == 2


# What an address has now


def test_what_an_address_has_is_found_under_its_digest(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.zip", Reply(CONTENT))
    path = store.find("a.zip", address, http, len(CONTENT))
    assert path == store.path(BLOB.sha256) and path.read_bytes() == CONTENT
    assert store.find("a.zip", address, http, len(CONTENT)) == path
    assert files_in(store) == [BLOB.sha256]


@pytest.mark.parametrize("reply", [Reply(CONTENT), Reply(CONTENT, length=0), Reply(CONTENT, chunked=True)])
def test_what_is_larger_than_the_limit_is_not_taken_in(server: Server, http: Http, store: Store, reply: Reply) -> None:
    with pytest.raises(IntegrityError, match="larger than"):
        store.find("a.zip", server.script("/a.zip", reply), http, len(CONTENT) - 1)
    assert files_in(store) == []


def test_what_breaks_off_is_begun_anew_and_never_taken_for_whole(server: Server, http: Http, store: Store) -> None:
    address = server.script("/a.zip", *dropping(Reply(CONTENT), 10, 200_000))
    assert store.find("a.zip", address, http, len(CONTENT)).read_bytes() == CONTENT
    assert offsets(server.asked("/a.zip")) == [0, 0, 0]
    with pytest.raises(UnreachableError):
        store.find("b.zip", server.script("/b.zip", Reply(CONTENT, drop_after=10)), http, len(CONTENT))
    assert files_in(store) == [BLOB.sha256]


def test_what_is_looked_for_ends_with_the_run(server: Server, http: Http, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", lambda: True)
    with pytest.raises(UnreachableError, match="interrupted"):
        store.find("a.zip", server.script("/a.zip", Reply(CONTENT)), http, len(CONTENT))
    assert files_in(store) == []
