"""The packets of PAR2 recovery files, as strangers may have made them (Parity Volume Set Specification 2.0).

A packet that is damaged, or of no use, is passed over. Those of one set are gathered from all files, each once, and a
set counts only if it describes files that it may: what is written for a program to repair with is nothing but them.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bundler.adapters.regular import open_regular
from bundler.adapters.salvage import salvaged
from bundler.errors import IntegrityError

_MAGIC = b"PAR2\0PKT"
# A packet is its magic, length, MD5 of what follows that, set and type; then its body.
_HEAD, _HASHED = struct.Struct("<8sQ16s16s16s"), 32
_MAIN, _FILE, _SUMS, _DATA = (f"PAR 2.0\0{kind:\0<8}".encode() for kind in ("Main", "FileDesc", "IFSC", "RecvSlic"))
# A block's size and how many files there are, whose ids follow; a file's id, MD5, MD5 of its beginning, and size.
_BLOCKS, _DESCRIBED, _ID = struct.Struct("<QI"), struct.Struct("<16s16s16sQ"), 16
FIRST = 1 << 14
# Programs take time and memory with the square of how many blocks are lost, and twice the memory of one: ours has fewer
# than 3000, of a 2000th of all. Large blocks of little are meant to take memory.
_MOST_BLOCKS, _FEWEST, _SMALL = 1 << 12, 50, 1 << 20
_LARGEST = {_MAIN: 1 << 20, _FILE: 1 << 9, _SUMS: 1 << 20, _DATA: 1 << 62}
# How much of a packet is looked at, if not all.
_READ = {_SUMS: _HEAD.size + 16, _DATA: _HEAD.size + 4}
_MOST_PACKETS, _MOST_SETS, _CHUNK = 1 << 16, 16, 1 << 18
# How much is hashed of a file, in its own sizes: packets that claim to be long must not have it read for days.
_MOST_WORK, _TO_SPARE = 4, 1 << 24


class Described(NamedTuple):
    """A file that a set repairs: its size in bytes, its MD5 and that of its first `FIRST` bytes (hex)."""

    size: int
    md5: str
    first: str

    def blocks(self, block: int) -> int:
        """How many blocks of a size it has."""
        return -(-self.size // block)


class _Place(NamedTuple):
    path: Path
    offset: int
    length: int
    md5: bytes


@dataclass(frozen=True)
class Recovery:
    """A set of recovery data: the size of its blocks, how many it has, and the files that it repairs, by name."""

    block: int
    blocks: int
    files: Mapping[str, Described]
    packets: Sequence[_Place]

    @property
    def size(self) -> int:
        """How many bytes `write` gives."""
        return sum(one.length for one in self.packets)

    def written(self) -> Iterator[bytes]:
        """Yield one recovery file with all of it. Raises IntegrityError if a file changed meanwhile, OSError."""
        for place in self.packets:
            with open_regular(place.path) as file:
                md5 = hashlib.md5(usedforsecurity=False)
                for number, data in enumerate(_pieces(file.fileno(), place.offset, place.length)):
                    md5.update(data if number else data[_HASHED:])
                    yield data
            if md5.digest() != place.md5:
                raise IntegrityError(f"{place.path} changed while it was read", "run again")


@dataclass
class _Gathered:
    """Of a set its main packet and descriptions, and where each packet is, by type and what it is for."""

    main: bytes = b""
    files: dict[bytes, bytes] = field(default_factory=dict)
    places: dict[tuple[bytes, bytes], _Place] = field(default_factory=dict)


def recovery_sets(paths: Sequence[Path], names: re.Pattern[str]) -> Sequence[Recovery]:
    """Return the sets that some recovery files hold, in the order in which they come; only `names` may be repaired.

    Raises IntegrityError if a set names another file, or none is whole; UsageError, OSError for what is no file.
    """
    sets: dict[bytes, _Gathered] = {}
    for path in paths:
        _gather(path, sets)
    whole, faults = list[Recovery](), list[str]()
    for gathered in sets.values():
        found = _recovery(gathered)
        if isinstance(found, str):
            faults.append(found)
        elif other := next((name for name in found.files if not names.fullmatch(name)), None):
            raise IntegrityError(f"{paths[0]} would repair {other[:200]!r}, which is none of the files that it is for")
        else:
            whole.append(found)
    if not whole:
        raise IntegrityError(f"{paths[0]} is of no use: {'; '.join(faults) or 'nothing in it is whole'}")
    return whole


def _gather(path: Path, sets: dict[bytes, _Gathered]) -> None:
    with open_regular(path) as file:
        for offset, (_, length, md5, identity, kind) in _packets(file.fileno()):
            if length > _LARGEST.get(kind, 0) or (identity not in sets and len(sets) == _MOST_SETS):
                continue
            if sum(len(one.places) for one in sets.values()) == _MOST_PACKETS:
                return
            body = salvaged(file.fileno(), offset + _HEAD.size, _READ.get(kind, length) - _HEAD.size)
            if kind == _MAIN and _md5([body]) != identity:
                continue
            gathered = sets.setdefault(identity, _Gathered())
            if kind == _MAIN:
                gathered.main = body
            elif kind == _FILE:
                gathered.files.setdefault(body[:_ID], body)
            gathered.places.setdefault((kind, body[:_ID]), _Place(path, offset, length, md5))


def _packets(descriptor: int) -> Iterator[tuple[int, tuple[bytes, int, bytes, bytes, bytes]]]:
    """Where the whole packets of a file begin, and their heads."""
    size, at = os.fstat(descriptor).st_size, 0
    left = _MOST_WORK * size + _TO_SPARE
    while (at := _next(descriptor, at, size)) + _HEAD.size <= size and left > 0:
        head = _HEAD.unpack(salvaged(descriptor, at, _HEAD.size))
        length = head[1]
        if _HEAD.size < length <= size - at and not length % 4:
            left -= length
            if _md5(_pieces(descriptor, at + _HASHED, length - _HASHED)) == head[2]:
                yield at, head
                at += length
                continue
        at += len(_MAGIC)


def _next(descriptor: int, at: int, size: int) -> int:
    """Where the next packet may begin; the file's size if none does."""
    if salvaged(descriptor, at, len(_MAGIC)) == _MAGIC:
        return at
    while at < size:
        window = salvaged(descriptor, at, _CHUNK)
        if (found := window.find(_MAGIC)) >= 0:
            return at + found
        at += max(1, len(window) - len(_MAGIC) + 1)
    return size


