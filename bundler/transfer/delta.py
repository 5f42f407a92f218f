"""Deltas, made: from an old archive and a new one to what turns the one into the other (docs/delta.md).

The same two files give the same delta on any host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.digest import sha256_of
from bundler.adapters.durable import let_read
from bundler.adapters.in_the_making import hidden_file
from bundler.adapters.regular import open_regular
from bundler.errors import UsageError
from bundler.transfer.assembly import Assembly, Said, read_all
from bundler.transfer.encoder import Encoder
from bundler.transfer.form import NAME, Source
from bundler.transfer.layout import runs
from bundler.transfer.plain import write_plain
from bundler.transfer.there import Space, There

# A delta that is larger than this part of the new file is not worth a second file.
_WORTH = 0.9
_SHORT = 12


@dataclass(frozen=True)
class Made:
    """A delta that was made: its file, size in bytes, SHA-256 (hex), and those of the new file that it makes."""

    path: Path
    size: int
    sha256: str
    old_sha256: str
    new_sha256: str
    new_size: int


def delta_name(asset: str, old_sha256: str, *, plain: bool = False) -> str:
    """What a delta is called that makes `asset` of the file with a SHA-256 (hex)."""
    return f"{asset}.from-{old_sha256[:_SHORT]}{'.plain' if plain else ''}.delta"


def write_delta(old: Path, new: Path, folder: Path, *, plain: bool = False) -> Made | None:
    """Write the delta from `old` to `new` into a folder, in place of one of its name; None if it is not worth it.

    Raises UsageError if the new file has a name that a delta cannot say, or a file is no regular one; OSError.
    """
    if not NAME.fullmatch(new.name):
        raise UsageError(f"{new.name!r} is no name that a delta can give a file", "rename the new file")
    with open_regular(old) as old_file, open_regular(new) as new_file:
        before, after = Source([old_file.fileno()]), Source([new_file.fileno()])
        old_said, new_said = _said(before, old.name), _said(after, new.name)
        target = folder / delta_name(new.name, old_said.sha256, plain=plain)

        def write(out: BinaryIO) -> int:
            if plain:
                return write_plain(before, after, out, old_said, new_said)
            return _write(before, after, out, folder, old_said, new_said)

        made = _placed(target, write, int(after.size * _WORTH))
    return Made(target, *made, old_said.sha256, new_said.sha256, new_said.size) if made else None


def _said(source: Source, name: str) -> Said:
    sha256 = hashlib.sha256()
    for data in read_all(source):
        sha256.update(data)
    return Said(sha256.hexdigest(), source.size, name)


def _placed(target: Path, write: Callable[[BinaryIO], int], most: int) -> tuple[int, str] | None:
    """Have a file written and put in its place; its size and SHA-256, or None if it is larger than `most`."""
    with hidden_file(target.parent) as (hidden, file):
        size = write(file)
        if not 0 < size <= most:
            return None
        let_read(file)
        sha256 = sha256_of(hidden)
        hidden.replace(target)
    return size, sha256


def _write(old: Source, new: Source, out: BinaryIO, folder: Path, old_said: Said, new_said: Said) -> int:
    assembly = Assembly(folder, old.size, new.size)
    try:
        found = list(runs(new))
        there = There(Space(assembly, old), frozenset(run.digest for run in found))
        Encoder(assembly, there).level(new, found)
        return assembly.write(out, old_said, new_said)
    finally:
        assembly.close()
