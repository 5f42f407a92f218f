"""Deltas and sets as files: what their headers say, and the streams behind them (docs/delta.md is the format).

A part of the program that hosts run, which have Python 3.9 or later and nothing else, and of the tool. Nothing that is
read is believed: what is kept in memory is bounded by what the header says and by the limits here.
"""

from __future__ import annotations

import bz2
import hashlib
import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

DELTA, SET = "aiws-delta 1", "aiws-set 1"
LARGEST_HEADER = 1 << 22
LARGEST_PROGRAM = 1 << 23
CHUNK = 1 << 18
# What a set may make, in sizes of what it holds: one file, and all together. Ours make three times as much in all.
MOST_OF_ONE, MOST_OF_ALL, MADE_TO_SPARE = 16, 256, 1 << 20
# How large all programs of a set may be, in parts of what it holds, beside one: a byte takes a microsecond.
_PROGRAMS = 8
# How large a new file may be, in sizes of the old one and the delta.
_MOST_TIMES, _TO_SPARE = 8, 1 << 28
_NUMBER = r"(?:0|[1-9][0-9]{0,14})"
_DIGEST, _NAME = r"[0-9a-f]{64}", r"[A-Za-z0-9][A-Za-z0-9._+-]{0,254}"
NAME = re.compile(_NAME)
_FILE = re.compile(rf"file ({_DIGEST}) ({_NUMBER}) ({_NAME}) ({_NUMBER}) ({_NUMBER})")


class RefusedError(Exception):
    """A delta or set is not one, is damaged, or does not fit the file that it is applied to."""


class Stream(NamedTuple):
    """Where a stream stands in the file, how long it is there, and how long when it is unpacked."""

    offset: int
    packed: int
    size: int


class Wanted(NamedTuple):
    """A file that can be made: its name, size, SHA-256, and the program that makes it."""

    name: str
    size: int
    sha256: str
    program: Stream


class Delta(NamedTuple):
    """What a delta's header says. Streams hold what no copy gives: as it is, as bzip2, and as differences in bzip2."""

    old_sha256: str
    old_size: int
    new: Wanted
    stored: Stream
    text: Stream
    differences: Stream


class Set(NamedTuple):
    """What a set's header says: its files, by name, and where their content begins and how long it is."""

    files: dict[str, Wanted]
    content: Stream


