"""The inside of a sandbox: process 1 of its own namespaces, which runs what it is told and sees every network attempt.

It is started by `bundler.adapters.sandbox` with private user, network, mount and process namespaces. It overlays the
root with a tmpfs, or seals one off, so that nothing is written to it; when this process ends, for whatever reason, the
kernel ends every other process of the sandbox and its mounts are gone. Requests and answers are JSON lines on standard
input and output.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import queue
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeAlias

from bundler.adapters.jail_root import enter, overlay, register_emulator, renounce, sealed
from bundler.adapters.loopback import Watch, route_everything_to_loopback, up_loopback

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# What may be asked for: these methods of Jail.
_REQUESTS = frozenset(
    ("run", "start", "running", "stop", "ask", "write", "extract", "copy", "take", "look", "read", "attempts")
)
_OUTPUT_KEPT = 20_000
_TIMED_OUT = 124


def main() -> None:
    """Serve requests until standard input ends."""
    requests: queue.Queue[dict[str, Json]] = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    first = requests.get()
    try:
        # Open as long as the sandbox: what is unpacked in it, or where it puts what it made.
        file = Path(str(first.get("archive") or first["outlet"])).open("rb" if "archive" in first else "wb")  # noqa: SIM115
        enter(_root(first))
        jail = Jail(file)
        jail.watch()
        _answer({"ready": True})
    except OSError as error:
        _answer({"error": f"{error.strerror}{f': {error.filename}' if error.filename else ''}"})
        return
    while True:
        request = requests.get()
        name = str(request.pop("do"))
        try:
            _answer({"result": getattr(jail, name)(**request) if name in _REQUESTS else None})
        except (OSError, ValueError, tarfile.TarError) as error:
            _answer({"error": f"{type(error).__name__}: {error}"})


def _root(first: dict[str, Json]) -> Path:
    """The root that the first request describes."""
    mountpoint, shown = Path(str(first["mountpoint"])), first.get("shown")
    if isinstance(shown, dict):
        return sealed({inside: str(outside) for inside, outside in shown.items()}, str(first["folder"]), mountpoint)
    root = overlay(Path(str(first["root"])), mountpoint)
    if emulator := first.get("emulator"):
        register_emulator(str(emulator), str(first["machine"]), root)
    return root


def _read(requests: queue.Queue[dict[str, Json]]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)  # whoever started the sandbox is gone: so is the sandbox


def _answer(document: Json) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


class Jail:
    """The programs that run in a root that is thrown away, which is this process's own by now."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._watch = Watch()

    def watch(self) -> None:
        """Bring loopback up and begin to see attempts."""
        up_loopback()
        for family in (socket.AF_INET, socket.AF_INET6):
            route_everything_to_loopback(family)
        self._watch.start()

    def run(self, argv: list[str], env: dict[str, str], cwd: str, timeout: float) -> Json:
        """Run a program to its end: its exit code, the end of what it wrote, and the seconds it took."""
        started = time.monotonic()
        process = self._spawn(argv, env, cwd, subprocess.PIPE)
        output = bytearray()
        reading = threading.Thread(target=_keep_end, args=(process.stdout, output), daemon=True)
        reading.start()
        late = ""
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code, late = _TIMED_OUT, f"\nended after {timeout:.0f} s"
        _end(process)  # with whatever it left running
        reading.join(1)
        text = bytes(output).decode("utf-8", "replace") + late
        return {"code": code, "output": text[-_OUTPUT_KEPT:], "seconds": time.monotonic() - started}

    def start(self, argv: list[str], env: dict[str, str], cwd: str, log: str) -> Json:
        """Start a program that goes on; what it writes goes to the file `log`. Returns its number."""
        with Path(log).open("wb") as file:
            process = self._spawn(argv, env, cwd, file.fileno())
        self._running[process.pid] = process
        return process.pid

    def running(self, pid: int) -> Json:
        """Say whether a started program still runs."""
        return self._running[pid].poll() is None

    def stop(self, pid: int) -> Json:
        """End a started program and return its exit code (negative: the signal)."""
        process = self._running.pop(pid)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
        code = process.poll()
        _end(process)
        return code

    def ask(self, port: int, method: str, path: str, body: str, timeout: float) -> Json:
        """Send one HTTP request to a port on loopback."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.request(method, path, body or None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return {"status": answer.status, "body": answer.read(1 << 20).decode("utf-8", "replace")}
        except (OSError, http.client.HTTPException) as error:
            return {"status": 0, "body": f"{type(error).__name__}: {error}"}
        finally:
            connection.close()

    def write(self, path: str, text: str) -> Json:
        """Write a text file, and the folders above it."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        return None

    def read(self, path: str) -> Json:
        """Return the end of a text file, or null if it is not there."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            file.seek(max(0, file.seek(0, os.SEEK_END) - _OUTPUT_KEPT))
            return file.read(_OUTPUT_KEPT).decode("utf-8", "replace")

    def extract(self, folder: str) -> Json:
        """Unpack the verified archive below `folder`."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._file.seek(0)
        with gzip.open(self._file) as content, tarfile.open(fileobj=content, mode="r|") as tar:
            tar.extractall(folder, filter="tar")
        return None

    def copy(self, source: str, target: str) -> Json:
        """Copy a folder, in an order of its own, so that programs find the same folder wherever they run."""
        _copy(Path(source), Path(target))
        return None

    def take(self, path: str, limit: int) -> Json:
        """Hand the file at `path` out: its size. Raises ValueError if it is none, or larger than `limit` bytes."""
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
                raise ValueError(f"{path} is no file of at most {limit} bytes")
            shutil.copyfileobj(file, self._file)
        self._file.flush()
        return self._file.tell()

    def look(self, path: str) -> Json:
        """Count a folder's files and bytes, and digest what they are (byte code aside) to see later changes."""
        digest, files, size = hashlib.sha256(), 0, 0
        for file, status in _walk(Path(path)):
            files, size = files + 1, size + status.st_size
            if "__pycache__" not in file:
                digest.update(f"{file} {status.st_mode} {status.st_size} {status.st_mtime_ns}\n".encode())
        return {"files": files, "size": size, "digest": digest.hexdigest()}

    def attempts(self) -> Json:
        """Return and forget the network attempts seen so far."""
        return [dict(one) for one in self._watch.taken()]

    def _spawn(self, argv: list[str], env: dict[str, str], cwd: str, output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - the point of a sandbox
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=renounce, start_new_session=True,
        )  # fmt: skip


def _keep_end(stream: IO[bytes], kept: bytearray) -> None:
    """Read a stream to its end, and keep the end: a program that never stops writing fills no memory."""
    while data := os.read(stream.fileno(), 1 << 16):
        kept += data
        del kept[: -4 * _OUTPUT_KEPT]


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for path in sorted(source.iterdir()):
        here = target / path.name
        if path.is_dir() and not path.is_symlink():
            _copy(path, here)
        else:
            shutil.copy2(path, here, follow_symlinks=False)
    shutil.copystat(source, target)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(parent, name)  # noqa: PTH118 - tens of thousands of files
            yield path, os.lstat(path)


if __name__ == "__main__":
    main()
