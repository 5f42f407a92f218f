"""Archives: deterministic gzip tar out, and any tar in, read defensively.

Out: one gzip member (RFC 1952) without name or time, holding a POSIX pax tar. The files inside wheels are compressed
already and go into stored deflate blocks (RFC 1951, 3.2.4), whose bytes no library decides; everything else is deflated
by zlib-ng, whose exact version is pinned because other deflate libraries give other bytes (docs/determinism.md).
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
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
# The largest stored block.
_PIECE = 65535
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_FINAL_EMPTY_BLOCK = b"\x01\x00\x00\xff\xff"
# The record at a ZIP's end when no comment follows; what is read of it is the size of the list of files.
_ZIP_END, _ZIP_END_MAGIC = struct.Struct("<12xI6x"), b"PK\x05\x06"
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
    """One gzip member that changes between runs of stored and of deflated data.

    A run is cut into pieces of one size wherever the parts it arrives in begin and end: bytes depend on the cuts,
    those of deflate no less than those of stored blocks.
    """

    def __init__(self, out: _Out) -> None:
        self._out = out
        self._sha = hashlib.sha256()
        self._crc, self._length, self.size = 0, 0, 0
        self._waiting = bytearray()
        self._deflate = self._new_deflate()
        self._storing: bool | None = None
        self._emit(_GZIP_HEADER)

    def write(self, data: bytes, *, stored: bool) -> None:
        if not data:
            return
        self._crc = zlib_ng.crc32(data, self._crc)
        self._length += len(data)
        if stored is not self._storing:
            self._end_run()
            self._storing = stored
        self._waiting += data
        if len(self._waiting) >= _PIECE:
            self._put_pieces()

    def close(self) -> Written:
        self._end_run()
        self._emit(_FINAL_EMPTY_BLOCK + struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))
        return Written(self.size, self._sha.hexdigest())

    def _put_pieces(self) -> None:
        """Emit every full piece of what waits."""
        whole = len(self._waiting) // _PIECE * _PIECE
        coded: list[bytes | memoryview] = []
        with memoryview(self._waiting) as view:
            for start in range(0, whole, _PIECE):
                coded += self._coded(view[start : start + _PIECE])
            block = b"".join(coded)
            coded.clear()
        del self._waiting[:whole]
        self._emit(block)

    def _end_run(self) -> None:
        """Emit what still waits, and bring a deflated run to a byte boundary so that stored blocks can follow."""
        rest = bytes(self._waiting)
        self._waiting.clear()
        if rest:
            self._emit(b"".join(self._coded(rest)))
        if self._storing is False:
            self._emit(self._deflate.flush(zlib_ng.Z_SYNC_FLUSH))
            self._deflate = self._new_deflate()

    def _coded(self, piece: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
        if self._storing:
            return _stored_header(len(piece)), piece
        return (self._deflate.compress(piece),)

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
        gzipped.write(header, stored=False)
        written += len(header)
        if isinstance(entry, File):
            stored = _stored_size(entry)
            for data in _verified(entry):
                if cancelled():
                    raise BundleError("interrupted")
                gzipped.write(data[:stored], stored=True)
                gzipped.write(data[stored:], stored=False)
                stored = max(0, stored - len(data))
            padding = -entry.size % _BLOCK
            gzipped.write(bytes(padding), stored=False)
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


def _stored_size(entry: File) -> int:
    """How many bytes of a wheel are compressed already: all but the list of files at its end (APPNOTE.TXT, 4.3.16)."""
    if not entry.path.endswith(".whl") or not isinstance(entry.content, Slice):
        return 0
    start = entry.content.offset + max(0, entry.size - _ZIP_END.size)
    end = b"".join(_read(Slice(entry.content.file, start, _ZIP_END.size)))
    if not end.startswith(_ZIP_END_MAGIC) or len(end) < _ZIP_END.size:
        return entry.size
    list_size: int = _ZIP_END.unpack(end)[0]
    return max(0, entry.size - list_size - _ZIP_END.size)


def _verified(entry: File) -> Iterator[bytes]:
    """The file's bytes, checked against its size and digest as they pass."""
    if isinstance(entry.content, bytes):
        yield entry.content
        return
    digest = hashlib.sha256()
    for data in _read(entry.content):
        digest.update(data)
        yield data
    if digest.hexdigest() != entry.sha256:
        raise SourceChangedError(entry, digest.hexdigest())


