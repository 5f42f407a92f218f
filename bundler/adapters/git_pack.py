"""Packs of Git objects, version 2, without deltas: read defensively, and written so that no Git decides their bytes.

The format is that of gitformat-pack(5). What is written is deflated by zlib-ng, whose exact version is pinned, since
other deflate libraries give other bytes (docs/determinism.md).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from zlib_ng import zlib_ng

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError

Kind: TypeAlias = Literal["commit", "tree", "blob", "tag"]
_KINDS: Mapping[int, Kind] = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_HEAD = struct.Struct(">4sII")
_MAGIC = b"PACK"
_DIGEST = 20
_CHUNK = 1 << 14
# Deflated bytes depend on the pieces that they are made of.
_PIECE = 1 << 16
_LEVEL = 6
LARGEST_PACK = 1 << 30
MOST_OBJECTS = 400_000
_LARGEST_OBJECT = 1 << 30
# Of all objects, unpacked: what a few bytes of a pack unpack to is bounded.
_LARGEST_CONTENT = 4 << 30


@dataclass(frozen=True)
class Packed:
    """One object of a pack: its kind, size unpacked in bytes, where its entry and its data begin, its CRC-32."""

    kind: Kind
    size: int
    offset: int
    data: int
    crc: int


@dataclass(frozen=True)
class Pack:
    """A pack that was read whole: its size in bytes, SHA-256 (hex), and objects by their names (20 bytes).

    `checksum` is Git's own (SHA-1, 20 bytes).
    """

    path: Path
    name: str
    size: int
    sha256: str
    checksum: bytes
    objects: Mapping[bytes, Packed]

    def read(self, identity: bytes, kind: Kind, limit: int) -> bytes:
        """The content of an object. Raises IntegrityError if it is missing, of another kind, or over `limit` bytes."""
        if self.packed(identity, kind).size > limit:
            raise IntegrityError(f"{self.name}: {kind} {identity.hex()} is larger than {limit} bytes")
        with open_regular(self.path) as file:
            return b"".join(self.stream(identity, kind, file))

    def stream(self, identity: bytes, kind: Kind, file: BufferedReader) -> Iterator[bytes]:
        """Yield an object's content; `file` is the pack, opened. Raises IntegrityError."""
        packed = self.packed(identity, kind)
        file.seek(packed.data)
        yield from _inflated(iter(lambda: file.read(_CHUNK), b""), packed.size, self.name, lambda data: None)

    def packed(self, identity: bytes, kind: Kind) -> Packed:
        """An object of this kind. Raises IntegrityError if there is none."""
        packed = self.objects.get(identity)
        if packed is None or packed.kind != kind:
            raise IntegrityError(f"{self.name}: it lacks {kind} {identity.hex()}")
        return packed

    def index(self) -> bytes:
        """The pack's index, version 2."""
        listed = sorted(self.objects.items())
        counts = [0] * 256
        for identity, _ in listed:
            counts[identity[0]] += 1
        fanout, total = [], 0
        for count in counts:
            total += count
            fanout.append(total)
        made = b"".join(
            (
                b"\xfftOc\x00\x00\x00\x02",
                struct.pack(">256I", *fanout),
                *(identity for identity, _ in listed),
                *(struct.pack(">I", packed.crc) for _, packed in listed),
                *(struct.pack(">I", packed.offset) for _, packed in listed),  # below 2 GiB: LARGEST_PACK
                self.checksum,
            )
        )
        return made + _sha1(made).digest()


def read_pack(path: Path, name: str) -> Pack:
    """Read a whole pack; `name` is what errors call it. Each object's name is that of the bytes that are there.

    Raises IntegrityError if it is malformed or too large, or holds a delta or an object twice; OSError.
    """
    with open_regular(path) as file:
        reading = _Reading(file, name)
        magic, version, number = _HEAD.unpack(reading.exactly(_HEAD.size))
        if (magic, version) != (_MAGIC, 2) or number > MOST_OBJECTS:
            raise IntegrityError(f"{name}: not a pack of Git objects of version 2, or one of too many")
        objects: dict[bytes, Packed] = {}
        left = _LARGEST_CONTENT
        for _ in range(number):
            identity, packed = reading.next_object()
            left -= packed.size
            if identity in objects or left < 0:
                raise IntegrityError(f"{name}: {packed.kind} {identity.hex()} is there twice, or all are too large")
            objects[identity] = packed
        computed = reading.sha.digest()
        if reading.exactly(_DIGEST) != computed or reading.more():
            raise IntegrityError(f"{name}: its checksum is not that of its objects")
        return Pack(path, name, reading.offset, reading.sha256.hexdigest(), computed, objects)


