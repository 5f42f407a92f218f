"""The inside of a sandbox: process 1 of its own namespaces, which runs what it is told and sees every network attempt.

It is started by `bundler.adapters.sandbox`. It makes namespaces (`jail_start`), a root in which nothing is written that
stays (`jail_root`), and in it starts programs and deputies (`jail_children`) with no rights (`jail_rights`). It opens
nothing that the code can write. When it ends, for whatever reason, the kernel ends every other process of the sandbox
and its mounts are gone. Requests and answers are JSON lines on standard input and output.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

from bundler.adapters import jail_files, kernel
from bundler.adapters.jail_children import Child, Children, Confined, EndedError
from bundler.adapters.jail_fork import fork
from bundler.adapters.jail_rights import Rights
from bundler.adapters.jail_root import Overlay, Sealed
from bundler.adapters.jail_start import Identity, separate, who
from bundler.adapters.jail_watch import Watcher
from bundler.adapters.regular import open_regular
from bundler.adapters.seccomp import Filter

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# What may be asked for: these methods of Jail.
_REQUESTS = frozenset(
    ("run", "start", "running", "output", "stop", "ask", "write", "extract", "take", "look", "read", "attempts")
)
# Of what a program writes: enough for every log that was met, and little enough for a report that holds one.
_OUTPUT_KEPT = 128 << 10
_TEXT_READ = 20_000
_TIMED_OUT = 124
_FILES_PATIENCE, _UNPACK_PATIENCE = 120.0, 900.0


def main() -> None:
    """Serve requests until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)  # the code, another user, is to see what is made for it
    try:
        first = first_request()
        for group in _words(first["groups"]):
            Path(group, "cgroup.procs").write_text("0")
        file = _file(first)
        kernel.leave_keyrings()
        identity = who()
        root = _root(first)
        if os.geteuid() == 0:
            root.prepare()
        separate(identity)
        process = fork(lambda: _inside(first, file, root, identity))
    except Exception as error:
        answer({"error": told(error)})
        return
    os.waitpid(process, 0)


def _inside(first: Mapping[str, Json], file: BinaryIO, root: Overlay | Sealed, identity: Identity) -> int:
    """Be process 1."""
    try:
        kernel.end_with_parent()
        kernel.keep_mounts_private()
        root.enter(identity.code)
        jail = Jail(file, Watcher(), Confined(Rights(identity.code, Filter())))
        answer({"ready": True, "apart": identity.code != 0})
        jail.serve()
    except EndedError:
        return 0
    except Exception as error:
        answer({"error": told(error)})
    return 1


def _file(first: Mapping[str, Json]) -> BinaryIO:
    """What is open as long as the sandbox: what is unpacked in it, or where it puts what it made."""
    if "archive" in first:
        return open_regular(Path(str(first["archive"])))
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(str(first["outlet"]), flags, 0o600), "r+b")


def _root(first: Mapping[str, Json]) -> Overlay | Sealed:
    """The root that the first request describes."""
    mountpoint, shown, given = Path(str(first["mountpoint"])), first.get("shown"), first.get("given")
    if isinstance(shown, dict) and isinstance(given, dict):
        paths = [{inside: str(outside) for inside, outside in one.items()} for one in (shown, given)]
        return Sealed(paths[0], paths[1], str(first["folder"]), mountpoint)
    emulator, machine = (str(first.get(name, "")) for name in ("emulator", "machine"))
    return Overlay(Path(str(first["root"])), mountpoint, emulator, machine)


def _words(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def told(error: Exception) -> str:
    """What went wrong, in words for whoever asked."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def first_request() -> dict[str, Json]:
    """The first request, not a byte more: nothing follows before it is answered."""
    line = bytearray()
    while not line.endswith(b"\n"):
        data = os.read(0, 1 << 16)
        if not data:
            raise ValueError("nothing was asked for")
        line += data
    request: dict[str, Json] = json.loads(line)
    return request


def answer(document: Json) -> None:
    """Send an answer."""
    data = json.dumps(document).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


class Jail:
    """The programs that run in a root that is thrown away, which is this process's own by now."""

    def __init__(self, file: BinaryIO, watcher: Watcher, children: Children) -> None:
        self._file, self._watcher, self._children = file, watcher, children
        self._started: dict[int, Child] = {}

    def serve(self) -> None:
        """Answer requests. Raises EndedError when standard input ends."""
        while True:
            request = json.loads(self._children.request())
            name = str(request.pop("do"))
            try:
                answer({"result": getattr(self, name)(**request) if name in _REQUESTS else None})
            except (OSError, ValueError) as error:
                answer({"error": told(error)})

    def run(self, argv: list[str], env: dict[str, str], cwd: str, timeout: float) -> Json:
        """Run a program to its end: its exit code, the end of what it wrote, and the seconds it took."""
        started = time.monotonic()
        child = self._children.program(argv, env, cwd, _OUTPUT_KEPT)
        in_time = self._children.finish(child, timeout)
        code, late = (child.code, "") if in_time else (_TIMED_OUT, f"\nended after {timeout:.0f} s")
        return {"code": code, "output": child.told() + late, "seconds": time.monotonic() - started}

    def start(self, argv: list[str], env: dict[str, str], cwd: str) -> Json:
        """Start a program that goes on. Returns its number."""
        child = self._children.program(argv, env, cwd, _OUTPUT_KEPT)
        self._started[child.pid] = child
        return child.pid

    def running(self, pid: int) -> Json:
        """Say whether a started program still runs."""
        self._children.turn(0)
        return self._children.has(self._started[pid])

    def output(self, pid: int) -> Json:
        """Return the end of what a started program has written."""
        self._children.turn(0)
        return self._started[pid].told()

    def stop(self, pid: int) -> Json:
        """End a started program, with all that it started, and return its exit code."""
        child = self._started.pop(pid)
        self._children.end(child)
        return child.code

    def ask(self, port: int, method: str, path: str, body: str, bearer: str, timeout: float) -> Json:
        """Send one HTTP request to a port on loopback; the whole exchange takes at most `timeout` seconds."""
        try:
            return self._children.deputy(lambda: jail_files.ask(port, method, path, body, bearer), timeout)
        except OSError as error:
            return {"status": 0, "body": f"no answer: {error}"}

    def write(self, path: str, text: str) -> Json:
        """Write a text file of the code's, and the folders above it."""
        return self._children.deputy(lambda: jail_files.write(path, text), _FILES_PATIENCE)

    def read(self, path: str) -> Json:
        """Return the end of a text file of the code's, or null if it is not there."""
        return self._children.deputy(lambda: jail_files.read(path, _TEXT_READ), _FILES_PATIENCE)

    def extract(self, folder: str) -> Json:
        """Unpack the verified archive below `folder`, for the code to have."""
        work = partial(jail_files.extract, self._file, folder)
        return self._children.deputy(work, _UNPACK_PATIENCE, (self._file.fileno(),))

    def take(self, path: str, limit: int) -> Json:
        """Hand the code's file at `path` out: its size. Raises OSError if it is none, or larger than `limit` bytes."""
        work = partial(jail_files.take, path, limit, self._file)
        return self._children.deputy(work, _UNPACK_PATIENCE, (self._file.fileno(),))

    def look(self, path: str) -> Json:
        """Count a folder's files and bytes, and digest what they are (byte code aside) to see later changes."""
        return self._children.deputy(lambda: jail_files.look(path), _FILES_PATIENCE)

    def attempts(self) -> Json:
        """Return and forget the network attempts seen so far."""
        return [dict(one) for one in self._watcher.attempts()]
