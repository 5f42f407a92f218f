"""A sandbox without network around a root folder: private namespaces, no container engine (unshare(1))."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bundler.errors import WorkError

_NAMESPACES = ("--net", "--ipc", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_LOOK_SECONDS = 0.1
_OWN_USER = ("--user", "--map-root-user")


@dataclass(frozen=True)
class Finished:
    """A program that ran to its end in the sandbox: exit code, the end of its output, seconds."""

    code: int
    output: str
    seconds: float


@dataclass(frozen=True)
class Attempt:
    """One attempt to reach the network: a name, or `address:port/protocol`; and the program, '' if it was gone."""

    what: str
    program: str


@dataclass(frozen=True)
class Size:
    """A folder: its files, their bytes, and a digest that changes when any of them does."""

    files: int
    size: int
    digest: str


class Sandbox:
    """Runs programs inside; see `opened`. Every method raises WorkError if the sandbox itself breaks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: str = "/", timeout: float = 900.0) -> Finished:
        """Run a program to its end, for at most `timeout` seconds (then its code is 124)."""
        answer = self.request({"do": "run", "argv": list(argv), "env": dict(env), "cwd": cwd, "timeout": timeout})
        assert isinstance(answer, dict)  # noqa: S101 - our own protocol
        return Finished(int(str(answer["code"])), str(answer["output"]), float(str(answer["seconds"])))

    def start(self, argv: Sequence[str], env: Mapping[str, str], log: str, cwd: str = "/") -> int:
        """Start a program that goes on, writing to the file `log`; return its number."""
        answer = self.request({"do": "start", "argv": list(argv), "env": dict(env), "cwd": cwd, "log": log})
        return int(str(answer))

    def running(self, number: int) -> bool:
        """Say whether a started program still runs."""
        return bool(self.request({"do": "running", "pid": number}))

    def stop(self, number: int) -> None:
        """End a started program."""
        self.request({"do": "stop", "pid": number})

    def ask(self, port: int, path: str, body: str = "", timeout: float = 10.0) -> tuple[int, str]:
        """Ask a server in the sandbox; return status (0 if it does not answer) and body."""
        method = "POST" if body else "GET"
        answer = self.request(
            {"do": "ask", "port": port, "method": method, "path": path, "body": body, "timeout": timeout}
        )
        assert isinstance(answer, dict)  # noqa: S101 - our own protocol
        return int(str(answer["status"])), str(answer["body"])

    def write(self, path: str, text: str) -> None:
        """Write a text file inside."""
        self.request({"do": "write", "path": path, "text": text})

    def read(self, path: str) -> str | None:
        """Read a text file inside, or None if it is not there."""
        answer = self.request({"do": "read", "path": path})
        return None if answer is None else str(answer)

    def extract(self, folder: str) -> None:
        """Unpack the archive below a folder inside."""
        self.request({"do": "extract", "folder": folder})

    def copy(self, source: str, target: str) -> None:
        """Copy a folder inside, whose order then depends on nothing outside."""
        self.request({"do": "copy", "source": source, "target": target})

    def take(self, path: str, limit: int) -> None:
        """Put the file at `path`, of at most `limit` bytes, into the outlet."""
        self.request({"do": "take", "path": path, "limit": limit})

    def look(self, folder: str) -> Size:
        """Measure a folder inside."""
        answer = self.request({"do": "look", "path": folder})
        assert isinstance(answer, dict)  # noqa: S101 - our own protocol
        return Size(int(str(answer["files"])), int(str(answer["size"])), str(answer["digest"]))

    def attempts(self) -> tuple[Attempt, ...]:
        """Return and forget what was asked of the network since the last call."""
        answer = self.request({"do": "attempts"})
        assert isinstance(answer, list)  # noqa: S101 - our own protocol
        return tuple(Attempt(str(one["what"]), str(one["program"])) for one in answer)

    def request(self, request: Mapping[str, object]) -> object:
        """Send one request to the process inside and return its result."""
        if self._process.stdin is None or self._process.stdout is None:
            raise WorkError("the sandbox has no pipes")
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": "it ended"}
        if "error" in answer:
            raise WorkError(f"the sandbox failed: {answer['error']}", _hint_for(str(answer["error"])))
        result: object = answer.get("result")
        return result


