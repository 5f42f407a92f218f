"""A sandbox without network around a root folder: private namespaces, no container engine."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bundler.adapters.control_group import control_group
from bundler.adapters.process import NEUTRAL, own_module
from bundler.errors import WorkError

_JAIL = "bundler.adapters.jail"
_LOOK_SECONDS = 0.1
_LARGEST_ANSWER = 4 << 20
# Process 1 has deadlines of its own; this is for one that is stopped or gone. Copying a root takes the longest.
_GRACE, _START_PATIENCE, _FILES_PATIENCE, _UNPACK_PATIENCE = 30.0, 600.0, 120.0, 900.0
_END_PATIENCE = 10.0
# All that is done in one sandbox, in seconds: an emulated rehearsal takes less than half an hour.
_PATIENCE = 3 * 3600.0


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
    """A folder: its files, their bytes, and a digest that changes when anything in it does."""

    files: int
    size: int
    digest: str

    @property
    def empty(self) -> bool:
        """Nothing is in it, or it is not there."""
        return self.files == 0 and self.digest == hashlib.sha256().hexdigest()


class Sandbox:
    """Runs programs inside; see `opened`. Every method raises WorkError if the sandbox itself breaks or is late.

    `called` is what errors call it.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], cancelled: Callable[[], bool], called: str = "the sandbox"
    ) -> None:
        self._process, self._cancelled, self._called = process, cancelled, called
        self._end = time.monotonic() + _PATIENCE
        self._heard = bytearray()

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: str = "/", timeout: float = 900.0) -> Finished:
        """Run a program to its end, with all that it started, for at most `timeout` seconds (then its code is 124)."""
        answer = self.request(
            {"do": "run", "argv": list(argv), "env": dict(env), "cwd": cwd, "timeout": timeout}, timeout
        )
        facts = _facts(answer, code=int, output=str, seconds=float)
        return Finished(int(facts["code"]), str(facts["output"]), float(facts["seconds"]))

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: str = "/") -> int:
        """Start a program that goes on; return its number."""
        answer = self.request({"do": "start", "argv": list(argv), "env": dict(env), "cwd": cwd})
        return int(_facts({"number": answer}, number=int)["number"])

    def running(self, number: int) -> bool:
        """Say whether a started program still runs."""
        return self.request({"do": "running", "pid": number}) is True

    def output(self, number: int) -> str:
        """Return the end of what a started program has written."""
        return str(self.request({"do": "output", "pid": number}))

    def stop(self, number: int) -> int:
        """End a started program, with all that it started; return its exit code."""
        return int(_facts({"code": self.request({"do": "stop", "pid": number})}, code=int)["code"])

    def ask(self, port: int, path: str, body: str = "", timeout: float = 10.0, bearer: str = "") -> tuple[int, str]:
        """Ask a server in the sandbox; return status (0 if it does not answer within `timeout` seconds) and body."""
        question = {"port": port, "method": "POST" if body else "GET", "path": path, "body": body, "bearer": bearer}
        answer = self.request({"do": "ask", **question, "timeout": timeout}, timeout)
        facts = _facts(answer, status=int, body=str)
        return int(facts["status"]), str(facts["body"])

    def write(self, path: str, text: str) -> None:
        """Write a text file inside."""
        self.request({"do": "write", "path": path, "text": text}, _FILES_PATIENCE)

    def read(self, path: str) -> str | None:
        """Read the end of a text file inside, or None if it is not there."""
        answer = self.request({"do": "read", "path": path}, _FILES_PATIENCE)
        return None if answer is None else str(answer)

    def extract(self, folder: str) -> None:
        """Unpack the archive below a folder inside."""
        self.request({"do": "extract", "folder": folder}, _UNPACK_PATIENCE)

    def take(self, path: str, limit: int) -> None:
        """Put the file at `path`, of at most `limit` bytes, into the outlet."""
        self.request({"do": "take", "path": path, "limit": limit}, _UNPACK_PATIENCE)

    def look(self, folder: str) -> Size:
        """Measure a folder inside."""
        facts = _facts(self.request({"do": "look", "path": folder}, _FILES_PATIENCE), files=int, size=int, digest=str)
        return Size(int(facts["files"]), int(facts["size"]), str(facts["digest"]))

    def attempts(self) -> tuple[Attempt, ...]:
        """Return and forget what was asked of the network since the last call."""
        answer = self.request({"do": "attempts"})
        if not isinstance(answer, list):
            raise _nonsense()
        found = (_facts(one, what=str, program=str) for one in answer)
        return tuple(Attempt(str(one["what"]), str(one["program"])) for one in found)

    def request(self, request: Mapping[str, object], patience: float = 0.0) -> object:
        """Send one request to the process inside and return its result, which may take `patience` seconds."""
        deadline = min(time.monotonic() + patience + _GRACE, self._end)
        line = self._exchanged(json.dumps(request).encode() + b"\n", deadline)
        try:
            answer: object = json.loads(line) if line else {"error": "it ended"}
        except (ValueError, RecursionError) as error:
            raise _nonsense() from error
        if not isinstance(answer, dict):
            raise _nonsense()
        if "error" in answer:
            raise WorkError(f"{self._called} failed: {answer['error']}", _hint_for(str(answer["error"])))
        result: object = answer.get("result")
        return result

    def _exchanged(self, data: bytes, deadline: float) -> bytes:
        """Send a line and return the line that comes back, b"" if the process ended. Raises WorkError if it is late."""
        with suppress(BrokenPipeError):
            while data:
                self._await(self._pipe(self._process.stdin), select.POLLOUT, deadline)
                data = data[os.write(self._pipe(self._process.stdin), data[: select.PIPE_BUF]) :]
        answers = self._pipe(self._process.stdout)
        while b"\n" not in self._heard:
            self._await(answers, select.POLLIN, deadline)
            more = os.read(answers, 1 << 16)
            self._heard += more
            if len(self._heard) > _LARGEST_ANSWER:
                raise _nonsense()
            if not more:
                return b""
        line, _, self._heard = self._heard.partition(b"\n")
        return bytes(line)

    def _pipe(self, pipe: IO[bytes] | None) -> int:
        if pipe is None:
            raise WorkError("the sandbox has no pipes")
        return pipe.fileno()

    def _await(self, descriptor: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        while not poll.poll(_LOOK_SECONDS * 1000):
            if self._cancelled():
                raise WorkError(f"{self._called} failed: it ended, as it was told to")
            if time.monotonic() > deadline:
                raise WorkError(f"{self._called} failed: it did not answer in time", "see what keeps this host busy")


def _facts(answer: object, **kinds: type) -> Mapping[str, int | float | str]:
    """The fields `kinds` of an answer. Raises WorkError if one is missing or of another type."""
    if not isinstance(answer, dict) or not all(type(answer.get(name)) is kind for name, kind in kinds.items()):
        raise _nonsense()
    return answer


def _nonsense() -> WorkError:
    return WorkError("the sandbox failed: its answer cannot be read", "this is a bug of aiws-bundle; tell us")


@contextmanager
def opened(root: Path, machine: str, mountpoint: Path, archive: Path) -> Iterator[Sandbox]:
    """Make a sandbox around `root`, whose programs are for `machine` (x86_64, aarch64), to unpack `archive` in.

    Nothing is written below `root`; `mountpoint` is an empty folder that stays empty. When the context ends, or this
    process does, everything inside is gone. Raises WorkError with the next move where it cannot be made.
    """
    if root.resolve() == Path("/") and os.geteuid():
        raise WorkError("only root can rehearse on the host's own root", "run as root, or give --root")
    first: dict[str, object] = {
        "root": str(root.resolve()),
        "mountpoint": str(mountpoint.absolute()),
        "archive": str(archive.absolute()),
    }
    if machine != os.uname().machine:
        first |= {"emulator": _emulator(machine), "machine": machine}
    with control_group() as groups, started(_JAIL, {**first, **_named(groups)}, mountpoint) as sandbox:
        yield sandbox


@contextmanager
def sealed(
    shown: Mapping[str, Path],
    given: Mapping[str, Path],
    folder: str,
    mountpoint: Path,
    outlet: Path,
    cancelled: Callable[[], bool],
) -> Iterator[Sandbox]:
    """Make a sandbox that holds the files and folders `shown` (path inside -> on this host), read-only, and no others.

    Those in `given` are copied into it. Only `folder` can be written, in memory; `take` puts one file of it into
    `outlet`, which is made. It ends as soon as `cancelled` says so. Else as `opened`.
    """
    first: dict[str, object] = {
        "shown": {inside: str(outside.absolute()) for inside, outside in shown.items()},
        "given": {inside: str(outside.absolute()) for inside, outside in given.items()},
        "folder": folder,
        "mountpoint": str(mountpoint.absolute()),
        "outlet": str(outlet.absolute()),
    }
    with control_group() as groups, started(_JAIL, {**first, **_named(groups)}, mountpoint, cancelled) as sandbox:
        yield sandbox


def _named(groups: Sequence[Path]) -> dict[str, object]:
    return {"groups": [str(group) for group in groups]}


@contextmanager
def started(
    module: str,
    first: Mapping[str, object],
    mountpoint: Path,
    cancelled: Callable[[], bool] = lambda: False,
    called: str = "the sandbox",
) -> Iterator[Sandbox]:
    """Start a module of this package that answers as the inside of a sandbox does, with its `first` request.

    It has the empty folder `mountpoint`, which is made and stays: removed, it would take away what another process has
    mounted there in a namespace of its own (mount_namespaces(7)). When the context ends, so does the process, and all
    of its own.
    """
    mountpoint.mkdir(parents=True, exist_ok=True)
    process = _process(module)
    try:
        sandbox = Sandbox(process, cancelled, called)
        sandbox.request(first, _START_PATIENCE)
        yield sandbox
    finally:
        _end(process)


def _process(module: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - argv is ours
            own_module(module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=NEUTRAL,
            start_new_session=True,
            env=_environment(),
        )
    except OSError as error:
        raise WorkError(f"no sandbox can be started: {error.strerror}", "see what keeps this host busy") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the sandbox: of itself, when its input ends, so that all is gone when this returns; else by force."""
    with suppress(OSError):
        if process.stdin:
            process.stdin.close()
    try:
        process.wait(_END_PATIENCE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _environment() -> dict[str, str]:
    """What the process inside needs: where newuidmap(1) is; nothing of the caller's."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


def _emulator(machine: str) -> str:
    for name in (f"qemu-{machine}-static", f"qemu-{machine}"):
        if program := shutil.which(name):
            return program
    raise WorkError(
        f"this host cannot run programs for {machine}", "apt install qemu-user-static, or rehearse on such a host"
    )


def _hint_for(error: str) -> str:
    """The next move."""
    hints = {
        "binfmt": "foreign programs need Linux 6.7 or later, or `update-binfmts --enable` on the host",
        "unshare": "run as root, or allow user namespaces: sysctl user.max_user_namespaces, "
        "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns",
        "user namespace": "see newuidmap(1): is your range in /etc/subuid and /etc/subgid right?",
        "/etc": "give --root with an unpacked root of a distribution",
        "Permission denied": "the root belongs to another user: unpack it as yourself, or run as root",
    }
    return next((hint for word, hint in hints.items() if word in error), "")
