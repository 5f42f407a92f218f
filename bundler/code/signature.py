"""Whether a Mach-O file is what its own code signature says: hashes of every page of it.

Sources: XNU's osfmk/kern/cs_blobs.h (the form; all numbers are big-endian) and bsd/kern/ubc_subr.c (what the kernel
takes). An ad-hoc signature, as linkers make them, is as good as another: macOS asks for one on arm64, and nothing that
does not pass its own Gatekeeper asks who made it. So the certificates of a signature are not looked at.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bundler.code.values import MalformedError, Read

# CS_SuperBlob: magic, length, how many blobs; CS_BlobIndex: what a blob is, and where in the super blob. A blob begins
# with its own magic and length.
_SUPER, _INDEX, _BLOB = struct.Struct(">III"), struct.Struct(">II"), struct.Struct(">II")
_EMBEDDED, _DIRECTORY_MAGIC = 0xFADE0CC0, 0xFADE0C02
_DIRECTORY_SLOTS = (0, *range(0x1000, 0x1005))
# Blobs in these slots are hashed by the directory too, counted backwards from the first page's hash.
_SPECIAL = range(1, 64)
# CS_CodeDirectory: magic, length, version, flags, where the hashes and the name stand, how many hashes of blobs and of
# pages, how much is hashed; their size, their kind, which system's own it is, log2 of a page's size. Since 0x20100
# hashes may be scattered, since 0x20300 the size may have 64 bits.
_DIRECTORY = struct.Struct(">IIIIIIIIIBBBBI")
_SCATTER, _SCATTERED_SINCE, _LONG, _LONG_SINCE = 44, 0x20100, 56, 0x20300
# Those that the kernel takes, with how many bytes of each: SHA-1, SHA-256, the same cut short, SHA-384.
_HASHES: Mapping[int, tuple[Callable[[bytes | memoryview], hashlib._Hash], int]] = {
    1: (lambda data: hashlib.sha1(data, usedforsecurity=False), 20),
    2: (hashlib.sha256, 32),
    3: (hashlib.sha256, 20),
    4: (hashlib.sha384, 48),
}
_PAGES = (12, 14)
# A page of 4 KiB has 48 bytes of hash at most, in up to four directories; the rest is certificates and lists.
_LARGEST, _MOST_BLOBS = 32 << 20, 64
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Directory:
    """What a CodeDirectory says: how much is hashed, in pages of what size, and the hashes."""

    kind: int
    limit: int
    page: int
    pages: tuple[bytes, ...]
    special: Mapping[int, bytes]

    def hash(self, content: bytes | memoryview) -> bytes:
        algorithm, size = _HASHES[self.kind]
        return algorithm(content).digest()[:size]


def signature_fault(read: Read, size: int, at: int, length: int) -> str:
    """Return what is wrong with the signature that stands at `at`, of `length` bytes, in code of `size`; "" if nothing.

    `read` reads the code, whose every page is read once.
    """
    try:
        if not 0 < length <= min(_LARGEST, size) or at > size - length:
            raise MalformedError(f"it has {length} bytes from byte {at} on, and the code ends at {size}")
        blobs = dict(_blobs(read(at, length)))
        directories = [_directory(blobs[slot]) for slot in _DIRECTORY_SLOTS if slot in blobs]
        if not directories:
            raise MalformedError("it has no CodeDirectory")
        if len({directory.kind for directory in directories}) < len(directories):
            raise MalformedError("it has two CodeDirectories of one kind")
        for directory in directories:
            _check_limit(directory, at)
            _check_blobs(directory, blobs)
        _check_pages(directories, read)
    except MalformedError as error:
        return str(error)
    return ""


def _blobs(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The blobs of a signature, by their slots; a CodeDirectory may stand alone."""
    magic, length, number = _fixed(_SUPER, content)
    if magic == _DIRECTORY_MAGIC:
        yield 0, content[:length]
        return
    if magic != _EMBEDDED or length > len(content) or number > _MOST_BLOBS:
        raise MalformedError("it is none that macOS knows")
    content, seen = content[:length], set[int]()
    for place in range(number):
        slot, at = _fixed(_INDEX, content, _SUPER.size + place * _INDEX.size)
        _, size = _fixed(_BLOB, content, at)
        if slot in seen or not _BLOB.size <= size <= length - at:
            raise MalformedError("its list of blobs is not right")
        seen.add(slot)
        yield slot, content[at : at + size]


def _directory(blob: bytes) -> _Directory:
    magic, length, version, _, first, _, special, number, limit, size, kind, _, page, _ = _fixed(_DIRECTORY, blob)
    if magic != _DIRECTORY_MAGIC or length != len(blob) or kind not in _HASHES or size != _HASHES[kind][1]:
        raise MalformedError("it has a CodeDirectory that macOS does not know")
    if page not in _PAGES:
        raise MalformedError(f"its pages have 2**{page} bytes, which macOS does not take")
    if version >= _SCATTERED_SINCE and int.from_bytes(blob[_SCATTER : _SCATTER + 4], "big"):
        raise MalformedError("its hashes are scattered")
    if version >= _LONG_SINCE:
        limit = int.from_bytes(blob[_LONG : _LONG + 8], "big") or limit
    if first < special * size or first + number * size > len(blob):
        raise MalformedError("its hashes do not stand in it")
    pages = tuple(blob[first + place * size : first + (place + 1) * size] for place in range(number))
    slots = {slot: blob[first - slot * size : first - (slot - 1) * size] for slot in _SPECIAL if slot <= special}
    return _Directory(kind, limit, 1 << page, pages, slots)


def _check_limit(directory: _Directory, at: int) -> None:
    """All that stands before the signature has to be hashed, and nothing else."""
    if directory.limit != at or len(directory.pages) != -(-at // directory.page):
        told = f"{directory.limit} bytes in {len(directory.pages)} pages"
        raise MalformedError(f"it is of {told}, the code before it has {at} bytes")


def _check_blobs(directory: _Directory, blobs: Mapping[int, bytes]) -> None:
    for slot in sorted(_SPECIAL & blobs.keys()):
        if directory.hash(blobs[slot]) != directory.special.get(slot):
            raise MalformedError(f"it does not hold the hash of its own blob {slot}")


def _check_pages(directories: list[_Directory], read: Read) -> None:
    limit = directories[0].limit
    for at in range(0, limit, _CHUNK):
        content = memoryview(read(at, min(_CHUNK, limit - at)))
        if len(content) < min(_CHUNK, limit - at):
            raise MalformedError("the code that it is of is cut short")
        for directory in directories:
            for place in range(0, len(content), directory.page):
                number = (at + place) // directory.page
                if directory.hash(content[place : place + directory.page]) != directory.pages[number]:
                    raise MalformedError(f"page {number}, at byte {at + place} of the code, is not what it hashes")


def _fixed(form: struct.Struct, content: bytes, at: int = 0) -> tuple[int, ...]:
    if at + form.size > len(content):
        raise MalformedError("it is cut short")
    return form.unpack_from(content, at)
