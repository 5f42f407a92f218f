"""Archives of others, opened: component archives, portable CPythons, npm packages, source archives."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from bundler.adapters.decompress import bounded, gunzipped, unxz, unzstd
from bundler.adapters.regular import open_regular
from bundler.adapters.tar_reader import Member, Reader
from bundler.errors import IntegrityError
from bundler.model.contents import Head

_GZIP, _ZSTD, _XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"


@contextmanager
def open_archive(path: Path, name: str, *, zstd: bool = False, xz: bool = False) -> Iterator[Reader]:
    """Open a `.tar.gz`, or where it is allowed a `.tar.zst` or `.tar.xz`, by its first bytes; errors call it `name`.

    Raises IntegrityError if it is none of these, UsageError if it is no regular file, OSError if it cannot be read.
    """
    with open_regular(path) as file:
        magic = file.read(len(_XZ))
        file.seek(0)
        if magic.startswith(_GZIP):
            pieces = gunzipped(file, name)
        elif zstd and magic.startswith(_ZSTD):
            pieces = unzstd(file, name)
        elif xz and magic == _XZ:
            pieces = unxz(file, name)
        else:
            others = [word for word, allowed in (("zstandard", zstd), ("xz", xz)) if allowed]
            raise IntegrityError(f"{name}: {' nor '.join(('neither gzip', *others)) if others else 'not gzip'}")
        yield Reader(name, bounded(pieces, os.fstat(file.fileno()).st_size, name))


def read_member(path: Path, name: str, inner: str, limit: int) -> bytes | None:
    """Return the bytes of the file `inner` below the top folder of an archive called `name`, or None; read no further.

    Raises IntegrityError if the archive cannot be read that far, or the member is no file of at most `limit` bytes.
    """
    found = read_first(path, name, (inner,), limit)
    return found[1] if found else None


def read_first(path: Path, name: str, inner: Container[str], limit: int) -> tuple[str, bytes] | None:
    """The same of the first file that is one of `inner`, with its path."""
    with open_archive(path, name) as reader:
        for member in reader.members():
            if (below := member.path.partition("/")[2]) in inner:
                return below, _small(reader, member, name, limit)
    return None


def read_head(path: Path, name: str, wanted: Collection[str], limit: int) -> Head:
    """The files of `wanted` below the top folder of an archive, called `name`: no more is read than it takes.

    That is all of them or, as members of archives of ours are sorted, what stands before where the last would be. Of
    others' the first is looked for to the end. Raises IntegrityError as `read_member` does.
    """
    last = max(wanted, default="")
    texts: dict[str, bytes] = {}
    epoch: int | None = None
    with open_archive(path, name) as reader:
        for member in reader.members():
            epoch = member.mtime if epoch is None else epoch
            inner = member.path.partition("/")[2]
            if texts and inner > last:
                break
            if inner in wanted:
                texts[inner] = _small(reader, member, name, limit)
                if len(texts) == len(wanted):
                    break
    return Head(epoch or 0, texts)


def _small(reader: Reader, member: Member, name: str, limit: int) -> bytes:
    """The bytes of the member that the reader is at. Raises IntegrityError if it is no file of at most so many."""
    if member.kind != "file" or member.size > limit:
        raise IntegrityError(f"{name}: {member.path} is not a file of at most {limit} bytes")
    return b"".join(reader.read())
