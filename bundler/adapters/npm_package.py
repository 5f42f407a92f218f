"""The file of an npm package: a gzipped tar of any age and make, of which one small file is read and none unpacked.

npm takes tars that `tar_reader` refuses, since programs could read them differently; here it does no harm. The format
is POSIX's ustar with its pax headers, or GNU's (https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from bundler.adapters.decompress import bounded, gunzipped
from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_MOST_MEMBERS = 500_000
_LARGEST_EXTENSION = 64 << 10
_PAX_PATH = re.compile(rb"^[0-9]+ path=([^\n]*)$", re.MULTILINE)
_FILES, _EXTENSIONS = (b"0", b"\0"), (b"x", b"L")


def read_package_json(path: Path, name: str, limit: int) -> bytes | None:
    """Return the bytes of the `package.json` below the top folder, whatever that is called, or None; read no further.

    Errors call the package `name`. Raises IntegrityError if its file cannot be read that far, or it is no file of at
    most `limit` bytes.
    """
    with open_regular(path) as file:
        if file.read(2) != b"\x1f\x8b":
            raise IntegrityError(f"{name}: its file is not gzip")
        file.seek(0)
        source = _Source(name, bounded(gunzipped(file, name), os.fstat(file.fileno()).st_size, name))
        said = b""
        for _ in range(_MOST_MEMBERS):
            header = source.take(_BLOCK)
            if header == _ZEROS:
                return None
            kind, size = header[156:157], _size(header, name)
            if kind in _EXTENSIONS:
                content = source.take(size, _LARGEST_EXTENSION)
                said = _path(kind, content) or said
            else:
                if (said or _text(header[:100])).partition(b"/")[2] == b"package.json" and not _prefix(header, said):
                    if kind not in _FILES:
                        raise IntegrityError(f"{name}: its package.json is no file")
                    return source.take(size, limit)
                source.skip(size)
                said = b""
            source.skip(-size % _BLOCK)
        raise IntegrityError(f"{name}: its file holds more than {_MOST_MEMBERS} files")


class _Source:
    """The bytes of a tar, as they are taken."""

    def __init__(self, name: str, pieces: Iterator[bytes]) -> None:
        self._name, self._pieces, self._piece = name, pieces, memoryview(b"")

    def take(self, size: int, limit: int = _BLOCK) -> bytes:
        """Return `size` bytes. Raises IntegrityError if that is more than `limit`, or there are fewer."""
        if size > limit:
            raise IntegrityError(f"{self._name}: something in its file has {size} bytes; at most {limit} are read")
        return b"".join(self._some(size))

    def skip(self, size: int) -> None:
        """Pass over `size` bytes. Raises IntegrityError if there are fewer."""
        for _ in self._some(size):
            pass

    def _some(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._piece:
                self._piece = memoryview(next(self._pieces, b""))
                if not self._piece:
                    raise IntegrityError(f"{self._name}: its file is no whole tar")
            yield self._piece[:size]
            taken = min(size, len(self._piece))
            self._piece, size = self._piece[taken:], size - taken


def _size(header: bytes, name: str) -> int:
    """A member's size: octal digits, or a number of 11 bytes after a first one of 0x80 (GNU)."""
    field = header[124:136]
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ")
    if not re.fullmatch(b"[0-7]*", digits):
        raise IntegrityError(f"{name}: its file is no tar")
    return int(digits or b"0", 8)


def _path(kind: bytes, content: bytes) -> bytes:
    """The path that a header before a member says it has, or none."""
    if kind == b"L":
        return _text(content)
    found = _PAX_PATH.findall(content)
    return found[-1] if found else b""


def _prefix(header: bytes, said: bytes) -> bytes:
    """What stands before a member's name, which POSIX's headers may cut in two."""
    return _text(header[345:500]) if header[257:263] == b"ustar\0" and not said else b""


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
