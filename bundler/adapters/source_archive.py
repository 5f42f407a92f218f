"""Source archives, `.zip` and `.tar.gz`, unpacked onto the disk; every member is checked before it is made.

What is unpacked depends on the archive's content alone: one time, two modes, no owners.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path

from bundler.adapters.read_archive import open_archive
from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.model.paths import link_fault, path_fault
from bundler.model.zip_file import ZipMember, ZipReader

# 1980-01-01T00:00:00Z, the earliest time that a wheel can hold.
EPOCH = 315_532_800
_LARGEST = 1 << 30
_MOST_MEMBERS = 50_000
_LONGEST_LINK = 1024


def unpack_source(archive: Path, name: str, folder: Path) -> Path:
    """Unpack a source archive below `folder`, which exists; return its one top folder. `name` is what errors call it.

    Raises IntegrityError if it is no such archive, holds what may not be unpacked, or more than 1 GiB or 50,000 files.
    """
    tree = _Tree(name, folder)
    with open_regular(archive) as file:
        if file.read(2) == b"PK":
            _unzip(ZipReader(file, name, from_git=True), tree)
        else:
            _untar(archive, name, tree)
    return tree.finished()


def stated_commit(archive: Path) -> str | None:
    """Return the commit that a `.zip` says it was made of, as `git archive` and so GitHub write it, or None."""
    with open_regular(archive) as file:
        try:
            return ZipReader(file, archive.name, from_git=True).comment.decode() or None
        except IntegrityError:
            return None


def _untar(archive: Path, name: str, tree: _Tree) -> None:
    with open_archive(archive, name) as reader:
        for member in reader.members():
            if member.kind == "folder":
                tree.folder(member.path)
            elif member.kind == "link":
                tree.link(member.path, member.target)
            elif member.kind == "file":
                tree.file(member.path, reader.read(), executable=member.executable)
            else:
                raise tree.refused(member.path, "it is a hard link")


def _unzip(reader: ZipReader, tree: _Tree) -> None:
    for member in reader.members:
        if member.kind == "folder":
            tree.folder(member.path)
        elif member.kind == "link":
            tree.link(member.path, _target(reader, member))
        else:
            tree.file(member.path, reader.content(member), executable=member.executable)


def _target(reader: ZipReader, member: ZipMember) -> str:
    return reader.read(member, _LONGEST_LINK).decode("utf-8", "surrogateescape")


class _Tree:
    """What is being unpacked: one top folder, every path once and inside a folder, no more than the limits."""

    def __init__(self, name: str, root: Path) -> None:
        self._name, self._root = name, root
        self._kinds: dict[str, str] = {}
        self._members, self._size = 0, 0

    def refused(self, path: str, fault: str) -> IntegrityError:
        return IntegrityError(f"{self._name}: refused member {path[:200]!r}: {fault}")

    def folder(self, path: str) -> None:
        self._place(path, "folder")

    def link(self, path: str, target: str) -> None:
        self._place(path, "link")
        if fault := link_fault(path, target, path.partition("/")[0]):
            raise self.refused(path, fault)
        (self._root / path).symlink_to(target)
        os.utime(self._root / path, (EPOCH, EPOCH), follow_symlinks=False)

    def file(self, path: str, content: Iterable[bytes], *, executable: bool) -> None:
        self._place(path, "file")
        if "/" not in path:
            raise self.refused(path, "it stands beside the top folder")
        with (self._root / path).open("xb") as file:
            for data in content:
                self._size += len(data)
                if self._size > _LARGEST:
                    raise IntegrityError(f"{self._name}: unpacks to more than {_LARGEST >> 30} GiB")
                file.write(data)
        (self._root / path).chmod(0o755 if executable else 0o644)
        os.utime(self._root / path, (EPOCH, EPOCH))

    def finished(self) -> Path:
        """Give folders their times, which files made after them changed, and return the top one."""
        tops = {path.partition("/")[0] for path in self._kinds}
        if len(tops) != 1 or self._kinds.get(top := tops.pop()) != "folder":
            raise IntegrityError(f"{self._name}: a source archive holds one top folder")
        for path, kind in self._kinds.items():
            if kind == "folder":
                (self._root / path).chmod(0o755)
                os.utime(self._root / path, (EPOCH, EPOCH))
        return self._root / top

    def _place(self, path: str, kind: str) -> None:
        """Note what comes to stand at `path`, and make the folders above it."""
        if fault := path_fault(path):
            raise self.refused(path, fault)
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise IntegrityError(f"{self._name}: more than {_MOST_MEMBERS} members")
        if path in self._kinds and not (kind == self._kinds[path] == "folder"):
            raise self.refused(path, "it is there twice")
        for above in (*_above(path), *((path,) if kind == "folder" else ())):
            if self._kinds.setdefault(above, "folder") != "folder":
                raise self.refused(path, f"{above!r} above it is no folder")
            (self._root / above).mkdir(exist_ok=True)
        self._kinds[path] = kind
        if len({known.partition("/")[0] for known in (path, next(iter(self._kinds)))}) > 1:
            raise self.refused(path, "it is outside the top folder")


def _above(path: str) -> Iterator[str]:
    """The folders that `path` is in, the outermost first."""
    parent = posixpath.dirname(path)
    if parent:
        yield from _above(parent)
        yield parent
