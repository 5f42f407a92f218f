"""Turns: who of several threads works, and that nobody waits for one in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from bundler.adapters import turns as module
from bundler.adapters.turns import Turns, held, waiting
from tests.server import wait_until


@contextmanager
def begun(work: Callable[[], object]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn is taken away, however slow the machine is."""
    monkeypatch.setattr(module, "_LONG_SECONDS", 60.0)


@pytest.mark.usefixtures("kept")
def test_what_is_needed_first_comes_first_whoever_asked_before() -> None:
    turns, done, hold = Turns(1), list[int](), threading.Event()

    def work(rank: int) -> None:
        with turns.taken(rank):
            if rank == 0:
                hold.wait(10)
            done.append(rank)

    with ThreadPoolExecutor(6) as pool:
        pool.submit(work, 0)
        wait_until(lambda: bool(turns._holders))
        for rank in (5, 3, 4, 1, 2):
            pool.submit(work, rank)
        wait_until(lambda: len(turns._waiting) == 5 or bool(done))
        hold.set()
    assert done == [0, 1, 2, 3, 4, 5]


@pytest.mark.usefixtures("kept")
def test_no_more_work_at_once_than_there_are_turns() -> None:
    turns, now, most, lock = Turns(2), 0, 0, threading.Lock()

    def work(rank: int) -> None:
        nonlocal now, most
        with turns.taken(rank):
            with lock:
                now += 1
                most = max(most, now)
            sum(range(2000))
            with lock:
                now -= 1
            with waiting():
                time.sleep(0.0001)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(300)))
    assert most <= 2
    assert (turns._free, turns._waiting, turns._holders) == (2, [], {})


def test_who_waits_for_something_else_gives_its_turn_up_and_has_it_again() -> None:
    turns, other, order = Turns(1), threading.Event(), list[str]()

    def second() -> None:
        with turns.taken(2):
            order.append("second")
            other.set()

    with turns.taken(1), begun(second):
        with waiting():
            assert other.wait(10)
        order.append("first")
        assert turns._free == 0
    assert order == ["second", "first"]
    assert turns._free == 1


def test_who_keeps_a_turn_for_long_loses_it_and_goes_on() -> None:
    turns, other = Turns(1), threading.Event()

    def second() -> None:
        with turns.taken(2):
            other.set()
            with waiting():
                pass

    with turns.taken(1), begun(second):
        assert other.wait(10), "it waited in vain"
    assert (turns._free, turns._waiting, turns._holders) == (1, [], {})


def test_what_is_needed_last_is_not_put_off_for_ever() -> None:
    """Its connection would be given up at the other end."""
    turns, stop, came = Turns(1), threading.Event(), threading.Event()

    def busy() -> None:
        with turns.taken(0):
            while not stop.is_set():
                sum(range(5000))
                with waiting():
                    pass

    def last() -> None:
        with turns.taken(9):
            came.set()

    with begun(busy), begun(busy), begun(busy):
        try:
            wait_until(lambda: len(turns._waiting) == 2)
            with begun(last):
                assert came.wait(9), "it waits as long as something else is needed sooner"
        finally:
            stop.set()


def test_a_lock_is_waited_for_without_a_turn() -> None:
    """Else who has it would wait for a turn, and who has the turn for the lock."""
    turns, lock, order = Turns(1), threading.Lock(), list[str]()
    started = threading.Event()

    def first() -> None:
        with turns.taken(1), held(lock):
            started.set()
            with waiting():
                wait_until(lambda: order == ["second has a turn"])
            order.append("first")

    def second() -> None:
        with turns.taken(2):
            order.append("second has a turn")
            before = time.monotonic()
            with held(lock):
                order.append("second")
            assert time.monotonic() - before < 5

    with begun(first):
        assert started.wait(10)
        with begun(second):
            pass
    assert order == ["second has a turn", "first", "second"]
    assert not lock.locked()


def test_a_thread_without_turns_only_waits() -> None:
    lock = threading.Lock()
    with waiting(), held(lock):
        assert lock.locked()
    assert not lock.locked()


def test_turns_are_given_back_where_work_fails() -> None:
    turns = Turns(1)
    for _ in range(3):
        try:
            with turns.taken(1), waiting():
                raise ValueError
        except ValueError:
            pass
    assert (turns._free, turns._holders) == (1, {})


@pytest.mark.usefixtures("kept")
def test_who_has_just_begun_keeps_its_turn_however_long_another_waits() -> None:
    """Else many that wait would each let another one go on without, and all work at once."""
    turns, begins = Turns(1), threading.Event()

    def second() -> None:
        assert begins.wait(10)
        with turns.taken(2):
            pass

    with begun(second), turns.taken(1):
        begins.set()
        wait_until(lambda: bool(turns._waiting))
        turns._take_one_away()  # as who waits for long does
        assert turns._waiting


def test_a_wait_within_a_wait_takes_no_second_turn() -> None:
    turns = Turns(2)
    with turns.taken(1):
        with waiting(), waiting():
            assert turns._free == 2
        assert turns._free == 1
    assert (turns._free, turns._holders) == (2, {})
