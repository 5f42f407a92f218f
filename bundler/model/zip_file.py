"""ZIP files (APPNOTE.TXT), read in the one way in which every reader reads them alike.

A ZIP tells its members twice, in headers before the data and in a list at the end, and readers differ in which of the
two they believe, where they look for the list, and what they make of gaps, comments and unknown fields. Taken here is
what leaves nothing to choose: members one after another from the first byte, in the list's order, each told the same
way twice; the list right behind them; the end record right behind the list, at the very end. No second form of any
field: no ZIP64 (nothing here reaches 4 GiB), no encryption, no fields that rename a member or give it another mode.
"""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Literal, NamedTuple, cast

from zlib_ng import zlib_ng

from bundler.errors import IntegrityError
from bundler.model.paths import path_fault

# The largest wheel of the locks has 3,300 members. Known from the end record, before anything of the list is read.
_MOST_MEMBERS = 50_000
_LARGEST_LIST = 16 << 20
_LARGEST_CONTENT = 2 << 30
_DEEPEST = 64
# How much is inflated, and how much of the stream is read, at a time.
_CHUNK, _PIECE = 1 << 20, 1 << 18
# The same where only a member's first bytes are asked for: what describes a block's codes takes some 100 bytes.
_HEAD_PIECE = 512
# 4.3.7 local header, 4.3.9 data descriptor, 4.3.12 entry of the list, 4.3.16 end record.
_LOCAL_SIZE, _LOCAL_MAGIC = 30, b"PK\x03\x04"
_LATER_SIZE, _LATER_MAGIC = 16, b"PK\x07\x08"
_ENTRY, _ENTRY_MAGIC = struct.Struct("<4sBBHHH4xIIIHHHHHII"), b"PK\x01\x02"
_END, _END_MAGIC = struct.Struct("<4sHHHHIIH"), b"PK\x05\x06"
# 4.3.15: where readers look for the locator of a ZIP64 end record.
_LOCATOR_SIZE, _LOCATOR_MAGIC = 20, b"PK\x06\x07"
# The one comment that is taken: the commit that `git archive` was asked for.
_COMMIT = re.compile(rb"[0-9a-f]{40}")
_COMMIT_SIZE = 40
_NEEDED = 20  # version 2.0
_FAT, _UNIX = 0, 3
_STORED, _DEFLATED = 0, 8
# 4.4.4: sizes follow the data; the name is UTF-8; the two bits in between say how hard the deflater tried.
_SIZES_LATER, _UTF8, _EFFORT = 0x8, 0x800, 0x6
# MS-DOS attributes: read-only, folder, archive. Others make readers skip a member ("volume label").
_DOS_FOLDER, _DOS = 0x10, 0x31
# 4.5.2 and Info-ZIP's extrafld.txt: times and owners. Other extra fields hold sizes, names, links or modes.
_EXTRA = frozenset({0x000A, 0x5455, 0x5855, 0x7855, 0x7875})
# Info-ZIP cuts off what looks like a version of VMS, libarchive what looks like a drive of Windows.
_CUT_OFF = re.compile(r"^[A-Za-z]:|;[0-9]*(?=/|$)")

# The library's types call it an exception, not a class of them.
_INFLATE_ERROR = cast("type[Exception]", zlib_ng.error)

Kind = Literal["file", "folder", "link"]


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member; a folder's path has no trailing slash. `size` is that of its content, in bytes."""

    path: str
    kind: Kind
    executable: bool
    size: int
    packed: int
    deflated: bool
    crc: int
    start: int


class _End(NamedTuple):
    members: int
    size: int
    start: int
    comment: bytes