@contextmanager
def opened(root: Path, machine: str, mountpoint: Path, archive: Path) -> Iterator[Sandbox]:
    """Make a sandbox around `root`, whose programs are for `machine` (x86_64, aarch64), to unpack `archive` in.

    Nothing is written below `root`; `mountpoint` is an empty folder that stays empty. When the context ends, or this
    process does, everything inside is gone. Raises WorkError with the next move where it cannot be made.
    """
    mountpoint.mkdir(parents=True, exist_ok=True)
    first: dict[str, object] = {
        "root": str(root.absolute()),
        "mountpoint": str(mountpoint),
        "archive": str(archive.absolute()),
    }
    if machine != os.uname().machine:
        first |= {"emulator": _emulator(machine), "machine": machine}
    with _started(_unshare(root), first, mountpoint) as sandbox:
        yield sandbox


@contextmanager
def sealed(
    shown: Mapping[str, Path], folder: str, mountpoint: Path, outlet: Path, cancelled: Callable[[], bool]
) -> Iterator[Sandbox]:
    """Make a sandbox that holds the files and folders `shown` (path inside -> on this host), read-only, and no others.

    Only `folder` can be written, in memory; `take` puts one file of it into `outlet`. It ends as soon as `cancelled`
    says so. Else as `opened`.
    """
    mountpoint.mkdir(parents=True, exist_ok=True)
    first: dict[str, object] = {
        "shown": {inside: str(outside.absolute()) for inside, outside in shown.items()},
        "folder": folder,
        "mountpoint": str(mountpoint),
        "outlet": str(outlet.absolute()),
    }
    with _started(_private((_OWN_USER, ())), first, mountpoint, cancelled) as sandbox:
        yield sandbox


@contextmanager
def _started(
    unshare: Sequence[str], first: Mapping[str, object], mountpoint: Path, cancelled: Callable[[], bool] | None = None
) -> Iterator[Sandbox]:
    argv = [*unshare, sys.executable, "-m", "bundler.adapters.jail"]
    process = subprocess.Popen(  # noqa: S603 - argv is ours
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, env=_environment()
    )
    sandbox, done = Sandbox(process), threading.Event()
    if cancelled:
        threading.Thread(target=_end_when, args=(process, cancelled, done), daemon=True).start()
    try:
        sandbox.request(first)
        yield sandbox
    finally:
        done.set()
        process.kill()
        process.communicate()
        with suppress(OSError):
            mountpoint.rmdir()


def _end_when(process: subprocess.Popen[str], cancelled: Callable[[], bool], done: threading.Event) -> None:
    while not done.wait(_LOOK_SECONDS):
        if cancelled():
            process.kill()


def _environment() -> dict[str, str]:
    """What the process inside needs; none of the caller's secrets."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}


def _unshare(root: Path) -> list[str]:
    """The command that makes the namespaces: with a user namespace where that is allowed, else as root.

    The host's own root has file systems mounted in it that a user namespace may not overlay: that takes root.
    """
    own_root = root.resolve() == Path("/")
    if own_root and os.geteuid():
        raise WorkError("only root can rehearse on the host's own root", "run as root, or give --root")
    return _private(((),) if own_root else (_OWN_USER, ()))


def _private(users: Sequence[Sequence[str]]) -> list[str]:
    """The command that makes the namespaces with the first of `users`, words about the user namespace, that works."""
    program = shutil.which("unshare")
    if program is None:
        raise WorkError("unshare is not installed", "apt install util-linux")
    for user in users:
        argv = [program, *user, *_NAMESPACES]
        tried = subprocess.run([*argv, "true"], capture_output=True, check=False)  # noqa: S603 - argv is ours
        if tried.returncode == 0:
            return argv
    reason = tried.stderr.decode("utf-8", "replace").strip()
    raise WorkError(f"no private namespaces can be made: {reason}", "run as root, or allow user namespaces (sysctl)")


def _emulator(machine: str) -> str:
    for name in (f"qemu-{machine}-static", f"qemu-{machine}"):
        if program := shutil.which(name):
            return program
    raise WorkError(
        f"this host cannot run programs for {machine}", "apt install qemu-user-static, or rehearse on such a host"
    )


def _hint_for(error: str) -> str:
    if "binfmt" in error:
        return "foreign programs need Linux 6.7 or later, or `update-binfmts --enable` on the host"
    return ""
