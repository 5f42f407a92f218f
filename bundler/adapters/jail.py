"""The inside of a sandbox: process 1 of its own namespaces, which runs what it is told and sees every network attempt.

It is started by `bundler.adapters.sandbox` with private user, network, mount and process namespaces. It overlays the
root with a tmpfs, so that nothing is written to it; when this process ends, for whatever reason, the kernel ends every
other process of the sandbox and its mounts are gone. Requests and answers are JSON lines on standard input and output.
"""

from __future__ import annotations

import codecs
import ctypes
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
from typing import BinaryIO, TypeAlias

from bundler.adapters.loopback import Watch, route_everything_to_loopback, up_loopback

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# What may be asked for: these methods of Jail.
_REQUESTS = frozenset(("run", "start", "running", "stop", "ask", "write", "extract", "look", "read", "attempts"))
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_OUTPUT_KEPT = 20_000
_BINFMT = "proc/sys/fs/binfmt_misc"
# ELF, 64 bit, little-endian, EM_AARCH64 / EM_X86_64, executable or shared (binfmt-misc in the kernel's guide).
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00{machine}\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MACHINES = {"aarch64": r"\xb7", "x86_64": r"\x3e"}


def main() -> None:
    """Serve requests until standard input ends."""
    requests: queue.Queue[dict[str, Json]] = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    first = requests.get()
    try:
        archive = Path(str(first["archive"])).open("rb")  # noqa: SIM115 - as long as the sandbox
        root = _overlay(Path(str(first["root"])), Path(str(first["mountpoint"])))
        if emulator := first.get("emulator"):
            register_emulator(str(emulator), str(first["machine"]), root)
        _enter(root)
        jail = Jail(archive)
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


def _read(requests: queue.Queue[dict[str, Json]]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)  # whoever started the sandbox is gone: so is the sandbox


def _answer(document: Json) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


class Jail:
    """The programs that run in a root that is thrown away, which is this process's own by now."""

    def __init__(self, archive: BinaryIO) -> None:
        self._archive = archive
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
        try:
            output, _ = process.communicate(timeout=timeout)
            code = process.returncode
        except subprocess.TimeoutExpired:
            _end(process)
            output, _ = process.communicate()
            output, code = output + f"\nended after {timeout:.0f} s".encode(), 124
        text = output.decode("utf-8", "replace")[-_OUTPUT_KEPT:]
        return {"code": code, "output": text, "seconds": time.monotonic() - started}

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
        """Return a text file's content, or null if it is not there."""
        return Path(path).read_text("utf-8", "replace")[-_OUTPUT_KEPT:] if Path(path).is_file() else None

    def extract(self, folder: str) -> Json:
        """Unpack the verified archive below `folder`."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._archive.seek(0)
        with gzip.open(self._archive) as content, tarfile.open(fileobj=content, mode="r|") as tar:
            tar.extractall(folder, filter="tar")
        return None

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
            preexec_fn=_renounce, start_new_session=True,
        )  # fmt: skip


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


def _overlay(root: Path, mountpoint: Path) -> Path:
    """Mount a root that takes its files from `root` and its changes into memory; return it."""
    _mount("tmpfs", mountpoint, "tmpfs", "mode=0755")
    upper, work, merged = (mountpoint / name for name in ("upper", "work", "root"))
    for folder in (upper, work, merged):
        folder.mkdir()
    lower = str(root).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
    try:
        _mount("overlay", merged, "overlay", f"lowerdir={lower},upperdir={upper},workdir={work}")
    except OSError:  # no overlay file system here: a copy of an unpacked root serves as well, only slower
        if root == Path("/"):
            raise
        shutil.copytree(root, merged, symlinks=True, dirs_exist_ok=True, ignore=_special)
    for name in ("proc", "dev", "tmp", "etc"):
        (merged / name).mkdir(exist_ok=True)
    _mount("proc", merged / "proc", "proc")
    _mount("tmpfs", merged / "dev", "tmpfs", "mode=0755")
    for name in _DEVICES:
        (merged / "dev" / name).touch()
        _mount(f"/dev/{name}", merged / "dev" / name, bind=True)
    (merged / "dev" / "shm").mkdir()
    (merged / "dev" / "fd").symlink_to("/proc/self/fd")
    _mount("tmpfs", merged / "tmp", "tmpfs", "mode=1777")
    _replace(merged / "etc" / "hosts", "127.0.0.1 localhost\n::1 localhost\n", mountpoint)
    _replace(merged / "etc" / "resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n", mountpoint)
    return merged


def _special(folder: str, names: list[str]) -> list[str]:
    """Names that a copy of a root leaves out: devices, sockets, and what is mounted anew."""
    odd = (stat.S_ISBLK, stat.S_ISCHR, stat.S_ISFIFO, stat.S_ISSOCK)
    modes = {name: (Path(folder) / name).lstat().st_mode for name in names}
    return [name for name, mode in modes.items() if any(test(mode) for test in odd) or name in ("proc", "sys")]


def _replace(path: Path, text: str, spare: Path) -> None:
    """Let `path` hold `text`, also where it belongs to a user that is nobody here."""
    replacement = spare / path.name
    replacement.write_text(text, encoding="utf-8")
    if path.is_symlink() or not path.exists():
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
    else:
        _mount(str(replacement), path, bind=True)


_LIBC = ctypes.CDLL(None, use_errno=True)
_MS_BIND, _MS_REC, _MNT_DETACH = 4096, 16384, 2
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_CAPABILITIES = 64


def _enter(root: Path) -> None:
    """Make `root` this process's root and let go of the host's, so that no program inside finds a way to it.

    pivot_root(2), with both in the same place.
    """
    # Loaded now: what is imported later is not to be found any more.
    for name in ("idna", "latin-1", "ascii", "utf-8"):
        codecs.lookup(name)
    os.chdir(root)
    if _LIBC.syscall(_SYS_PIVOT_ROOT[os.uname().machine], b".", b"."):
        raise _system_error("pivot_root")
    if _LIBC.umount2(b".", _MNT_DETACH):
        raise _system_error("umount")
    os.chdir("/")
    _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _renounce() -> None:
    """Give up every capability that root has here, and any way to get one back (capabilities(7))."""
    for capability in range(_CAPABILITIES):
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _system_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)


def _mount(source: str, target: Path, kind: str = "", options: str = "", *, bind: bool = False) -> None:
    """mount(2). Raises OSError."""
    flags = _MS_BIND | _MS_REC if bind else 0
    if _LIBC.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()):
        raise _system_error(str(target))


def register_emulator(program: str, machine: str, root: Path) -> None:
    """Let `program` run foreign binaries in this user namespace only (Linux 6.7), or rely on the host's registration.

    The registration lasts as long as its file system is mounted: below `root`, which stays. Raises OSError if neither
    can be.
    """
    try:
        _mount("binfmt_misc", root / _BINFMT, "binfmt_misc")
        magic = _MAGIC.format(machine=_MACHINES[machine])
        (root / _BINFMT / "register").write_text(f":aiws-{machine}:M::{magic}:{_MASK}:{program}:F")
    except OSError:
        if not any(machine in path.name for path in Path("/", _BINFMT).glob("qemu-*")):
            raise


if __name__ == "__main__":
    main()
