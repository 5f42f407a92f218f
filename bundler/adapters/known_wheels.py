"""Wheels that were read before, in the same run: archives for several hosts share most of theirs.

What a wheel says depends on its bytes and its file name alone, so of one digest and one name it is read once. Wheels
that are refused are not remembered: each archive that holds one is told of it by what is in that archive.

Processes that read archives side by side (`forks`) share what they know: one of them reads a wheel, the others wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import cast

from bundler.model.closure import Wheel

# In bytes, about: what the 370 wheels of twelve real archives say takes a quarter of it.
_MOST_KEPT = 8 << 20
_FOR_A_WHEEL, _FOR_A_TEXT = 1024, 64
# In seconds: how long to wait before it is asked once more for a wheel that another process is reading.
_A_MOMENT = 0.004


@dataclass(frozen=True)
class WheelKey:
    """What decides what is read of a wheel: its SHA-256 (hex), its name, whether it is compared with its RECORD."""

    sha256: str
    filename: str
    digests: bool


class KnownWheels:
    """What is remembered of wheels, in at most about `most` bytes; for several threads."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._left = most
        self._lock = threading.Lock()
        self._kept: dict[WheelKey, Wheel] = {}
        self._under_way: dict[WheelKey, threading.Event] = {}
        self._claimed: set[WheelKey] = set()
        self._others: _Others | None = None

    def get(self, key: WheelKey) -> Wheel | None:
        """What was read of a wheel, if it is remembered."""
        with self._lock:
            return self._kept.get(key)

    def once(self, key: WheelKey, read: Callable[[], Wheel]) -> Wheel:
        """What is read of a wheel: by another thread, if one is at it, else here. Raises what `read` does."""
        with self._lock:
            if wheel := self._kept.get(key):
                return wheel
            other = self._under_way.get(key)
            if other is None:
                mine = self._under_way[key] = threading.Event()
        if other:
            other.wait()
            return self.get(key) or read()
        try:
            wheel = self._others.once(key, read) if self._others else read()
            with self._lock:
                self._keep(key, wheel)
            return wheel
        finally:
            with self._lock:
                del self._under_way[key]
            mine.set()

    def join(self, connection: Connection[object, object]) -> None:
        """From now on share what is known with whoever does `serve` at the other end of a connection."""
        self._others = _Others(connection)

    def serve(self, connection: Connection[object, object]) -> None:
        """Tell the process at the other end what is known, and what it shall read, until it closes the connection."""
        its = set[WheelKey]()
        try:
            while True:
                key, read, wheel = cast("tuple[WheelKey, bool, Wheel | None]", connection.recv())
                with self._lock:
                    if not read:
                        connection.send((known := self._kept.get(key), bool(known) or key not in self._claimed))
                        its |= {key} - self._claimed
                        self._claimed |= its
                        continue
                    its.discard(key)
                    self._claimed.discard(key)
                    if wheel:
                        self._keep(key, wheel)
        except (OSError, EOFError):
            with self._lock:
                self._claimed -= its

    def _keep(self, key: WheelKey, wheel: Wheel) -> None:
        """Remember a wheel, in place of those that are remembered longest; the lock is held."""
        if key in self._kept:
            return
        self._kept[key] = wheel
        self._left -= _taken(wheel)
        while self._left < 0:
            self._left += _taken(self._kept.pop(next(iter(self._kept))))


class _Others:
    """What other processes know of wheels, asked through a connection, for several threads."""

    def __init__(self, connection: Connection[object, object]) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def once(self, key: WheelKey, read: Callable[[], Wheel]) -> Wheel:
        """What another process has read of a wheel, else what is read here, which the others are told."""
        while True:
            with self._lock:
                self._connection.send((key, False, None))
                wheel, ours = cast("tuple[Wheel | None, bool]", self._connection.recv())
            if wheel:
                return wheel
            if ours:
                break
            time.sleep(_A_MOMENT)
        try:
            wheel = read()
        finally:  # None if it is refused: the others read it themselves then
            with self._lock:
                self._connection.send((key, True, wheel))
        return wheel


def _taken(wheel: Wheel) -> int:
    """About how many bytes of memory it takes to remember a wheel."""
    lists = (wheel.requires_dist, wheel.extras or (), wheel.startup, wheel.licences, wheel.sboms, *wheel.recorded)
    texts = (text for one in lists for text in one)
    code = sum(len(path) + one.memory() for path, one in wheel.code)
    return _FOR_A_WHEEL + code + sum(len(text) + _FOR_A_TEXT for text in texts)


KNOWN_WHEELS = KnownWheels()
