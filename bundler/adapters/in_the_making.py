"""Hidden files and folders in which something is made, in the folder that it will appear in.

Each is locked (flock(2)) as long as its run is at work: what a killed run left is told by that, and goes with the next
run that makes something there. Where a file system knows no locks, none can be told, and all stay.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.sweep import Fate, Sweep, swept, try_alone

# `apply_delta` has the same, and removes these too.
PREFIX = ".aiws-new-"
_OURS = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{8}}")  # what `_named` calls them, and the script


@contextmanager
def hidden_file(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in a folder, open to be written; it is gone after the context unless renamed. Raises OSError."""
    remove_left(folder)
    path = _named(folder)
    try:
        while True:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with _naming(folder), os.fdopen(descriptor, "wb") as file:
                if _locked(path, descriptor):
                    yield path, file
                    return
    finally:
        with suppress(OSError):
            path.unlink()


@contextmanager
def hidden_folder(folder: Path) -> Iterator[Path]:
    """A new folder in a folder, which is gone after the context with all that is in it. Raises OSError."""
    remove_left(folder)
    path = _named(folder)
    try:
        while True:
            path.mkdir(0o700)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if _locked(path, descriptor):
                    with _naming(folder):
                        yield path
                    return
            finally:
                os.close(descriptor)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _named(folder: Path) -> Path:
    """A name that nothing has: known before anything is made, so that no signal in between leaves it there."""
    return folder / f"{PREFIX}{secrets.token_hex(4)}"


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Name the folder in errors of what only writing meets: those of open files name nothing."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            error.filename = str(folder)
        raise


def remove_left(folder: Path) -> None:
    """Remove what killed runs of this user left in a folder; what cannot be removed stays, and harms nothing."""
    with suppress(OSError), swept(folder.resolve(), dry_run=False) as sweep:
        if isinstance(sweep, Fate):
            return
        for name in sorted(one for one in sweep.entries if _OURS.fullmatch(one)):
            _remove(sweep, name)


def _remove(sweep: Sweep, name: str) -> None:
    if not sweep.is_file(name):
        with sweep.below(name) as held:
            if isinstance(held, Sweep) and try_alone(held.descriptor):
                sweep.remove_tree(name)
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=sweep.descriptor)
    try:
        if try_alone(descriptor):
            sweep.remove(name)
    finally:
        os.close(descriptor)


def _locked(path: Path, descriptor: int) -> bool:
    """Lock what was just made; say whether it is there still, as another run may have taken it for one left."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
