"""What one run finds out once."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundler.adapters.http import Http
from bundler.adapters.store import Store
from bundler.errors import UnreachableError
from bundler.model.pin import Pin
from bundler.session import Network, bring
from tests.payloads.downloads import network_to


def test_what_is_asked_for_at_once_is_found_once() -> None:
    calls = []
    begun, others = threading.Event(), threading.Barrier(8)

    def find() -> int:
        calls.append(1)
        begun.wait(5)
        return len(calls)

    def ask(number: int) -> int:
        others.wait(5)
        if number:
            begun.set()
        return network.once("key", find)

    with network_to() as network, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {1}
        assert network.once("another", lambda: 2) == 2


def test_what_fails_fails_for_all_who_asked() -> None:
    def find() -> int:
        raise UnreachableError("gone")

    with network_to() as network:
        for again in (find, lambda: 1):
            with pytest.raises(UnreachableError, match="gone"):
                network.once("key", again)


def test_what_is_found_may_need_something_else_that_is_found_once() -> None:
    with network_to() as network:
        assert network.once("outer", lambda: network.once("inner", lambda: 1) + 1) == 2


def test_for_what_is_in_the_store_no_connection_is_opened(tmp_path: Path) -> None:
    """That takes longer than many a build."""

    class Counted:
        bytes = 0

        def advance(self, amount: int) -> None:
            self.bytes += amount

    def opened() -> Http:
        raise AssertionError("it was opened")

    store, content, task = Store(tmp_path), b"content", Counted()
    path = store.path(hashlib.sha256(content).hexdigest())
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    pin = Pin("file", path.name, len(content), "https://files.test/file")
    network = Network(opened, lambda: "", lambda: "")
    assert bring(pin, store, network, task) == path
    assert task.bytes == len(content)
    path.write_bytes(b"less")
    with pytest.raises(AssertionError, match="it was opened"):
        bring(pin, store, network, task)
