"""Folders and files that are ours alone: what is kept there is believed by later runs, and is written to by name.

A folder is ours if we or root own it and nobody else may write to it; below the first, none is a link. In such a folder
nobody else puts a link where a file is about to be opened, so what is checked here holds as long as the run lasts. (Who
owns a folder above it can put another one in its place; such a one is refused when it is opened.)
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from bundler.errors import WorkError

# What helps where the cache folder is of no use.
ELSEWHERE = "give another folder with --cache-dir or AIWS_CACHE_DIR"
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def private_folder(root: Path, *below: str) -> Path:
    """Return `root` or the folder `below` it, made where it is missing, for us alone to enter.

    Raises WorkError if it is not ours, or a folder on the way from `root` is not.
    """
    folder = root
    for part in ("", *below):
        folder = folder / part
        make_folder(folder, 0o700)
        check_private(folder, link=not part)
    return folder


@contextmanager
def in_use(root: Path, *below: str) -> Iterator[Path]:
    """Make a private folder as `private_folder` does, which nobody sweeps while the context is open (flock(2))."""
    while True:
        folder = private_folder(root, *below)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # where folders cannot be locked, nobody can lock one to sweep it either
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            if not _stands_at(folder, descriptor):  # it was swept while we waited
                continue
            yield folder
            return
        finally:
            os.close(descriptor)


def _stands_at(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(folder.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def check_private(folder: Path, *, link: bool = False, elsewhere: str = ELSEWHERE) -> bool:
    """Say whether `folder` is there. Raises WorkError if it is not ours. `link`: it may be a link of ours or root's.

    `elsewhere` is what to do in the end: how another folder is given.
    """
    try:
        status = folder.lstat()
        if link and stat.S_ISLNK(status.st_mode) and _is_ours(status):
            status = folder.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(status.st_mode):
        raise WorkError(f"{folder} is not a folder, or a link to one", f"remove it, or {elsewhere}")
    if not _is_ours(status):
        raise WorkError(
            f"{folder} belongs to another user (uid {status.st_uid}), who could change what is in it", elsewhere
        )
    if stat.S_IMODE(status.st_mode) & 0o022:
        hint = f"`chmod go-w {shlex.quote(str(folder))}` if you trust what is in it, or {elsewhere}"
        raise WorkError(f"{folder} can be written by others, who could change what is in it", hint)
    return True


def make_folder(folder: Path, mode: int = 0o755) -> None:
    """Make a folder, and those above it, that others cannot write whatever the umask; what is there stays."""
    if os.path.lexists(folder):
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode)


def open_own(path: Path, *, fresh: bool = False) -> BinaryIO:
    """Open a file of ours to read and append, emptied if `fresh`. What stands in its place but is none is removed.

    Raises WorkError if a folder stands there.
    """
    if not fresh:
        with suppress(OSError):
            file = os.fdopen(os.open(path, _FLAGS | os.O_APPEND), "ab+")
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid():
                return file
            file.close()
    _clear(path)
    return os.fdopen(os.open(path, _FLAGS | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644), "ab+")


def open_new(folder: Path, prefix: str) -> tuple[Path, BinaryIO]:
    """Make a file in a folder that others may write to: under a name that nobody can guess, following no link."""
    path = folder / f"{prefix}{secrets.token_hex(8)}.tmp"
    return path, os.fdopen(os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644), "wb")


def own_lock(path: Path, timeout: float = -1) -> FileLock:
    """The lock file at `path`, in a folder of ours; what stands in its place but is no file is removed."""
    if os.path.lexists(path) and not is_plain(path):
        _clear(path)
    return FileLock(path, timeout=timeout)


def is_plain(path: Path) -> bool:
    """Say whether a regular file stands at `path` itself: not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _clear(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if path.is_dir():
            raise WorkError(f"{path} is a folder where a file belongs", "remove it") from error
        raise


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid in (os.geteuid(), 0)
