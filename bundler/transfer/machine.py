"""Make files as deltas and sets say (docs/delta.md): a program copies from the old file or from the set's content.

A part of the program that hosts run, which have Python 3.9 or later and nothing else, and of the tool. What a program
may make, keep in memory and inflate is bounded; that it made the right bytes is for whoever calls to see.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bundler.transfer.form import (
    CHUNK,
    Delta,
    Packed,
    RefusedError,
    Set,
    Source,
    Stored,
    Stream,
    Wanted,
    digest,
    within,
)

END, COPY, STORED, TEXT, DIFFER, FRAME, DEFLATE, UNFRAME, INFLATE, AGAIN = range(10)
# The largest stored block (RFC 1951, 3.2.4), and what stands before each: that it is not the last, and its length.
BLOCK, BLOCK_HEADER = 65535, 5
LARGEST_MEMBER = 1 << 24
# A wheel in an archive in a package: three, and one to spare.
DEEPEST = 4
MOST_SOURCES = 1 << 16
# What is inflated and deflated in all, in sizes of the old and the new file: a delta of ours takes less than 4. Each
# time some bytes more are counted, as it takes time to begin.
MOST_WORK, WORK_TO_SPARE, WORK_EACH = 8, 1 << 26, 1 << 14
_KEPT, _KEPT_EACH = 1 << 25, 256
_OTHER_ZLIB = "this host's zlib deflates otherwise than zlib 1.2 and 1.3; take the plain delta"


class _Extent(NamedTuple):
    """Some addresses: where what they show is read, and how often a source was made of a source for it."""

    size: int
    depth: int
    pieces: Callable[[int, int], Iterator[bytes]]


class _Space:
    """What a program copies from, by address: the old file, then each source that the program made."""

    def __init__(self, source: Source, start: int, size: int, work: _Work) -> None:
        self._source, self._start, self._work = source, start, work
        self._starts, self._extents, self._end = [0], [_Extent(size, 0, self._file)], size
        self._inflated: OrderedDict[int, bytes] = OrderedDict()
        self._kept = 0

    def pieces(self, address: int, length: int) -> Iterator[bytes]:
        """Yield what stands at an address. Raises RefusedError where nothing is, or more than one source has."""
        number = bisect_right(self._starts, address) - 1
        extent, offset = self._extents[number], address - self._starts[number]
        if not 0 <= offset <= offset + length <= extent.size:
            raise RefusedError("its program copies from where nothing is")
        return extent.pieces(offset, length)

    def unframe(self, address: int, length: int) -> None:
        """Make a source: what is in the stored blocks that begin at an address."""

        def pieces(offset: int, size: int) -> Iterator[bytes]:
            while size:
                number, within = divmod(offset, BLOCK)
                part = min(size, BLOCK - within)
                yield from self.pieces(address + number * (BLOCK_HEADER + BLOCK) + BLOCK_HEADER + within, part)
                offset, size = offset + part, size - part

        self._add(address, framed(length), length, pieces)

    def inflate(self, address: int, packed: int, length: int) -> None:
        """Make a source: what is in deflated data (RFC 1951) at an address."""
        if max(packed, length) > LARGEST_MEMBER:
            raise RefusedError("its program inflates something too large")
        number = len(self._extents)

        def pieces(offset: int, size: int) -> Iterator[bytes]:
            content = self._content(number, address, packed, length)
            for start in range(offset, offset + size, CHUNK):
                yield content[start : min(start + CHUNK, offset + size)]

        self._add(address, packed, length, pieces)

    def _add(self, address: int, taken: int, size: int, pieces: Callable[[int, int], Iterator[bytes]]) -> None:
        number = bisect_right(self._starts, address) - 1
        parent = self._extents[number]
        if not 0 <= address - self._starts[number] <= address - self._starts[number] + taken <= parent.size:
            raise RefusedError("its program makes a source of what is not there")
        if parent.depth == DEEPEST or len(self._extents) == MOST_SOURCES or not size:
            raise RefusedError("its program makes too many sources")
        self._starts.append(self._end)
        self._extents.append(_Extent(size, parent.depth + 1, pieces))
        self._end += size

    def _file(self, offset: int, length: int) -> Iterator[bytes]:
        while length:
            data = self._source.read(self._start + offset, min(length, CHUNK))
            offset, length = offset + len(data), length - len(data)
            yield data

    def _content(self, number: int, address: int, packed: int, length: int) -> bytes:
        if number in self._inflated:
            self._inflated.move_to_end(number)
            return self._inflated[number]
        self._work.done(packed + length)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(b"".join(self.pieces(address, packed)), length + 1)
        except zlib.error as error:
            raise RefusedError(f"its program inflates what is not deflated: {error}") from error
        if len(content) != length or not inflater.eof or inflater.unused_data:
            raise RefusedError("its program inflates something of another size")
        self._inflated[number] = content
        self._kept += length + _KEPT_EACH
        while self._kept > _KEPT:
            self._kept -= len(self._inflated.popitem(last=False)[1]) + _KEPT_EACH
        return content


class _Work:
    """How much may still be inflated and deflated: a small program must not keep a host busy for days."""

    def __init__(self, most: int) -> None:
        self._left = most

    def done(self, size: int) -> None:
        self._left -= size + WORK_EACH
        if self._left < 0:
            raise RefusedError("its program inflates or deflates far more than the file needs")


Write = Callable[[bytes], object]


class _Frame:
    """Cuts what is written into stored blocks."""

    def __init__(self, write: Write) -> None:
        self._out, self._waiting = write, bytearray()

    def write(self, data: bytes) -> None:
        self._waiting += data
        whole = len(self._waiting) // BLOCK * BLOCK
        for start in range(0, whole, BLOCK):
            self._put(bytes(self._waiting[start : start + BLOCK]))
        del self._waiting[:whole]

    def close(self) -> None:
        if self._waiting:
            self._put(bytes(self._waiting))

    def _put(self, block: bytes) -> None:
        self._out(struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF) + block)


class _Deflated:
    """Deflates what is written, which has to give the very bytes that the maker of the delta saw."""

    def __init__(self, write: Write, level: int, memory: int, packed: int) -> None:
        self._out, self._packed = write, packed
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory)

    def write(self, data: bytes) -> None:
        self._put(self._deflate.compress(data))

    def close(self) -> None:
        self._put(self._deflate.flush())
        if self._packed:
            raise RefusedError(_OTHER_ZLIB)

    def _put(self, data: bytes) -> None:
        self._packed -= len(data)
        if self._packed < 0:
            raise RefusedError(_OTHER_ZLIB)
        self._out(data)


class Checked:
    """What is written, counted and hashed on its way; never more than was said."""

    def __init__(self, write: Write, wanted: Wanted) -> None:
        self._write, self._wanted, self._sha256, self._size = write, wanted, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Write some bytes. Raises RefusedError for more than the file has."""
        self._size += len(data)
        if self._size > self._wanted.size:
            raise RefusedError(f"it makes more than {self._wanted.size} bytes")
        self._sha256.update(data)
        self._write(data)

    def close(self) -> None:
        """Raise RefusedError unless what was written is what was said."""
        wanted, sha256 = self._wanted, self._sha256.hexdigest()
        if (self._size, sha256) != (wanted.size, wanted.sha256):
            raise RefusedError(
                f"what it makes is not {wanted.name}\n"
                f"    expected {wanted.sha256}, {wanted.size} bytes\n"
                f"    actual   {sha256}, {self._size} bytes"
            )