class Source:
    """One or several files, read as one after the other. By their `names`, if told, the one to blame is named."""

    def __init__(self, descriptors: list[int], names: Sequence[str] = ()) -> None:
        self._descriptors, self._names = descriptors, names
        self._starts = [0]
        for descriptor in descriptors:
            self._starts.append(self._starts[-1] + os.fstat(descriptor).st_size)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._starts[-1]

    @property
    def files(self) -> int:
        """How many files they are."""
        return len(self._descriptors)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on. Raises RefusedError if there are not so many."""
        parts = []
        while length:
            number = bisect_right(self._starts, offset) - 1
            if number >= len(self._descriptors):
                raise self.cut_short()
            size = min(length, self._starts[number + 1] - offset)
            try:
                data = os.pread(self._descriptors[number], size, offset - self._starts[number])
            except OSError as error:  # a bad sector, a stick that was pulled
                if not self._names:
                    raise
                raise RefusedError(f"{self._names[number]} cannot be read: {error.strerror}") from error
            if not data:
                raise RefusedError("it became shorter while it was read")
            parts.append(data)
            offset, length = offset + len(data), length - len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def ends_at(self, end: int) -> None:
        """Raise RefusedError unless there are just so many bytes; of volumes the one to blame is told."""
        if end > self.size:
            raise self.cut_short()
        if end in self._starts[1:-1] and self._names:
            surplus = self._names[self._starts.index(end) :]
            raise RefusedError(f"{', '.join(surplus)} {'does' if len(surplus) == 1 else 'do'} not belong to it")
        if end < self.size:
            raise RefusedError(f"it goes on for {self.size - end} bytes after its end")

    def cut_short(self) -> RefusedError:
        """The error for what ends too early, with the volume that may be missing."""
        last = re.fullmatch(r"(.+\.)([0-9]{3})", self._names[-1], re.DOTALL) if self._names else None
        volume = f": {last[1]}{int(last[2]) + 1:03} is missing, or {last[0]} is not whole" if last else ""
        return RefusedError(f"it is cut short{volume}")


def read_header(source: Source) -> Delta | Set:
    """Return what the header of a delta or a set says. Raises RefusedError if it is none, or not whole."""
    head = source.read(0, min(source.size, CHUNK))
    while b"\n\n" not in head and len(head) < min(source.size, LARGEST_HEADER):
        head = source.read(0, min(source.size, 2 * len(head), LARGEST_HEADER))
    text, blank, _ = head.partition(b"\n\n")
    if not blank and head.startswith((f"{DELTA}\n".encode(), f"{SET}\n".encode())) and len(head) == source.size:
        raise source.cut_short()
    if not blank or not text.isascii():
        raise RefusedError("it is no delta and no set, or of a form that is not known here")
    first, *lines = text.decode("ascii").split("\n")
    at = len(text) + len(blank)
    if first == DELTA:
        return _delta(lines, at, source)
    if first == SET:
        return _set(lines, at, source)
    raise RefusedError("it is no delta and no set, or of a form that is not known here")


def _delta(lines: list[str], at: int, source: Source) -> Delta:
    number = f"({_NUMBER})"
    grammar = [
        rf"old ({_DIGEST}) {number}",
        rf"new ({_DIGEST}) {number} ({_NAME})",
        *(f"{name} {number} {number}" for name in ("program", "stored", "text", "differences")),
    ]
    # No `strict`, which Python 3.9 does not have.
    found = [re.fullmatch(pattern, line) for pattern, line in zip(grammar, lines)]  # noqa: B905
    if len(lines) != len(grammar) or not all(found):
        raise RefusedError("its header is malformed")
    old, new, *streams = [match.groups() for match in found if match]
    placed = []
    for packed, unpacked in streams:
        placed.append(Stream(at, int(packed), int(unpacked)))
        at += int(packed)
    program, stored, text, differences = placed
    if stored.packed != stored.size:
        raise RefusedError("its header is malformed")
    source.ends_at(at)
    return Delta(old[0], int(old[1]), _wanted(new[2], int(new[1]), new[0], program), stored, text, differences)


def _set(lines: list[str], at: int, source: Source) -> Set:
    *files, last = lines or [""]
    content = re.fullmatch(rf"content ({_NUMBER})", last)
    wanted: dict[str, Wanted] = {}
    for line in files:
        match = _FILE.fullmatch(line)
        if not match or (wanted and match[3] <= next(reversed(wanted))):
            raise RefusedError("its header is malformed")
        program = Stream(at, int(match[4]), int(match[5]))
        wanted[match[3]] = _wanted(match[3], int(match[2]), match[1], program)
        at += program.packed
    if not content:
        raise RefusedError("its header is malformed")
    source.ends_at(at + int(content[1]))
    sizes = [one.size for one in wanted.values()]
    unit = int(content[1]) + MADE_TO_SPARE
    if sum(sizes) > MOST_OF_ALL * unit or max(sizes, default=0) > MOST_OF_ONE * unit:
        raise RefusedError("its header tells of files that are far larger than what it holds")
    if sum(one.program.size for one in wanted.values()) > most_code(int(content[1])):
        raise RefusedError("its programs are far larger than what it holds")
    return Set(wanted, Stream(at, int(content[1]), int(content[1])))


def _wanted(name: str, size: int, sha256: str, program: Stream) -> Wanted:
    if program.size > LARGEST_PROGRAM:
        raise RefusedError(f"its program is larger than {LARGEST_PROGRAM} bytes")
    return Wanted(name, size, sha256, program)


def most_code(content: int) -> int:
    """How many bytes all programs of a set that holds `content` bytes may have."""
    return LARGEST_PROGRAM + content // _PROGRAMS


def within(size: int, old_size: int, delta_size: int) -> None:
    """Raise RefusedError for a new file so large that its delta can only be meant to fill a disk."""
    if size > _MOST_TIMES * (old_size + delta_size) + _TO_SPARE:
        raise RefusedError(f"what it makes is {size} bytes, far more than the old file and it have")


class Stored:
    """A stream that is not packed, taken piece by piece."""

    def __init__(self, source: Source, stream: Stream, what: str) -> None:
        self._source, self._what = source, what
        self._start = stream.offset
        self._at, self._end, self._left = stream.offset, stream.offset + stream.packed, stream.size

    def take(self, length: int) -> Iterator[bytes]:
        """Yield the next `length` bytes. Raises RefusedError if there are not so many."""
        if length > self._left:
            raise RefusedError(f"its program asks for more {self._what} than it has")
        self._left -= length
        while length:
            piece = self._next(min(length, CHUNK))
            length -= len(piece)
            yield piece

    def again(self, back: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes, all taken before, which begin `back` bytes before the next ones."""
        at = self._at - back
        if not self._start <= at <= at + length <= self._at:
            raise RefusedError(f"its program repeats {self._what} that it did not take before")
        while length:
            piece = self._source.read(at, min(length, CHUNK))
            at, length = at + len(piece), length - len(piece)
            yield piece

    def close(self) -> None:
        """Raise RefusedError unless all of it was taken."""
        if self._left or self._at != self._end:
            raise RefusedError(f"its program leaves some of its {self._what}")

    def _next(self, most: int) -> bytes:
        data = self._source.read(self._at, min(most, self._end - self._at))
        self._at += len(data)
        return data


class Packed(Stored):
    """A stream that bzip2 packed, unpacked piece by piece."""

    def __init__(self, source: Source, stream: Stream, what: str) -> None:
        super().__init__(source, stream, what)
        self._bz2 = bz2.BZ2Decompressor()

    def close(self) -> None:
        """Raise RefusedError unless all of it was taken, and it ends there."""
        if self._end > self._at or not self._bz2.needs_input:
            while not self._bz2.eof:
                if self._unpacked(1):
                    raise RefusedError(f"its {self._what} is longer than it says")
        if self._bz2.eof and self._bz2.unused_data:
            raise RefusedError(f"something follows its {self._what}")
        super().close()

    def _next(self, most: int) -> bytes:
        while True:
            if self._bz2.eof:
                raise RefusedError(f"its {self._what} is shorter than it says")
            piece = self._unpacked(most)
            if piece:
                return piece

    def _unpacked(self, most: int) -> bytes:
        data = super()._next(CHUNK) if self._bz2.needs_input else b""
        if self._bz2.needs_input and not data:
            raise RefusedError(f"its {self._what} is cut short")
        try:
            return self._bz2.decompress(data, most)
        except (OSError, ValueError, EOFError) as error:
            raise RefusedError(f"its {self._what} is damaged: {error}") from error


def digest(source: Source) -> str:
    """The SHA-256 of all of a source."""
    sha256, at = hashlib.sha256(), 0
    while at < source.size:
        data = source.read(at, min(CHUNK, source.size - at))
        sha256.update(data)
        at += len(data)
    return sha256.hexdigest()
