"""Lay out what database support needs: the Prisma CLI as npm would install it, and the engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.archive import SourceChangedError
from bundler.adapters.digest import sha256_of
from bundler.adapters.gunzip import gunzip
from bundler.adapters.read_archive import open_archive
from bundler.errors import IntegrityError
from bundler.model.bundle import Entry, File
from bundler.payloads.payload import PathOf
from bundler.payloads.prisma.choice import CLI, CLI_PROGRAM
from bundler.payloads.prisma.pins import LockedDatabase, NpmPackage
from bundler.payloads.prisma.places import PRISMA_CLI, PRISMA_ENGINES
from bundler.payloads.prisma.project import project_file
from bundler.payloads.spool import spooled

_LARGEST_ENGINE = 512 << 20


def take_prisma(pins: LockedDatabase, path_of: PathOf, spool: BinaryIO) -> tuple[Entry, ...]:
    """Return the bundle's entries for the files that `pins` name; their bytes are written to the file `spool`.

    `path_of` finds a verified file by its digest. Raises IntegrityError if one of them is unsafe to unpack, or the
    packages do not make a Prisma CLI.
    """
    entries: dict[str, File] = {}
    for package in pins.npm:
        archive = _checked(package.sha256, _named(package), path_of)
        for file in _unpacked(package, archive, spool):
            if file.path in entries:
                raise IntegrityError(f"{_named(package)}: {file.path} is there twice")
            entries[file.path] = file
    if f"{PRISMA_CLI}/{CLI_PROGRAM}" not in entries:
        raise IntegrityError(f"npm package {CLI} {pins.prisma_cli} has no build/index.js, which prisma-client-py runs")
    for engine in pins.engines:
        name = f"Prisma's {engine.name}"
        content = gunzip(_checked(engine.sha256, name, path_of), name, _LARGEST_ENGINE)
        path = f"{PRISMA_ENGINES}/{engine.name}"
        entries[path] = spooled(path, content, spool, executable=True)
    spool.flush()
    return (project_file(), *entries.values())


def _checked(sha256: str, name: str, path_of: PathOf) -> Path:
    """The file with this digest. Raises SourceChangedError if its copy went bad on disk."""
    path = path_of(sha256)
    actual = sha256_of(path)
    if actual != sha256:
        raise SourceChangedError(File(name, 0, sha256, b""), actual)
    return path


def _unpacked(package: NpmPackage, archive: Path, spool: BinaryIO) -> Iterator[File]:
    """The files of an npm package where npm puts them: the top folder, whatever it is called, becomes its place.

    npm drops links from packages; here they are refused, as is whatever would climb out or meet another file.
    """
    name = _named(package)
    spelled: dict[str, str] = {}
    with open_archive(archive, name) as reader:
        for member in reader.members():
            _, _, inner = member.path.partition("/")
            if member.kind == "folder":
                continue
            if member.kind != "file" or not inner:
                raise IntegrityError(f"{name}: refused {member.path!r}: no file below the package's folder")
            if (other := spelled.setdefault(inner.casefold(), inner)) != inner:
                raise IntegrityError(f"{name}: {inner!r} and {other!r} differ only in case")
            path = f"{PRISMA_CLI}/{package.at}/{inner}"
            yield spooled(path, reader.read(), spool, executable=member.executable)


def _named(package: NpmPackage) -> str:
    return f"npm package {package.name} {package.version}"
