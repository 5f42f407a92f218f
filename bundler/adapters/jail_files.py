"""What is done with the code's own files and servers, by a process that has the code's rights and no /proc.

Nothing here waits for a file; who calls it sees to the time that it takes as a whole.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import stat
from pathlib import Path
from typing import BinaryIO, TypeAlias

from bundler.adapters.unpack import unpack

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_NO_WAITING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LARGEST_BODY, _CHUNK = 1 << 16, 1 << 20


def write(path: str, text: str) -> Json:
    """Write a text file that is not there yet, or replace the one that is, and make the folders above it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as file:
        file.write(text.encode())
    return None


def read(path: str, limit: int) -> Json:
    """Return the end of a text file, at most `limit` bytes, or null if it is not there or no file."""
    try:
        file = _opened(path)
    except (OSError, ValueError):
        return None
    with file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - limit))
        return file.read(limit).decode("utf-8", "replace")


def take(path: str, limit: int, out: BinaryIO) -> Json:
    """Copy the file at `path` to `out`; return its size. Raises ValueError if it is none, or larger than `limit`."""
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ValueError(f"{path} is no file of at most {limit} bytes")
        out.seek(0)
        out.truncate()
        left = limit
        while data := file.read(min(left, _CHUNK)):  # it may grow meanwhile
            out.write(data)
            left -= len(data)
    out.flush()
    return out.tell()


def _opened(path: str) -> BinaryIO:
    descriptor = os.open(path, _NO_WAITING)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path} is no regular file")
    return os.fdopen(descriptor, "rb")


def extract(archive: BinaryIO, folder: str) -> Json:
    """Unpack the verified archive below `folder`, where none of it is yet."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    archive.seek(0)
    unpack(archive, Path(folder))
    return None


def look(folder: str) -> Json:
    """Count a folder's files and bytes, links among them, and digest what is in it (byte code aside) to see changes.

    Programs can set a file's time of change back, but not its ctime. Nothing is left out: raises OSError if part of it
    cannot be read, RecursionError if it is very deep.
    """
    digest, files, size = hashlib.sha256(), 0, 0
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return {"files": 0, "size": 0, "digest": digest.hexdigest()}
    for parent, folders, names, descriptor in os.fwalk(".", onerror=_raise, follow_symlinks=False, dir_fd=top):
        folders.sort()
        for name in sorted((*folders, *names)):
            status = os.lstat(name, dir_fd=descriptor)
            facts = f"{status.st_mode}"
            if not stat.S_ISDIR(status.st_mode):  # fwalk has links to folders among these
                files, size = files + 1, size + status.st_size
                facts += f" {status.st_size} {status.st_ctime_ns}"
            if "__pycache__" not in parent and "__pycache__" not in name:
                digest.update(os.fsencode(f"{parent}/{name}") + f" {facts}\n".encode())
    return {"files": files, "size": size, "digest": digest.hexdigest()}


def _raise(error: OSError) -> None:
    raise error


def ask(port: int, method: str, path: str, body: str, bearer: str) -> Json:
    """Send one HTTP request to a port on loopback, with a token if one is named; status 0 if no answer comes."""
    headers = {"Content-Type": "application/json", "Connection": "close"}
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return {"status": answer.status, "body": answer.read(_LARGEST_BODY).decode("utf-8", "replace")}
    except (OSError, ValueError, http.client.HTTPException) as error:
        return {"status": 0, "body": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()
