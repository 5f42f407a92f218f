"""What the code in a sandbox may do: nothing that takes rights, and no more of the machine than this."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters import kernel
from bundler.adapters.seccomp import Filter

# In bytes, what can be written in a sandbox and what one process may have in memory; and how many there may be of each.
# The largest component so far takes 3 GB of files (unpacked, installed twice) and 1.5 GB of memory.
POOL, POOL_FILES = 6 << 30, 600_000
_MEMORY, _FILE, _PROCESSES, _DESCRIPTORS = 4 << 30, 4 << 30, 1024, 4096
# As a share: below it the sandbox is ended, so that its host lives on, where no control group holds it.
_LEAST_MEMORY_LEFT = 0.04

# What tells of the host, or reaches it, and no program needs: a file reads as empty, so does a folder.
_MASKED = (
    "acpi", "asound", "bus", "driver", "fs", "irq", "kcore", "key-users", "keys", "kmsg", "kpagecount", "kpageflags",
    "latency_stats", "pressure", "sched_debug", "scsi", "sysrq-trigger", "timer_list", "tty",
)  # fmt: skip
_PROC = kernel.READ_ONLY | kernel.NO_SETUID | kernel.NO_DEVICES | kernel.NO_PROGRAMS


@dataclass(frozen=True)
class Rights:
    """The rights of the code: its number inside (0: process 1's own), and the system calls that are left to it."""

    code: int
    filter: Filter

    def renounce(self) -> None:
        """Be the code: its user, no rights, no way to any. Nothing is imported: for the time between fork and exec."""
        for what, limit in (
            # 1, not 0: with 0 the kernel still starts the program that a core_pattern names (core(5)).
            (resource.RLIMIT_CORE, 1),
            (resource.RLIMIT_DATA, _MEMORY),
            (resource.RLIMIT_FSIZE, _FILE),
            (resource.RLIMIT_NOFILE, _DESCRIPTORS),
            (resource.RLIMIT_NPROC, _PROCESSES),
        ):
            hard = resource.getrlimit(what)[1]
            least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(what, (least, least))
        kernel.leave_keyrings()
        kernel.bound_capabilities()
        if self.code:
            os.setgroups([])
            os.setresgid(self.code, self.code, self.code)
            os.setresuid(self.code, self.code, self.code)
        kernel.clear_capabilities()
        kernel.gain_no_privileges()
        kernel.hide()
        self.filter.install()
        os.umask(0o022)


def see_own_processes() -> None:
    """Show no process but those of this process's own namespace, and of the kernel nothing that could be changed."""
    kernel.unshare(kernel.NEW_MOUNTS)
    with suppress(OSError):  # the first to go where memory is short
        Path("/proc/self/oom_score_adj").write_text("1000")
    kernel.mount("proc", Path("/proc"), "proc", "", _PROC)
    for name in _MASKED:
        path = Path("/proc", name)
        if path.is_dir():
            kernel.mount("tmpfs", path, "tmpfs", "size=4k,nr_inodes=2,mode=0555", _PROC)
        elif path.exists():
            kernel.bind(Path("/dev/null"), path)


def see_no_processes() -> None:
    """Take /proc away: no path leads to a descriptor or to another process."""
    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.unmount(Path("/proc"))


def execute(argv: Sequence[str], env: Mapping[str, str], cwd: str, renounce: Callable[[], None]) -> int:
    """Become the program `argv`, without what `renounce` gives up; return a shell's exit code if that cannot be.

    Then it has said why.
    """
    try:
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by Python, and that is inherited
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        renounce()
        os.chdir(cwd)
        os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - the point of a sandbox
    except OSError as error:
        os.write(2, os.fsencode(f"{argv[0]}: {error.strerror}\n"))
        return 127 if isinstance(error, FileNotFoundError) else 126


def memory_is_short() -> bool:
    """Say whether the host has next to none left (proc(5), /proc/meminfo)."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    facts = {words[0]: int(words[1]) for words in lines if len(words) > 1}
    return facts.get("MemAvailable:", 1) < _LEAST_MEMORY_LEFT * facts.get("MemTotal:", 0)
