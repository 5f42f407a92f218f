"""A set in the making: each distinct part of some files once, and a program for each file that copies it together.

Files that hold archives of ours are cut at their runs, and so are archives inside of them; wheels in them are cut at
their large members, lists and SBOMs into lines; all else is one part. The files are read twice, so that nothing but the
plan has to be kept: once to see what is the same, and once to write it.
"""

from __future__ import annotations

import bz2
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

from bundler.adapters.archive import GZIP_HEADER
from bundler.adapters.regular import open_regular
from bundler.transfer.form import LARGEST_HEADER, LARGEST_PROGRAM, SET, RefusedError, Source, most_code
from bundler.transfer.layout import Unframed, View, pieces
from bundler.transfer.machine import DEEPEST, Write, framed
from bundler.transfer.program import Program
from bundler.transfer.runs import ZIP, Run, members, runs

_Ranges: TypeAlias = tuple[tuple[int, int], ...]
# What is cut into lines: no archive, and no larger than the texts that a release has.
_LARGEST_TEXT = 4 << 20


@dataclass(frozen=True)
class _Part:
    """A part of the content: where it stands in its file, below which runs (the outermost first)."""

    below: tuple[Run, ...]
    run: Run

    def of(self, view: View) -> View:
        for run in self.below:
            view = Unframed(view, run.start, run.size)
        return _Slice(view, self.run.start, self.run.size)


@dataclass(frozen=True)
class _Slice:
    """Some bytes of a view."""

    view: View
    start: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        return self.view.read(self.start + offset, length)


@dataclass(frozen=True)
class Planned:
    """One file of a set to be: `parts` are what no file before it has."""

    name: str
    path: Path
    size: int
    sha256: str
    program: bytes
    code_size: int
    parts: tuple[_Part, ...]


@dataclass(frozen=True)
class SetPlan:
    """What a set will hold, by name, and how large its content will be."""

    files: tuple[Planned, ...]
    content: int

    @property
    def header(self) -> bytes:
        """The set's header. Raises RefusedError if there are too many files for one."""
        lines = [f"file {one.sha256} {one.size} {one.name} {len(one.program)} {one.code_size}\n" for one in self.files]
        text = f"{SET}\n{''.join(lines)}content {self.content}\n\n".encode()
        if len(text) > LARGEST_HEADER:
            raise RefusedError(f"{len(self.files)} files are more than a set can hold")
        return text

    @property
    def size(self) -> int:
        """The set's size in bytes."""
        return len(self.header) + sum(len(one.program) for one in self.files) + self.content


@dataclass
class _Content:
    """Where each part that was seen stands in the content, by its digest: addresses and lengths."""

    places: dict[bytes, _Ranges] = field(default_factory=dict)
    size: int = 0


