"""Regular files, opened without trusting the path: a FIFO, a device or a socket in a file's place holds nobody up."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from bundler.errors import UsageError

_CHUNK = 1 << 20


def open_regular(path: Path, *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading, never waiting for anybody; links are followed if `follow`.

    Raises UsageError if it is no regular file, OSError if it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ELOOP, errno.ENODEV):  # a socket, a link, a device that is not there
            raise not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise not_regular(path)
    return os.fdopen(descriptor, "rb")  # which closes it from here on, whatever comes


def read_regular(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """Read a regular file of at most `limit` bytes. Raises UsageError if it is larger or none, OSError."""
    with open_regular(path, follow=follow) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise UsageError(f"{path} is larger than {limit} bytes", "is it the file that you meant?")
    return content


def chunks(path: Path) -> Iterator[bytes]:
    """Yield a regular file's bytes. Raises UsageError if it is none, OSError."""
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def not_regular(path: Path) -> UsageError:
    """The error for a path at which something else than a regular file stands."""
    return UsageError(f"{path} is not a regular file", "give a file, not a folder, pipe, device or socket")
