"""The keeper of a machine that boots: process 1 of namespaces in which systemd-nspawn(1) runs it.

It is started by `bundler.adapters.machine`, and is asked as the inside of a sandbox is (`jail`). A first process waits
outside for its end, and removes the control groups then. When whoever asks is gone the keeper ends; with it the kernel
ends nspawn and the machine, and all mounts are gone.

The machine is a stranger. Its users are numbers that nobody on the host has; its network is the keeper's, over which it
has no rights, and is watched as a sandbox's; a filter of system calls (`seccomp`) stands before all of it. What is done
inside for the keeper is done by a process that has entered the machine's namespaces and been its root ever since.
"""

from __future__ import annotations

import codecs
import os
import shutil
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bundler.adapters import kernel
from bundler.adapters.control_group import control_group
from bundler.adapters.jail import Jail, answer, first_request, told
from bundler.adapters.jail_children import Child, Children, EndedError
from bundler.adapters.jail_fork import code_of, fork
from bundler.adapters.jail_rights import execute
from bundler.adapters.jail_watch import Watcher
from bundler.adapters.machine_root import BASE, COUNT, NAME, prepare
from bundler.adapters.regular import open_regular
from bundler.adapters.seccomp import Filter

_SPACES = kernel.NEW_PROCESSES | kernel.NEW_NETWORK | kernel.NEW_IPC | kernel.NEW_NAMES
# The user namespace first: in it root inside may enter the others. The network is this process's own already.
_ENTERED = {
    "user": kernel.NEW_USERS,
    "cgroup": kernel.NEW_CGROUPS,
    "ipc": kernel.NEW_IPC,
    "uts": kernel.NEW_NAMES,
    "mnt": kernel.NEW_MOUNTS,
    "pid": kernel.NEW_PROCESSES,
}
# linux/capability.h. The first are for the host alone in any case; a user namespace's root has the last over nothing.
_REFUSED = {
    "CAP_SYS_TIME": 25, "CAP_SYS_MODULE": 16, "CAP_SYS_RAWIO": 17, "CAP_SYSLOG": 34, "CAP_WAKE_ALARM": 35,
    "CAP_MKNOD": 27, "CAP_NET_ADMIN": 12, "CAP_SYS_BOOT": 22,
}  # fmt: skip
_BOOT_PATIENCE, _LOOK_SECONDS = 180.0, 0.2
_LOG_KEPT, _LOG_TOLD = 64 << 10, 1500
# sd_notify(3), and systemd-nspawn(1), --notify-ready=.
_LEADER, _READY = "X_NSPAWN_LEADER_PID=", "READY=1"


def main() -> None:
    """Serve requests until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    try:
        first = first_request()
        with control_group(boots=True) as groups:
            kernel.leave_keyrings()
            kernel.unshare(_SPACES)
            os.waitpid(fork(lambda: _inside(first, groups)), 0)
    except Exception as error:
        answer({"error": told(error)})


def _inside(first: Mapping[str, object], groups: Sequence[Path]) -> int:
    """Be process 1."""
    try:
        kernel.end_with_parent()
        for group in groups:
            (group / "cgroup.procs").write_text("0")
        kernel.unshare(kernel.NEW_MOUNTS)
        kernel.keep_mounts_private()
        file = open_regular(Path(str(first["archive"])))
        kernel.mount("proc", Path("/proc"), "proc")
        kernel.mount("tmpfs", Path("/run"), "tmpfs", "mode=0755")  # the host's servers; and nspawn's own files
        root = prepare(Path(str(first["root"])), Path(str(first["mountpoint"])))
        kernel.hide()
        watcher = Watcher()
        Filter(boots=True).install()
        for name in ("idna", "latin-1", "ascii", "utf-8"):  # what is imported inside would be the machine's
            codecs.lookup(name)
        machine = Machine()
        machine.boot(root)
        answer({"ready": True})
        Jail(file, watcher, machine).serve()
    except EndedError:
        return 0
    except Exception as error:
        answer({"error": told(error)})
    return 1


class Machine(Children):
    """What is started in a machine, as its root; and the machine itself."""

    def __init__(self) -> None:
        super().__init__()
        self._leader = 0

    def boot(self, root: Path) -> None:
        """Boot `root`; return when its service manager has started what it starts. Raises OSError with its log."""
        address = "/run/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(address)
            notices.setblocking(False)
            argv = _command(root)
            env = {"PATH": os.environ.get("PATH", os.defpath), "NOTIFY_SOCKET": address}
            nspawn = self._started(lambda: execute(argv, env, "/", lambda: None), _LOG_KEPT)
            deadline = time.monotonic() + _BOOT_PATIENCE
            ready = False
            while not ready:
                self.turn(_LOOK_SECONDS)
                with suppress(BlockingIOError):
                    while not ready:
                        ready = self._hear_of(notices.recv(1 << 16)) and self._leader > 0
                if not self.has(nspawn) or time.monotonic() > deadline:
                    raise OSError(f"the root does not boot:\n{_last(nspawn)}")

    def program(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, limit: int) -> Child:
        """Start a program as the machine's root; what it leaves running goes on."""

        def first() -> int:
            self._renounce()
            main = fork(lambda: execute(argv, env, cwd, kernel.end_with_parent))
            return code_of(os.waitpid(main, 0)[1])

        return self._started(first, limit)

    def _renounce(self) -> None:
        """Enter the machine, as root of it."""
        opened = [(os.open(f"/proc/{self._leader}/ns/{name}", os.O_RDONLY), kind) for name, kind in _ENTERED.items()]
        for descriptor, kind in opened:
            kernel.join(descriptor, kind)
            os.close(descriptor)
        kernel.drop_capabilities(tuple(_REFUSED.values()))
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)

    def _hear_of(self, notice: bytes) -> bool:
        """Take note of the first process inside; say whether it has booted."""
        lines = notice.decode("utf-8", "replace").splitlines()
        self._leader = next((int(one.removeprefix(_LEADER)) for one in lines if one.startswith(_LEADER)), self._leader)
        return _READY in lines


def _command(root: Path) -> list[str]:
    program = shutil.which("systemd-nspawn")
    if program is None:
        raise FileNotFoundError(2, "systemd-nspawn is not installed")
    return [
        program,
        f"--directory={root}",
        f"--private-users={BASE}:{COUNT}",
        f"--machine={NAME}",
        f"--hostname={NAME}",
        f"--drop-capability={','.join(_REFUSED)}",
        # Nothing of the host's: no settings beside the root, journal, manager of machines, resolver, zone.
        "--settings=no",
        "--link-journal=no",
        "--register=no",
        "--keep-unit",
        "--resolv-conf=off",
        "--timezone=off",
        "--notify-ready=yes",
        "--console=read-only",
        "--boot",
    ]


def _last(nspawn: Child) -> str:
    return nspawn.told()[-_LOG_TOLD:].strip()
