"""Archives: deterministic gzip tar out, and any tar in, read defensively.

Out: one gzip member (RFC 1952) without name or time, holding a POSIX pax tar. Wheels are compressed already and go into
stored deflate blocks (RFC 1951, 3.2.4), whose bytes no library decides; everything else is deflated by zlib-ng, whose
exact version is pinned because other deflate libraries give other bytes (docs/determinism.md).
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

import zstandard
from zlib_ng import zlib_ng

from bundler.errors import BundleError, IntegrityError
from bundler.model.bundle import Bundle, Entry, File, Folder, Link, Slice
from bundler.model.paths import path_fault

_CHUNK = 1 << 20
_BLOCK = 512
_RECORD = 10240
_LEVEL = 6
_STORED_LIMIT = 65535
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_FINAL_EMPTY_BLOCK = b"\x01\x00\x00\xff\xff"
# What a reader accepts at the most.
_LARGEST_TAR = 16 << 30
_MOST_MEMBERS = 200_000
_HEADER_ALLOWANCE = 1 << 20
_ZSTD_WINDOW = 1 << 27


class SourceChangedError(IntegrityError):
    """A file that goes into an archive is not, or no longer, what was verified before."""

    def __init__(self, entry: File, actual: str) -> None:
        super().__init__(
            f"{entry.path}: the copy in the store is damaged\n  expected {entry.sha256}\n  actual   {actual}",
            "it was removed from the store; run again to fetch it anew",
        )
        self.sha256 = entry.sha256


@dataclass(frozen=True)
class Written:
    """An archive that was written: its size and SHA-256."""

    size: int
    sha256: str


class _Out(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _In(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Gzip:
    """One gzip member that changes between stored and deflated data; both always cut alike."""

    def __init__(self, out: _Out) -> None:
        self._out = out
        self._sha = hashlib.sha256()
        self._crc, self._length, self.size = 0, 0, 0
        self._stored = bytearray()
        self._deflate = self._new_deflate()
        self._deflating = False
        self._emit(_GZIP_HEADER)

    def write(self, data: bytes, *, stored: bool) -> None:
        self._crc = zlib_ng.crc32(data, self._crc)
        self._length += len(data)
        if stored:
            self._end_deflate()
            self._store(data)
        else:
            self._flush_stored()
            self._deflating = True
            self._emit(self._deflate.compress(data))

    def close(self) -> Written:
        self._end_deflate()
        self._flush_stored()
        self._emit(_FINAL_EMPTY_BLOCK + struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))
        return Written(self.size, self._sha.hexdigest())

    def _store(self, data: bytes) -> None:
        """Cut stored data into full blocks wherever the pieces it arrives in begin and end."""
        waiting = self._stored
        waiting += data
        if len(waiting) < _STORED_LIMIT:
            return
        pieces: list[bytes | memoryview] = []
        with memoryview(waiting) as view:
            full = len(waiting) // _STORED_LIMIT * _STORED_LIMIT
            for start in range(0, full, _STORED_LIMIT):
                pieces += (_stored_header(_STORED_LIMIT), view[start : start + _STORED_LIMIT])
            block = b"".join(pieces)
            pieces.clear()
        del waiting[:full]
        self._emit(block)

    def _flush_stored(self) -> None:
        if self._stored:
            self._emit(_stored_header(len(self._stored)) + bytes(self._stored))
            self._stored.clear()

    def _end_deflate(self) -> None:
        """Bring the deflated run to a byte boundary, so that stored blocks can follow."""
        if self._deflating:
            self._emit(self._deflate.flush(zlib_ng.Z_SYNC_FLUSH))
            self._deflate = self._new_deflate()
            self._deflating = False

    @staticmethod
    def _new_deflate() -> zlib_ng._Compress:
        return zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS, zlib_ng.DEF_MEM_LEVEL)

    def _emit(self, data: bytes) -> None:
        self._sha.update(data)
        self._out.write(data)
        self.size += len(data)


def _stored_header(length: int) -> bytes:
    return struct.pack("<BHH", 0, length, length ^ 0xFFFF)


def write_archive(bundle: Bundle, out: _Out, epoch: int, cancelled: Callable[[], bool]) -> Written:
    """Write `bundle` as a gzip tar whose every time is `epoch` (seconds since 1970).

    The same bundle gives the same bytes anywhere. Raises SourceChangedError if a file is not what the bundle says.
    """
    gzipped = _Gzip(out)
    written = 0
    for entry in (Folder(""), *bundle.entries):
        header = _header(bundle.top, entry, epoch)
        stored = isinstance(entry, File) and entry.path.endswith(".whl")
        gzipped.write(header, stored=stored)
        written += len(header)
        if isinstance(entry, File):
            for data in _verified(entry):
                if cancelled():
                    raise BundleError("interrupted")
                gzipped.write(data, stored=stored)
            padding = -entry.size % _BLOCK
            gzipped.write(bytes(padding), stored=stored)
            written += entry.size + padding
    gzipped.write(bytes(2 * _BLOCK + -(written + 2 * _BLOCK) % _RECORD), stored=False)
    return gzipped.close()


def _header(top: str, entry: Entry, epoch: int) -> bytes:
    info = tarfile.TarInfo(f"{top}/{entry.path}".rstrip("/"))
    info.mtime, info.uid, info.gid, info.uname, info.gname = epoch, 0, 0, "root", "root"
    if isinstance(entry, File):
        info.size, info.mode = entry.size, 0o755 if entry.executable else 0o644
    elif isinstance(entry, Link):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
    else:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _verified(entry: File) -> Iterator[bytes]:
    """The file's bytes, checked against its size and digest as they pass."""
    if isinstance(entry.content, bytes):
        yield entry.content
        return
    digest = hashlib.sha256()
    for data in read_slice(entry.content):
        digest.update(data)
        yield data
    if digest.hexdigest() != entry.sha256:
        raise SourceChangedError(entry, digest.hexdigest())


