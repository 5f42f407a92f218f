"""Archives in the making: written while their files come, visible only once they are proven."""

from __future__ import annotations

import re
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from bundler.adapters.store import Store
from bundler.commands.build import BuildReport, build
from bundler.errors import IntegrityError, ProofError, UnreachableError
from bundler.make import _large_first
from bundler.model.closure import Wheel
from bundler.model.metadata import read_wheel
from bundler.model.pin import Pin
from bundler.progress import Silent
from bundler.session import Session
from tests.server import wait_until
from tests.world import World

NAME = "litellm-runtime-debian-12-amd64.tar.gz"


def hidden(world: World) -> list[Path]:
    return list(world.dist.glob(".*"))


def run(world: World, monkeypatch: pytest.MonkeyPatch, selector: str = "debian-12-amd64") -> BuildReport:
    env = world.env()
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    session = Session(world.root / "manifests", world.root / "cache", env, Silent())
    return build(session, [selector], ("litellm",), world.dist)


class Held:
    """Wheels that match `pattern` do not come until they are let go; the others do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
        self.let_go, self.came = threading.Event(), set[str]()
        fetch = Store.fetch

        def held(store: Store, blob, *rest) -> Path:  # type: ignore[no-untyped-def]
            if re.search(pattern, blob.name):
                assert self.let_go.wait(30)
            path = fetch(store, blob, *rest)
            self.came.add(blob.name)
            return path

        monkeypatch.setattr(Store, "fetch", held)


def test_what_is_there_is_written_while_a_file_is_awaited_and_hidden(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = sorted(path.name for path in locked.index.folder.glob("*.whl"))
    held = Held(monkeypatch, f"^{re.escape(wheels[-1].split('-')[0])}-")
    seen: list[tuple[int, bool]] = []

    def watch() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (hidden(locked) and len(held.came) >= 3):
            time.sleep(0.01)
        seen.append((len(hidden(locked)), (locked.dist / NAME).exists()))
        held.let_go.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    report = run(locked, monkeypatch)
    watcher.join()
    assert seen == [(1, False)], "one file is written, and nobody sees it"
    assert report.exit_code == 0
    assert not hidden(locked)
    with tarfile.open(locked.dist / NAME) as archive:
        assert any(name.endswith(wheels[-1]) for name in archive.getnames())


def test_an_interruption_while_a_thread_starts_leaves_nothing_either(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool does not wait for that thread: the interruption came before the pool noted it."""
    held = Held(monkeypatch, "^litellm-")

    class Interrupted(ThreadPoolExecutor):
        def submit(self, work, /, *args, **options):  # type: ignore[no-untyped-def]
            future = super().submit(work, *args, **options)
            if getattr(work, "__name__", "") == "make":
                wait_until(lambda: bool(hidden(locked)))
                self._threads.clear()  # type: ignore[attr-defined]
                threading.Timer(0.3, held.let_go.set).start()
                raise KeyboardInterrupt
            return future

    monkeypatch.setattr("bundler.make.ThreadPoolExecutor", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(locked, monkeypatch)
    assert held.let_go.is_set()
    assert not hidden(locked)


def test_wheels_are_read_for_the_proof_as_they_come_not_as_they_are_packed(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = sorted(path.name for path in locked.index.folder.glob("*.whl"))
    held = Held(monkeypatch, f"^{re.escape(wheels[0].split('-')[0])}-")  # the first to be packed
    seen = set[str]()

    def noted(stream: BinaryIO, filename: str, *, digests: bool, code: bool) -> Wheel:
        seen.add(filename)
        return read_wheel(stream, filename, digests=digests, code=code)

    monkeypatch.setattr("bundler.adapters.locked_reading.read_wheel", noted)

    def watch() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and len(seen) < 3:
            time.sleep(0.01)
        before.append(len(seen))
        held.let_go.set()

    before = list[int]()
    watcher = threading.Thread(target=watch)
    watcher.start()
    report = run(locked, monkeypatch)
    watcher.join()
    assert report.exit_code == 0
    assert before[0] >= 3
    assert wheels[0] in seen


@pytest.mark.parametrize("selector", ["debian-12-amd64", "all"])
def test_an_archive_that_does_not_close_is_never_there(
    locked: World, monkeypatch: pytest.MonkeyPatch, selector: str
) -> None:
    def unproven(*_: object) -> None:
        assert hidden(locked), "it was written"
        raise ProofError("debian-12-amd64", [], "lock again")

    monkeypatch.setattr("bundler.kinds.wheelhouse.pack.prove_wheels", unproven)
    report = run(locked, monkeypatch, selector)
    assert {type(outcome.error) for outcome in report.outcomes} == {ProofError}
    assert list(locked.dist.iterdir()) == []


def test_files_that_cannot_be_had_are_told_together_and_nothing_is_left(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wheel in (*locked.index.folder.glob("aiohttp-*.whl"), *locked.index.folder.glob("orjson-*.whl")):
        wheel.unlink()
    report = run(locked, monkeypatch)
    (error,) = [outcome.error for outcome in report.outcomes]
    assert isinstance(error, UnreachableError)
    assert re.search(r"2 of [0-9]+ files could not be fetched", error.message)
    assert list(locked.dist.iterdir()) == []


def test_a_file_that_goes_bad_in_the_store_is_seen_as_it_is_packed(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Store.fetch

    def damaged(store: Store, blob, *rest) -> Path:  # type: ignore[no-untyped-def]
        path = fetch(store, blob, *rest)
        if blob.name.startswith("litellm"):
            content = bytearray(path.read_bytes())
            content[40] ^= 1  # within the first member's data or name
            path.write_bytes(content)
        return path

    monkeypatch.setattr(Store, "fetch", damaged)
    report = run(locked, monkeypatch)
    (error,) = [outcome.error for outcome in report.outcomes]
    assert isinstance(error, IntegrityError)
    assert list(locked.dist.iterdir()) == []


def test_what_is_large_is_fetched_first_and_all_else_in_order() -> None:
    sizes = [5, 6_000_000, None, 3, 9_000_000, 4_000_000, 1]
    pins = [Pin(f"{n}", f"{n}" * 64, size, "https://a.test/") for n, size in enumerate(sizes)]
    assert [pin.name for pin in _large_first(pins)] == ["4", "1", "5", "0", "2", "3", "6"]
