"""A machine without network that boots an unpacked root: a service manager, sudo and its users, in private namespaces.

systemd-nspawn(1) runs it, `machine_keeper` keeps it. What is written is thrown away. Only the host's root can have
one, as systemd needs a range of users of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundler.adapters.sandbox import Sandbox, started

# What has to be in a root, one of the paths each, and the packages that bring it on Debian and Ubuntu.
_NEEDED = {
    "systemd": ("usr/lib/systemd/systemd", "lib/systemd/systemd"),
    "dbus": ("usr/bin/dbus-daemon", "usr/bin/dbus-broker"),
    "sudo": ("usr/bin/sudo",),
}


def lacking(root: Path, machine: str) -> str:
    """Why no machine can be made of `root`, whose programs are for `machine`, and what to do; "" if one can."""
    if root.resolve() == Path("/"):
        return "the host's own root is not booted: give --root with an unpacked one"
    if machine != os.uname().machine:
        return f"programs for {machine} do not boot on this host: rehearse on such a host"
    if os.geteuid():
        return "to boot a root takes root: run as root"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is not here: apt install systemd-container"
    if missing := [name for name, paths in _NEEDED.items() if not any(os.path.lexists(root / one) for one in paths)]:
        return f"the root has no {', '.join(missing)}: make one with mmdebstrap --include={','.join(_NEEDED)}"
    return ""


@contextmanager
def booted(root: Path, mountpoint: Path, archive: Path) -> Iterator[Sandbox]:
    """Boot `root` as a machine, to unpack `archive` in: what runs in it is its root.

    Nothing is written below `root`; `mountpoint` is an empty folder that stays empty. When the context ends, or this
    process does, the machine is gone. Raises WorkError with what is in the way where it does not boot.
    """
    first = {"root": str(root.resolve()), "mountpoint": str(mountpoint.absolute()), "archive": str(archive.absolute())}
    with started("bundler.adapters.machine_keeper", first, mountpoint, called="the machine") as machine:
        yield machine
