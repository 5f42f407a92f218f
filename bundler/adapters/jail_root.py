"""The root of a sandbox: an overlay over another root, or a sealed one that shows some folders and nothing else.

For process 1 of new namespaces (`bundler.adapters.jail`). What may be written is in one tmpfs of a fixed size. No path
that the given root decides is followed before that root is this process's own, so nothing in it leads to the host.
"""

from __future__ import annotations

import codecs
import errno
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bundler.adapters import kernel
from bundler.adapters.jail_rights import POOL, POOL_FILES

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_BINFMT = "proc/sys/fs/binfmt_misc"
# ELF, 64 bit, little-endian, EM_AARCH64 / EM_X86_64, executable or shared (binfmt-misc in the kernel's guide).
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00{machine}\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_MACHINES = {"aarch64": r"\xb7", "x86_64": r"\x3e"}
_NETWORK_FILES = {
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
}
_USER_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
_PLAIN = kernel.NO_SETUID | kernel.NO_DEVICES
# A device can be written through a read-only mount; its mode, owner and times cannot be changed through one.
_FIXED = kernel.READ_ONLY | kernel.NO_SETUID | kernel.NO_PROGRAMS


class Overlay:
    """A root that takes its files from another and its changes into memory.

    Programs for `machine` run through `emulator`, if one is named.
    """

    def __init__(self, root: Path, mountpoint: Path, emulator: str = "", machine: str = "") -> None:
        self._root, self._pool, self._merged = root, mountpoint, mountpoint / "root"
        self._emulator, self._machine, self._stacked = emulator, machine, False

    def prepare(self) -> None:
        """Mount the overlay with all of root's rights, which only they can over the host's own root.

        In a mount namespace of its own, before that of the sandbox.
        """
        kernel.unshare(kernel.NEW_MOUNTS)
        kernel.keep_mounts_private()
        self._stack()

    def enter(self, code: int) -> None:
        """Make it this process's root; `code` is the number of the code. Raises OSError."""
        if not self._stacked:
            self._stack()
        kernel.bind(self._merged, self._merged)  # one of this namespace's own, which alone can become its root
        for name in ("proc", "dev", "tmp", "etc"):
            _own_folder(self._merged / name)
        for name, mode in (("tmp", 0o1777), ("dev", 0o755), ("dev/shm", 0o1777)):
            _made(self._pool / name, mode)
        _devices(self._pool / "dev")
        _copy_what_can_be_read(self._merged / "etc", self._pool / "etc")
        for path, text in _NETWORK_FILES.items():
            (self._pool / path).unlink(missing_ok=True)
            (self._pool / path).write_text(text, encoding="utf-8")
        for path, text in _USER_FILES.items():
            if not os.path.lexists(self._pool / path):
                (self._pool / path).write_text(text, encoding="utf-8")
        for name in ("tmp", "etc", "dev"):
            kernel.bind(self._pool / name, self._merged / name)
        for name in ("etc", "dev"):
            kernel.protect(self._merged / name, kernel.READ_ONLY | kernel.NO_SETUID, deep=False)
        kernel.bind(self._pool / "dev/shm", self._merged / "dev/shm")
        kernel.mount("proc", self._merged / "proc", "proc", "", _PLAIN | kernel.NO_PROGRAMS)
        if self._emulator:
            _register_emulator(self._emulator, self._machine, self._merged)
        kernel.protect(self._merged, kernel.READ_ONLY, deep=False)
        _become(self._merged)

    def _stack(self) -> None:
        """Mount the pool, and in it the overlay."""
        kernel.mount("tmpfs", self._pool, "tmpfs", f"mode=0755,size={POOL},nr_inodes={POOL_FILES}", _PLAIN)
        upper, work = (_made(self._pool / name, 0o755) for name in ("upper", "work"))
        _made(self._merged, 0o755)
        try:
            kernel.mount(
                "overlay",
                self._merged,
                "overlay",
                f"lowerdir={_layer(self._root)},upperdir={upper},workdir={work}",
                _PLAIN,
            )
        except OSError:  # since Linux 5.11 without root: a copy of an unpacked root serves as well, only slower
            if self._root == Path("/"):
                raise
            shutil.copytree(self._root, self._merged, symlinks=True, dirs_exist_ok=True, ignore=_special)
        with suppress(OSError):  # an unpacked root's top folder may be closed to others
            self._merged.chmod(0o755)
        self._stacked = True


class Sealed:
    """A root that holds nothing but what `shown` names, read-only, what `given` names, copied, and a `folder`.

    Both are path inside -> path on the host; a link of the host that is shown is the same link inside. Only what is
    below `folder` can be written, and is the code's own.
    """

    def __init__(self, shown: Mapping[str, str], given: Mapping[str, str], folder: str, mountpoint: Path) -> None:
        self._shown, self._given, self._folder, self._root = shown, given, folder, mountpoint

    def prepare(self) -> None:
        """Nothing: any user may do all of it in namespaces of their own."""

    def enter(self, code: int) -> None:
        """Make it this process's root; `code` is the number of the code. Raises OSError."""
        root = self._root
        kernel.mount("tmpfs", root, "tmpfs", f"mode=0755,size={POOL},nr_inodes={POOL_FILES}", _PLAIN)
        nothing = _made(root / ".nothing", 0o555)
        for inside, outside in self._shown.items():
            _show(Path(outside), root / inside.lstrip("/"), nothing)
        for path, text in {**_NETWORK_FILES, **_USER_FILES}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        folder = _made(root / self._folder.lstrip("/"), 0o755)
        _made(folder / "tmp", 0o1777)
        for inside, outside in self._given.items():
            target = root / inside.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(Path(outside), target)
        _hand_over(folder, code)
        kernel.bind(folder, folder)
        _made(root / "proc", 0o555)
        kernel.mount("proc", root / "proc", "proc", "", _PLAIN | kernel.NO_PROGRAMS)
        _devices(_made(root / "dev", 0o755))
        for name in ("tmp", "dev/shm"):
            if not os.path.lexists(root / name):
                (root / name).symlink_to(f"{self._folder}/tmp")  # noqa: S108 - inside
        kernel.protect(root, kernel.READ_ONLY | kernel.NO_SETUID, deep=False)
        _become(root)