def read_slice(piece: Slice) -> Iterator[bytes]:
    """Yield a slice's bytes. Raises IntegrityError if the file ends before it does."""
    left = piece.length
    with Path(piece.file).open("rb", buffering=0) as file:
        file.seek(piece.offset)
        while left:
            data = file.read(min(_CHUNK, left))
            if not data:
                raise IntegrityError(f"{piece.file} is shorter than it was")
            left -= len(data)
            yield data


@dataclass(frozen=True)
class Member:
    """A member of an archive that is being read: its path is safe, its kind one of file, folder, link, hard link."""

    path: str
    kind: str
    size: int
    executable: bool
    target: str


class Reader:
    """A tar under way. Iterate `members`; `read` gives the bytes of the file just yielded."""

    def __init__(self, name: str, stream: _In) -> None:
        self._name = name
        self._counted = _Counted(name, stream)
        self._file: IO[bytes] | None = None

    def members(self) -> Iterator[Member]:
        """Yield every member in order. Raises IntegrityError for what no archive of ours or of CPython's holds."""
        seen: dict[str, str] = {}
        only_read = cast("IO[bytes]", self._counted)
        try:
            with tarfile.open(fileobj=only_read, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
                for info in tar:
                    member = self._checked(info, seen)
                    self._counted.allow(member.size)
                    self._file = tar.extractfile(info) if member.kind == "file" else None
                    yield member
                    tar.members.clear()  # type: ignore[attr-defined]  # else tarfile keeps every header
            self._counted.drain()
        except _FAULTS as error:
            raise IntegrityError(f"{self._name}: not a whole archive: {error}") from error

    def read(self) -> Iterator[bytes]:
        """Yield the bytes of the file just yielded by `members`."""
        if self._file is None:
            return
        try:
            while data := self._file.read(_CHUNK):
                yield data
        except _FAULTS as error:
            raise IntegrityError(f"{self._name}: not a whole archive: {error}") from error

    @property
    def tar_sha256(self) -> str:
        """The digest of the uncompressed tar, once `members` has ended."""
        return self._counted.digest.hexdigest()

    @property
    def tar_size(self) -> int:
        """The size of the uncompressed tar in bytes, once `members` has ended."""
        return self._counted.size

    def _checked(self, info: tarfile.TarInfo, seen: dict[str, str]) -> Member:
        path = info.name
        if fault := path_fault(path):
            raise IntegrityError(f"{self._name}: refused member {path[:200]!r}: {fault}")
        path = path.rstrip("/")
        if info.isdir():
            kind = "folder"
        elif info.issym():
            kind = "link"
        elif info.islnk():
            kind = "hard link"
        elif info.isreg() and not info.issparse():
            kind = "file"
        else:
            raise IntegrityError(f"{self._name}: refused member {path!r}: neither file, folder nor link")
        if path in seen and not (kind == seen[path] == "folder"):
            raise IntegrityError(f"{self._name}: {path!r} is there twice")
        seen[path] = kind
        if len(seen) > _MOST_MEMBERS:
            raise IntegrityError(f"{self._name}: more than {_MOST_MEMBERS} members")
        return Member(path, kind, info.size if kind == "file" else 0, bool(info.mode & 0o100), info.linkname)


# What tarfile and the decompressors raise for broken input; OverflowError and ValueError for absurd header fields.
_FAULTS = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError, ValueError, OverflowError)


class _Counted:
    """A stream that hashes and counts what is read, and refuses more than the members so far account for."""

    def __init__(self, name: str, stream: _In) -> None:
        self._name, self._stream = name, stream
        self.digest = hashlib.sha256()
        self.size = 0
        self._allowed = _HEADER_ALLOWANCE

    def allow(self, size: int) -> None:
        """A member of `size` bytes begins; headers of up to 1 MiB may follow it."""
        self._allowed = self.size + size + _HEADER_ALLOWANCE
        if self._allowed > _LARGEST_TAR:
            raise IntegrityError(f"{self._name}: unpacks to more than {_LARGEST_TAR >> 30} GiB")

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.size += len(data)
        if self.size > self._allowed:
            raise IntegrityError(f"{self._name}: holds more data than its members account for")
        self.digest.update(data)
        return data

    def drain(self) -> None:
        """Read what follows the last member: padding, and the checksum of the compression."""
        while data := self._stream.read(_CHUNK):
            self.size += len(data)
            if data.strip(b"\0") or self.size > self._allowed:
                raise IntegrityError(f"{self._name}: data follows the end of the archive")
            self.digest.update(data)


@contextmanager
def open_archive(path: Path, name: str) -> Iterator[Reader]:
    """Open a `.tar.gz` or `.tar.zst` by what its first bytes are. Raises IntegrityError if it is neither."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield Reader(name, stream)
        elif magic == b"\x28\xb5\x2f\xfd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
            with decompressor.stream_reader(file, read_across_frames=True) as stream:
                yield Reader(name, stream)
        else:
            raise IntegrityError(f"{name}: neither gzip nor zstandard")
