"""Mach-O: the form of macOS's programs and libraries, thin or several in one file.

Sources: Apple's <mach-o/loader.h> (headers and load commands), <mach-o/fat.h> (several in one file), <mach/machine.h>
(processors); what the kernel and dyld refuse: XNU's bsd/kern/mach_fat.c, dyld's mach_o/Header.cpp. Numbers of a thin
file are of its processor's order of bytes, little-endian for all that are read here; those of a universal one's header
are big-endian.

Nothing in a file is trusted: each offset is compared with the size, each count with the room that there is for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from bundler.code.signature import signature_fault
from bundler.code.values import Code, Library, MalformedError, Read, Slice
from bundler.words import Arch

# Of which 64 bits, little-endian; the others are of 32 bits or big-endian: no processor that is known here runs them.
_THIN = b"\xcf\xfa\xed\xfe"
_OTHERS = {b"\xce\xfa\xed\xfe": "<", b"\xfe\xed\xfa\xce": ">", b"\xfe\xed\xfa\xcf": ">"}
# A universal file: its magic and the number of its slices, then so many bytes a slice that begin with the processor.
# Java's classes share the first magic; where the number stands they have their version, 45 or more.
_FAT = b"\xca\xfe\xba\xbe"
_UNIVERSAL: Mapping[bytes, struct.Struct] = {
    _FAT: struct.Struct(">IIIII"),
    b"\xca\xfe\xba\xbf": struct.Struct(">IIQQII"),
}
_MOST_SLICES = 16
# What a slice of a static library begins with (<ar.h>): it is linked, not loaded.
_STATIC = b"!<arch>\n"
MAGICS = (_THIN, *_OTHERS, *_UNIVERSAL)
_MAGIC_SIZE = 4
# Where what a thin file is ends, and where the entries of a universal one begin.
_KIND_END, _FAT_ENTRIES = 16, 8

# The processor, and its subtypes without their flags: all, and for arm64 v8; arm64e has calls of its own.
_CPUS: Mapping[int, tuple[Arch, tuple[int, ...]]] = {0x01000007: ("amd64", (3, 8)), 0x0100000C: ("arm64", (0, 1))}
_SUBTYPE = 0x00FFFFFF
# filetype: executables, dynamic libraries and bundles, as Python's extension modules are. Others are not loaded:
# objects, and what debuggers read.
_PROGRAM, _RUNS = 2, (2, 6, 8)

# mach_header_64; load_command; dylib_command, rpath_command, linkedit_data_command and the two that tell a version.
_HEADER, _COMMAND = struct.Struct("<IIIIIIII"), struct.Struct("<II")
_LIBRARY, _PLACE, _DATA = struct.Struct("<IIIIII"), struct.Struct("<III"), struct.Struct("<IIII")
_BUILD, _MINIMUM = struct.Struct("<IIIII"), struct.Struct("<III")
_LOADS, _WEAK = (0x0C, 0x80000018, 0x8000001F, 0x20, 0x80000023), 0x80000018
_RPATH, _SIGNATURE, _BUILD_VERSION = 0x8000001C, 0x1D, 0x32
# The older ones: of macOS, iOS, tvOS and watchOS, each with the number that LC_BUILD_VERSION has for the system.
_OLD_VERSIONS: Mapping[int, int] = {0x24: 1, 0x25: 2, 0x2F: 3, 0x30: 4}
# dylib_use_command: a marker in place of the time, where its flags stand, and the one for what may be missing.
_USE_MARKER, _USE_FLAGS, _USE_WEAK = 0x1A741800, 24, 0x1
# The largest that is known, of node, has 5 KB and 40 of them.
_LARGEST_COMMANDS, _MOST_NAMES, _LONGEST_NAME = 1 << 20, 1000, 1024


class _Part(NamedTuple):
    cpu: int
    subtype: int
    start: int
    size: int


def is_macho(head: bytes) -> bool:
    """Say whether a file that begins with `head`, its first eight bytes or more, may be a Mach-O file."""
    if head[:_MAGIC_SIZE] not in MAGICS:
        return False
    return head[:_MAGIC_SIZE] not in _UNIVERSAL or int.from_bytes(head[4:8], "big") <= _MOST_SLICES


def arches_in(head: bytes) -> Iterator[Arch]:
    """The processors that a file which begins with `head` has code for, alone or in slices, as far as that shows them.

    Of the universal files that is told of those with 32 bits, whose entries a short head holds.
    """
    if head.startswith(_THIN) and len(head) >= _KIND_END:
        _, cpu, _, kind = struct.unpack_from("<IIII", head)
        cpus = [cpu] if kind in _RUNS else []
    elif head.startswith(_FAT) and len(head) >= _FAT_ENTRIES and is_macho(head):
        number, form = int.from_bytes(head[4:8], "big"), _UNIVERSAL[_FAT]
        ends = min(_FAT_ENTRIES + form.size * number, len(head) - 3)
        cpus = [int.from_bytes(head[at : at + 4], "big") for at in range(_FAT_ENTRIES, ends, form.size)]
    else:
        cpus = []
    yield from (_CPUS[cpu][0] for cpu in cpus if cpu in _CPUS)


def read_macho(read: Read, size: int) -> Code | None:
    """Read a file of `size` bytes that `is_macho` says may be one; None if it holds nothing that is loaded.

    What is damaged is told in the result. Whatever the file says, all of it is read once at most, and its signature
    and commands once more.
    """
    try:
        magic = read(0, _MAGIC_SIZE)
        if magic in _UNIVERSAL:
            return _universal(read, size, _UNIVERSAL[magic])
        if magic == _THIN:
            _, cpu, subtype, kind, *_ = _HEADER.unpack(_exactly(read, 0, _HEADER.size))
            return _code(read, [_Part(cpu, subtype & _SUBTYPE, 0, size)]) if kind in _RUNS else None
        kind = struct.unpack_from(f"{_OTHERS[magic]}I", _exactly(read, 0, 16), 12)[0]
        return Code() if kind in _RUNS else None
    except MalformedError as error:
        return Code(fault=str(error))


def _universal(read: Read, size: int, form: struct.Struct) -> Code | None:
    number = int.from_bytes(_exactly(read, 4, 4), "big")
    if not 0 < number <= _MOST_SLICES:
        raise MalformedError(f"it has {number} slices")
    listed = _exactly(read, 8, number * form.size)
    entries = (form.unpack_from(listed, place * form.size)[:4] for place in range(number))
    parts = sorted((_Part(cpu, sub & _SUBTYPE, at, length) for cpu, sub, at, length in entries), key=lambda p: p.start)
    end = 8 + len(listed)
    for part in parts:
        if part.start < end or part.size < _HEADER.size or part.start + part.size > size:
            raise MalformedError("its slices overlap, or do not stand in it")
        end = part.start + part.size
    if any(one[:2] == other[:2] for one, other in pairwise(sorted(parts))):
        raise MalformedError("it has two slices for one processor")
    loaded = [part for part in parts if _is_loaded(read, part)]
    return _code(read, loaded) if loaded else None


def _is_loaded(read: Read, part: _Part) -> bool:
    """Say whether a slice is loaded or run; one that cannot be told from that is."""
    head = _exactly(read, part.start, 16)
    order = "<" if head[:4] == _THIN else _OTHERS.get(head[:4])
    if order is None and not head.startswith(_STATIC):
        raise MalformedError("one of its slices is no Mach-O")
    return order is not None and struct.unpack_from(f"{order}I", head, 12)[0] in _RUNS


def _code(read: Read, parts: list[_Part]) -> Code:
    """The slices for processors that are known."""
    found: dict[Arch, Slice] = {}
    for part in parts:
        arch, subtypes = _CPUS.get(part.cpu, ("arm64", ()))
        if part.subtype not in subtypes:
            continue
        if arch in found:
            raise MalformedError(f"it has two slices for {arch}")
        found[arch] = _slice(read, part, arch)
    return Code(tuple(found.values()))


def _slice(read: Read, part: _Part, arch: Arch) -> Slice:
    magic, cpu, subtype, kind, number, size, _, _ = _HEADER.unpack(_exactly(read, part.start, _HEADER.size))
    if magic.to_bytes(4, "little") != _THIN or (cpu, subtype & _SUBTYPE) != (part.cpu, part.subtype):
        raise MalformedError("its header and one of its slices tell of different processors")
    if size > min(_LARGEST_COMMANDS, part.size - _HEADER.size):
        raise MalformedError(f"its load commands take {size} bytes, more than there is room for")
    told = _Commands()
    for command, content in _commands(_exactly(read, part.start + _HEADER.size, size), number):
        told.take(command, content)
    fault = ""
    if told.signature:
        at, length = told.signature
        fault = signature_fault(lambda offset, wanted: read(part.start + offset, wanted), part.size, at, length)
    system, minimum = told.version or (None, None)
    return Slice(
        arch,
        kind == _PROGRAM,
        system,
        minimum,
        tuple(told.libraries),
        tuple(told.places),
        signed=told.signature is not None,
        signature=fault,
    )


class _Commands:
    """What load commands tell, as far as it matters here."""

    def __init__(self) -> None:
        self.libraries: list[Library] = []
        self.places: list[str] = []
        self.version: tuple[int, tuple[int, int, int]] | None = None
        self.signature: tuple[int, int] | None = None

    def take(self, command: int, content: bytes) -> None:
        """Take one command, of which `content` is all. Raises MalformedError."""
        if command in _LOADS:
            _, _, at, marker, _, _ = _unpacked(_LIBRARY, content)
            flags = int.from_bytes(content[_USE_FLAGS : _USE_FLAGS + 4], "little") if marker == _USE_MARKER else 0
            weak = command == _WEAK or bool(flags & _USE_WEAK)
            self.libraries.append(Library(_text(content, at, _LIBRARY.size), weak))
        elif command == _RPATH:
            self.places.append(_text(content, _unpacked(_PLACE, content)[2], _PLACE.size))
        elif command == _SIGNATURE:
            if self.signature:
                raise MalformedError("it has two signatures")
            _, _, at, length = _unpacked(_DATA, content)
            self.signature = at, length
        elif command == _BUILD_VERSION:
            _, _, system, minimum, _ = _unpacked(_BUILD, content)
            # Of one that is for two systems, as some of Apple's are, macOS is the one with the lowest number.
            told = system, _version(minimum)
            self.version = min(self.version, told) if self.version else told
        elif command in _OLD_VERSIONS:
            told = _OLD_VERSIONS[command], _version(_unpacked(_MINIMUM, content)[2])
            self.version = self.version or told
        if len(self.libraries) + len(self.places) > _MOST_NAMES:
            raise MalformedError(f"it asks for more than {_MOST_NAMES} libraries and places")


def _commands(content: bytes, number: int) -> Iterator[tuple[int, bytes]]:
    """Each load command: its number, and all of it."""
    at = 0
    for _ in range(number):
        if len(content) - at < _COMMAND.size:
            raise MalformedError("its load commands are cut short")
        command, size = _COMMAND.unpack_from(content, at)
        if size < _COMMAND.size or size % 4 or size > len(content) - at:
            raise MalformedError("one of its load commands is of no size that could be")
        yield command, content[at : at + size]
        at += size


def _unpacked(form: struct.Struct, content: bytes) -> tuple[int, ...]:
    if len(content) < form.size:
        raise MalformedError("one of its load commands is cut short")
    return form.unpack_from(content)


def _text(content: bytes, at: int, least: int) -> str:
    """The text of a command (lc_str): from its offset to a NUL, without which dyld takes none."""
    text, end, _ = content[at:].partition(b"\0") if least <= at < len(content) else (b"", b"", b"")
    try:
        name = text.decode()
    except UnicodeDecodeError:
        name = ""
    if not name or not end or len(name) > _LONGEST_NAME or not name.isprintable():
        raise MalformedError("one of its load commands names nothing that can be read")
    return name


def _version(packed: int) -> tuple[int, int, int]:
    """A version as load commands have it: xxxx.yy.zz in nibbles."""
    return packed >> 16, packed >> 8 & 0xFF, packed & 0xFF


def _exactly(read: Read, at: int, size: int) -> bytes:
    content = read(at, size)
    if len(content) != size:
        raise MalformedError("it is cut short")
    return content
