"""Remove what is known to be ours, and say of every path what became of it. No link is followed.

A folder is held open while it is swept: its entries are looked at, read and removed through it, so that nobody can lead
a removal elsewhere by putting a link in its place.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

State: TypeAlias = Literal["removed", "would be removed", "kept", "not there", "failed"]
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Fate:
    """What became of a path, and why it stays; `size` in bytes of what was removed, or would be."""

    path: Path
    state: State
    why: str = ""
    size: int = 0


@dataclass
class Sweep:
    """One folder, held open. `entries` are the names in it that stay so far, in a dry run as well."""

    path: Path
    descriptor: int
    dry_run: bool
    entries: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.entries = set(os.listdir(self.descriptor))  # noqa: PTH208 - pathlib knows no folder that is open

    def status(self, name: str) -> os.stat_result | None:
        """What stands at a name; None if nothing does."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_file(self, name: str) -> bool:
        """Say whether a regular file of this user's stands there itself."""
        status = self.status(name)
        return status is not None and stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()

    def sha256(self, name: str) -> str | None:
        """The SHA-256 (hex) of the regular file of this name; None for anything else. Raises OSError."""
        if not self.is_file(name):
            return None
        descriptor = os.open(name, _FLAGS, dir_fd=self.descriptor)
        try:
            digest = hashlib.sha256()
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
            return digest.hexdigest()
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> Fate:
        """Remove a name that is no folder: a link itself, and of a file with several names this one."""
        status = self.status(name)
        if status is None:
            return Fate(self.path / name, "not there")
        try:
            if not self.dry_run:
                os.unlink(name, dir_fd=self.descriptor)
        except OSError as error:
            return Fate(self.path / name, "failed", _said(error))
        self.entries.discard(name)
        return Fate(self.path / name, "would be removed" if self.dry_run else "removed", size=status.st_size)

    def remove_tree(self, name: str, last: Sequence[str] = ()) -> Fate:
        """Remove a folder in this one with all that is in it; no file system that is mounted there is entered.

        The files `last`, paths in it, go after all others: as long as they are there, it can be told for what it is.
        """
        place = self.path / name
        with self.below(name) as folder:
            if isinstance(folder, Fate):
                return folder
            if why := _lived_in(place):
                return Fate(place, "kept", why)
            try:
                size = _size(folder.descriptor)
                if size is None:
                    return Fate(place, "kept", "a file system is mounted in it")
                if not self.dry_run:
                    _emptied(folder.descriptor, last)
            except OSError as error:
                return Fate(place, "failed", _said(error))
            fate = removed_folder(place, dry_run=self.dry_run)
        return replace(fate, size=size)

    def keep(self, name: str, why: str) -> Fate:
        """Say why a name stays."""
        return Fate(self.path / name, "kept", why)

    def leave(self) -> Fate:
        """Remove the folder itself if nothing stays in it. Call it last."""
        if self.entries:
            return Fate(self.path, "kept", "it is not empty")
        return removed_folder(self.path, dry_run=self.dry_run)

    @contextmanager
    def below(self, name: str) -> Iterator[Sweep | Fate]:
        """Hold a folder in this one; what cannot be held has its fate. One that goes stays no more in this one."""
        with _held(self.path / name, self.dry_run, name, self.descriptor) as found:
            yield found

    def drop(self, fate: Fate) -> Fate:
        """Note what became of a folder in this one."""
        if fate.state in ("removed", "would be removed"):
            self.entries.discard(fate.path.name)
        return fate


@contextmanager
def swept(path: Path, *, dry_run: bool) -> Iterator[Sweep | Fate]:
    """Hold a folder open to sweep it; what is no folder of this user's, or a link, has its fate instead."""
    with _held(path, dry_run, os.fspath(path), None) as found:
        yield found


def removed_folder(path: Path, *, dry_run: bool) -> Fate:
    """Remove an empty folder, unless it is one that people are in or at home in."""
    if why := _lived_in(path):
        return Fate(path, "kept", why)
    try:
        if not dry_run:
            path.rmdir()  # neither follows a link nor removes what is not empty
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return Fate(path, "kept", "it is not empty")
        return Fate(path, "failed", _said(error))
    return Fate(path, "would be removed" if dry_run else "removed")


