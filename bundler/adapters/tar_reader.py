"""Any tar in, member by member; nothing in it is believed. Standard library only: it runs inside the sandbox too."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bundler.adapters.tar_header import (
    BLOCK,
    Header,
    OddHeaderError,
    is_commit_note,
    parse_header,
    parse_long,
    parse_pax,
)
from bundler.errors import IntegrityError
from bundler.model.paths import path_fault

Kind: TypeAlias = Literal["file", "folder", "link", "hard link"]

_LARGEST_TAR = 16 << 30
_MOST_MEMBERS = 200_000
# What all paths, also those of folders that no member stands for, may take together.
_LONGEST_PATHS = 32 << 20
# Names have at most 1024 bytes; the rest is for what else stands in a pax header.
_LARGEST_EXTENSION = 64 << 10
# Zeros after the last member: GNU tar fills a record, whose size can be chosen.
_LARGEST_END = 1 << 20
_ZEROS = bytes(BLOCK)
_KINDS: Mapping[bytes, Kind] = {b"0": "file", b"\0": "file", b"5": "folder", b"2": "link", b"1": "hard link"}
_LONG = {b"L": b"path", b"K": b"linkpath"}
_ADVICE = "`tar --format=ustar --owner=0 --group=0 --numeric-owner` makes archives that every program reads alike"


@dataclass(frozen=True)
class Member:
    """A member of an archive that is being read: its path is safe, `target` where a link leads, as it says."""

    path: str
    kind: Kind
    size: int
    executable: bool
    target: str
    mtime: int = 0


class Reader:
    """A tar under way, from the pieces its bytes come in. Iterate `members`; `read` gives the file just yielded."""

    def __init__(self, name: str, pieces: Iterator[bytes]) -> None:
        self._name = name
        self._source = _Source(name, pieces)
        self._left = 0
        self._padding = 0
        self._known: dict[str, tuple[Kind, bool]] = {}
        self._headers = 0
        self._held = 0

    def members(self) -> Iterator[Member]:
        """Yield every member in order. Raises IntegrityError for what programs could unpack differently."""
        while (header := self._header()) is not None:
            if header.kind == b"g" and self._headers == 1:
                self._skip_commit(header)
                continue
            member = self._member(*self._extended(header))
            self._place(member)
            self._left, self._padding = member.size, -member.size % BLOCK
            yield member
            for _ in self.read():
                pass
            if self._source.exactly(self._padding).strip(b"\0"):
                raise self._refused(member.path, "data stands in its padding")
        self._source.end()

    def read(self) -> Iterator[bytes]:
        """Yield what is still unread of the file just yielded by `members`."""
        while self._left:
            data = self._source.some(self._left)
            self._left -= len(data)
            yield data

    @property
    def tar_sha256(self) -> str:
        """The digest of the uncompressed tar, once `members` has ended."""
        return self._source.digest.hexdigest()

    @property
    def tar_size(self) -> int:
        """The size of the uncompressed tar in bytes, once `members` has ended."""
        return self._source.size

    def _header(self) -> Header | None:
        """The next header, or None at the archive's end."""
        block = self._source.exactly(BLOCK)
        if block == _ZEROS:
            return None
        self._headers += 1
        if self._headers > _MOST_MEMBERS:
            raise IntegrityError(f"{self._name}: more than {_MOST_MEMBERS} members")
        try:
            return parse_header(block)
        except OddHeaderError as error:
            raise self._refused(_shown(block[:100].rstrip(b"\0")), f"{error}; {_ADVICE}") from error

    def _extended(self, header: Header) -> tuple[Header, Mapping[bytes, bytes]]:
        """The header of a member proper, and what extension headers before it say in its place."""
        said: dict[bytes, bytes] = {}
        seen: set[bytes] = set()
        gnu = header.gnu
        while header.kind in (b"x", b"L", b"K"):
            if header.kind in seen or b"x" in seen or (header.kind == b"x" and seen):
                raise self._refused(_shown(header.name), f"its name is told twice; {_ADVICE}")
            seen.add(header.kind)
            content = self._extension(header)
            try:
                if header.kind == b"x":
                    said |= parse_pax(header, content)
                else:
                    said[_LONG[header.kind]] = parse_long(header, content)
            except OddHeaderError as error:
                raise self._refused(_shown(header.name), f"{error}; {_ADVICE}") from error
            following = self._header()
            if following is None or following.gnu != gnu:
                raise self._refused(_shown(header.name), f"no member of its kind follows it; {_ADVICE}")
            header = following
        return header, said

    def _extension(self, header: Header) -> bytes:
        if header.size > _LARGEST_EXTENSION:
            raise self._refused(_shown(header.name), f"a header of more than {_LARGEST_EXTENSION >> 10} KiB")
        content = self._source.exactly(header.size)
        if self._source.exactly(-header.size % BLOCK).strip(b"\0"):
            raise self._refused(_shown(header.name), "data stands in its padding")
        return content

    def _skip_commit(self, header: Header) -> None:
        content = self._extension(header)
        try:
            known = is_commit_note(header, content)
        except OddHeaderError:
            known = False
        if not known:
            raise self._refused(_shown(header.name), f"a header for all members, which is not git's; {_ADVICE}")

    def _member(self, header: Header, said: Mapping[bytes, bytes]) -> Member:
        """The member of a header and what was said before it, if no program can take it for another."""
        path = _text(said.get(b"path", header.name))
        target = _text(said.get(b"linkpath", header.link))
        kind = _KINDS.get(header.kind)
        if kind is None:
            raise self._refused(path, "neither file, folder nor link")
        if fault := path_fault(path) or _fault(header, kind, said):
            raise self._refused(path, fault)
        # A name that was cut off for the header may end in a slash; only of the older type does tarfile mind it.
        slash = header.name.endswith(b"/") and (b"path" not in said or header.kind == b"\0")
        if kind != "folder" and (slash or path.endswith("/")):
            raise self._refused(path, f"it is no folder, but is called like one; {_ADVICE}")
        if bool(target) != (kind in ("link", "hard link")):
            raise self._refused(path, f"it is a {kind}, and points to {target[:200]!r}; {_ADVICE}")
        return Member(path.rstrip("/"), kind, header.size, bool(header.mode & 0o100), target, header.mtime)

    def _place(self, member: Member) -> None:
        """Note what stands at a path. Raises IntegrityError if something else does, or above it no folder."""
        path, kind = member.path, member.kind
        if path in self._known and not (kind == self._known[path][0] == "folder"):
            raise IntegrityError(f"{self._name}: {path!r} is there twice")
        # The mode is the first one's in some programs, the last one's in others.
        if kind == "hard link" and self._known.get(member.target) != ("file", member.executable):
            raise self._refused(path, f"a hard link to {member.target[:200]!r}, which is no such file before it")
        self._know(path, kind, executable=member.executable)
        above = path
        while (above := posixpath.dirname(above)) and self._known.get(above, ("",))[0] != "folder":
            if above in self._known:
                raise IntegrityError(f"{self._name}: {path!r} is inside {above!r}, which is no folder")
            self._know(above, "folder")

    def _know(self, path: str, kind: Kind, *, executable: bool = True) -> None:
        self._known[path] = (kind, executable)
        self._held += len(path)
        if len(self._known) > _MOST_MEMBERS or self._held > _LONGEST_PATHS:
            raise IntegrityError(f"{self._name}: more than {_MOST_MEMBERS} members, or too long paths")

    def _refused(self, path: str, fault: str) -> IntegrityError:
        return IntegrityError(f"{self._name}: refused member {path[:200]!r}: {fault}")