class _Planning:
    """The program of one file in the making."""

    def __init__(self, content: _Content, advance: Callable[[int], None]) -> None:
        self._content, self._advance = content, advance
        self._program, self._parts = Program(), list[_Part]()
        self._address = self._length = 0

    def plan(self, view: View, below: tuple[Run, ...] = ()) -> None:
        """Cut a view, and what is in it."""
        head = view.read(0, min(len(GZIP_HEADER), view.size))
        if head == GZIP_HEADER and len(below) < DEEPEST:
            for run in runs(view):
                if run.stored:
                    self._advance(framed(run.size) - run.size)
                    self._flush()
                    self._program.frame(run.size)
                    self.plan(Unframed(view, run.start, run.size), (*below, run))
                    self._flush()
                else:
                    self._part(view, _Part(below, run))
        else:
            for run in _lines(view) if not below and view.size <= _LARGEST_TEXT else _whole(view):
                self._part(view, _Part(below, run))

    def end(self) -> tuple[bytes, tuple[_Part, ...]]:
        """The program, and the parts that are new."""
        self._flush()
        return self._program.end(), tuple(self._parts)

    def _part(self, view: View, part: _Part) -> None:
        wheel = view.read(part.run.start, min(len(ZIP), part.run.size)) == ZIP
        for address, length in self._ranges(view, part, wheel=wheel):
            self._copy(address, length)
        self._advance(part.run.size)

    def _ranges(self, view: View, part: _Part, *, wheel: bool = False) -> _Ranges:
        """Where a part stands; one that is new is put there, of a `wheel` only what no other has."""
        sliced, digest = _Slice(view, part.run.start, part.run.size), blake2b(digest_size=32)
        for data in pieces(sliced, 0, sliced.size):
            digest.update(data)
        key = digest.digest()
        if key not in self._content.places:
            self._content.places[key] = self._of_members(view, part) if wheel else self._new(part)
        return self._content.places[key]

    def _of_members(self, view: View, part: _Part) -> _Ranges:
        ranges: list[tuple[int, int]] = []
        for run in members(_Slice(view, part.run.start, part.run.size)):
            moved = _Part(part.below, Run(part.run.start + run.start, run.size, stored=False))
            for address, length in self._ranges(view, moved):
                if ranges and sum(ranges[-1]) == address:
                    address, length = ranges[-1][0], ranges.pop()[1] + length
                ranges.append((address, length))
        return tuple(ranges)

    def _new(self, part: _Part) -> _Ranges:
        """Put a part at the content's end, as one with the part before it if it follows that."""
        address, last = self._content.size, self._parts[-1] if self._parts else None
        self._content.size += part.run.size
        if last and last.below == part.below and last.run.start + last.run.size == part.run.start:
            self._parts.pop()
            part = _Part(part.below, Run(last.run.start, last.run.size + part.run.size, stored=False))
        self._parts.append(part)
        return ((address, self._content.size - address),)

    def _copy(self, address: int, length: int) -> None:
        """Copy, with what was copied before if it stands there too."""
        if address != self._address + self._length:
            self._flush()
            self._address = address
        self._length += length

    def _flush(self) -> None:
        if self._length:
            self._program.copy(self._address, self._length)
        self._address, self._length = self._address + self._length, 0


def plan(files: Mapping[str, tuple[Path, str]], advance: Callable[[int], None] = lambda size: None) -> SetPlan:
    """See what files have in common, name -> path and SHA-256; tell how many bytes were read.

    Raises RefusedError if a file becomes shorter meanwhile, or is cut into too many parts; UsageError, OSError.
    """
    content, planned = _Content(), list[Planned]()
    for name, (path, sha256) in sorted(files.items()):
        with _opened(path) as source:
            planning = _Planning(content, advance)
            if source.size:
                planning.plan(source)
            code, parts = planning.end()
            if len(code) > LARGEST_PROGRAM:
                raise RefusedError(f"{name} consists of too many parts")
            planned.append(Planned(name, path, source.size, sha256, bz2.compress(code), len(code), parts))
    if sum(one.code_size for one in planned) > most_code(content.size):
        raise RefusedError("the files consist of too many parts")
    return SetPlan(tuple(planned), content.size)


def write_set(plan: SetPlan, write: Write, advance: Callable[[int], None] = lambda size: None) -> None:
    """Write a set; tell how many bytes were written. Whoever calls looks whether its files can be made of it.

    Raises RefusedError if a file is not as it was, UsageError, OSError.
    """
    write(plan.header)
    for one in plan.files:
        write(one.program)
    for one in plan.files:
        if one.parts:
            with _opened(one.path) as source:
                if source.size != one.size:
                    raise RefusedError(f"{one.name} changed meanwhile")
                for part in one.parts:
                    view = part.of(source)
                    for data in pieces(view, 0, view.size):
                        write(data)
                        advance(len(data))


@contextmanager
def _opened(path: Path) -> Iterator[Source]:
    with open_regular(path) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        yield Source([file.fileno()], [path.name])


def _whole(view: View) -> Iterator[Run]:
    if view.size:
        yield Run(0, view.size, stored=False)


def _lines(view: View) -> Iterator[Run]:
    """The lines of a text; all of it if it is none."""
    text = view.read(0, view.size)
    if b"\0" in text:
        yield from _whole(view)
        return
    start = 0
    while start < len(text):
        end = text.find(b"\n", start) + 1 or len(text)
        yield Run(start, end - start, stored=False)
        start = end
