"""The processes that process 1 of a sandbox starts, and the only place where it waits: nobody can keep it waiting.

A program runs as process 1.1: in process and mount namespaces of its own, in which no other process can be seen, named
or signalled, so that with it everything ends that it left running. A deputy is a copy of this process that has given up
the same rights, and does one thing with the code's files or servers: whatever it is led to, the code could have done.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

from bundler.adapters import kernel
from bundler.adapters.jail_fork import code_of, fork, only_descriptors
from bundler.adapters.jail_rights import Rights, execute, memory_is_short, see_no_processes, see_own_processes

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_LOOK_SECONDS = 0.25
_LARGEST_ANSWER = 4 << 20
_LONGEST_ERROR = 2000
_CHUNK = 1 << 16
# As much as a pipe can hold.
_MOST_READS = 64


class EndedError(Exception):
    """Whoever started the sandbox is gone."""


class Child:
    """A process that was started, and the end of what it wrote, at least `limit` bytes."""

    def __init__(self, pid: int, pipe: int, limit: int) -> None:
        self.pid, self.code, self._limit = pid, -1, limit
        self.ended, self.pipe = os.pidfd_open(pid), pipe
        self.written = bytearray()
        self._dropped = 0

    def read(self) -> bool:
        """Take what it wrote; return whether there may be more."""
        try:
            data = os.read(self.pipe, _CHUNK) if self.pipe >= 0 else b""
        except BlockingIOError:
            return False
        if not data:
            self.close()
        self.written += data
        if (more := len(self.written) - self._limit) > self._limit:
            del self.written[:more]
            self._dropped += more
        return bool(data)

    def told(self) -> str:
        """The end of what it wrote, as text; if that is not all, after a line that says so."""
        kept = self.written[-self._limit :]
        before = self._dropped + len(self.written) - len(kept)
        mark = f"[{before} bytes before this were not kept]\n" if before else ""
        return mark + kept.decode("utf-8", "replace")

    def close(self) -> None:
        """Take no more."""
        if self.pipe >= 0:
            os.close(self.pipe)
        self.pipe = -1


class Children(ABC):
    """Starts programs and deputies, and waits for them, for at most so long.

    Every wait raises EndedError when standard input ends, and ends them all when the host has no memory left.
    """

    def __init__(self) -> None:
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._running: list[Child] = []
        self._heard = bytearray()
        self._looked = 0.0

    @abstractmethod
    def program(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, limit: int) -> Child:
        """Start a program; of what it writes, keep the end of at least `limit` bytes."""

    @abstractmethod
    def _renounce(self) -> None:
        """Give up, in a deputy, what the code has not."""

    def _started(self, work: Callable[[], int], limit: int) -> Child:
        """Start a copy of this process that does `work`, with nothing to read and one pipe to write to."""
        reading, writing = os.pipe()

        def act() -> int:
            only_descriptors((self._null, writing, writing))
            return work()

        try:
            return self._added(fork(act), reading, limit)
        finally:
            os.close(writing)

    def deputy(self, work: Callable[[], Json], seconds: float, kept: Sequence[int] = ()) -> Json:
        """Have `work` done with the code's rights and no descriptors but `kept`, and return what it returns.

        Raises OSError with what went wrong, or if it takes longer than `seconds`.
        """
        reading, writing = os.pipe()

        def act() -> int:
            only_descriptors((self._null, writing, self._null), kept)
            self._renounce()
            try:
                answer: Json = {"result": work()}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]}
            data = json.dumps(answer).encode()
            while data:
                data = data[os.write(1, data) :]
            return 0

        try:
            child = self._added(fork(act), reading, _LARGEST_ANSWER)
        finally:
            os.close(writing)
        if not self.finish(child, seconds):
            raise TimeoutError(f"did not end within {seconds:.0f} s")
        return _result(child)

    def has(self, child: Child) -> bool:
        """Say whether a child still runs."""
        return child in self._running

    def finish(self, child: Child, seconds: float) -> bool:
        """Wait for a child's end; after `seconds` end it. Return whether it ended itself."""
        deadline = time.monotonic() + seconds
        while child in self._running:
            left = deadline - time.monotonic()
            if left <= 0:
                self.end(child)
                return False
            self.turn(left)
        return True

    def end(self, child: Child) -> None:
        """End a child and all that it started."""
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        while child in self._running:
            self.turn(_LOOK_SECONDS)

    def request(self) -> bytes:
        """Wait for a line on standard input."""
        while b"\n" not in self._heard:
            self.turn(None)
        line, _, rest = bytes(self._heard).partition(b"\n")
        self._heard = bytearray(rest)
        return line

    def turn(self, seconds: float | None) -> None:
        """Wait until something happens, for at most `seconds`, and take note of it."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        for child in self._running:
            poll.register(child.ended, select.POLLIN)
            if child.pipe >= 0:
                poll.register(child.pipe, select.POLLIN)
        if self._running:
            seconds = _LOOK_SECONDS if seconds is None else min(seconds, _LOOK_SECONDS)
        happened = {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}
        if 0 in happened:
            self._hear()
        for child in tuple(self._running):
            if child.pipe in happened:
                child.read()
            if child.ended in happened:
                self._bury(child)
        self._look()

    def _added(self, pid: int, reading: int, limit: int) -> Child:
        os.set_blocking(reading, False)
        child = Child(pid, reading, limit)
        self._running.append(child)
        return child

    def _bury(self, child: Child) -> None:
        """Take the rest of what an ended child wrote, and its exit code."""
        _, status = os.waitpid(child.pid, 0)
        child.code = code_of(status)
        for _ in range(_MOST_READS):  # what it passed on to another program may be written to for ever
            if not child.read():
                break
        child.close()
        os.close(child.ended)
        self._running.remove(child)

    def _hear(self) -> None:
        data = os.read(0, _CHUNK)
        if not data:
            raise EndedError
        self._heard += data

    def _look(self) -> None:
        """End what runs where the host is about to have no memory left."""
        now = time.monotonic()
        if not self._running or now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        if memory_is_short():
            for child in self._running:
                child.written += b"\nended: this host has next to no memory left\n"
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)


class Confined(Children):
    """Children of process 1 with `rights`, which are next to none."""

    def __init__(self, rights: Rights) -> None:
        super().__init__()
        self._rights = rights

    def program(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, limit: int) -> Child:
        """Start a program, with everything that it starts in namespaces of their own."""

        def first() -> int:
            see_own_processes()
            kernel.hide()
            main = fork(lambda: execute(argv, env, cwd, self._rights.renounce))
            kernel.bound_capabilities()
            kernel.clear_capabilities()
            while True:
                ended, status = os.wait()
                if ended == main:
                    return code_of(status)

        kernel.unshare(kernel.NEW_PROCESSES)
        try:
            return self._started(first, limit)
        finally:
            kernel.join(self._own, kernel.NEW_PROCESSES)

    def _renounce(self) -> None:
        see_no_processes()
        self._rights.renounce()


def _result(child: Child) -> Json:
    """What a deputy answered. Raises OSError."""
    try:
        answer = json.loads(child.written)
    except ValueError as error:
        raise OSError(f"ended with {child.code} and no answer") from error
    if "error" in answer:
        raise OSError(answer["error"])
    result: Json = answer["result"]
    return result
