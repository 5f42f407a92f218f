"""Archives of ours, opened: what `archive` would have written, to the last byte, and nothing else.

What is read is fed back to the writer, and what that writes is compared with the file. So the header of a member, its
padding, the order, the end and every block of the compression are proven without a word here about what they should be,
and there is one tree only that a program can see.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.archive import STORED_BLOCK, ZIP_END, ArchiveWriter, compressed_part
from bundler.adapters.decompress import bounded
from bundler.adapters.own_gzip import unpacked
from bundler.adapters.regular import open_regular
from bundler.adapters.tar_reader import Member, Reader
from bundler.errors import IntegrityError
from bundler.model.bundle import Entry, File, Folder, Link

# Of whole stored blocks, which are compared as they are.
_CHUNK = 8 * STORED_BLOCK
# A wheel beyond this is copied to a file on the disk, not into memory: a few wheels of an archive.
_LARGEST_IN_MEMORY = 8 << 20
# `build` makes fewer than ten thousand; whoever wants more wants to keep us busy.
_MOST_MEMBERS = 50_000


class OwnReader:
    """An archive of ours under way. Iterate `members`; `read` gives the file just yielded.

    What is read of a wheel is kept, for whoever wants to seek in it: `take_copy`.
    """

    def __init__(self, name: str, file: BinaryIO) -> None:
        size = os.fstat(file.fileno()).st_size
        self._name = name
        self._copy: BinaryIO = io.BytesIO()
        self._tar = Reader(name, bounded(unpacked(file.fileno(), name), size, name))
        self._same = _Same(name, file.fileno())
        self._top = ""
        self._writer: ArchiveWriter | None = None
        self._content: Iterator[bytes] = iter(())

    @property
    def top(self) -> str:
        """The top folder's name, once the first member was yielded."""
        return self._top

    @property
    def tar_sha256(self) -> str:
        """The digest of the uncompressed tar, once `members` has ended."""
        return self._tar.tar_sha256

    @property
    def sha256(self) -> str:
        """The digest of the file itself, once `members` has ended."""
        return self._same.sha256

    @property
    def tar_size(self) -> int:
        """The size of the uncompressed tar in bytes, once `members` has ended."""
        return self._tar.tar_size

    def members(self) -> Iterator[Member]:
        """Yield every member, the top folder first. Raises IntegrityError for what `build` would not have written."""
        folders, last = {""}, ""
        for number, member in enumerate(self._tar.members()):
            top, _, inner = member.path.partition("/")
            if number >= _MOST_MEMBERS:
                raise IntegrityError(f"{self._name}: more than {_MOST_MEMBERS} members")
            if self._writer is None:
                self._begin(member)
            elif top != self._top:
                raise IntegrityError(f"{self._name}: more than one top folder, {self._top} and {top}")
            elif inner <= last or inner.rpartition("/")[0] not in folders:
                raise self._refused(member, "it is not in order, or the folder that it is in is not there before it")
            else:
                self._content = self._passing(_entry(member, inner) or self._no_entry(member), self._writer)
            if member.kind == "folder":
                folders.add(inner)
            last = inner
            yield member
            for _ in self._content:
                pass
        if self._writer is None:
            raise IntegrityError(f"{self._name}: it is empty")
        self._writer.close()
        self._same.end()

    def read(self) -> Iterator[bytes]:
        """Yield what is still unread of the file just yielded by `members`."""
        return self._content

    def take_copy(self) -> BinaryIO:
        """Return a copy of the wheel just read whole, which can be sought; who takes it closes it."""
        copy, self._copy = self._copy, io.BytesIO()
        return copy

    def close(self) -> None:
        """Forget the copy that nobody took."""
        self._copy.close()

    def _begin(self, member: Member) -> None:
        """Take the archive's name and time from its first member."""
        if member.kind != "folder" or "/" in member.path:
            raise self._refused(member, "an archive begins with its top folder")
        self._top = member.path
        self._writer = ArchiveWriter(self._same, self._top, member.mtime)

    def _passing(self, entry: Entry, writer: ArchiveWriter) -> Iterator[bytes]:
        """The content of an entry, written again as it passes; that of a wheel after it, for its end decides how."""
        if not entry.path.endswith(".whl") or not isinstance(entry, File):
            yield from writer.put(entry, self._tar.read())
            return
        self._copy.close()
        self._copy = copy = _room_for(entry.size)
        for data in self._tar.read():
            copy.write(data)
            yield data
        copy.seek(max(0, entry.size - ZIP_END))
        stored = compressed_part(entry.size, copy.read(ZIP_END))
        copy.seek(0)
        for _ in writer.put(entry, iter(lambda: copy.read(_CHUNK), b""), stored):
            pass
        copy.seek(0)

    def _no_entry(self, member: Member) -> Entry:
        raise self._refused(member, f"a {member.kind}")

    def _refused(self, member: Member, fault: str) -> IntegrityError:
        return IntegrityError(f"{self._name}: refused member {member.path[:200]!r}: {fault}")


def _entry(member: Member, inner: str) -> Entry | None:
    if member.kind == "file":
        return File(inner, member.size, "", b"", member.executable)
    if member.kind == "link":
        return Link(inner, member.target)
    return Folder(inner) if member.kind == "folder" else None


def _room_for(size: int) -> BinaryIO:
    return io.BytesIO() if size <= _LARGEST_IN_MEMORY else tempfile.TemporaryFile()


class _Same:
    """Something to write to that holds the file's bytes already. Raises IntegrityError where others are written."""

    def __init__(self, name: str, descriptor: int) -> None:
        self._name, self._descriptor, self._place = name, descriptor, 0
        self._digest = hashlib.sha256()
        # Made once: to make them anew for every piece takes longer than to compare it.
        self._written, self._there = bytearray(_CHUNK), bytearray(_CHUNK)
        self._size, self._room = 0, memoryview(self._written)

    @property
    def sha256(self) -> str:
        """The digest of what was written."""
        return self._digest.hexdigest()

    def write(self, data: bytes | memoryview, /) -> None:
        rest = memoryview(data)
        while rest:
            piece = rest[: _CHUNK - self._size]
            end = self._size + len(piece)
            self._room[self._size : end] = piece
            self._size, rest = end, rest[len(piece) :]
            if end == _CHUNK:
                self._compare()

    def _compare(self) -> None:
        """Compare what was written since the last time with what is there."""
        read = os.preadv(self._descriptor, (memoryview(self._there)[: self._size],), self._place)
        if read != self._size or self._there != self._written:
            pairs = zip(self._there[:read], self._written[: self._size], strict=False)
            raise self._other(next((same for same, (there, written) in enumerate(pairs) if there != written), read))
        self._digest.update(self._room[: self._size])
        self._place += self._size
        self._size = 0

    def end(self) -> None:
        self._compare()
        if os.pread(self._descriptor, 1, self._place):
            raise self._other(0)

    def _other(self, same: int) -> IntegrityError:
        place = self._place + same
        return IntegrityError(
            f"{self._name}: not as aiws-bundle writes archives, from byte {place} of the file on",
            "another program packed or changed it; build it anew, or fetch it where it was published",
        )


@contextmanager
def open_own(path: Path, name: str) -> Iterator[OwnReader]:
    """Open an archive of ours; errors call it `name`.

    Raises IntegrityError if it is no gzip, UsageError if it is no regular file, OSError if it cannot be read.
    """
    with ExitStack() as stack:
        reader = OwnReader(name, stack.enter_context(open_regular(path)))
        stack.callback(reader.close)
        yield reader
