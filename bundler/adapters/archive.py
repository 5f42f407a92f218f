"""Archives of ours, written: deterministic gzip tars.

One gzip member (RFC 1952) without name or time holds a POSIX pax tar. What is compressed already, as wheels' files and
whole archives are, goes into stored deflate blocks (RFC 1951, 3.2.4), whose bytes no library decides; everything else
is deflated by zlib-ng, whose exact version is pinned because other deflate libraries give other bytes
(docs/determinism.md).
"""

from __future__ import annotations

import hashlib
import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from zlib_ng import zlib_ng

from bundler.errors import BundleError, IntegrityError
from bundler.model.bundle import Bundle, Entry, File, Folder, Link, Slice

_CHUNK = 1 << 20
# It takes longer to hand it to another thread than to hash it.
_HASHED_HERE = 1 << 18
_BLOCK = 512
_RECORD = 10240
_LEVEL = 6
# The largest stored block.
STORED_BLOCK = 65535
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_FINAL_EMPTY_BLOCK = b"\x01\x00\x00\xff\xff"
# The record at a ZIP's end when no comment follows; what is read of it is the size of the list of files.
_ZIP_END, _ZIP_END_MAGIC = struct.Struct("<12xI6x"), b"PK\x05\x06"
ZIP_END = _ZIP_END.size
# How files begin that deflate would only make larger: gzip, ZIP, xz, Zstandard, bzip2, a Debian package, a git pack.
_COMPRESSED = (b"\x1f\x8b\x08", b"PK\x03\x04", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh", b"!<arch>\ndebian", b"PACK")
_HEAD = max(map(len, _COMPRESSED))
_WHEEL = ".whl"


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
    def write(self, data: bytes | memoryview, /) -> object: ...


class _Hashed:
    """What is written, hashed and counted."""

    def __init__(self, out: _Out) -> None:
        self._out, self._sha, self._size = out, hashlib.sha256(), 0

    def write(self, data: bytes | memoryview, /) -> None:
        self._sha.update(data)
        self._out.write(data)
        self._size += len(data)

    @property
    def written(self) -> Written:
        return Written(self._size, self._sha.hexdigest())


class _Gzip:
    """One gzip member that changes between runs of stored and of deflated data.

    A run is cut into pieces of one size wherever the parts it arrives in begin and end: bytes depend on the cuts,
    those of deflate no less than those of stored blocks.
    """

    def __init__(self, out: _Out) -> None:
        self._out = out
        self._crc, self._length = 0, 0
        self._waiting = bytearray()
        self._deflate = self._new_deflate()
        self._storing: bool | None = None
        self._out.write(GZIP_HEADER)

    def write(self, data: bytes, *, stored: bool) -> None:
        if not data:
            return
        self._crc = zlib_ng.crc32(data, self._crc)
        self._length += len(data)
        if stored is not self._storing:
            self._end_run()
            self._storing = stored
        rest = memoryview(data)
        if self._waiting:
            missing = STORED_BLOCK - len(self._waiting)
            self._waiting += rest[:missing]
            rest = rest[missing:]
            if len(self._waiting) == STORED_BLOCK:
                self._put_waiting()
        whole = len(rest) // STORED_BLOCK * STORED_BLOCK
        for start in range(0, whole, STORED_BLOCK):
            self._put(rest[start : start + STORED_BLOCK])
        self._waiting += rest[whole:]

    def close(self) -> None:
        self._end_run()
        self._out.write(_FINAL_EMPTY_BLOCK + struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))

    def _end_run(self) -> None:
        """Emit what still waits, and bring a deflated run to a byte boundary so that stored blocks can follow."""
        if self._waiting:
            self._put_waiting()
        if self._storing is False:
            self._out.write(self._deflate.flush(zlib_ng.Z_SYNC_FLUSH))
            self._deflate = self._new_deflate()

    def _put_waiting(self) -> None:
        self._put(bytes(self._waiting))
        self._waiting.clear()

    def _put(self, piece: bytes | memoryview) -> None:
        if self._storing:
            self._out.write(_stored_header(len(piece)))
            self._out.write(piece)
        else:
            self._out.write(self._deflate.compress(piece))

    @staticmethod
    def _new_deflate() -> zlib_ng._Compress:
        return zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS, zlib_ng.DEF_MEM_LEVEL)


def _headed(content: Iterator[bytes]) -> Iterator[bytes]:
    """The same content, its first piece large enough to tell what it is, however small the pieces were."""
    head = b""
    for data in content:
        head += data
        if len(head) >= _HEAD:
            break
    if head:
        yield head
    yield from content


