from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bundler.adapters.known_wheels import KnownWheels, WheelKey
from bundler.errors import IntegrityError
from bundler.model.closure import Wheel

WHEEL = Wheel("a-1-py3-none-any.whl", ("b>=1",))


def key(sha256: str = "0" * 64, filename: str = WHEEL.filename, *, digests: bool = True) -> WheelKey:
    return WheelKey(sha256, filename, digests)


def test_it_is_read_once_by_whichever_thread_is_first() -> None:
    known, began, go, reads = KnownWheels(), threading.Event(), threading.Event(), []

    def read() -> Wheel:
        reads.append(1)
        began.set()
        go.wait(5)
        return WHEEL

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(known.once, key(), read)
        assert began.wait(5)
        others = [pool.submit(known.once, key(), read) for _ in range(2)]
        go.set()
        assert [future.result(5) for future in (first, *others)] == [WHEEL] * 3
    assert reads == [1]


@pytest.mark.parametrize("other", [key("1" * 64), key(filename="b-1-py3-none-any.whl"), key(digests=False)])
def test_another_digest_name_or_depth_is_another_wheel(other: WheelKey) -> None:
    known = KnownWheels()
    known.once(key(), lambda: WHEEL)
    assert known.get(other) is None


def test_what_is_refused_is_judged_again_by_everyone() -> None:
    known, began, go = KnownWheels(), threading.Event(), threading.Event()

    def refuse() -> Wheel:
        began.set()
        go.wait(5)
        raise IntegrityError("bad")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(known.once, key(), refuse)
        assert began.wait(5)
        second = pool.submit(known.once, key(), refuse)
        go.set()
        for future in (first, second):
            with pytest.raises(IntegrityError):
                future.result(5)
    assert known.once(key(), lambda: WHEEL) == WHEEL


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    known = KnownWheels(most=4000)
    for number in range(10):
        known.once(key(f"{number:064}"), lambda: WHEEL)
    kept = [number for number in range(10) if known.get(key(f"{number:064}"))]
    assert kept == [7, 8, 9]
    known.once(key("f" * 64), lambda: Wheel(WHEEL.filename, ("x" * 5000,)))
    assert known.get(key("f" * 64)) is None
