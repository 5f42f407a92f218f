"""The lines of an output folder's SHA256SUMS, while one process owns the folder.

A line that goes does so at once: before its file changes. One that comes may, in a large folder, wait for some more, at
most a sixteenth of those that are there: to write the file anew for each of n archives would take n² lines.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from bundler.adapters.own_folder import is_plain
from bundler.adapters.sums import read_sums

# Of so many lines on, one in so many may wait, or go together.
FEW, PART = 256, 16


def together(lines: int) -> int:
    """How many of so many lines may wait, or go together: none of those of a folder of usual size."""
    return lines // PART if lines >= FEW else 0


class DistSums:
    """Lines as name -> SHA-256 (hex): those of the file at `path`, and those that wait. `write` puts it in place."""

    def __init__(self, path: Path, write: Callable[[Mapping[str, str]], None]) -> None:
        self._path, self._write = path, write
        self._there: dict[str, str] = {}
        self._due: dict[str, str] = {}
        self._state: tuple[int, int, int] | None = None
        self._ours = False

    def lines(self) -> Mapping[str, str]:
        """All lines. Raises IntegrityError, UsageError, OSError if the file cannot be read."""
        state = _state_of(self._path)
        if state != self._state:
            self._there = read_sums(self._path) if state else {}
            self._state = state
        return ChainMap(self._due, self._there)

    def add(self, lines: Mapping[str, str]) -> None:
        """Add lines, or give files others."""
        there = self.lines()
        changed = any(there.get(name, digest) != digest for name, digest in lines.items())
        self._due |= {name: digest for name, digest in lines.items() if self._there.get(name) != digest}
        if changed or not self._ours or len(self._due) > together(len(self._there)):
            self.replace(dict(self.lines()))

    def drop(self, names: Collection[str]) -> None:
        """Take the lines of files away."""
        there = self.lines()
        if any(name in there for name in names):
            self.replace({name: digest for name, digest in there.items() if name not in names})

    def settle(self) -> None:
        """Write what waits."""
        if self._due:
            self.replace(dict(self.lines()))

    def replace(self, lines: Mapping[str, str]) -> None:
        """Write these lines and no others."""
        self._write(lines)
        self._there, self._due, self._ours = dict(lines), {}, True
        self._state = _state_of(self._path)

    def forget(self) -> None:
        """Begin anew: another process may have owned the folder."""
        self._there, self._due, self._state, self._ours = {}, {}, None, False


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced; None if there is none."""
    if not is_plain(path):
        return None
    found = os.lstat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns
