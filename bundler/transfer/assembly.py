"""Deltas in the making: a program and the three streams behind it, put together as one file."""

from __future__ import annotations

import bz2
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bundler.transfer.form import DELTA, LARGEST_PROGRAM
from bundler.transfer.layout import View, pieces
from bundler.transfer.machine import LARGEST_MEMBER, MOST_SOURCES, MOST_WORK, WORK_EACH, WORK_TO_SPARE
from bundler.transfer.program import Program

# Stored bytes that are looked for when others are added: not fewer than an instruction takes, nor too many pieces.
_WORTH_KEEPING, _MOST_KEPT = 24, 1 << 17


class Said(NamedTuple):
    """What a delta's header says of a file."""

    sha256: str
    size: int
    name: str


class Assembly:
    """What makes the new file: copies of the old one and of sources, and what is in no old file.

    It keeps to the limits of `machine`; whoever adds to it asks `can_deflate` first.
    """

    def __init__(self, folder: Path, old_size: int, new_size: int) -> None:
        self._program, self._pending = Program(), (0, 0)
        self._stored, self._text, self._differences = (_Stream(folder, packed) for packed in (False, True, True))
        self._stored_at: dict[bytes, int] = {}
        self._end, self._sources = old_size, 0
        self._work = MOST_WORK * (old_size + new_size) + WORK_TO_SPARE

    def copy(self, address: int, length: int) -> None:
        """Copy what is at an address; copies that follow each other become one."""
        start, size = self._pending
        if size and start + size == address:
            self._pending = start, size + length
            return
        self._flush()
        self._pending = address, length

    def differ(self, address: int, differences: bytes) -> None:
        """Copy what is at an address, with differences added."""
        if not any(differences):
            self.copy(address, len(differences))
            return
        self._flush()
        self._program.differ(address, len(differences))
        self._differences.write(differences)

    def stored(self, data: bytes) -> None:
        """Add bytes that do not get smaller, once."""
        if not data:
            return
        self._flush()
        digest = hashlib.sha256(data).digest()
        if (start := self._stored_at.get(digest)) is not None:
            self._program.again(self._stored.size - start, len(data))
            return
        if len(data) >= _WORTH_KEEPING and len(self._stored_at) < _MOST_KEPT:
            self._stored_at[digest] = self._stored.size
        self._program.stored(len(data))
        self._stored.write(data)

    def text(self, data: bytes) -> None:
        """Add bytes that bzip2 makes smaller."""
        if data:
            self._flush()
            self._program.text(len(data))
            self._text.write(data)

    def frame(self, length: int) -> None:
        """What follows goes into stored blocks, until it is so long."""
        self._flush()
        self._program.frame(length)

    def framed(self) -> None:
        """What was in a frame, or was deflated, is whole."""
        self._flush()

    def deflate(self, level: int, memory: int, length: int, packed: int) -> None:
        """What follows is deflated, until it is so long."""
        self._flush()
        self._work -= length + packed + WORK_EACH
        self._program.deflate(level, memory, length, packed)

    def unframe(self, address: int, length: int) -> int:
        """Return the address of what is in the stored blocks at an address."""
        self._program.unframe(address, length)
        return self._source(length)

    def inflate(self, address: int, packed: int, length: int) -> int:
        """Return the address of what is deflated at an address. Use it at once: hosts do not keep it for long."""
        self._work -= packed + length + WORK_EACH
        self._program.inflate(address, packed, length)
        return self._source(length)

    def can_deflate(self, *sizes: int) -> bool:
        """Whether members, or what is in them, of these sizes may be inflated and deflated."""
        return (
            max(sizes) <= LARGEST_MEMBER
            and sum(sizes) + 2 * WORK_EACH <= self._work
            and self._sources < MOST_SOURCES - 1000
        )

    def write(self, out: BinaryIO, old: Said, new: Said) -> int:
        """Write the delta, and return its size; 0 if it has more instructions than a delta may have."""
        self._flush()
        code = self._program.end()
        if len(code) > LARGEST_PROGRAM:
            return 0
        program = bz2.compress(code)
        streams = {"stored": self._stored, "text": self._text, "differences": self._differences}
        lines = [
            DELTA,
            f"old {old.sha256} {old.size}",
            f"new {new.sha256} {new.size} {new.name}",
            f"program {len(program)} {len(code)}",
            *(f"{name} {stream.close()} {stream.size}" for name, stream in streams.items()),
        ]
        out.write("".join(f"{line}\n" for line in (*lines, "")).encode("ascii"))
        out.write(program)
        for stream in streams.values():
            stream.append_to(out)
        return out.tell()

    def close(self) -> None:
        """Forget all of it."""
        for stream in (self._stored, self._text, self._differences):
            stream.forget()

    def _source(self, length: int) -> int:
        address = self._end
        self._end += length
        self._sources += 1
        return address

    def _flush(self) -> None:
        if self._pending[1]:
            self._program.copy(*self._pending)
            self._pending = 0, 0


class _Stream:
    """Bytes on their way into a delta, in a file without a name."""

    def __init__(self, folder: Path, packed: bool) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by forget
        self._bz2 = bz2.BZ2Compressor() if packed else None
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._file.write(self._bz2.compress(data) if self._bz2 else data)

    def close(self) -> int:
        """End it, and return how long it is in the file."""
        if self._bz2:
            self._file.write(self._bz2.flush())
        return self._file.tell()

    def append_to(self, out: BinaryIO) -> None:
        self._file.seek(0)
        shutil.copyfileobj(self._file, out, 1 << 20)

    def forget(self) -> None:
        self._file.close()


def read_all(view: View) -> Iterator[bytes]:
    """Yield all of a view."""
    return pieces(view, 0, view.size)
