"""The root of a machine that boots: another root with shifted owners, and over it a layer in memory.

Inside, owners are 0 to 65535; on the host they are numbers that nobody has, so root inside is nobody outside. The given
root is read through a mount that numbers it so (kernel.bind_numbered), which some file systems and old kernels cannot.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bundler.adapters import kernel
from bundler.adapters.jail_fork import fork
from bundler.adapters.jail_rights import POOL, POOL_FILES
from bundler.adapters.jail_start import Identity

# Above what systemd and containers give out, as the sandbox's own number is; a multiple of 65536, as nspawn wants it.
BASE, COUNT = 29_000 << 16, 1 << 16
NAME = "rehearsal"
_FILES: Mapping[str, str] = {
    "etc/hostname": f"{NAME}\n",
    "etc/hosts": f"127.0.0.1 localhost {NAME}\n::1 localhost\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
}


def prepare(root: Path, pool: Path) -> Path:
    """Mount a root that takes its files from `root` and its changes into memory, below the empty folder `pool`.

    In a mount namespace of one's own. Raises OSError.
    """
    kernel.mount("tmpfs", pool, "tmpfs", f"mode=0755,size={POOL},nr_inodes={POOL_FILES}", kernel.NO_DEVICES)
    lower, upper, work, merged = (pool / name for name in ("lower", "upper", "work", "root"))
    for folder in (lower, upper, work, merged):
        folder.mkdir(0o755)
    numbers = _numbers()
    try:
        kernel.bind_numbered(root, lower, numbers)
    finally:
        os.close(numbers)
    # In the layer itself, where nothing of the root is in the way; a folder there joins the one below.
    for path, text in _FILES.items():
        (upper / path).parent.mkdir(0o755, exist_ok=True)
        (upper / path).write_text(text, encoding="utf-8")
    for place in (upper, *upper.rglob("*")):
        os.chown(place, BASE, BASE)
    layers = ",".join(
        f"{name}={folder}" for name, folder in (("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work"))
    )
    here = Path.cwd()
    os.chdir(pool)  # so that no path needs to be spelled in overlay's way
    try:
        kernel.mount("overlay", merged, "overlay", layers, kernel.NO_DEVICES)
    finally:
        os.chdir(here)
    return merged


def _numbers() -> int:
    """A descriptor of a user namespace in which the host's BASE and those after it are 0 and those after it."""
    ready, made = os.pipe()
    over, wait = os.pipe()

    def be() -> int:
        os.close(wait)
        kernel.unshare(kernel.NEW_USERS)
        os.write(made, b".")
        os.read(over, 1)
        return 0

    child = fork(be)
    try:
        os.close(made)
        os.close(over)
        if not os.read(ready, 1):
            raise PermissionError(1, "no user namespace can be made", "unshare")
        whole = ((0, BASE, COUNT),)
        Identity(code=BASE, users=whole, groups=whole).give(child)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.close(wait)
        os.waitpid(child, 0)