class ZipReader:
    """A whole ZIP in a stream that can be sought; `name` is what errors call it.

    Raises IntegrityError for everything that a ZIP may not be (see the module), and for more than 50,000 members,
    16 MiB of list, 2 GiB of content or 64 folders above a member: what is held in memory is the list.

    With `from_git` it may also be what `git archive` makes: symbolic links, and names in UTF-8 that are said to be of
    a FAT system, which Info-ZIP garbles.
    """

    def __init__(self, stream: BinaryIO, name: str, *, from_git: bool = False) -> None:
        self._stream, self._name, self._from_git = stream, name, from_git
        end = self._find_end()
        self.comment = end.comment
        if end.members > _MOST_MEMBERS or end.size > _LARGEST_LIST:
            raise self._fault(f"{end.members} members, listed in {end.size} bytes, are too many")
        self.members = tuple(self._list(end))
        if sum(member.size for member in self.members) > _LARGEST_CONTENT:
            raise self._fault(f"it unpacks to more than {_LARGEST_CONTENT >> 30} GiB")
        if clash := find_clash((member.path, member.kind == "folder") for member in self.members):
            raise self._refused(clash, "it is there twice, or as a file and as a folder")

    def content(self, member: ZipMember) -> Iterator[bytes]:
        """Yield a member's bytes, at most 1 MiB at a time; raises IntegrityError if its size or CRC is another one."""
        size, crc = 0, 0
        self._stream.seek(member.start)
        for piece in self._inflated(member) if member.deflated else self._packed(member):
            size += len(piece)
            if size > member.size:
                break
            crc = zlib_ng.crc32(piece, crc)
            yield piece
        if size != member.size or crc != member.crc:
            raise self._refused(member.path, "its content is not of the size and CRC that are stated")

    def read(self, member: ZipMember, limit: int) -> bytes:
        """Return a member's whole content. Raises IntegrityError if it is damaged or larger than `limit` bytes."""
        if member.size > limit:
            raise self._refused(member.path, f"it is larger than {limit} bytes")
        return b"".join(self.content(member))

    def head(self, member: ZipMember, size: int) -> bytes:
        """Return the first `size` bytes of a member, fewer if it is smaller. Raises IntegrityError if it is damaged."""
        self._stream.seek(member.start)
        inflate, found = zlib_ng.decompressobj(-zlib_ng.MAX_WBITS), b""
        try:
            for data in self._packed(member, _HEAD_PIECE):
                found += inflate.decompress(data, size - len(found)) if member.deflated else data[: size - len(found)]
                if len(found) >= size or inflate.eof:
                    break
        except _INFLATE_ERROR as error:
            raise self._refused(member.path, f"it cannot be inflated: {error}") from error
        return found

    def _packed(self, member: ZipMember, piece: int = _PIECE) -> Iterator[bytes]:
        left = member.packed
        while left:
            data = self._stream.read(min(left, piece))
            if not data:
                raise self._fault("it ends early")
            left -= len(data)
            yield data

    def _inflated(self, member: ZipMember) -> Iterator[bytes]:
        inflate = zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
        try:
            for data in self._packed(member):
                if inflate.eof:
                    break
                piece = inflate.decompress(data, _CHUNK)
                yield piece
                while inflate.unconsumed_tail or len(piece) == _CHUNK:
                    piece = inflate.decompress(inflate.unconsumed_tail, _CHUNK)
                    yield piece
            else:
                if inflate.eof and not inflate.unused_data:
                    return
        except _INFLATE_ERROR as error:
            raise self._refused(member.path, f"it cannot be inflated: {error}") from error
        raise self._refused(member.path, "its data does not end where it is said to")

    def _find_end(self) -> _End:
        size = self._stream.seek(0, 2)
        tail_size = min(size, _LOCATOR_SIZE + _END.size + _COMMIT_SIZE)
        self._stream.seek(size - tail_size)
        tail = self._stream.read(tail_size)
        for length in (0, _COMMIT_SIZE):
            at = len(tail) - _END.size - length
            if at < 0 or not tail.startswith(_END_MAGIC, at):
                continue
            _, disk, first, here, members, listed, start, commented = _END.unpack_from(tail, at)
            comment = tail[at + _END.size :]
            if commented != length or (comment and not _COMMIT.fullmatch(comment)):
                raise self._fault("its comment is no commit")
            if tail.count(_END_MAGIC, at) != 1 or tail.startswith(_LOCATOR_MAGIC, at - _LOCATOR_SIZE):
                raise self._fault("it has a second end record")
            if disk or first or here != members or start + listed != size - _END.size - length:
                raise self._fault("its list does not stand right before its end")
            return _End(members, listed, start, comment)
        raise self._fault("no end record stands at its end")

    def _list(self, end: _End) -> Iterator[ZipMember]:
        self._stream.seek(end.start)
        listed = self._stream.read(end.size)
        at, offset = 0, 0
        for _ in range(end.members):
            if len(listed) - at < _ENTRY.size or not listed.startswith(_ENTRY_MAGIC, at):
                raise self._fault("its list is not whole")
            after = at + _ENTRY.size + sum(struct.unpack_from("<HHH", listed, at + 28))
            member, later = self._entry(listed[at:after], offset)
            yield member
            at, offset = after, self._after(member, listed[at:after], later=later)
        if at != len(listed) or offset != end.start:
            raise self._fault("something stands between its members and its list, or behind the list")

    def _entry(self, entry: bytes, offset: int) -> tuple[ZipMember, bool]:
        """Parse an entry of the list, whose member has to stand at `offset`; also say whether its sizes come later."""
        (
            _, _, host, needed, flags, method, crc, packed, size,
            name_size, extra_size, comment_size, disk, _, attributes, place,
        ) = _ENTRY.unpack_from(entry)  # fmt: skip
        encoded = entry[_ENTRY.size : _ENTRY.size + name_size]
        extra = entry[_ENTRY.size + name_size : _ENTRY.size + name_size + extra_size]
        name = _decoded(encoded, utf8=bool(flags & _UTF8))
        kind = _kind(name, host, attributes)
        fault = (
            _name_fault(name)
            or (kind is None and "it is neither file nor folder, or has a mode of its own")
            or (kind == "link" and not self._from_git and "it is a symbolic link")
            or (host == _FAT and not self._from_git and not name.isascii() and "its name is not ASCII on a FAT system")
            or (kind == "folder" and size and "it is a folder with content")
            or (method not in (_STORED, _DEFLATED) and "it is neither stored nor deflated")
            or (needed > _NEEDED and "it needs more than ZIP 2.0")
            or (flags & ~(_SIZES_LATER | _UTF8 | _EFFORT) and "it is encrypted, or has flags that are not known")
            or (method == _STORED and (size != packed or flags & _SIZES_LATER) and "it is stored, its size unclear")
            or (not _is_plain(extra) and "it has an extra field that is neither time nor owner")
            or ((comment_size or disk) and "it has a comment, or stands on another disk")
            or (place != offset and "it does not stand right behind the member before it")
        )
        if fault or kind is None:
            raise self._refused(name, fault or "")
        executable, later = bool(attributes >> 16 & 0o100), bool(flags & _SIZES_LATER)
        start = self._start(name, entry, offset, later=later)
        return ZipMember(name.removesuffix("/"), kind, executable, size, packed, method == _DEFLATED, crc, start), later

    def _start(self, name: str, entry: bytes, offset: int, *, later: bool) -> int:
        """Compare a member's local header with its entry in the list; return where its data starts.

        From "version needed" to the length of the name both hold the same 24 bytes; CRC and sizes may come later.
        """
        told, encoded = entry[6:30], entry[_ENTRY.size : _ENTRY.size + int.from_bytes(entry[28:30], "little")]
        self._stream.seek(offset)
        header = self._stream.read(_LOCAL_SIZE + len(encoded))
        if len(header) < _LOCAL_SIZE:
            raise self._fault("it ends early")
        magic, said, extra_size = header[:4], header[4:28], int.from_bytes(header[28:30], "little")
        same = said == told or (later and said == told[:10] + bytes(12) + told[22:])
        if magic != _LOCAL_MAGIC or not same or header[_LOCAL_SIZE:] != encoded:
            raise self._refused(name, "its header says something else than the list")
        if extra_size and not _is_plain(self._stream.read(extra_size), extra_size):
            raise self._refused(name, "it has an extra field that is neither time nor owner")
        return offset + _LOCAL_SIZE + len(encoded) + extra_size

    def _after(self, member: ZipMember, entry: bytes, *, later: bool) -> int:
        """Return where the next member has to stand: behind the data, and what comes later of this one."""
        end = member.start + member.packed
        if not later:
            return end
        self._stream.seek(end)
        descriptor = self._stream.read(_LATER_SIZE)
        if descriptor != _LATER_MAGIC + entry[16:28]:
            raise self._refused(member.path, "what follows its data says something else than the list")
        return end + _LATER_SIZE

    def _fault(self, fault: str) -> IntegrityError:
        return IntegrityError(f"{self._name} is not a readable ZIP: {fault}")

    def _refused(self, path: str, fault: str) -> IntegrityError:
        return IntegrityError(f"{self._name}: refused member {path[:200]!r}: {fault}")


