"""Unpack an archive below a folder, following nothing that stands there. Standard library only.

For archives that were verified, in a sandbox or anywhere else: no path is believed all the same (`tar_reader`), nothing
that exists is opened or replaced, and no link is gone through.
"""

from __future__ import annotations

import gzip
import os
import posixpath
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.tar_reader import Member, Reader
from bundler.errors import IntegrityError
from bundler.model.paths import link_fault

_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack(archive: BinaryIO, folder: Path, name: str = "the archive") -> None:
    """Unpack the gzip tar `archive`, read from where it stands, below `folder`, which exists.

    Modes are 0755 and 0644, times those in the archive, the owner whoever runs this. `name` is what errors call it.
    Raises IntegrityError if it is damaged or unsafe, OSError if something stands in the way (FileExistsError) or
    cannot be written; what was unpacked until then stays.
    """
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        reader = Reader(name, _pieces(archive, name))
        folders: dict[str, int | None] = {}
        for member in reader.members():
            _make_folders(root, posixpath.dirname(member.path), folders)
            if member.kind == "folder":
                _make_folders(root, member.path, folders)
                folders[member.path] = member.mtime
            else:
                _make(root, member, reader)
        for path, mtime in reversed(folders.items()):  # files made in a folder change its time
            _finish(_opened(root, path), 0o755, mtime)
    finally:
        os.close(root)


def _pieces(archive: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=archive, mode="rb") as content:
            while data := content.read(_CHUNK):
                yield data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IntegrityError(f"{name}: not a whole archive: {error}") from error


def _make_folders(root: int, path: str, made: dict[str, int | None]) -> None:
    """Make a folder and those above it, unless they are `made`: archives of others tell some late, and some never."""
    parts = path.split("/") if path and path not in made else []
    for number, base in enumerate(parts):
        inner = "/".join(parts[: number + 1])
        if inner in made:
            continue
        parent = _opened(root, "/".join(parts[:number]))
        try:
            os.mkdir(base, 0o755, dir_fd=parent)
        finally:
            os.close(parent)
        made[inner] = None


def _make(root: int, member: Member, reader: Reader) -> None:
    above, base = posixpath.split(member.path)
    parent = _opened(root, above)
    try:
        if member.kind == "file":
            _write(parent, base, member, reader)
        elif member.kind == "link" and link_fault(member.path, member.target, member.path.partition("/")[0]) is None:
            os.symlink(member.target, base, dir_fd=parent)
            os.utime(base, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)
        else:
            raise IntegrityError(f"refused member {member.path!r}: a {member.kind} to {member.target!r}")
    finally:
        os.close(parent)


def _opened(root: int, path: str) -> int:
    """Open a folder below `root`, part by part, so that no part can be a link."""
    current = os.dup(root)
    for part in path.split("/") if path else ():
        try:
            following = os.open(part, _FOLDER, dir_fd=current)
        finally:
            os.close(current)
        current = following
    return current


def _write(parent: int, base: str, member: Member, reader: Reader) -> None:
    file = os.open(base, _NEW, 0o600, dir_fd=parent)
    try:
        for data in reader.read():
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
    finally:
        _finish(file, 0o755 if member.executable else 0o644, member.mtime)


def _finish(descriptor: int, mode: int, mtime: int | None) -> None:
    """Set what the umask and the clock decided otherwise, and close. No time: nobody told one."""
    try:
        os.fchmod(descriptor, mode)
        if mtime is not None:
            os.utime(descriptor, (mtime, mtime))
    finally:
        os.close(descriptor)