def _become(root: Path) -> None:
    """Make `root` this process's own, and be found by nobody in it."""
    # Loaded now: what is imported later is not to be found any more.
    for name in ("idna", "latin-1", "ascii", "utf-8"):
        codecs.lookup(name)
    kernel.pivot(root)
    # Where capabilities could be had again: in user namespaces below this one.
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    kernel.hide()


def _made(folder: Path, mode: int) -> Path:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    return folder


def _own_folder(path: Path) -> None:
    """Have a folder at `path`. Raises OSError if a link or a file stands there: a link would lead to the host's."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        path.mkdir()
        return
    if not stat.S_ISDIR(kind):
        raise OSError(errno.ENOTDIR, "is no folder, so this is no root of a distribution", f"/{path.name}")


def _show(outside: Path, inside: Path, nothing: Path) -> None:
    """Let the host's file or folder `outside` be seen, and only seen, at `inside`; `nothing` is an empty folder."""
    inside.parent.mkdir(parents=True, exist_ok=True)
    if outside.is_symlink():
        inside.symlink_to(outside.readlink())
        return
    if outside.is_dir():
        inside.mkdir(exist_ok=True)
    else:
        inside.touch()
    if not outside.is_dir() or not _laid_over(outside, inside, nothing):
        kernel.bind(outside, inside)
    kernel.protect(inside, kernel.READ_ONLY | _PLAIN, deep=True)


def _laid_over(outside: Path, inside: Path, nothing: Path) -> bool:
    """Show a folder through an overlay, whose sockets and pipes lead to no program of the host, as bound ones do.

    Returns False where that cannot be: before Linux 5.11, and where something is mounted in the folder.
    """
    if kernel.mounted_below(outside):
        return False
    layers = f"lowerdir={_layer(nothing)}:{_layer(outside)}"
    try:
        kernel.mount("overlay", inside, "overlay", layers, kernel.READ_ONLY | _PLAIN)
    except OSError:
        return False
    return True


def _layer(folder: Path) -> str:
    """A folder as overlay's options name it."""
    return str(folder).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _devices(folder: Path) -> None:
    for name in _DEVICES:
        (folder / name).touch()
        kernel.bind(Path("/dev", name), folder / name)
        kernel.protect(folder / name, _FIXED, deep=False)
    (folder / "fd").symlink_to("/proc/self/fd")


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder so that anybody can read it; in an order of its own, the same wherever this runs."""
    if source.is_symlink() or not source.is_dir():
        shutil.copy2(source, target, follow_symlinks=False)
    else:
        target.mkdir()
        for name in sorted(os.listdir(source)):  # noqa: PTH208 - names
            _copy(source / name, target / name)
        shutil.copystat(source, target)
    if not target.is_symlink():
        mode = stat.S_IMODE(target.stat().st_mode)
        target.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def _hand_over(folder: Path, code: int) -> None:
    """Give a folder, with all in it, to the code."""
    os.chown(folder, code, code)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), code, code, follow_symlinks=False)


def _copy_what_can_be_read(source: Path, target: Path) -> None:
    """Copy a folder of settings; what this user may not read, the code may not either, and is left out."""
    with suppress(shutil.Error, PermissionError):
        shutil.copytree(source, target, symlinks=True, ignore=_special, ignore_dangling_symlinks=True)
    target.mkdir(exist_ok=True)


def _special(folder: str, names: list[str]) -> list[str]:
    """Names that a copy of a root leaves out: devices, sockets, and what is mounted anew."""
    odd = (stat.S_ISBLK, stat.S_ISCHR, stat.S_ISFIFO, stat.S_ISSOCK)
    modes = {name: (Path(folder) / name).lstat().st_mode for name in names}
    return [name for name, mode in modes.items() if any(test(mode) for test in odd) or name in ("proc", "sys")]


def _register_emulator(program: str, machine: str, root: Path) -> None:
    """Let `program` run foreign binaries in this user namespace only (Linux 6.7), or rely on the host's registration.

    The registration lasts as long as its file system is mounted: below `root`, which stays. Raises OSError if neither
    can be.
    """
    try:
        kernel.mount("binfmt_misc", root / _BINFMT, "binfmt_misc")
        magic = _MAGIC.format(machine=_MACHINES[machine])
        (root / _BINFMT / "register").write_text(f":aiws-{machine}:M::{magic}:{_MASK}:{program}:F")
    except OSError:
        if not any(machine in path.name for path in Path("/", _BINFMT).glob("qemu-*")):
            raise