def framed(length: int) -> int:
    """How long `length` bytes are in stored blocks."""
    return length + -(-length // BLOCK) * BLOCK_HEADER


def added(one: bytes, other: bytes) -> bytes:
    """Each byte of one plus that of the other, modulo 256, as in BSDIFF's patches."""
    if not any(other):
        return one
    size = len(one)
    low, high = int.from_bytes(b"\x7f" * size, "little"), int.from_bytes(b"\x80" * size, "little")
    first, second = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    return (((first & low) + (second & low)) ^ ((first ^ second) & high)).to_bytes(size, "little")


class _Machine:
    """Runs a program: instructions that copy, or make, what the file consists of."""

    def __init__(self, code: bytes, space: _Space, streams: dict[int, Stored], work: _Work) -> None:
        self._code, self._at, self._cursor = code, 0, 0
        self._space, self._streams, self._work = space, streams, work

    def run(self, write: Write, size: int) -> None:
        """Write exactly `size` bytes, and come to the program's end and the streams' ends with it."""
        self._fill(write, size, 0)
        if self._number() != END or self._at != len(self._code):
            raise RefusedError("its program does not end where the file does")
        for stream in self._streams.values():
            stream.close()

    def _fill(self, write: Write, left: int, depth: int) -> None:
        """Run instructions until they have written `left` bytes."""
        while left:
            code = self._number()
            if not self._streams and code not in (COPY, FRAME):
                raise RefusedError("its program does more than copy and frame")
            if code == UNFRAME:
                self._space.unframe(self._number(), self._number())
            elif code == INFLATE:
                self._space.inflate(self._number(), self._number(), self._number())
            elif code == FRAME and depth < DEEPEST:
                length = self._number()
                left = _less(left, framed(length) if length else 0)
                frame = _Frame(write)
                self._fill(frame.write, length, depth + 1)
                frame.close()
            elif code == DEFLATE and depth <= DEEPEST:
                left = _less(left, self._deflate(write))
            elif code == AGAIN:
                back, length = self._number(), self._number()
                left = _less(left, length)
                for piece in self._streams[STORED].again(back, length):
                    write(piece)
            else:
                left = _less(left, self._plain(code, write, left))

    def _plain(self, code: int, write: Write, left: int) -> int:
        if code not in (COPY, STORED, TEXT, DIFFER):
            raise RefusedError("its program has an instruction that does not exist, or not here")
        if code in (COPY, DIFFER):
            self._cursor += signed(self._number())
        length = self._number()
        _less(left, length)
        if code in (STORED, TEXT):
            for piece in self._streams[code].take(length):
                write(piece)
            return length
        for piece in self._space.pieces(self._cursor, length):
            write(piece if code == COPY else added(piece, b"".join(self._streams[code].take(len(piece)))))
        self._cursor += length
        return length

    def _deflate(self, write: Write) -> int:
        level, memory, length, packed = self._number(), self._number(), self._number(), self._number()
        if not (1 <= level <= 9 and 1 <= memory <= 9 and 0 < length <= LARGEST_MEMBER):
            raise RefusedError("its program deflates something too large, or as nothing does")
        self._work.done(length + packed)
        deflated = _Deflated(write, level, memory, packed)
        self._fill(deflated.write, length, DEEPEST + 1)
        deflated.close()
        return packed

    def _number(self) -> int:
        value, self._at = number(self._code, self._at)
        return value


def number(code: bytes, at: int) -> tuple[int, int]:
    """A number in a program, in LEB128 as of DWARF (7.6), unsigned, and where the next one is. Raises RefusedError."""
    value = shift = 0
    while shift < 56:
        if at == len(code):
            raise RefusedError("its program is cut short")
        byte = code[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise RefusedError("its program has a number that is too large")


def _less(left: int, length: int) -> int:
    if not 0 < length <= left:
        raise RefusedError("its program makes more than the file has, or nothing")
    return left - length


def signed(number: int) -> int:
    """Return a signed number of an unsigned one: 0, -1, 1, -2 …"""
    return number >> 1 if not number & 1 else -(number + 1 >> 1)


def write_new(delta: Source, header: Delta, old: Source, write: Write) -> None:
    """Write the new file that a delta makes of the old one. Whoever calls looks at what was written.

    Raises RefusedError if the old file is another one, or the delta is not sound.
    """
    if old.size != header.old_size or digest(old) != header.old_sha256:
        raise RefusedError(f"it is for a file of {header.old_size} bytes with SHA-256 {header.old_sha256}")
    within(header.new.size, old.size, delta.size)
    work = _Work(MOST_WORK * (header.old_size + header.new.size) + WORK_TO_SPARE)
    streams: dict[int, Stored] = {
        STORED: Stored(delta, header.stored, "stored bytes"),
        TEXT: Packed(delta, header.text, "text"),
        DIFFER: Packed(delta, header.differences, "differences"),
    }
    code = code_of(delta, header.new.program)
    _Machine(code, _Space(old, 0, old.size, work), streams, work).run(write, header.new.size)


def write_file(source: Source, header: Set, wanted: Wanted, write: Write) -> None:
    """Write a file of a set. Whoever calls looks at what was written. Raises RefusedError if the set is not sound."""
    # Of what only copies and frames, nothing is inflated.
    nothing = _Work(0)
    space = _Space(source, header.content.offset, header.content.size, nothing)
    _Machine(code_of(source, wanted.program), space, {}, nothing).run(write, wanted.size)


def code_of(source: Source, stream: Stream) -> bytes:
    """A program, unpacked. Raises RefusedError if it is damaged, or of another size than it says."""
    packed = Packed(source, stream, "program")
    code = b"".join(packed.take(stream.size))
    packed.close()
    return code
