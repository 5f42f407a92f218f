"""The root of a sandbox: an overlay over another root, or a sealed one that shows some folders and nothing else.

For process 1 of new user, network, mount and process namespaces (`bundler.adapters.jail`).
"""

from __future__ import annotations

import codecs
import ctypes
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_BINFMT = "proc/sys/fs/binfmt_misc"
# ELF, 64 bit, little-endian, EM_AARCH64 / EM_X86_64, executable or shared (binfmt-misc in the kernel's guide).
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00{machine}\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_NETWORK_FILES = {
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
}
_USER_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
# What may be written in a sealed root, in bytes and in number; it is kept in memory.
_SEALED_SIZE, _SEALED_FILES = 4 << 30, 500_000
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MACHINES = {"aarch64": r"\xb7", "x86_64": r"\x3e"}


def overlay(root: Path, mountpoint: Path) -> Path:
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
    _devices(merged)
    (merged / "dev" / "shm").mkdir()
    _mount("tmpfs", merged / "tmp", "tmpfs", "mode=1777")
    for path, text in _NETWORK_FILES.items():
        _replace(merged / path, text, mountpoint)
    return merged


def sealed(shown: Mapping[str, str], folder: str, mountpoint: Path) -> Path:
    """Mount a root that holds nothing but what `shown` names, read-only, and an empty writable `folder`; return it.

    `shown` is path inside -> path on the host; a link of the host is the same link inside. Whatever is written is in
    memory, below `folder`. Also read-only is /proc: root's number may be the host's, and some files there are its.
    """
    _mount("tmpfs", mountpoint, "tmpfs", "mode=0755,size=16m")
    for inside, outside in shown.items():
        _show(Path(outside), mountpoint / inside.lstrip("/"))
    for path, text in {**_NETWORK_FILES, **_USER_FILES}.items():
        (mountpoint / path).parent.mkdir(parents=True, exist_ok=True)
        (mountpoint / path).write_text(text, encoding="utf-8")
    for name in ("proc", "dev"):
        (mountpoint / name).mkdir()
    _mount("proc", mountpoint / "proc", "proc")
    _read_only(mountpoint / "proc", deep=True)
    _devices(mountpoint)
    writable = mountpoint / folder.lstrip("/")
    writable.mkdir()
    _mount("tmpfs", writable, "tmpfs", f"mode=0755,size={_SEALED_SIZE},nr_inodes={_SEALED_FILES}")
    (writable / "tmp").mkdir()
    for name in ("tmp", "dev/shm"):
        if not (mountpoint / name).exists():
            (mountpoint / name).symlink_to(f"{folder}/tmp")  # noqa: S108 - inside
    _read_only(mountpoint, deep=False)
    return mountpoint


def _show(outside: Path, inside: Path) -> None:
    """Let the host's file or folder `outside` be seen, and only seen, at `inside`."""
    inside.parent.mkdir(parents=True, exist_ok=True)
    if outside.is_symlink():
        inside.symlink_to(outside.readlink())
        return
    if outside.is_dir():
        inside.mkdir(exist_ok=True)
    else:
        inside.touch()
    _mount(str(outside), inside, bind=True)
    _read_only(inside, deep=True)


def _devices(root: Path) -> None:
    for name in _DEVICES:
        (root / "dev" / name).touch()
        _mount(f"/dev/{name}", root / "dev" / name, bind=True)
    (root / "dev" / "fd").symlink_to("/proc/self/fd")


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
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID = 1, 2


def enter(root: Path) -> None:
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


def renounce() -> None:
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


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user"))


def _read_only(target: Path, *, deep: bool) -> None:
    """Refuse writes, and programs of another user's rights, at `target`; `deep`: at all mounts below it as well.

    mount_setattr(2), since Linux 5.12. Raises OSError.
    """
    attributes = _MountAttributes(set=_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID)
    code = _LIBC.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(_AT_RECURSIVE if deep else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    if code:
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