def try_alone(descriptor: int) -> bool:
    """Lock a folder that `own_folder.in_use` may hold, until it is closed; say whether nobody else does (flock(2))."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # some file systems of other machines cannot tell
        return False
    return True


@contextmanager
def _held(path: Path, dry_run: bool, name: str, parent: int | None) -> Iterator[Sweep | Fate]:
    try:
        before = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if fault := _fault(before):
            yield Fate(path, "kept", fault)
            return
        descriptor = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        yield Fate(path, "not there")
        return
    except OSError as error:
        yield Fate(path, "failed", _said(error))
        return
    try:
        fault = _fault(os.fstat(descriptor))
        yield Fate(path, "kept", fault) if fault else Sweep(path, descriptor, dry_run)
    finally:
        os.close(descriptor)


def _fault(status: os.stat_result) -> str:
    """Why a folder is not swept; "" if it is."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a link, and none is followed"
    if not stat.S_ISDIR(status.st_mode):
        return "it is no folder"
    if status.st_uid != os.geteuid():
        return f"it belongs to another user (uid {status.st_uid})"
    return ""


def _lived_in(path: Path) -> str:
    """Why a folder stays even if it is empty; "" if it may go."""
    place = path.resolve()
    if place == Path(place.anchor):
        return "it is the root of the file system"
    if is_home(place):
        return "your home folder is it, or in it"
    if Path.cwd().is_relative_to(place):
        return "the current folder is it, or in it"
    if os.path.ismount(path):
        return "a file system is mounted there"
    return ""


def is_home(path: Path) -> bool:
    """Say whether a folder is the user's home, or above it."""
    home = os.environ.get("HOME", "")
    return bool(home) and Path(home).resolve().is_relative_to(path.resolve())


def _said(error: OSError) -> str:
    return error.strerror or str(error)


def _mount(descriptor: int) -> tuple[int, str]:
    """What an open folder is mounted by: its device and, where the kernel tells, the mount's number.

    A folder that is mounted a second time (`mount --bind`) has the device of the first. Source: proc_pid_fdinfo(5).
    """
    try:
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    except OSError:
        lines = []
    return os.fstat(descriptor).st_dev, next((line for line in lines if line.startswith("mnt_id:")), "")


def _size(descriptor: int) -> int | None:
    """How many bytes the files of a folder have; None if another file system is mounted in it. Raises OSError."""
    mount, size = _mount(descriptor), 0
    for _, _, files, folder in os.fwalk(".", dir_fd=descriptor, onerror=_raised):
        if _mount(folder) != mount:
            return None
        size += sum(os.stat(name, dir_fd=folder, follow_symlinks=False).st_size for name in files)
    return size


def _emptied(descriptor: int, last: Sequence[str]) -> None:
    """Remove all that is in a folder, following no link, the paths `last` after all else. Raises OSError."""
    kept = {f"./{path}" for path in last}
    for folder_path, folders, files, folder in os.fwalk(".", topdown=False, dir_fd=descriptor, onerror=_raised):
        for name in files:
            if f"{folder_path}/{name}" not in kept:
                os.unlink(name, dir_fd=folder)
        for name in folders:
            _remove_folder(name, folder, above=any(one.startswith(f"{folder_path}/{name}/") for one in kept))
    for path in last:
        with suppress(FileNotFoundError):
            os.unlink(path, dir_fd=descriptor)
    for path in sorted({part for one in last for part in _folders_of(one)}, reverse=True):
        with suppress(FileNotFoundError):
            os.rmdir(path, dir_fd=descriptor)


def _remove_folder(name: str, folder: int, *, above: bool) -> None:
    """Remove an empty folder, or a link to one; `above` what is removed last, it may not be empty yet."""
    try:
        os.rmdir(name, dir_fd=folder)
    except NotADirectoryError:
        os.unlink(name, dir_fd=folder)
    except OSError as error:
        if not (above and error.errno in (errno.ENOTEMPTY, errno.EEXIST)):
            raise


def _folders_of(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _raised(error: OSError) -> None:
    raise error