def _stored_header(length: int) -> bytes:
    return struct.pack("<BHH", 0, length, length ^ 0xFFFF)


class ArchiveWriter:
    """An archive whose every time is `epoch` (seconds since 1970): its top folder, then what is `put`, then `close`.

    What an archive's bytes are is decided here alone: `own_archive` feeds it what it reads, to see the same bytes.
    """

    def __init__(self, out: _Out, top: str, epoch: int) -> None:
        self._gzip = _Gzip(out)
        self._top, self._epoch = top, epoch
        self._size = 0
        self._header(Folder(""))

    def put(self, entry: Entry, content: Iterable[bytes] = (), stored: int = 0) -> Iterator[bytes]:
        """Write an entry and its content; yield what is written.

        Of a wheel's content the first `stored` bytes are compressed already; of all else the content itself tells.
        """
        self._header(entry)
        if isinstance(entry, File) and not entry.path.endswith(_WHEEL):
            content = _headed(iter(content))
            head = next(content, b"")
            stored = entry.size if head.startswith(_COMPRESSED) else 0
            content = chain((head,), content)
        for data in content:
            self._gzip.write(data[:stored], stored=True)
            self._gzip.write(data[stored:], stored=False)
            stored = max(0, stored - len(data))
            yield data
        size = entry.size if isinstance(entry, File) else 0
        self._gzip.write(bytes(-size % _BLOCK), stored=False)
        self._size += size + -size % _BLOCK

    def close(self) -> None:
        """Write the archive's end."""
        self._gzip.write(bytes(2 * _BLOCK + -(self._size + 2 * _BLOCK) % _RECORD), stored=False)
        self._gzip.close()

    def _header(self, entry: Entry) -> None:
        header = _header(self._top, entry, self._epoch)
        self._gzip.write(header, stored=False)
        self._size += len(header)


def write_archive(
    bundle: Bundle,
    out: _Out,
    epoch: int,
    cancelled: Callable[[], bool],
    advance: Callable[[int], None] = lambda size: None,
    awaited: Callable[[File], None] = lambda entry: None,
) -> Written:
    """Write `bundle` as a gzip tar whose every time is `epoch` (seconds since 1970), telling how many bytes it packs.

    Before a file is read, `awaited` returns once it is there, or raises BundleError. The same bundle gives the same
    bytes anywhere. Raises SourceChangedError if a file is not what the bundle says.
    """
    hashed = _Hashed(out)
    writer = ArchiveWriter(hashed, bundle.top, epoch)
    with ThreadPoolExecutor(1) as hashing:
        for entry in bundle.entries:
            if isinstance(entry, File):
                awaited(entry)
            content, stored = (_verified(entry, hashing), _stored_size(entry)) if isinstance(entry, File) else ((), 0)
            for data in writer.put(entry, content, stored):
                advance(len(data))
                if cancelled():
                    raise BundleError("interrupted")
    writer.close()
    return hashed.written


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
    if not entry.path.endswith(_WHEEL) or not isinstance(entry.content, Slice):
        return 0
    start = entry.content.offset + max(0, entry.size - ZIP_END)
    return compressed_part(entry.size, b"".join(read_slice(Slice(entry.content.file, start, ZIP_END))))


def compressed_part(size: int, end: bytes) -> int:
    """How many bytes of a wheel of `size` bytes are compressed already, as its last `ZIP_END` bytes tell.

    All but the list of files at its end (APPNOTE.TXT, 4.3.16).
    """
    if not end.startswith(_ZIP_END_MAGIC) or len(end) < ZIP_END:
        return size
    list_size: int = _ZIP_END.unpack(end)[0]
    return max(0, size - list_size - ZIP_END)


def _verified(entry: File, hashing: Executor) -> Iterator[bytes]:
    """The file's bytes, checked against its size and digest as they pass; what is large is hashed by another thread."""
    if isinstance(entry.content, bytes):
        yield entry.content
        return
    digest, hashed = hashlib.sha256(), None
    for data in read_slice(entry.content):
        if hashed:
            hashed.result()
        if len(data) < _HASHED_HERE:
            digest.update(data)
        else:
            hashed = hashing.submit(digest.update, data)
        yield data
    if hashed:
        hashed.result()
    if digest.hexdigest() != entry.sha256:
        raise SourceChangedError(entry, digest.hexdigest())


def read_slice(piece: Slice) -> Iterator[bytes]:
    """Yield a slice's bytes, fewer if the file ends before it does."""
    left = piece.length
    with Path(piece.file).open("rb", buffering=0) as file:
        file.seek(piece.offset)
        while left and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            yield data
