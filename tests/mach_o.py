"""Mach-O files of a few kilobytes, made by hand: good ones, and every part of them to spoil."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

CPUS = {"arm64": (0x0100000C, 0), "arm64e": (0x0100000C, 0x80000002), "amd64": (0x01000007, 3), "ppc": (18, 0)}
PROGRAM, LIBRARY, BUNDLE, OBJECT, DEBUGGING = 2, 6, 8, 1, 10
SYSTEM = "/usr/lib/libSystem.B.dylib"
HASHES: Mapping[int, tuple[str, int]] = {1: ("sha1", 20), 2: ("sha256", 32), 3: ("sha256", 20), 4: ("sha384", 48)}
Spoil = Callable[[bytes], bytes]


def _text(header: bytes, text: str) -> bytes:
    content = header + text.encode() + b"\0"
    return content + bytes(-len(content) % 8)


def command(number: int, body: bytes) -> bytes:
    """A load command."""
    return struct.pack("<II", number, 8 + len(body)) + body


def library(name: str, number: int = 0x0C) -> bytes:
    """LC_LOAD_DYLIB, or another that names a library."""
    return command(number, _text(struct.pack("<IIII", 24, 2, 0x10000, 0x10000), name))


def place(name: str) -> bytes:
    """LC_RPATH."""
    return command(0x8000001C, _text(struct.pack("<I", 12), name))


def version(minimum: tuple[int, int], system: int = 1) -> bytes:
    """LC_BUILD_VERSION."""
    packed = minimum[0] << 16 | minimum[1] << 8
    return command(0x32, struct.pack("<IIII", system, packed, packed, 0))


def old_version(minimum: tuple[int, int], number: int = 0x24) -> bytes:
    """LC_VERSION_MIN_MACOSX."""
    packed = minimum[0] << 16 | minimum[1] << 8
    return command(number, struct.pack("<II", packed, packed))


@dataclass(frozen=True)
class Directory:
    """A CodeDirectory to be; what is None is as it should be."""

    kind: int = 2
    page: int = 12
    limit: int | None = None
    long_limit: int = 0
    version: int = 0x20400
    scatter: int = 0
    slots: int | None = None
    size: int | None = None

    def blob(self, code: bytes, special: Sequence[bytes] = ()) -> bytes:
        """The CodeDirectory of `code`, with hashes of the blobs in slots 1 and so on."""
        name, size = HASHES[self.kind]

        def of(content: bytes) -> bytes:
            return hashlib.new(name, content).digest()[:size] if content else bytes(size)

        pages = [of(code[at : at + (1 << self.page)]) for at in range(0, len(code), 1 << self.page)]
        identity = b"test\0"
        first = 88 + len(identity) + len(special) * size
        hashes = b"".join([*map(of, reversed(special)), *pages])
        header = struct.pack(
            ">IIIIIIIIIBBBBI",
            0xFADE0C02,
            first - len(special) * size + len(hashes),
            self.version,
            0x20002,
            first,
            88,
            len(special),
            len(pages) if self.slots is None else self.slots,
            len(code) if self.limit is None else self.limit,
            size if self.size is None else self.size,
            self.kind,
            0,
            self.page,
            0,
        )
        rest = struct.pack(">IIIQQQQ", self.scatter, 0, 0, self.long_limit, 0, 0, 0)
        return header + rest + identity + hashes


def super_blob(blobs: Sequence[tuple[int, bytes]], magic: int = 0xFADE0CC0) -> bytes:
    """A signature of blobs in slots."""
    at = 12 + 8 * len(blobs)
    index = b""
    for slot, blob in blobs:
        index += struct.pack(">II", slot, at)
        at += len(blob)
    return struct.pack(">III", magic, at, len(blobs)) + index + b"".join(blob for _, blob in blobs)


def signed(code: bytes, *directories: Directory, special: Sequence[bytes] = ()) -> bytes:
    """The signature of code, with a CodeDirectory for each that is given."""
    slots = (0, *range(0x1000, 0x1005))
    blobs = [(slot, one.blob(code, special)) for slot, one in zip(slots, directories or (Directory(),), strict=False)]
    return super_blob([*blobs, *((number, blob) for number, blob in enumerate(special, 1) if blob)])


def thin(
    *commands: bytes,
    cpu: str = "arm64",
    kind: int = BUNDLE,
    size: int = 9000,
    sign: Callable[[bytes], bytes] | None = signed,
    number: int | None = None,
    magic: int = 0xFEEDFACF,
) -> bytes:
    """A thin file of `size` bytes of code and, if it is signed, what `sign` makes of these."""
    all_of = list(commands or (version((11, 0)), library(SYSTEM)))
    size = -(-size // 16) * 16
    if sign:
        all_of.append(command(0x1D, struct.pack("<II", size, len(sign(bytes(size))))))
    processor, subtype = CPUS[cpu]
    packed = b"".join(all_of)
    told = len(all_of) if number is None else number
    code = struct.pack("<IIIIIIII", magic, processor, subtype, kind, told, len(packed), 0x85, 0) + packed
    code += bytes(index * 7 % 251 for index in range(size - len(code)))
    return code + sign(code) if sign else code


def fat(*slices: bytes, wide: bool = False, cpus: Sequence[str] = (), number: int | None = None) -> bytes:
    """A universal file; `cpus` are what its header says of the slices, if that is not what they are."""
    entries, content = b"", b""
    start = 0x4000
    for place_of, one in enumerate(slices):
        told = CPUS[cpus[place_of]] if cpus else struct.unpack_from("<II", one, 4)
        at = start + len(content)
        entries += struct.pack(">IIQQII" if wide else ">IIIII", *told, at, len(one), 14, *([0] if wide else []))
        content += one + bytes(-len(one) % 0x4000)
    magic = 0xCAFEBABF if wide else 0xCAFEBABE
    header = struct.pack(">II", magic, len(slices) if number is None else number) + entries
    return header + bytes(start - len(header)) + content
