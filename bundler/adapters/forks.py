"""Copies of this process that work beside it: in one process Python takes one step at a time, in however many threads.

They are a help and nothing else: whatever one does not answer is done in this process, so errors are raised here.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar, cast

from bundler.adapters.jail_fork import helper
from bundler.errors import Interrupted

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Shared(Protocol):
    """What the copies and this process share while they work."""

    def join(self, connection: Connection[object, object], /) -> None:
        """In a copy: from now on ask through this connection."""

    def serve(self, connection: Connection[object, object], /) -> None:
        """Here, in a thread: answer what a copy asks, until the connection is closed."""


@contextmanager
def mapped(
    work: Callable[[_Asked], _Answer], asked: Sequence[_Asked], processes: int, shared: Shared
) -> Iterator[Sequence[Future[_Answer]]]:
    """A context with the answers to all that is `asked`, each worked out in one of several copies of this process.

    Both have to be such that they can be pickled. When the context ends the copies do, whatever they are at; when this
    process does, each ends with what it is at. A copy does not print, and is not interrupted from a terminal. Where
    other threads run no copy can be made (what they hold would be held for ever): all is worked out in threads here.
    """
    alone = threading.active_count() == 1 and hasattr(os, "fork")
    forks: list[_Fork[_Asked, _Answer]] = []
    free = SimpleQueue[_Fork[_Asked, _Answer]]()
    pool = ThreadPoolExecutor(processes)
    try:
        with suppress(OSError):  # no more processes or descriptors: those that there are will do
            for _ in range(processes if alone and processes > 1 else 0):
                forks.append(_Fork(work, shared, [one for other in forks for one in other.connections]))
        for one in forks:
            one.begin()
            free.put(one)
        answer = partial(_by_one_of, free) if forks else work
        yield [pool.submit(answer, question) for question in asked]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for one in forks:
            one.end()


def _by_one_of(free: SimpleQueue[_Fork[_Asked, _Answer]], question: _Asked) -> _Answer:
    """Have a copy answer that is at nothing else."""
    one = free.get()
    try:
        return one.answer(question)
    finally:
        free.put(one)


class _Fork(Generic[_Asked, _Answer]):
    """A copy of this process that does one thing, again and again."""

    def __init__(
        self, work: Callable[[_Asked], _Answer], shared: Shared, others: Sequence[Connection[object, object]]
    ) -> None:
        self._work = work
        self._ended = False
        self._asking, asked = Pipe()
        self._serving, served = Pipe()
        self.connections = self._asking, self._serving
        self._server = threading.Thread(target=shared.serve, args=(self._serving,), daemon=True)
        try:
            self._process = helper(partial(_live, work, shared, (asked, served), (*others, *self.connections)))
        finally:
            asked.close()
            served.close()

    def begin(self) -> None:
        """Answer what the copy asks; in a thread, so not before all copies are made."""
        self._server.start()

    def answer(self, question: _Asked) -> _Answer:
        """What comes of `question`; worked out here if the copy does not say. Raises what the work does."""
        with suppress(OSError, EOFError):
            self._asking.send(question)
            if answer := cast("tuple[_Answer] | None", self._asking.recv()):
                return answer[0]
        if self._ended:
            raise Interrupted("interrupted")
        return self._work(question)

    def end(self) -> None:
        """End the copy."""
        self._ended = True
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._process, 0)
        if self._server.ident:
            self._server.join()
        self._serving.close()


def _live(
    work: Callable[[_Asked], _Answer],
    shared: Shared,
    own: tuple[Connection[object, object], Connection[object, object]],
    others: Sequence[Connection[object, object]],
) -> int:
    """What a copy does; it closes what would hide from the `others` that the process it was made of has ended."""
    for connection in others:
        connection.close()
    asked, served = own
    shared.join(served)
    with suppress(OSError, EOFError):
        _serve(work, asked)
    return 0


def _serve(work: Callable[[_Asked], _Answer], questions: Connection[object, object]) -> None:
    """Answer what comes until nothing can come any more; None where the work fails, in whichever way."""
    while True:
        question = cast("_Asked", questions.recv())
        try:
            answer: tuple[_Answer] | None = (work(question),)
        except Exception:  # it is done once more where it can be told
            answer = None
        questions.send(answer)
