"""Control groups (cgroups(7)): a limit on what all processes of a sandbox take together, where one may be made.

Root may, mostly; others not. A group of version 1 is made below this process's own, one of version 2 beside it, since
there a group with processes hands no controllers down.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
# In bytes: what is written, which is kept in memory, and what programs take; and as a share of the host's memory.
_MEMORY, _SHARE, _PROCESSES = 12 << 30, 0.8, 2048
_TRIES = 50
# Seconds after which a group that nothing is in was left by a killed run: until then its sandbox may be about to enter.
_ABANDONED = 600.0


@contextmanager
def control_group(*, boots: bool = False) -> Iterator[tuple[Path, ...]]:
    """Make a group: the folders whose `cgroup.procs` a process has to enter; none where none may be made.

    `boots`: a service manager runs in it, so it is made where such keep groups of their own, without limits if there
    are none. It is removed when the context ends, with what was made below; what is left in it must have ended.
    """
    memory = min(_MEMORY, int(_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    # The same everywhere: systemd, where it meets both versions, makes in the one what it finds in the other.
    name = f"aiws-bundle-{os.getpid()}-{time.monotonic_ns()}"
    made: list[Path] = []
    for base, limits in _places(memory, boots):
        _sweep(base)
        group = base / name
        with suppress(OSError):
            group.mkdir()
            made.append(group)
            for file, limit in limits.items():
                (group / file).write_text(str(limit))
            continue
        if group in made:
            made.remove(group)
            _remove([group])
    try:
        yield tuple(made)
    finally:
        _remove(made)


def _places(memory: int, boots: bool) -> Iterator[tuple[Path, Mapping[str, int]]]:
    """Where a group can be made, and its limits, as /proc/self/cgroup and the controllers there tell."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if "memory" in names.split(","):
            yield _ROOT / "memory" / path.lstrip("/"), {"memory.limit_in_bytes": memory}
        elif "pids" in names.split(","):
            yield _ROOT / "pids" / path.lstrip("/"), {"pids.max": _PROCESSES}
        elif names == "name=systemd" and boots:
            yield _ROOT / "systemd" / path.lstrip("/"), {}
        elif not names and (_ROOT / "unified").is_dir():
            if boots:
                yield _ROOT / "unified" / path.lstrip("/"), {}
        elif not names:
            base = (_ROOT / path.lstrip("/")).parent
            handed: set[str] = set()
            with suppress(OSError):
                handed = set((base / "cgroup.subtree_control").read_text().split())
            if {"memory", "pids"} <= handed:
                yield base, {"memory.max": memory, "pids.max": _PROCESSES}
            elif boots:  # below this process's own, which is possible as long as no controllers are asked for
                yield _ROOT / path.lstrip("/"), {}


def _sweep(base: Path) -> None:
    """Remove what killed runs left: a group with processes in it stays, and so does one that was just made."""
    now = time.time()
    with suppress(OSError):
        _remove([one for one in base.glob("aiws-bundle-*") if now - one.stat().st_mtime > _ABANDONED], tries=1)


def _remove(groups: Sequence[Path], tries: int = _TRIES) -> None:
    for group in groups:
        for _ in range(tries):
            with suppress(OSError):
                _dissolve(group)
                break
            time.sleep(0.1 if tries > 1 else 0)


def _dissolve(group: Path) -> None:
    """Remove a group and those below it. Raises OSError, having touched nothing, if a process is in one of them."""
    folders = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
    for folder in folders:
        with suppress(FileNotFoundError):
            if (folder / "cgroup.procs").read_text():
                raise BlockingIOError(errno.EBUSY, os.strerror(errno.EBUSY), str(folder))
    for folder in folders:
        folder.rmdir()
