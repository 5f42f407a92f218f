"""Files on a medium that is failing: what can be read of them, and zeros for the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bundler.adapters.regular import open_regular

# What is lost with a byte that cannot be read: what the system reads at once.
_PAGE, _CHUNK = 1 << 12, 1 << 20


def salvaged(descriptor: int, offset: int, length: int) -> bytes:
    """Return `length` bytes from `offset` on, fewer where the file ends; zeros for pages that cannot be read."""
    data = bytearray()
    while len(data) < length:
        at = offset + len(data)
        try:
            piece = os.pread(descriptor, length - len(data), at)
        except OSError:
            piece = _page(descriptor, at, min(length - len(data), _PAGE - at % _PAGE))
        if not piece:
            break
        data += piece
    return bytes(data)


def salvage(path: Path) -> Iterator[bytes]:
    """Yield a regular file's bytes, with zeros for what cannot be read; nothing if it may not be opened.

    Raises UsageError if it is no regular file.
    """
    with suppress(OSError), open_regular(path) as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        while at < size and (data := salvaged(file.fileno(), at, min(_CHUNK, size - at))):
            yield data
            at += len(data)


def _page(descriptor: int, at: int, length: int) -> bytes:
    try:
        return os.pread(descriptor, length, at)
    except OSError:
        return bytes(length)
