"""Git's index of a checkout, version 2, which tells no host and no time (gitformat-index(5))."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

from bundler.adapters.git_tree import Tracked

_HEAD = struct.Struct(">4sII")
# Ten words of stat data, of which only the mode tells anything; the blob; flags.
_ENTRY = struct.Struct(">6I I 3I 20s H")
_LONGEST_COUNTED = 0xFFF


def index_of(files: Iterable[Tracked]) -> bytes:
    """The index of `files`, which are sorted by the bytes of their paths.

    Without times and sizes Git compares each file's bytes once, and then writes them in, if it may.
    """
    entries = [_entry(file) for file in files]
    made = _HEAD.pack(b"DIRC", 2, len(entries)) + b"".join(entries)
    return made + hashlib.sha1(made, usedforsecurity=False).digest()


def _entry(file: Tracked) -> bytes:
    path = file.path.encode()
    flags = min(len(path), _LONGEST_COUNTED)
    made = _ENTRY.pack(0, 0, 0, 0, 0, 0, file.mode, 0, 0, 0, file.blob, flags) + path
    return made + bytes(8 - len(made) % 8)