def _fault(header: Header, kind: Kind, said: Mapping[bytes, bytes]) -> str | None:
    """What is odd about a member's numbers, or None."""
    if b"size" in said and said[b"size"] != b"%d" % header.size:
        return f"it has two sizes; {_ADVICE}"
    if header.size and kind != "file":
        return f"it is no file, but has {header.size} bytes; {_ADVICE}"
    if header.mode & 0o6000 and kind != "folder":
        return "it would run as its owner (setuid or setgid)"
    return None


class _Source:
    """The bytes of a tar, hashed and counted as they are taken."""

    def __init__(self, name: str, pieces: Iterator[bytes]) -> None:
        self._name, self._pieces = name, pieces
        self._piece, self._place = b"", 0
        self.digest = hashlib.sha256()
        self.size = 0

    def some(self, most: int) -> bytes:
        """At least one byte and at most `most`. Raises IntegrityError at the end."""
        if data := self._next(most):
            return data
        raise IntegrityError(f"{self._name}: not a whole archive: it has no end")

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes. Raises IntegrityError if there are fewer."""
        data = self._next(size) if size else b""
        while len(data) < size:
            data += self.some(size - len(data))
        return data

    def end(self) -> None:
        """Read on after the first block of zeros at the end: one more or many (POSIX), then nothing."""
        zeros = 0
        while data := self._next(_LARGEST_END):
            zeros += len(data)
            if data.strip(b"\0"):
                raise IntegrityError(f"{self._name}: data follows the end of the archive")
            if zeros > _LARGEST_END:
                raise IntegrityError(f"{self._name}: too many zeros after the end of the archive")
        if not zeros or zeros % BLOCK:
            raise IntegrityError(f"{self._name}: not a whole archive: it has no end")

    def _next(self, most: int) -> bytes:
        if self._place == len(self._piece):
            self._piece, self._place = next(self._pieces, b""), 0
            self.digest.update(self._piece)
            self.size += len(self._piece)
            if self.size > _LARGEST_TAR:
                raise IntegrityError(f"{self._name}: unpacks to more than {_LARGEST_TAR >> 30} GiB")
        data = self._piece[self._place : self._place + most]
        self._place += len(data)
        return data


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _shown(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
