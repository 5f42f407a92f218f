"""What a file consists of: runs of stored blocks, what lies between, and what is in each.

Nothing is believed that matters: a delta and a set are made of bytes that were compared. What is not as `build` writes
it is found as one long run, and costs size alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bundler.adapters.archive import GZIP_HEADER
from bundler.transfer.machine import BLOCK, BLOCK_HEADER

_CHUNK = 1 << 20
_MEMBER = GZIP_HEADER[:3]
# What ends a run of deflated data, and what may follow it: a stored block, or the last one, which is empty.
_FLUSHED = re.compile(rb"\0\0\xff\xff(?=[\0\1])")
_LAST = b"\1\0\0\xff\xff"


class View(Protocol):
    """Bytes that can be read anywhere: a file, or what is in the stored blocks of another view."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on."""


class Unframed:
    """What is in the stored blocks of a run: all of 65,535 bytes, but for the last."""

    def __init__(self, outer: View, start: int, size: int) -> None:
        self._outer, self._start, self._size = outer, start, size

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on."""
        if not length:
            return b""
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        start = self._start + (first + 1) * BLOCK_HEADER + offset
        raw = memoryview(self._outer.read(start, length + (last - first) * BLOCK_HEADER))
        if first == last:
            return bytes(raw)
        # What of the first block is wanted, and then whole ones, each behind its header.
        head = BLOCK - offset % BLOCK
        whole = BLOCK_HEADER + BLOCK
        starts = range(head + BLOCK_HEADER, len(raw), whole)
        return b"".join((raw[:head], *(raw[at : at + BLOCK] for at in starts)))


@dataclass(frozen=True)
class Run:
    """Some bytes of a view, and their digest; `size` is that of what is in the stored blocks, if it is such a run."""

    start: int
    end: int
    size: int
    digest: bytes

    @property
    def length(self) -> int:
        """How many bytes of the view it has."""
        return self.end - self.start


def is_archive(view: View) -> bool:
    """Whether it begins as gzip does."""
    return view.read(0, min(len(_MEMBER), view.size)) == _MEMBER


def runs(view: View) -> Iterator[Run]:
    """Yield the runs of a view, one behind the other."""
    for start, end, size in cuts(view):
        yield Run(start, end, size, _digest(view, start, end))


def cuts(view: View) -> Iterator[tuple[int, int, int]]:
    """Yield where each run of a view starts and ends, and how much is in its stored blocks, 0 if it has none."""
    at = 0
    while at < view.size:
        end, size = _stored_end(view, at)
        if not size:
            end = _other_end(view, at)
        yield at, end, size
        at = end


def pieces(view: View, start: int, end: int) -> Iterator[bytes]:
    """Yield what is in a part of a view."""
    while start < end:
        data = view.read(start, min(_CHUNK, end - start))
        yield data
        start += len(data)


def _digest(view: View, start: int, end: int) -> bytes:
    sha256 = hashlib.sha256()
    for data in pieces(view, start, end):
        sha256.update(data)
    return sha256.digest()


def _stored_end(view: View, at: int) -> tuple[int, int]:
    """Where the stored blocks end that begin at a place, and how much is in them."""
    size = 0
    while length := _block(view, at):
        size, at = size + length, at + BLOCK_HEADER + length
        if length < BLOCK:
            break
    return at, size


def _block(view: View, at: int) -> int:
    """How much is in the stored block that begins at a place; 0 if none does."""
    if at + BLOCK_HEADER > view.size:
        return 0
    header = view.read(at, BLOCK_HEADER)
    length, other = int.from_bytes(header[1:3], "little"), int.from_bytes(header[3:5], "little")
    return length if not header[0] and length ^ other == BLOCK and at + BLOCK_HEADER + length <= view.size else 0


def _other_end(view: View, at: int) -> int:
    """Where stored blocks follow, or the file's end."""
    start = at
    while start < view.size:
        data = view.read(start, min(_CHUNK, view.size - start))
        for match in _FLUSHED.finditer(data):
            end = start + match.end()
            if data[match.end()] == 0:
                found = _block(view, end)
            else:
                found = end + len(_LAST) <= view.size and view.read(end, len(_LAST)) == _LAST
            if found:
                return end
        # What the next piece begins with may end a run that this one does.
        start += max(1, len(data) - 4)
    return view.size
