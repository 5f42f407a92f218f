"""The wheels of an archive, read in threads while the archive itself is still being unpacked.

To compare a wheel with its RECORD all of it is inflated and hashed, which takes as long as to unpack the archive; both
happen outside the interpreter's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO

from bundler.adapters.known_wheels import KNOWN_WHEELS, WheelKey
from bundler.code.values import MOST_MEMORY
from bundler.errors import IntegrityError
from bundler.model.closure import MOST_CHARACTERS, Wheel
from bundler.model.metadata import read_wheel

_THREADS = 2
# Each may hold a megabyte of memory, and a file on the disk for what goes beyond.
_MOST_WAITING = 4
# In all archives that are read at once: the lists of a large wheel take 80 MB.
_AT_ONCE = threading.Semaphore(_THREADS)


class WheelReading:
    """Threads that read wheels, and what came of each; a context that ends when all are read."""

    def __init__(self, *, digests: bool = True) -> None:
        """With `digests` all of a wheel is compared with its RECORD, and its compiled code read."""
        self._digests = digests
        self._pool = ThreadPoolExecutor(_THREADS)
        self._room = threading.Semaphore(_MOST_WAITING)
        self._read: list[Future[Wheel | IntegrityError]] = []
        self._asked, self._code, self._counting = 0, 0, threading.Lock()

    def __enter__(self) -> WheelReading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()  # the few that wait are read and closed, whatever happened

    def put(self, stream: BinaryIO, filename: str, sha256: str) -> None:
        """Have a wheel read, of that SHA-256 (hex); the stream is closed after that. Waits while four are not read yet.

        One that is known is not read again.
        """
        key = WheelKey(sha256, filename, self._digests)
        self._room.acquire()
        if KNOWN_WHEELS.get(key):
            self._read.append(_done(self._one(stream, key)))
        else:
            self._read.append(self._pool.submit(self._one, stream, key))

    def wheels(self) -> Iterator[Wheel | IntegrityError]:
        """What came of each wheel, in the order in which they were put."""
        return (future.result() for future in self._read)

    def _one(self, stream: BinaryIO, key: WheelKey) -> Wheel | IntegrityError:
        try:
            with stream:
                return self._counted(KNOWN_WHEELS.once(key, lambda: _read(stream, key)))
        except IntegrityError as error:
            return IntegrityError(error.message)  # without what its traceback holds on to
        finally:
            self._room.release()

    def _counted(self, wheel: Wheel) -> Wheel:
        """Refuse to keep requirements that nobody would follow, and libraries that nobody asks for."""
        with self._counting:
            self._asked += sum(map(len, (*wheel.requires_dist, *(wheel.extras or ()))))
            if self._asked > MOST_CHARACTERS:
                raise IntegrityError(f"the wheels' requirements have more than {MOST_CHARACTERS} characters")
            self._code += sum(one.memory() for _, one in wheel.code)
            if self._code > MOST_MEMORY:
                raise IntegrityError("the wheels' compiled code asks for more libraries than any does")
        return wheel


def _read(stream: BinaryIO, key: WheelKey) -> Wheel:
    with _AT_ONCE:
        return read_wheel(stream, key.filename, digests=key.digests, code=key.digests)


def _done(found: Wheel | IntegrityError) -> Future[Wheel | IntegrityError]:
    future: Future[Wheel | IntegrityError] = Future()
    future.set_result(found)
    return future
