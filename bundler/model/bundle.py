"""The bundle: what goes into a runtime archive and where it stands in it (the one place that says so)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

MANIFEST = "manifest.json"
RUNTIME_ENV = "metadata/runtime.env"
HOST_ENV = "metadata/host.env"
LOCK = "metadata/pylock.toml"
REQUIREMENTS = "metadata/requirements.txt"
FILE_LIST = "metadata/files.sha256"
INSTALLER = "install.sh"
WHEELS = "packages/pip"
PYTHON = "packages/python"


# From the lock's place in the archive to the wheels, as PEP 751 wants relative paths.
WHEELS_FROM_LOCK = "../packages/pip/"


@dataclass(frozen=True)
class Slice:
    """Bytes that lie in a file on disk: `length` of them from `offset`."""

    file: str
    offset: int
    length: int


@dataclass(frozen=True)
class File:
    """A regular file of the bundle. `path` is relative to the top folder."""

    path: str
    size: int
    sha256: str
    content: bytes | Slice
    executable: bool = False


@dataclass(frozen=True)
class Folder:
    """A folder of the bundle."""

    path: str


@dataclass(frozen=True)
class Link:
    """A symbolic link of the bundle; `target` is relative to the link's own folder."""

    path: str
    target: str


Entry: TypeAlias = File | Folder | Link


@dataclass(frozen=True)
class Bundle:
    """An archive's content: entries sorted by path, all below one top folder."""

    top: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(entry.size for entry in self.entries if isinstance(entry, File))

    @classmethod
    def of(cls, top: str, entries: Iterable[Entry]) -> Bundle:
        """Sort `entries` and add every folder that they stand in."""
        found = {entry.path: entry for entry in entries}
        folders = {str(parent) for path in found for parent in PurePosixPath(path).parents} - {"."}
        for folder in folders:
            found.setdefault(folder, Folder(folder))
        return cls(top, tuple(found[path] for path in sorted(found)))


def text_file(path: str, content: bytes, *, executable: bool = False) -> File:
    """A small file made here."""
    return File(path, len(content), hashlib.sha256(content).hexdigest(), content, executable)


def top_of(component: str) -> str:
    """The archive's top folder: `NAME-runtime`."""
    return f"{component}-runtime"
