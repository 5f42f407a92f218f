"""A single file compressed with gzip (RFC 1952), unpacked defensively."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from bundler.errors import IntegrityError

_CHUNK = 1 << 20


def gunzip(path: Path, name: str, limit: int) -> Iterator[bytes]:
    """Yield the bytes inside a gzip file; `name` is what errors call it.

    Raises IntegrityError if it is not a whole gzip file, or unpacks to more than `limit` bytes.
    """
    size = 0
    try:
        with gzip.open(path) as file:
            while data := file.read(_CHUNK):
                size += len(data)
                if size > limit:
                    raise IntegrityError(f"{name}: unpacks to more than {limit} bytes")
                yield data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IntegrityError(f"{name}: not a whole gzip file: {error}") from error
