"""Plain deltas: copies of whole blocks of the old file, and all else as it is, for hosts that have no Python.

A header of 512 bytes, then records of 32, so that a shell knows how much to read: `copy SKIP COUNT`, in blocks of 4,096
bytes of the old file, or `data LENGTH`, which the bytes follow (docs/delta.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from bundler.transfer.assembly import Said
from bundler.transfer.form import NAME, RefusedError, Source, Stream, Wanted, digest, within
from bundler.transfer.layout import Run, View, pieces, runs
from bundler.transfer.machine import Write
from bundler.transfer.there import chunk_digest, chunks

PLAIN = "aiws-delta-plain 1"
_HEADER, _RECORD, _BLOCK = 512, 32, 4096
_MOST_RECORDS = 20_000
_NUMBER = r"(0|[1-9][0-9]{0,14})"
_SAID = re.compile(rf"{PLAIN}\nold ([0-9a-f]{{64}}) {_NUMBER}\nnew ([0-9a-f]{{64}}) {_NUMBER} ({NAME.pattern})\n *\n")
_COPY, _DATA = re.compile(rf"copy {_NUMBER} {_NUMBER} *\n"), re.compile(rf"data {_NUMBER} *\n")
# A copy of fewer blocks is not worth two programs that a shell has to run.
_FEWEST = 4


class Part(NamedTuple):
    """A part of the new file, which the old one has at `there`, or nowhere."""

    start: int
    end: int
    there: int | None


def write_plain(old: Source, new: Source, out: BinaryIO, old_said: Said, new_said: Said) -> int:
    """Write the plain delta, and return its size; 0 if it takes more records than it may have."""
    lines = f"{PLAIN}\nold {old_said.sha256} {old_said.size}\nnew {new_said.sha256} {new_said.size} {new_said.name}\n"
    out.write(f"{lines:<{_HEADER - 1}}\n".encode("ascii"))
    records = 0
    for part in _aligned(_joined(_found(old, new)), new.size):
        records += 1
        if part.there is not None:
            _record(out, f"copy {part.there // _BLOCK} {(part.end - part.start) // _BLOCK}")
            continue
        _record(out, f"data {part.end - part.start}")
        for data in pieces(new, part.start, part.end):
            out.write(data)
    return out.tell() if records <= _MOST_RECORDS else 0


def _record(out: BinaryIO, text: str) -> None:
    out.write(f"{text:<{_RECORD - 1}}\n".encode("ascii"))


def _found(old: View, new: View) -> Iterator[Part]:
    """What of the new file is where in the old one, run by run, and of what is no run of that, chunk by chunk."""
    there = {run.digest: run for run in runs(old)}
    wanted = list(runs(new))
    taken = {run.digest for run in wanted}
    known: dict[bytes, int] = {}
    for run in there.values():
        if run.digest not in taken:
            for at, data in chunks(old, run.start, run.end):
                known.setdefault(chunk_digest(data), at)
    for run in wanted:
        if same := there.get(run.digest):
            yield Part(run.start, run.end, same.start)
        else:
            yield from _chunked(old, new, run, known)


def _chunked(old: View, new: View, run: Run, known: dict[bytes, int]) -> Iterator[Part]:
    for at, data in chunks(new, run.start, run.end):
        place = known.get(chunk_digest(data))
        same = place is not None and old.read(place, len(data)) == data
        yield Part(at, at + len(data), place if same else None)


def _joined(parts: Iterator[Part]) -> Iterator[Part]:
    """The same, parts that follow each other in both files as one."""
    last = Part(0, 0, None)
    for part in parts:
        follows = None if last.there is None else last.there + last.end - last.start
        if last.start == last.end:
            last = part
        elif part.there == follows:
            last = Part(last.start, part.end, last.there)
        else:
            yield last
            last = part
    yield last


def _aligned(parts: Iterator[Part], size: int) -> Iterator[Part]:
    """The same with whole blocks of the old file only, and what is not whole as data."""
    done = 0
    for part in parts:
        if part.there is None:
            continue
        before = -part.there % _BLOCK
        blocks = (part.end - part.start - before) // _BLOCK
        if blocks < _FEWEST:
            continue
        start = part.start + before
        if start > done:
            yield Part(done, start, None)
        done = start + blocks * _BLOCK
        yield Part(start, done, part.there + before)
    if done < size:
        yield Part(done, size, None)


@dataclass(frozen=True)
class PlainHeader:
    """What a plain delta's header says: of the old file, and of the new one."""

    old_sha256: str
    old_size: int
    new: Wanted


def is_plain(source: Source) -> bool:
    """Whether a file says that it is a plain delta."""
    return source.read(0, min(len(PLAIN), source.size)) == PLAIN.encode("ascii")


def read_plain(delta: Source) -> PlainHeader:
    """Return what a plain delta's header says. Raises RefusedError if it is malformed."""
    match = _SAID.fullmatch(delta.read(0, min(_HEADER, delta.size)).decode("ascii", "replace"))
    if not match or delta.size < _HEADER:
        raise RefusedError("its header is malformed")
    return PlainHeader(match[1], int(match[2]), Wanted(match[5], int(match[4]), match[3], Stream(0, 0, 0)))


def write_plain_new(delta: Source, header: PlainHeader, old: Source, write: Write) -> None:
    """Write the new file that a plain delta makes of the old one. Whoever calls looks at what was written.

    Raises RefusedError if the old file is another one, or the delta is not sound.
    """
    if old.size != header.old_size or digest(old) != header.old_sha256:
        raise RefusedError(f"it is for a file of {header.old_size} bytes with SHA-256 {header.old_sha256}")
    within(header.new.size, old.size, delta.size)
    for start, length, carried in records(delta, header):
        for data in pieces(delta if carried else old, start, start + length):
            write(data)


def records(delta: Source, header: PlainHeader) -> Iterator[tuple[int, int, bool]]:
    """Yield where the new file's bytes are: from where on, how many, and whether it is in the delta or the old file.

    Raises RefusedError if a record is malformed, asks for more than there is, or they do not make the file.
    """
    at, left = _HEADER, header.new.size
    for _ in range(_MOST_RECORDS):
        if not left:
            break
        record, at = delta.read(at, _RECORD).decode("ascii", "replace"), at + _RECORD
        start, length, size, carried = 0, 0, header.old_size, False
        if match := _COPY.fullmatch(record):
            start, length = int(match[1]) * _BLOCK, int(match[2]) * _BLOCK
        elif match := _DATA.fullmatch(record):
            start, length, size, carried = at, int(match[1]), delta.size, True
            at += length
        if not match or not 0 < length <= left or start + length > size:
            raise RefusedError("it is malformed")
        left -= length
        yield start, length, carried
    if left or at != delta.size:
        raise RefusedError("it has too many records, or something follows its end")
