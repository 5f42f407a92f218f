"""The gzip member of an archive of ours, unpacked: what is stored is taken as it lies there, all else is inflated.

Nothing is proven here: whoever reads (`own_archive`) has the same bytes written again and compares them with the file,
and only a file of which the right bytes were taken has any that are the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from zlib_ng import zlib_ng

from bundler.adapters.archive import GZIP_HEADER, STORED_BLOCK
from bundler.errors import IntegrityError

# The header of a stored block (RFC 1951, 3.2.4) that is not the last: a byte, its length, and that inverted.
_HEADER = 5
_WHOLE = _HEADER + STORED_BLOCK
_CHUNK = 8 * _WHOLE
_PIECE = 1 << 20
# A run of deflated data ends with an empty stored block, at the end of a byte.
_FLUSHED = b"\0\0\xff\xff"
# `build` ends a run where what is stored begins: twice a member at most. More are made to keep a reader busy, at some
# microseconds each; ends that an archive inside one happens to hold are counted too.
_MOST_RUNS = 1_000_000
_BROKEN: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # its stub calls the class an instance


def unpacked(descriptor: int, name: str) -> Iterator[bytes]:
    """Yield what is in an archive of ours, from its first byte on; at its end its checksum has not been looked at.

    Raises IntegrityError if it cannot be inflated, or breaks off; errors call it `name`.
    """
    place, at, data = len(GZIP_HEADER), 0, b""
    inflate: zlib_ng._Decompress | None = None
    may_be_stored, runs = True, 0
    while inflate is None or not inflate.eof:
        if len(data) - at < _WHOLE:
            place, at = place + at, 0
            data = os.pread(descriptor, _CHUNK, place)
        # Asked once a whole block is here: what is inflated instead may hold, stored, an archive with ends of its own.
        if may_be_stored and (stored := list(_stored(data, at))):
            inflate, at = None, stored[-1][1]
            yield b"".join(memoryview(data)[start:end] for start, end in stored)
            continue
        runs += 1
        if runs > _MOST_RUNS:
            raise IntegrityError(f"{name}: more than {_MOST_RUNS} runs of compressed data")
        inflate = inflate or zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
        flushed = data.find(_FLUSHED, at) + len(_FLUSHED)
        # What is not found may begin in the last bytes; at the file's end there are no more.
        end = flushed if flushed >= len(_FLUSHED) else max(len(data) - len(_FLUSHED), at + 1)
        if at == len(data):
            raise IntegrityError(f"{name}: not a whole archive: its compressed data is cut short")
        yield from _inflated(inflate, data[at:end], name)
        at = min(end, len(data))
        may_be_stored = end == flushed


def _stored(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Where the content of the stored blocks stands that follow each other from `at` on and are there whole."""
    while at + _HEADER <= len(data) and not data[at]:
        size = int.from_bytes(data[at + 1 : at + 3], "little")
        other = int.from_bytes(data[at + 3 : at + _HEADER], "little")
        start, at = at + _HEADER, at + _HEADER + size
        if not size or size ^ other != STORED_BLOCK or at > len(data):
            return
        yield start, at


def _inflated(inflate: zlib_ng._Decompress, data: bytes, name: str) -> Iterator[bytes]:
    """Yield what a piece of deflated data holds."""
    try:
        while True:
            if piece := inflate.decompress(data, _PIECE):
                yield piece
            data = inflate.unconsumed_tail
            if not data and len(piece) < _PIECE:
                return
    except _BROKEN as error:
        raise IntegrityError(f"{name}: not a whole archive: {error}") from error
