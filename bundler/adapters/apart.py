"""Downloads by copies of this process: in one process Python takes one step at a time, in however many threads.

The first copy is made before much is imported, and imports what downloads take while this process reads manifests and
locks; it makes the others then. Each fetches, hashes and keeps its share of what this process plans, proves and packs.
They are a help and nothing else: what they do not answer is for this process to fetch.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from multiprocessing.connection import Connection, Pipe
from queue import Queue
from typing import TYPE_CHECKING, NoReturn, TypeAlias, cast

from bundler.adapters.jail_fork import helper
from bundler.adapters.turns import Turns, waiting

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.model.pin import Pin
    from bundler.progress import Task

# Brings one file into the store, counts its bytes, and says where it is. Raises BundleError, OSError.
Bring: TypeAlias = "Callable[[Pin, Task], Path]"
# What can be made of one file by itself. It is told to a copy, and its answer is told back: both can be pickled.
Work: TypeAlias = "Callable[[Path], object]"
# What a copy is asked for: a file, how soon it is needed, and what is made of it.
_Asked: TypeAlias = "tuple[Pin, int, Collection[Work]]"
# What a copy tells of a file, by its SHA-256 (hex): bytes that came; at its end whether it is there, or why it is not;
# and what was made of it, pickled: who listens does not fail on what cannot be read.
_Told: TypeAlias = "tuple[str, int, bool | Exception | None, Mapping[Work, bytes]]"
_End: TypeAlias = "Connection[object, object]"
# What a copy does with its end of a connection, and those that it made; it returns its exit code.
_Live: TypeAlias = "Callable[[_End, Sequence[int]], int]"
# Of one file so many bytes, or what came in so many seconds, are told at once.
_TOLD_BYTES, _TOLD_SECONDS = 1 << 20, 0.1
# Who waits for a file looks that often whether it is still wanted.
_LOOK_SECONDS = 0.1
# More of them do not pay: a build's own work needs a processor too.
_COPIES = 2


@dataclass(frozen=True)
class Wanted:
    """A file that a copy shall bring: the lower its rank, the sooner it is needed.

    The works are done where it is brought; the task counts what comes of it.
    """

    pin: Pin
    rank: int
    works: Collection[Work]
    task: Task


class Downloads:
    """Other processes that fetch, `at_once` files together, which is at least one each; for several threads."""

    def __init__(self, process: int, connections: Sequence[_End], at_once: int) -> None:
        self._process, self._connections, self._at_once = process, connections, at_once
        self._left: deque[Wanted] = deque()
        self._coming: dict[str, Future[bool]] = {}
        self._made: dict[tuple[str, Work], bytes] = {}
        self._tasks: dict[str, Task] = {}
        self._counting, self._asking = threading.Lock(), threading.Lock()
        self._living = len(connections)
        self._listeners: list[threading.Thread] = []
        self._ready: bool | None = None

    def ready(self) -> bool:
        """Wait until they can fetch, and say whether any can. Raises what went wrong where it told that."""
        if self._ready is None:
            answers = [_received(one) for one in self._connections]
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            self._ready = any(answers)
        return self._ready

    def begin(self, files: Sequence[Wanted]) -> None:
        """Have files fetched, once, begun in their order: each process takes the next one when it is done with one.

        Raises what `ready` raises.
        """
        self.ready()
        self._left.extend(files)
        self._tasks = {one.pin.sha256: one.task for one in files}
        self._coming = {sha256: Future() for sha256 in self._tasks}
        firsts: list[list[Wanted]] = [[] for _ in self._connections]
        for first in islice(cycle(firsts), self._at_once):
            first += self._next()
        for connection, first in zip(self._connections, firsts, strict=True):
            listener = threading.Thread(target=self._listen, args=(connection, first), daemon=True)
            self._listeners.append(listener)
            listener.start()

    def _next(self) -> Sequence[Wanted]:
        """The next file to be begun, if there is one."""
        with suppress(IndexError):
            return [self._left.popleft()]
        return ()

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

    def made(self, sha256: str, work: Work) -> object:
        """What was made of a file that was brought; None if nothing was, or nothing that can be told."""
        with suppress(Exception):  # it is not there, or cannot be made anew
            return cast("object", pickle.loads(self._made[sha256, work]))  # noqa: S301 - a copy of ours made it
        return None

    def end(self) -> None:
        """End them, whatever they are at: nothing in the store is there by half."""
        for connection in self._connections:
            with self._asking, suppress(OSError):
                connection.send(None)
        for listener in self._listeners:
            listener.join()
        for connection in self._connections:
            while _received(connection) is not None:
                pass
            connection.close()
        with suppress(ChildProcessError):
            os.waitpid(self._process, 0)

    def _listen(self, connection: _End, first: Sequence[Wanted]) -> None:
        """Have one process fetch, file after file, until it ends."""
        counted: dict[str, int] = {}
        self._ask(connection, first, counted)
        while isinstance(told := _received(connection), tuple):
            sha256, amount, end, made = cast("_Told", told)
            self._count(sha256, amount)
            counted[sha256] += amount
            if end is not None:
                self._ask(connection, self._next(), counted)
                self._made |= {(sha256, work): answer for work, answer in made.items()}
                self._end(sha256, end, counted.pop(sha256))
        with self._counting:
            self._living -= 1
            last = not self._living
        for sha256, amount in counted.items():
            self._end(sha256, False, amount)
        while last and (rest := self._next()):
            self._end(rest[0].pin.sha256, False, 0)

    def _ask(self, connection: _End, files: Sequence[Wanted], counted: dict[str, int]) -> None:
        counted |= {one.pin.sha256: 0 for one in files}
        with self._asking, suppress(OSError):  # it has ended, which its listener sees
            for one in files:
                connection.send((one.pin, one.rank, one.works))

    def _end(self, sha256: str, end: bool | Exception, counted: int) -> None:
        """Tell who waits for a file; what was counted of one that is not there is taken back."""
        if end is False:
            self._count(sha256, -counted)
        if isinstance(end, Exception):
            self._coming[sha256].set_exception(end)
        else:
            self._coming[sha256].set_result(end)

    def _count(self, sha256: str, amount: int) -> None:
        with self._counting:
            if task := self._tasks.get(sha256):
                task.advance(amount)


def _received(connection: _End) -> object:
    """What the other end sent; None once it has ended."""
    with suppress(OSError, EOFError):
        return connection.recv()
    return None


@contextmanager
def downloads_apart(
    load: Callable[[], object], prepare: Callable[[], AbstractContextManager[Bring]], threads: int
) -> Iterator[Downloads | None]:
    """Copies of this process that bring files with what `prepare` gives there, in `threads` threads together.

    `load` is done once, in the first of them, before the others are made. When the context ends they do, and so they do
    when this process ends. They print nothing and are not interrupted from a terminal. None where no copy can be made:
    other threads run, or the system has libraries that do not outlive a fork, as macOS has for proxies (and not Linux's
    scheduler, by which it is told).
    """
    if not hasattr(os, "sched_getaffinity") or threading.active_count() != 1:
        yield None
        return
    number = min(_COPIES, threads, len(os.sched_getaffinity(0)))
    ours, theirs = zip(*(Pipe() for _ in range(number)), strict=True)
    made = None
    try:
        live = partial(_live, prepare, -(-threads // number))
        made = Downloads(helper(partial(_copies, load, live, ours, theirs)), ours, threads)
    except OSError:  # no more processes
        pass
    finally:
        for connection in theirs if made else (*ours, *theirs):
            connection.close()
    try:
        yield made
    finally:
        if made:
            made.end()


def _copies(load: Callable[[], object], live: _Live, others: Sequence[_End], own: Sequence[_End]) -> int:
    """What the first copy does: make the others, and what each does."""
    for connection in others:  # else they would hide that the process it was made of has ended
        connection.close()
    with suppress(Exception):  # what is wrong is told where it is used
        load()
    first, *more = own
    made: list[int] = []
    for connection in more:
        with suppress(OSError):  # no more processes: its share is for the process at the other end
            made.append(helper(partial(_another, live, first, connection)))
        connection.close()
    return live(first, made)


def _another(live: _Live, first: _End, own: _End) -> int:
    first.close()
    return live(own, ())


def _live(
    prepare: Callable[[], AbstractContextManager[Bring]], threads: int, connection: _End, made: Sequence[int]
) -> int:
    """What each copy does: bring what it is asked for, until it is told to end or nobody is there to tell it.

    It has `made` others, for whose end it waits: nothing of them is left to anybody else.
    """
    asked: Queue[_Asked] = Queue()
    threading.Thread(target=_hear, args=(connection, asked, made), daemon=True).start()
    with suppress(OSError):
        try:
            with prepare() as bring:
                connection.send(True)
                _serve(bring, threads, connection, asked)
        except Exception as error:
            connection.send(_sendable(error))
    return 0


def _hear(connection: _End, asked: Queue[_Asked], made: Sequence[int]) -> None:
    """Take what is asked for. At the end this process ends too, whatever its threads wait for."""
    while (one := _received(connection)) is not None:
        asked.put(cast("_Asked", one))
    for copy in made:
        with suppress(ChildProcessError):
            os.waitpid(copy, 0)
    os.kill(os.getpid(), signal.SIGKILL)


def _serve(bring: Bring, threads: int, connection: _End, asked: Queue[_Asked]) -> NoReturn:
    """Bring files, and tell of each."""
    lock, turns = threading.Lock(), Turns(1)

    def tell(told: _Told) -> None:
        with waiting(), lock, suppress(OSError):  # who listens may be at something else
            connection.send(told)

    def one(pin: Pin, rank: int, works: Collection[Work]) -> None:
        count = _Count(pin.sha256, tell)
        with turns.taken(rank):
            end, made = _brought(bring, pin, works, count)
        tell((pin.sha256, count.untold(), end, made))

    with ThreadPoolExecutor(threads) as pool:
        while True:
            pool.submit(one, *asked.get())


def _brought(
    bring: Bring, pin: Pin, works: Collection[Work], count: _Count
) -> tuple[bool | Exception, Mapping[Work, bytes]]:
    """Bring a file; whether it is there, or why it is not, and what was made of it."""
    made: dict[Work, bytes] = {}
    try:
        path = bring(pin, count)
    except Exception as error:
        return _sendable(error), made
    for work in works:
        with suppress(Exception):  # it is done once more where it can be told
            made[work] = pickle.dumps(work(path))
    return True, made


def _sendable(error: Exception) -> Exception | bool:
    """An error that is expected, to be raised in the other process; False for all else, which that one meets itself."""
    from bundler.errors import BundleError

    with suppress(Exception):  # nothing can be made of it there either
        if isinstance(error, BundleError | OSError):
            return cast("Exception", pickle.loads(pickle.dumps(error)))  # noqa: S301 - our own
    return False


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
            self._tell((self._sha256, self.untold(), None, {}))

    def untold(self) -> int:
        """What was not told yet; it counts as told then."""
        amount, self._untold = self._untold, 0
        return amount
