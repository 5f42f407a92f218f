"""The files that a set is written to: one, or volumes (NAME.001 and so on), and NAME.sha256 with their digests."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.regular import read_regular
from bundler.errors import IntegrityError, UsageError

# What stands beside a set: the digests of its volumes, and the program that hosts take it apart with.
DIGESTS, SCRIPT = ".sha256", ".sh"
MOST_VOLUMES = 999
_LARGEST_DIGESTS = 1 << 18
_NUMBERED = re.compile(r"\.[0-9]{3}")
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._+-]*)")


class Volumes:
    """Something to write a set to. `limit` is how large a volume may be; 0: it is one file. Close it in the end."""

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        self._folder, self._name, self._limit = folder, name, limit
        self._file: BinaryIO | None = None
        self._sha256, self._room = hashlib.sha256(), 0
        self.sizes: dict[str, int] = {}
        self.digests: dict[str, str] = {}

    def write(self, data: bytes, /) -> None:
        """Write some bytes, in the next volume where this one is full. Raises OSError."""
        rest = memoryview(data)
        while rest:
            if self._file is None or (self._limit and not self._room):
                self._next()
            piece = rest[: self._room] if self._limit else rest
            assert self._file is not None  # noqa: S101 - just opened
            self._file.write(piece)
            self._sha256.update(piece)
            self._room -= len(piece)
            self.sizes[next(reversed(self.sizes))] += len(piece)
            rest = rest[len(piece) :]

    def close(self) -> None:
        """End the last volume, and write down the digests of all."""
        self._end()
        (self._folder / f"{self._name}{DIGESTS}").write_text(
            "".join(f"{sha256}  {name}\n" for name, sha256 in self.digests.items()), encoding="ascii"
        )

    def _next(self) -> None:
        self._end()
        name = volume_name(self._name, len(self.sizes) + 1) if self._limit else self._name
        self._file = (self._folder / name).open("xb")
        self._sha256, self._room = hashlib.sha256(), self._limit
        self.sizes[name] = 0

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self.digests[next(reversed(self.sizes))] = self._sha256.hexdigest()


def volumes_of(name: str, size: int, limit: int) -> Sequence[str]:
    """What the files of a set of `size` bytes will be called. Raises UsageError for too many."""
    number = -(-size // limit) if limit else 1
    if number > MOST_VOLUMES:
        raise UsageError(f"that makes {number} volumes; {MOST_VOLUMES} are the most", "give a larger --volume")
    return [volume_name(name, one + 1) for one in range(number)] if limit else [name]


def taken_by(base: Path) -> Iterator[Path]:
    """Where a set's own files, or what repairs them, are there already."""
    own = re.compile(
        rf"{re.escape(base.name)}(\.[0-9]{{3}}|{re.escape(DIGESTS)}|{re.escape(SCRIPT)}|(\.vol[0-9]+\+[0-9]+)?\.par2)?"
    )
    if base.parent.is_dir():
        yield from (one for one in sorted(base.parent.iterdir()) if own.fullmatch(one.name))


def base_of(path: Path) -> Path:
    """The set that a path names: itself, a volume, its list of digests or what describes its recovery files."""
    for ending in (".001", DIGESTS, ".par2"):
        if path.name.endswith(ending) and (path.is_file() or not path.exists()):
            return path.parent / path.name.removesuffix(ending)
    base = path.parent / path.name[:-4]
    beside = (path.parent / f"{base.name}{ending}" for ending in (".001", DIGESTS))
    return base if _NUMBERED.fullmatch(path.name[-4:]) and any(one.is_file() for one in beside) else path


def listed(base: Path) -> Mapping[str, str]:
    """The digests beside a set, volume -> SHA-256; none if there is no list.

    Raises IntegrityError if it cannot be read, is malformed or names other files.
    """
    path = base.parent / f"{base.name}{DIGESTS}"
    if not os.path.lexists(path):
        return {}
    try:
        lines = read_regular(path, _LARGEST_DIGESTS).decode("utf-8", "replace").splitlines()
    except UsageError as error:
        raise IntegrityError(error.message) from error
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines or [""], 1):
        match = _LINE.fullmatch(line)
        if not match:
            raise IntegrityError(f"{path} is malformed: line {number} is no SHA-256, two spaces and a name")
        name = base.name if len(lines) == 1 and match[2] == base.name else volume_name(base.name, number)
        if match[2] != name:
            raise IntegrityError(f"{path} is malformed: line {number} is of {match[2]}, not of {name}")
        found[name] = match[1]
    return found


def there(base: Path) -> Mapping[str, Path]:
    """The files of a set that are there, whether or not there are all."""
    if base.is_file():
        return {base.name: base}
    if not base.parent.is_dir():
        return {}
    numbered = (one for one in base.parent.iterdir() if one.name[:-4] == base.name)
    return {one.name: one for one in sorted(numbered) if _NUMBERED.fullmatch(one.name[-4:]) and one.is_file()}


def volume_name(base: str, number: int) -> str:
    """What a set's volume is called; the first is 1."""
    return f"{base}.{number:03}"
