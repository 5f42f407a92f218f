"""Files of a new key, put into a folder that nobody else writes to; nothing that stands there is replaced."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from bundler.adapters.durable import sync_folder
from bundler.adapters.own_folder import check_private, make_folder
from bundler.errors import UsageError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make_room(folder: Path, names: Iterable[str]) -> None:
    """Make the folder if need be. Raises WorkError if others may write to it, UsageError if one of the files is there.

    A new folder is for its owner alone to enter.
    """
    make_folder(folder, 0o700)
    check_private(folder, link=True, elsewhere="give another folder with --out")
    for name in names:
        if os.path.lexists(folder / name):
            raise _taken(folder / name)


def put(folder: Path, files: Mapping[str, tuple[int, bytes]]) -> None:
    """Write files, name -> mode and content, all of them or none. Raises UsageError if one is there, OSError."""
    written: list[Path] = []
    try:
        for name, (mode, content) in files.items():
            path = folder / name
            try:
                descriptor = os.open(path, _NEW, mode)
            except FileExistsError as error:
                raise _taken(path) from error
            written.append(path)
            try:
                os.fchmod(descriptor, mode)  # whatever the umask
                _write(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(folder)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise


def checkout_of(folder: Path) -> Path | None:
    """The Git checkout that a folder is in, if it is in one: what is there is soon committed."""
    here = folder.resolve()
    return next((above for above in (here, *here.parents) if os.path.lexists(above / ".git")), None)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _taken(path: Path) -> UsageError:
    return UsageError(f"{path} is there already, and no key is ever replaced", "choose another name, or move it away")
