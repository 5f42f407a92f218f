"""What payloads unpack: bytes that wait in a file, one after the other, until an archive takes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

from bundler.model.bundle import File, Slice


def spooled(path: str, content: Iterable[bytes], spool: BinaryIO, *, executable: bool) -> File:
    """Append a file's bytes to `spool`, which is flushed before anybody reads it; return the entry that they make."""
    digest, offset = hashlib.sha256(), spool.tell()
    for data in content:
        digest.update(data)
        spool.write(data)
    size = spool.tell() - offset
    return File(path, size, digest.hexdigest(), Slice(spool.name, offset, size), executable)