def _read(piece: Slice) -> Iterator[bytes]:
    """Yield a slice's bytes, fewer if the file ends before it does."""
    left = piece.length
    with Path(piece.file).open("rb", buffering=0) as file:
        file.seek(piece.offset)
        while left and (data := file.read(min(_CHUNK, left))):
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
        self._kinds: dict[str, str] = {}

    def members(self) -> Iterator[Member]:
        """Yield every member in order. Raises IntegrityError for what no archive of ours or of CPython's holds."""
        only_read = cast("IO[bytes]", self._counted)
        try:
            with tarfile.open(fileobj=only_read, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
                for info in tar:
                    member = self._checked(info)
                    self._counted.allow(member.size)
                    self._file = tar.extractfile(info) if member.kind == "file" else None
                    yield member
                    tar.members.clear()  # type: ignore[attr-defined]  # else tarfile keeps every header
                self._counted.end(tar.offset)
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

    def _checked(self, info: tarfile.TarInfo) -> Member:
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
        elif info.isreg() and not info.issparse() and info.size >= 0:
            kind = "file"
        else:
            raise IntegrityError(f"{self._name}: refused member {path!r}: neither file, folder nor link")
        self._place(path, kind)
        return Member(path, kind, info.size if kind == "file" else 0, bool(info.mode & 0o100), info.linkname)

    def _place(self, path: str, kind: str) -> None:
        """Note what stands at `path`. Raises IntegrityError if something else does, or above it no folder."""
        if path in self._kinds and not (kind == self._kinds[path] == "folder"):
            raise IntegrityError(f"{self._name}: {path!r} is there twice")
        self._kinds[path] = kind
        above = path
        while above := posixpath.dirname(above):
            if self._kinds.setdefault(above, "folder") != "folder":
                raise IntegrityError(f"{self._name}: {path!r} is inside {above!r}, which is no folder")
        if len(self._kinds) > _MOST_MEMBERS:
            raise IntegrityError(f"{self._name}: more than {_MOST_MEMBERS} members")


# What tarfile and the decompressors raise for broken input: ValueError and OverflowError for absurd header fields,
# RecursionError for headers that follow one another without end.
_FAULTS = (
    tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError, ValueError, OverflowError,
    RecursionError,
)  # fmt: skip


class _Counted:
    """A stream that hashes and counts what is read, and refuses more than the members so far account for."""

    def __init__(self, name: str, stream: _In) -> None:
        self._name, self._stream = name, stream
        self.digest = hashlib.sha256()
        self.size = 0
        self._allowed = _HEADER_ALLOWANCE
        self._recent = (b"", b"")

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
        self._recent = (self._recent[1], data)
        return data

    def end(self, offset: int) -> None:
        """Read on from the last member's end at `offset`: two blocks of zeros or more (POSIX), then nothing."""
        recent = b"".join(self._recent)
        padding = recent[len(recent) - (self.size - offset) :]
        while padding and not padding.strip(b"\0"):
            padding = self.read(_CHUNK)
        if padding:
            raise IntegrityError(f"{self._name}: data follows the end of the archive")
        if self.size < offset + 2 * _BLOCK:
            raise IntegrityError(f"{self._name}: not a whole archive: it has no end")


def read_member(path: Path, name: str, inner: str, limit: int) -> bytes | None:
    """Return the bytes of the file `inner` below the top folder of an archive called `name`, or None; read no further.

    Raises IntegrityError if the archive cannot be read that far, or the member is no file of at most `limit` bytes.
    """
    with open_archive(path, name) as reader:
        for member in reader.members():
            if member.path.partition("/")[2] == inner:
                if member.kind != "file" or member.size > limit:
                    raise IntegrityError(f"{name}: {member.path} is not a file of at most {limit} bytes")
                return b"".join(reader.read())
    return None


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
