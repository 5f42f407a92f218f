"""Compressed streams in, piece by piece: gzip (RFC 1952) as every program reads it, zstandard (RFC 8878) and xz."""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterator
from typing import BinaryIO

from zlib_ng import zlib_ng

from bundler.errors import IntegrityError

_CHUNK = 1 << 18
# A block of 128 KiB may be four bytes, and a piece is unpacked at once.
_ZSTD_CHUNK = 1 << 10
_PIECE = 1 << 20
# A file name and a comment; programs disagree on how much of it they read.
_LARGEST_HEADER = 8 << 10
_EXTRA, _NAME, _COMMENT = 4, 8, 16
_KNOWN_FLAGS = 1 | _EXTRA | _NAME | _COMMENT
_END = struct.Struct("<II")
_ZSTD_WINDOW = 1 << 27
_XZ_MEMORY = 1 << 27
_BROKEN: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # its stub calls the class an instance
# Text and programs shrink to a twentieth at the most. What unpacks to far more takes time that its size does not tell.
_MOST_GROWTH, _FREE_GROWTH = 200, 64 << 20


def gunzipped(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield what a gzip file of one member holds. Raises IntegrityError if it is damaged, or anything follows it."""
    data = file.read(_CHUNK)
    data = data[_header_size(data, name) :]
    inflate = zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
    crc, size = 0, 0
    while not inflate.eof:
        try:
            piece = inflate.decompress(data, _PIECE)
        except _BROKEN as error:
            raise IntegrityError(f"{name}: not a whole archive: {error}") from error
        if not data and not piece and not inflate.eof:
            raise IntegrityError(f"{name}: not a whole archive: its compressed data is cut short")
        if piece:
            crc, size = zlib_ng.crc32(piece, crc), size + len(piece)
            yield piece
        data = inflate.unconsumed_tail or (b"" if inflate.eof else file.read(_CHUNK))
    end = inflate.unused_data[: _END.size + 1]
    end += file.read(_END.size + 1 - len(end))
    if len(end) > _END.size:
        raise IntegrityError(f"{name}: not a whole archive: data follows the compressed data")
    if end != _END.pack(crc, size & 0xFFFFFFFF):
        raise IntegrityError(f"{name}: not a whole archive: the checksum at its end is wrong")


def unzstd(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield what the frames of a zstandard file hold.

    Raises IntegrityError if it is damaged or cut short, or wants more than 128 MiB for it.
    """
    import zstandard  # which takes long, and is rarely needed

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = decompressor.decompressobj()
    data = file.read(_ZSTD_CHUNK)
    try:
        while data:
            if piece := frame.decompress(data):
                yield piece
            whole = frame.eof
            data = (frame.unused_data if whole else b"") or file.read(_ZSTD_CHUNK)
            if whole and data:
                frame = decompressor.decompressobj()
    except zstandard.ZstdError as error:
        raise IntegrityError(f"{name}: not a whole archive: {error}") from error
    if not frame.eof:
        raise IntegrityError(f"{name}: not a whole archive: its compressed data is cut short")


def unxz(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield what an xz file (https://tukaani.org/xz/xz-file-format.txt) of one stream holds.

    Raises IntegrityError if it is damaged or cut short, wants more than 128 MiB for it, or anything follows it.
    """
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    try:
        while not decompressor.eof:
            data = file.read(_CHUNK) if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                raise IntegrityError(f"{name}: not a whole archive: its compressed data is cut short")
            if piece := decompressor.decompress(data, _PIECE):
                yield piece
    except lzma.LZMAError as error:
        raise IntegrityError(f"{name}: not a whole archive: {error}") from error
    if decompressor.unused_data or file.read(1):
        raise IntegrityError(f"{name}: not a whole archive: data follows the compressed data")


def bounded(pieces: Iterator[bytes], compressed: int, name: str) -> Iterator[bytes]:
    """Yield `pieces`, which come of a file of `compressed` bytes. Raises IntegrityError if they are far more."""
    left = _FREE_GROWTH + _MOST_GROWTH * compressed
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise IntegrityError(f"{name}: unpacks to more than {_MOST_GROWTH} times its own size")
        yield piece


def _header_size(data: bytes, name: str) -> int:
    """The size of a gzip header (RFC 1952, 2.3)."""
    if len(data) < 10 or data[:3] != b"\x1f\x8b\x08" or data[3] & ~_KNOWN_FLAGS:
        raise IntegrityError(f"{name}: not a whole archive: its gzip header is damaged or odd")
    end = 10
    if data[3] & _EXTRA:
        end += 2 + int.from_bytes(data[10:12], "little")
    for flag in (_NAME, _COMMENT):
        if data[3] & flag:
            end = data.find(b"\0", end) + 1 or _CHUNK
    if end > min(_LARGEST_HEADER, len(data)):
        raise IntegrityError(f"{name}: not a whole archive: its gzip header has no end")
    return end
