"""What must survive a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.in_the_making import hidden_file
from bundler.adapters.regular import not_regular
from bundler.errors import from_os


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def let_read(file: BinaryIO) -> None:
    """Let others read a file (a stick has the modes that it was mounted with), and have it survive a power cut."""
    file.flush()
    with suppress(OSError):
        os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())


@contextmanager
def syncing(file: BinaryIO) -> Iterator[None]:
    """Bring what was written to the disk while the context does something else. Raises OSError at its end."""
    file.flush()
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(os.fsync, file.fileno())
        yield
        synced.result()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, over one that was there.

    Raises WorkError, UsageError if something else than a file stands there, such as a device.
    """
    if path.exists() and not path.is_file():
        raise not_regular(path)
    try:
        with hidden_file(path.parent) as (hidden, file):
            file.write(content)
            let_read(file)
            hidden.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise from_os(error) from error
