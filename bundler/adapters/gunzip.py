"""A single gzip member (RFC 1952), unpacked defensively."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError

_CHUNK = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS
# What a file may be larger than what is inside it: the header with its file name, and deflate's own framing.
_MOST_OVERHEAD = 1 << 16


def gunzip(path: Path, name: str, limit: int) -> Iterator[bytes]:
    """Yield the bytes inside a gzip file; `name` is what errors call it.

    Raises IntegrityError if it is not one whole gzip member, or unpacks to more than `limit` bytes.
    """
    too_large = IntegrityError(f"{name}: unpacks to more than {limit} bytes")
    with open_regular(path) as file:
        try:
            yield from inflated(iter(lambda: file.read(_CHUNK), b""), limit, too_large)
        except (EOFError, zlib.error) as error:
            raise IntegrityError(f"{name}: not a whole gzip file: {error}") from error


def inflated(chunks: Iterable[bytes], limit: int, too_large: IntegrityError) -> Iterator[bytes]:
    """Yield the bytes inside a gzip member that comes in `chunks`; nothing if nothing comes.

    Raises `too_large` if it unpacks to more than `limit` bytes, or its header alone is as long as that; zlib.error or
    EOFError if it is not one whole member and nothing else.
    """
    decoder = zlib.decompressobj(_GZIP)
    taken = size = 0
    for chunk in chunks:
        taken += len(chunk)
        if taken > limit + _MOST_OVERHEAD:
            raise too_large
        while chunk:
            if decoder.eof:
                raise zlib.error("more follows its end")
            data = decoder.decompress(chunk, _CHUNK)
            size += len(data)
            if size > limit:
                raise too_large
            if data:
                yield data
            chunk = decoder.unconsumed_tail or decoder.unused_data
    if taken and not decoder.eof:
        raise EOFError("it breaks off")