def find_clash(paths: Iterable[tuple[str, bool]]) -> str | None:
    """Return a path that is there twice, or as a file and as a folder, or None; `paths` also say what is a folder."""
    ordered = sorted((f"{path}/", is_folder) for path, is_folder in paths)
    for (path, is_folder), (following, _) in pairwise(ordered):
        if path == following or (not is_folder and following.startswith(path)):
            return path[:-1]
    return None


def _decoded(name: bytes, *, utf8: bool) -> str:
    """A member's name; what is no text for every reader becomes a character that no name may hold."""
    return name.decode("utf-8" if utf8 else "ascii", "surrogateescape")


def _name_fault(name: str) -> str | None:
    path = name.removesuffix("/")
    if fault := path_fault(path):
        return fault
    if path.endswith("/") or path.count("/") >= _DEEPEST:
        return "it is not in normal form, or too deep"
    if not path.isprintable() or not unicodedata.is_normalized("NFC", path):
        return "its name is shown or stored otherwise on some systems"
    if (":" in path or ";" in path) and _CUT_OFF.search(path):
        return "its name is cut short on some systems"
    return None


def _kind(name: str, host: int, attributes: int) -> Kind | None:
    """What a member is, if its name, its mode and its MS-DOS attributes agree on it."""
    mode, dos = attributes >> 16, attributes & 0xFFFF
    is_folder = name.endswith("/")
    if host not in (_FAT, _UNIX) or mode & 0o7000 or dos & ~_DOS or (dos & _DOS_FOLDER and not is_folder):
        return None
    kind = stat.S_IFMT(mode)
    if is_folder:
        return "folder" if kind in (0, stat.S_IFDIR) else None
    if kind == stat.S_IFLNK:
        return "link" if host == _UNIX else None
    return "file" if kind in (0, stat.S_IFREG) else None


def _is_plain(extra: bytes, size: int | None = None) -> bool:
    """Say whether extra fields are whole and hold nothing but times and owners."""
    if size is not None and len(extra) != size:
        return False
    at = 0
    while at < len(extra):
        if len(extra) - at < 4:
            return False
        kind, length = struct.unpack_from("<HH", extra, at)
        at += 4 + length
        if kind not in _EXTRA:
            return False
    return at == len(extra)
