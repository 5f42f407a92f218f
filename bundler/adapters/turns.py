"""Turns at the processor, for threads that wait for a network most of the time.

In one process Python takes one step at a time: where many threads have something to do at once, to change over between
them takes as long as what they do. So only a few have a turn, those of what is needed first; all others wait for theirs
without a step, at most about a second. Who waits for something else gives its turn up meanwhile (`waiting`), and who
keeps one for long loses it: turns save time and decide nothing, so nobody ever waits for one in vain.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

# Who has a turn that long may wait for something of which nobody said so.
_LONG_SECONDS = 0.1
# Who waits for so many times that long is next, whatever is needed sooner: the other end of a connection waits, too.
_PATIENCE = 10


class Turns:
    """So many turns at a time, each for the one of the lowest rank that waits for it; for several threads."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._holders: dict[_Turn, float] = {}  # and since when (s, monotonic), in the order in which they began
        self._waiting: list[tuple[int, int, _Turn]] = []
        self._numbers = count()
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, rank: int) -> Iterator[None]:
        """A context in which this thread has a turn, but for while it is `waiting`."""
        turn = _Turn(self, rank)
        turn.begin()
        _THREAD.turn = turn
        try:
            yield
        finally:
            _THREAD.turn = None
            turn.end()

    def begin(self, turn: _Turn) -> None:
        """Wait for a turn of that rank."""
        with self._lock:
            if self._free:
                self._hold(turn)
                return
            heapq.heappush(self._waiting, (turn.rank, next(self._numbers), turn))
        waited = 0
        # Who gives a turn notes who has it.
        while not turn.given.acquire(timeout=_LONG_SECONDS):
            waited += 1
            self._take_one_away()
            if waited == _PATIENCE:
                self._put_first(turn)

    def end(self, turn: _Turn) -> None:
        """Give a turn to the next one, unless it was taken away meanwhile."""
        with self._lock:
            if turn in self._holders:
                self._drop(turn)

    def _take_one_away(self) -> None:
        """Let the one that has a turn longest go on without, if it is long that it has it."""
        with self._lock:
            if self._waiting and self._holders:
                turn, since = next(iter(self._holders.items()))
                if time.monotonic() - since >= _LONG_SECONDS:
                    self._drop(turn)

    def _put_first(self, turn: _Turn) -> None:
        """Let one that waits be next, after those of which that was said before."""
        with self._lock:
            self._waiting = [(-1 if one is turn else rank, number, one) for rank, number, one in self._waiting]
            heapq.heapify(self._waiting)

    def _hold(self, turn: _Turn) -> None:
        """Note that one of the free turns is this one's; the lock is held, as it is below."""
        self._free -= 1
        self._holders[turn] = time.monotonic()

    def _drop(self, turn: _Turn) -> None:
        """Note that it is this one's no more, and let the next one begin, if there is one."""
        del self._holders[turn]
        self._free += 1
        if self._waiting:
            _, _, following = heapq.heappop(self._waiting)
            self._hold(following)
            following.given.release()


class _Turn:
    """A thread's place among the others; `given` can be acquired once for each time that somebody gave it a turn."""

    def __init__(self, turns: Turns, rank: int) -> None:
        self._turns, self.rank = turns, rank
        self.given = threading.Semaphore(0)

    def begin(self) -> None:
        self._turns.begin(self)

    def end(self) -> None:
        self._turns.end(self)


class _Thread(threading.local):
    turn: _Turn | None = None


_THREAD = _Thread()


class _Lock(Protocol):
    def acquire(self) -> object: ...
    def release(self) -> None: ...


@contextmanager
def waiting() -> Iterator[None]:
    """A context in which this thread only waits: if it has a turn, others may have it meanwhile."""
    turn = _THREAD.turn
    if turn is None:
        yield
        return
    _THREAD.turn = None  # who waits within that has none to give up
    turn.end()
    try:
        yield
    finally:
        turn.begin()
        _THREAD.turn = turn


@contextmanager
def held(lock: _Lock) -> Iterator[None]:
    """A context in which a lock is held; who holds it may need a turn, so no turn is kept while waiting for it."""
    with waiting():
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
