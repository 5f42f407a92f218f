"""What an old file has: its runs by their digest, its ZIPs by project and member, and its bytes in chunks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bundler.transfer.assembly import Assembly
from bundler.transfer.layout import Run, Unframed, View, is_archive, runs
from bundler.transfer.machine import DEEPEST
from bundler.transfer.members import Zip, list_behind, zip_of

# Chunks end where these bytes stand, which random bytes do every 4 KiB, or at their largest.
_CUT = re.compile(rb"[\x5a][\xa0-\xaf]")
_LARGEST_CHUNK = 1 << 16
_SMALLEST_CHUNK = 64
_PIECE = 1 << 20


class Space:
    """Old bytes that instructions can copy from: the old file, or a source that is made when it is first used."""

    def __init__(self, assembly: Assembly, view: View, outer: Space | None = None, start: int = 0) -> None:
        self.view = view
        self._assembly, self._outer, self._start = assembly, outer, start
        self._address: int | None = None if outer else 0

    def address(self, offset: int) -> int:
        """Where a place in it is, for instructions."""
        if self._address is None:
            outer = self._outer.address(self._start) if self._outer else 0
            self._address = self._assembly.unframe(outer, self.view.size)
        return self._address + offset

    def inner(self, run: Run) -> Space:
        """What is in a run of stored blocks."""
        return Space(self._assembly, Unframed(self.view, run.start, run.size), self, run.start)


@dataclass(frozen=True)
class Place:
    """A run of the old file, by number, in the bytes that all these are runs of."""

    space: Space
    runs: tuple[Run, ...]
    number: int

    @property
    def run(self) -> Run:
        """The run."""
        return self.runs[self.number]

    @property
    def next(self) -> Place | None:
        """The run behind it."""
        return Place(self.space, self.runs, self.number + 1) if self.number + 1 < len(self.runs) else None


@dataclass(frozen=True)
class Packed:
    """A ZIP of the old file, and the run in which it is."""

    content: Zip
    space: Space
    place: Place


class Chunk(NamedTuple):
    """Where some bytes are."""

    space: Space
    start: int
    length: int


class There:
    """The old file. What the new one takes whole is looked up; the rest is read only if something new is like it."""

    def __init__(self, space: Space, taken: frozenset[bytes]) -> None:
        self.first: Place | None = None
        self.by_digest: dict[bytes, Place] = {}
        self._zips: dict[str, list[Packed]] = {}
        self._left: list[Place] = []
        self._chunks: dict[bytes, Chunk] | None = None
        self._read(space, taken, 0)

    def zip_like(self, new: Zip) -> Packed | None:
        """The ZIP of the same project, or of as many members of the same content as most have."""
        contents = {member.key for member in new.members}
        best: tuple[int, int, Packed] | None = None
        candidates = self._zips.get(new.project) or [one for zips in self._zips.values() for one in zips]
        for number, one in enumerate(candidates):
            shared = sum(member.key in contents for member in one.content.members)
            if (shared or new.project == one.content.project != "") and (best is None or shared > best[0]):
                best = shared, number, one
        return best[2] if best else None

    def chunk(self, data: bytes) -> Chunk | None:
        """Where the old file has a chunk of the same bytes."""
        if self._chunks is None:
            self._chunks = {}
            for place in self._left:
                space, start, size = place.space, place.run.start, place.run.length
                if place.run.size:
                    space, start, size = space.inner(place.run), 0, place.run.size
                for at, content in chunks(space.view, start, start + size):
                    self._chunks.setdefault(chunk_digest(content), Chunk(space, at, len(content)))
        found = self._chunks.get(chunk_digest(data))
        return found if found and found.space.view.read(found.start, found.length) == data else None

    def _read(self, space: Space, taken: frozenset[bytes], depth: int) -> None:
        found = tuple(runs(space.view))
        self.first = self.first or (Place(space, found, 0) if found else None)
        for number, run in enumerate(found):
            place = Place(space, found, number)
            self.by_digest.setdefault(run.digest, place)
            if run.digest not in taken:
                self._look_into(place, taken, depth)

    def _look_into(self, place: Place, taken: frozenset[bytes], depth: int) -> None:
        if not place.run.size:
            self._left.append(place)
            return
        inner = place.space.inner(place.run)
        if is_archive(inner.view) and depth + 1 < DEEPEST:
            self._read(inner, taken, depth + 1)
            return
        content = zip_of(inner.view, list_behind(place.space.view, place.next.run if place.next else None))
        if content:
            self._zips.setdefault(content.project, []).append(Packed(content, inner, place))
        self._left.append(place)


def chunks(view: View, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the chunks of a part of a view, cut where its content says, and where each begins."""
    data, at = b"", start
    while at < end:
        data = view.read(at, min(_PIECE, end - at))
        done = 0
        for match in _CUT.finditer(data):
            if match.end() - done >= _SMALLEST_CHUNK:
                yield from _cut(data, at, done, match.end())
                done = match.end()
        if at + len(data) == end:
            yield from _cut(data, at, done, len(data))
            done = len(data)
        elif not done:
            done = _LARGEST_CHUNK
            yield at, data[:done]
        at += done


def _cut(data: bytes, at: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    for place in range(start, end, _LARGEST_CHUNK):
        yield at + place, data[place : min(place + _LARGEST_CHUNK, end)]


def chunk_digest(data: bytes) -> bytes:
    """What a chunk is known by."""
    return hashlib.blake2b(data, digest_size=16).digest()
