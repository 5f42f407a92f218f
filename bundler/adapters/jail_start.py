"""The way into a sandbox: new namespaces, and who is who in them (user_namespaces(7)).

Process 1 is number 0 inside; on the host it is whoever started it. The code has a number of its own: as root one that
nobody on the host has, else the first of the user's subordinate ones (subuid(5), newuidmap(1)). Where there are none it
shares process 1's number, and is kept from it by what holds in any case: it sees no process but its own.
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters import kernel
from bundler.adapters.jail_fork import fork

# `nobody` on every distribution, so that programs find a name for it.
_CODE = 65534
# Far from what distributions, systemd and containers give out (systemd: "Users, Groups, UIDs and GIDs").
_STRANGER = 1_900_000_000
_ALL = (
    kernel.NEW_USERS | kernel.NEW_MOUNTS | kernel.NEW_PROCESSES | kernel.NEW_NETWORK | kernel.NEW_IPC
    | kernel.NEW_NAMES | kernel.NEW_CGROUPS
)  # fmt: skip
_PATIENCE = 20.0

Map = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Identity:
    """The code's number inside, the lines of both maps, and whether programs set-uid root have to write them."""

    code: int
    users: Map
    groups: Map
    by_program: bool = False

    @property
    def apart(self) -> bool:
        """Whether the code has another number than process 1."""
        return self.code != 0

    def give(self, pid: int) -> None:
        """Write the maps of a process's new user namespace. From outside it."""
        for name, lines in (("uid", self.users), ("gid", self.groups)):
            if self.by_program:
                words = [str(number) for line in lines for number in line]
                argv = [f"new{name}map", str(pid), *words]
                subprocess.run(argv, check=True, capture_output=True, timeout=_PATIENCE)  # noqa: S603 - argv is ours
                continue
            if name == "gid" and not self.apart:
                Path(f"/proc/{pid}/setgroups").write_text("deny")
            Path(f"/proc/{pid}/{name}_map").write_text("".join("{} {} {}\n".format(*line) for line in lines))


def who() -> Identity:
    """Choose who is who, by what this process may do."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        users, groups = (_stranger(Path(f"/proc/self/{name}_map")) for name in ("uid", "gid"))
        if users and groups:
            return Identity(_CODE, ((0, uid, 1), (_CODE, users, 1)), ((0, gid, 1), (_CODE, groups, 1)))
    elif shutil.which("newuidmap") and shutil.which("newgidmap"):
        users, groups = (_subordinate(Path(f"/etc/{name}"), uid) for name in ("subuid", "subgid"))
        if users and groups:
            return Identity(_CODE, ((0, uid, 1), (_CODE, users, 1)), ((0, gid, 1), (_CODE, groups, 1)), by_program=True)
    return Identity(0, ((0, uid, 1),), ((0, gid, 1),))


def _stranger(path: Path) -> int:
    """A number that root may give away here (in a container not all are there); 0 if there is none."""
    lines = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
    if any(first <= _STRANGER < first + count for first, _, count in lines):
        return _STRANGER
    return max((first + count - 1 for first, _, count in lines), default=0)


def _subordinate(path: Path, uid: int) -> int:
    """The first number that the file gives to a user; 0 if it gives none."""
    try:
        owners = {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        owners = {str(uid)}
    try:
        lines = [line.split(":") for line in path.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return 0
    given = (words[1] for words in lines if len(words) == 3 and words[0] in owners and words[2].strip() != "0")
    return next((int(first) for first in given if first.isdecimal()), 0)


def separate(identity: Identity) -> None:
    """Enter new namespaces of every kind; the next child is process 1 in them. Raises OSError."""
    ready, go = os.pipe()
    here = os.getpid()

    def map_numbers() -> int:
        os.close(go)
        os.read(ready, 1)
        identity.give(here)
        return 0

    helper = fork(map_numbers)
    try:
        kernel.unshare(_ALL)
        os.write(go, b".")
    except OSError as error:
        raise OSError(error.errno, "no private namespaces can be made", "unshare") from error
    finally:
        os.close(go)
        os.close(ready)
        _, status = os.waitpid(helper, 0)
    if status:
        raise OSError(errno.EPERM, "users cannot be mapped", "user namespace")