class _Reading:
    """A pack under way: what was taken of it is hashed and counted."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._buffer = b""
        self._given = b""
        self.sha, self.sha256, self.offset, self._crc = _sha1(b""), hashlib.sha256(), 0, 0

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not (chunk := self._file.read(_CHUNK)):
                raise IntegrityError(f"{self._name}: it breaks off")
            self._buffer += chunk
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        self._took(data)
        return data

    def more(self) -> bool:
        return bool(self._buffer or self._file.read(1))

    def next_object(self) -> tuple[bytes, Packed]:
        offset, self._crc = self.offset, 0
        byte = self.exactly(1)[0]
        number, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80 and shift < 64:
            byte = self.exactly(1)[0]
            size |= (byte & 0x7F) << shift
            shift += 7
        kind = _KINDS.get(number)
        if kind is None:
            raise IntegrityError(f"{self._name}: the object at byte {offset} is a delta, or of no known kind")
        if size > _LARGEST_OBJECT:
            raise IntegrityError(f"{self._name}: the object at byte {offset} is larger than {_LARGEST_OBJECT} bytes")
        data, digest = self.offset, _sha1(b"%s %d\0" % (kind.encode(), size))
        for part in _inflated(self._chunks(), size, self._name, self._give_back):
            digest.update(part)
        return digest.digest(), Packed(kind, size, offset, data, self._crc)

    def _chunks(self) -> Iterator[bytes]:
        """What lies ahead, each piece taken once the next one is asked for or some of it is given back."""
        while True:
            self._given = self._buffer or self._file.read(_CHUNK)
            self._buffer = b""
            if not self._given:
                return
            yield self._given
            self._took(self._given)

    def _give_back(self, rest: bytes) -> None:
        self._took(self._given[: len(self._given) - len(rest)])
        self._buffer = rest

    def _took(self, data: bytes) -> None:
        self.sha.update(data)
        self.sha256.update(data)
        self._crc = zlib.crc32(data, self._crc)
        self.offset += len(data)
        if self.offset > LARGEST_PACK:
            raise IntegrityError(f"{self._name}: larger than {LARGEST_PACK} bytes")


def _inflated(chunks: Iterable[bytes], size: int, name: str, give_back: Callable[[bytes], None]) -> Iterator[bytes]:
    """Yield the `size` bytes inside a zlib stream (RFC 1950); `give_back` is told what follows it."""
    decoder = zlib.decompressobj()
    left = size
    try:
        for chunk in chunks:
            waiting = chunk
            while True:
                data = decoder.decompress(waiting, _PIECE)
                left -= len(data)
                if left < 0:
                    raise IntegrityError(f"{name}: an object unpacks to more than {size} bytes")
                if data:
                    yield data
                waiting = decoder.unconsumed_tail
                if decoder.eof or not (waiting or len(data) == _PIECE):
                    break
            if decoder.eof:
                give_back(decoder.unused_data)
                break
    except zlib.error as error:
        raise IntegrityError(f"{name}: an object is damaged: {error}") from error
    if left or not decoder.eof:
        raise IntegrityError(f"{name}: an object breaks off")


def write_pack(source: Pack, wanted: Iterable[bytes], out: BinaryIO) -> None:
    """Write a pack of the objects `wanted` of another, in their order, each once. Raises IntegrityError."""
    order = list(dict.fromkeys(wanted))
    whole = _sha1(b"")

    def put(data: bytes) -> None:
        whole.update(data)
        out.write(data)

    put(_HEAD.pack(_MAGIC, 2, len(order)))
    with open_regular(source.path) as file:
        for identity in order:
            packed = source.objects.get(identity)
            if packed is None:
                raise IntegrityError(f"{source.name}: it lacks the object {identity.hex()}")
            put(_entry_head(_NUMBERS[packed.kind], packed.size))
            encoder = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, zlib_ng.MAX_WBITS, zlib_ng.DEF_MEM_LEVEL)
            for piece in _pieces(source.stream(identity, packed.kind, file)):
                put(encoder.compress(piece))
            put(encoder.flush())
    out.write(whole.digest())


def _entry_head(number: int, size: int) -> bytes:
    made = bytearray([number << 4 | size & 15])
    size >>= 4
    while size:
        made[-1] |= 0x80
        made.append(size & 0x7F)
        size >>= 7
    return bytes(made)


def _pieces(content: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size, and a last one."""
    waiting = bytearray()
    for data in content:
        waiting += data
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    yield bytes(waiting)


def _sha1(data: bytes) -> hashlib._Hash:
    """Git's names and checksums; what pins a pack here is its SHA-256."""
    return hashlib.sha1(data, usedforsecurity=False)
