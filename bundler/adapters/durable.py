"""What must survive a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.own_folder import open_new
from bundler.adapters.regular import not_regular
from bundler.errors import from_os


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        temporary, file = open_new(path.parent, f".{path.name[:40]}-")
        try:
            with file:
                file.write(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise from_os(error) from error
