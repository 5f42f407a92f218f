"""Take the runtime out of a portable CPython archive: what it needs, nothing else, and nothing that leads outside."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pathspec import GitIgnoreSpec

from bundler.adapters.read_archive import open_archive
from bundler.adapters.regular import open_regular
from bundler.adapters.tar_reader import Reader
from bundler.errors import IntegrityError
from bundler.model.bundle import PYTHON, Entry, File, Link, Slice
from bundler.model.paths import link_fault
from bundler.payloads.spool import spooled
from bundler.platforms import HEAD, programs

_NEVER = ("EXTERNALLY-MANAGED",)


def take_runtime(
    archive: Path, version: str, left_out: Sequence[str], platform: str, spool: BinaryIO
) -> tuple[Entry, ...]:
    """Return the bundle's entries for the CPython in `archive`; their bytes are written to the file `spool`.

    `left_out` are gitignore patterns, matched below the archive's top folder.

    Raises IntegrityError if the archive is unsafe, for another machine, or no Python that can make a venv.
    """
    leave_out = GitIgnoreSpec.from_lines([*left_out, *_NEVER])
    folder = f"{PYTHON}/cpython-{version}"
    name = f"portable CPython {version} for {platform}"
    with open_archive(archive, name, zstd=True) as reader:
        entries = list(_kept(reader, name, folder, leave_out.match_file, spool))
    spool.flush()
    entries = _without_dangling(entries)
    _check(entries, name, folder, version, platform)
    return tuple(entries)


def _kept(reader: Reader, name: str, folder: str, left_out: Callable[[str], bool], spool: BinaryIO) -> Iterator[Entry]:
    """Entries for the members to keep. Hard links become files of the same bytes."""
    files: dict[str, File] = {}
    spelled: dict[str, str] = {}
    tops: set[str] = set()
    for member in reader.members():
        top, _, inner = member.path.partition("/")
        tops.add(top)
        if len(tops) > 1:
            raise IntegrityError(f"{name}: more than one top folder: {', '.join(sorted(tops))}")
        if member.kind == "folder" or left_out(inner):
            continue
        if not inner:
            raise IntegrityError(f"{name}: {member.path!r} stands outside the top folder")
        if (other := spelled.setdefault(inner.casefold(), inner)) != inner:
            raise IntegrityError(f"{name}: {inner!r} and {other!r} differ only in case")
        if member.kind == "link":
            path = f"{folder}/{inner}"
            if fault := link_fault(path, member.target, folder):
                raise IntegrityError(f"{name}: link {inner!r}: {fault}")
            yield Link(path, member.target)
        elif member.kind == "hard link":
            if member.target not in files:
                raise IntegrityError(f"{name}: hard link {inner!r} leads to {member.target!r}, no file kept before it")
            yield replace(files[member.target], path=f"{folder}/{inner}")
        else:
            files[member.path] = spooled(f"{folder}/{inner}", reader.read(), spool, executable=member.executable)
            yield files[member.path]


def _without_dangling(entries: list[Entry]) -> list[Entry]:
    """Drop links to what was left out, links to those, and links that lead in a circle."""
    links = [entry for entry in entries if isinstance(entry, Link)]
    settled: list[Entry] = [entry for entry in entries if not isinstance(entry, Link)]
    there: set[str] = set()
    while settled:
        there |= {path for entry in settled for path in (entry.path, *_parents(entry.path))}
        settled = [link for link in links if link.path not in there and _landing(link) in there]
    return [entry for entry in entries if entry.path in there]


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _landing(link: Link) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))


def _check(entries: list[Entry], name: str, folder: str, version: str, platform: str) -> None:
    """Check what the consumers' installer relies on: the interpreter it searches for, and pip or ensurepip."""
    minor = version.rpartition(".")[0]
    paths = {entry.path: entry for entry in entries}
    interpreter = paths.get(f"{folder}/bin/python{minor}")
    if not isinstance(interpreter, File) or not interpreter.executable or not isinstance(interpreter.content, Slice):
        raise IntegrityError(f"{name}: bin/python{minor} is not an executable file")
    with open_regular(Path(interpreter.content.file)) as file:
        file.seek(interpreter.content.offset)
        head = file.read(min(HEAD, interpreter.size))
    if platform not in programs(head):
        raise IntegrityError(f"{name}: bin/python{minor} is not a program for {platform}")
    library = f"{folder}/lib/python{minor}"
    bundled = any(path.startswith(f"{library}/ensurepip/_bundled/pip-") for path in paths)
    if f"{library}/site-packages/pip/__init__.py" not in paths and not bundled:
        raise IntegrityError(f"{name}: carries neither pip nor ensurepip")
