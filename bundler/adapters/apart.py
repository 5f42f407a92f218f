"""Downloads by a copy of this process: in one process Python takes one step at a time, in however many threads.

The copy is made before much is imported, and imports what downloads take while this process reads manifests and locks;
then it fetches, hashes and keeps what this process plans, proves and packs. It is a help and nothing else: what it does
not answer is for this process to fetch.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING, TypeAlias, cast

from bundler.adapters.jail_fork import helper

if TYPE_CHECKING:
    from bundler.model.pin import Pin
    from bundler.progress import Task

# Brings one file into the store, and counts its bytes. Raises BundleError, OSError.
Bring: TypeAlias = "Callable[[Pin, Task], object]"
# What a copy tells of a file, by its SHA-256 (hex): bytes that came; at its end whether it is there, or why it is not.
_Told: TypeAlias = "tuple[str, int, bool | Exception | None]"
# Of one file so many bytes, or what came in so many seconds, are told at once.
_TOLD_BYTES, _TOLD_SECONDS = 1 << 20, 0.1
# Who waits for a file looks that often whether it is still wanted.
_LOOK_SECONDS = 0.1


class Downloads:
    """Another process that fetches; for several threads."""

    def __init__(self, process: int, connection: Connection[object, object]) -> None:
        self._process, self._connection = process, connection
        self._coming: dict[str, Future[bool]] = {}
        self._tasks: dict[str, Task] = {}
        self._counting = threading.Lock()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._ready: bool | None = None

    def ready(self) -> bool:
        """Wait until it can fetch, and say whether it can. Raises what went wrong where it told that."""
        if self._ready is None:
            answer: object = None
            with suppress(OSError, EOFError):
                answer = self._connection.recv()
            if isinstance(answer, Exception):
                raise answer
            self._ready = bool(answer)
        return self._ready

    def begin(self, tasks: Sequence[tuple[Pin, Task]]) -> None:
        """Have files fetched, in their order, each counted by its task; once."""
        self._tasks = {pin.sha256: task for pin, task in tasks}
        self._coming = {sha256: Future() for sha256 in self._tasks}
        self._listener.start()
        with suppress(OSError):  # it has ended, which the listener tells
            self._connection.send([pin for pin, _ in tasks])

    def count_no_more(self) -> None:
        """Leave the tasks alone from now on: their view ends."""
        with self._counting:
            self._tasks = {}

    def brought(self, sha256: str, cancelled: Callable[[], bool]) -> bool:
        """Wait for a file, unless `cancelled` says that nobody does; say whether it is in the store.

        If not, nobody fetches it. Raises BundleError, OSError.
        """
        coming = self._coming.get(sha256)
        while coming and not coming.done() and not cancelled():
            wait([coming], _LOOK_SECONDS)
        return coming is not None and coming.done() and coming.result()

    def end(self) -> None:
        """End it, whatever it is at: nothing in the store is there by half."""
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._process, 0)
        if self._listener.ident:
            self._listener.join()
        self._connection.close()

    def _listen(self) -> None:
        counted = dict.fromkeys(self._coming, 0)
        with suppress(OSError, EOFError):
            while True:
                sha256, amount, end = cast("_Told", self._connection.recv())
                self._count(sha256, amount)
                counted[sha256] += amount
                if end is False:
                    self._count(sha256, -counted[sha256])
                if isinstance(end, Exception):
                    self._coming[sha256].set_exception(end)
                elif end is not None:
                    self._coming[sha256].set_result(end)
        for sha256, coming in self._coming.items():
            if not coming.done():
                self._count(sha256, -counted[sha256])
                coming.set_result(False)

    def _count(self, sha256: str, amount: int) -> None:
        with self._counting:
            if task := self._tasks.get(sha256):
                task.advance(amount)


@contextmanager
def downloads_apart(prepare: Callable[[], AbstractContextManager[Bring]], threads: int) -> Iterator[Downloads | None]:
    """A copy of this process that brings files with what `prepare` gives there, in `threads` threads.

    When the context ends the copy does, and so it does when this process ends. It prints nothing and is not interrupted
    from a terminal. None where no copy can be made: other threads run, or the system has libraries that do not outlive
    a fork, as macOS has for proxies (and not Linux's scheduler, by which it is told).
    """
    if not hasattr(os, "sched_getaffinity") or threading.active_count() != 1:
        yield None
        return
    connection, its = Pipe()
    try:
        made = Downloads(helper(partial(_live, prepare, threads, its, connection)), connection)
    except OSError:  # no more processes
        connection.close()
        made = None
    finally:
        its.close()
    try:
        yield made
    finally:
        if made:
            made.end()


def _live(
    prepare: Callable[[], AbstractContextManager[Bring]],
    threads: int,
    connection: Connection[object, object],
    other: Connection[object, object],
) -> int:
    """What the copy does, until nobody is at the other end any more."""
    other.close()  # else it would hide that the process it was made of has ended
    with suppress(OSError, EOFError):
        try:
            with prepare() as bring:
                connection.send(True)
                _serve(bring, threads, connection)
        except Exception as error:
            connection.send(_sendable(error))
    return 0


def _serve(bring: Bring, threads: int, connection: Connection[object, object]) -> None:
    """Bring what is asked for, then wait for the end, which comes at once if nobody is there any more."""
    lock = threading.Lock()

    def tell(told: _Told) -> None:
        with lock, suppress(OSError):
            connection.send(told)

    def one(pin: Pin) -> None:
        count, end = _Count(pin.sha256, tell), cast("bool | Exception", True)
        try:
            bring(pin, count)
        except Exception as error:
            end = _sendable(error)
        tell((pin.sha256, count.untold(), end))

    pins = cast("Sequence[Pin]", connection.recv())
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    with ThreadPoolExecutor(threads) as pool:
        for pin in pins:
            pool.submit(one, pin)


def _end_with(connection: Connection[object, object]) -> None:
    """End this process when the one at the other end has ended, whatever its threads wait for."""
    with suppress(OSError, EOFError):
        connection.recv()
    os.kill(os.getpid(), signal.SIGKILL)


def _sendable(error: Exception) -> Exception | bool:
    """An error that is expected, to be raised in the other process; False for all else, which that one meets itself."""
    from bundler.errors import BundleError

    return error.with_traceback(None) if isinstance(error, BundleError | OSError) else False


class _Count:
    """Counts what comes of one file, and tells it now and then."""

    def __init__(self, sha256: str, tell: Callable[[_Told], None]) -> None:
        self._sha256, self._tell = sha256, tell
        self._untold, self._last = 0, time.monotonic()

    def advance(self, amount: int) -> None:
        """Count bytes."""
        self._untold += amount
        now = time.monotonic()
        if abs(self._untold) >= _TOLD_BYTES or now - self._last >= _TOLD_SECONDS:
            self._last = now
            self._tell((self._sha256, self.untold(), None))

    def untold(self) -> int:
        """What was not told yet; it counts as told then."""
        amount, self._untold = self._untold, 0
        return amount