def _recovery(gathered: _Gathered) -> Recovery | str:
    """The set that was found, or what is wrong with it."""
    main = gathered.main
    if len(main) < _BLOCKS.size:
        return "what tells its files is missing"
    block, number = _BLOCKS.unpack_from(main)
    ids = [main[at : at + _ID] for at in range(_BLOCKS.size, len(main), _ID)]
    if not block or block % 4 or not 0 < number == len(ids) or len(set(ids)) < number:
        return "what tells its files is malformed"
    files: dict[str, Described] = {}
    for one in ids:
        name, described = _file(gathered.files.get(one, b""))
        if not name or name in files:
            return "the description of a file is missing, or malformed"
        files[name] = described
    blocks, total = sum(one.blocks(block) for one in files.values()), sum(one.size for one in files.values())
    if not 0 < blocks <= _MOST_BLOCKS:
        return f"its files have {blocks} blocks, and {_MOST_BLOCKS} are the most"
    if block > max(_SMALL, total // _FEWEST):
        return "its blocks are far larger than its files"
    lengths: dict[tuple[bytes, bytes], int] = {}
    for one, described in zip(ids, files.values(), strict=True):
        lengths[_SUMS, one] = _HEAD.size + _ID + 20 * described.blocks(block)
    told = {(_MAIN, main[:_ID]), *((_FILE, one) for one in ids)}
    packets, data = list[_Place](), 0
    for (kind, key), place in gathered.places.items():
        if kind == _DATA and place.length == _HEAD.size + 4 + block and data < blocks:
            data += 1
        elif (kind, key) not in told and lengths.get((kind, key)) != place.length:
            continue
        packets.append(place)
    return Recovery(block, data, files, packets)


def _file(body: bytes) -> tuple[str, Described]:
    """What a description says: a name, or "" if it is none, and what is told of the file."""
    if len(body) <= _DESCRIBED.size:
        return "", Described(0, "", "")
    identity, md5, first, size = _DESCRIBED.unpack_from(body)
    name = body[_DESCRIBED.size :].rstrip(b"\0")
    if identity != _md5([first, size.to_bytes(8, "little"), name]):
        return "", Described(0, "", "")
    return name.decode("ascii", "replace"), Described(size, md5.hex(), first.hex())


def _pieces(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    while length > 0 and (data := salvaged(descriptor, offset, min(length, _CHUNK))):
        yield data
        offset, length = offset + len(data), length - len(data)


def _md5(pieces: Iterator[bytes] | Sequence[bytes]) -> bytes:
    md5 = hashlib.md5(usedforsecurity=False)
    for one in pieces:
        md5.update(one)
    return md5.digest()
