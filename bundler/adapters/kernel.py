"""System calls that Python has no function for, through the C library: namespaces, mounts, rights, keyrings.

Every function raises OSError with what it was about. What is newer than Linux 5.10 says so, and what it falls back on.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# linux/sched.h
NEW_MOUNTS, NEW_CGROUPS, NEW_NAMES, NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

# linux/mount.h
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS = 1, 2, 4, 8
_REMOUNT, _BIND, _DEEP, _PRIVATE, _DETACH = 32, 4096, 16384, 1 << 18, 2
# What statvfs(3) tells of a mount, as mount(2) wants it back: in a user namespace none of it may be taken off.
_KEPT = {1: 1, 2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
_SYS_MOUNT_SETATTR, _HERE, _RECURSIVE = 442, -100, 0x8000
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT = 428, 429
_CLONE_TREE, _CLOSE_ON_EXEC, _EMPTY_PATH, _FROM_EMPTY_PATH = 1, 0o2000000, 0x1000, 0x4
# MOUNT_ATTR_*: owners as a user namespace numbers them; times of access are not kept (and what is cleared for that).
_NUMBERED, _NO_ACCESS_TIMES, _ACCESS_TIMES = 0x100000, 0x10, 0x70

_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219}
_JOIN_SESSION_KEYRING = 1

# linux/prctl.h, linux/securebits.h: no rights through uid 0, none kept through setuid, none ambient, all of it locked.
_PARENT_DEATH, _DUMPABLE, _BOUNDING_DROP, _SECURE_BITS, _NO_NEW_PRIVILEGES, _AMBIENT = 1, 4, 24, 28, 38, 47
_AMBIENT_CLEAR, _LOCKED_BITS, _KILL = 4, 0xEF, 9
_CAPABILITIES, _CAPABILITY_VERSION = 64, 0x20080522

_LIBC = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones (unshare(2))."""
    _checked(_LIBC.unshare(ctypes.c_int(flags)), "unshare")


def join(descriptor: int, kind: int) -> None:
    """Enter the namespace that `descriptor` stands for; of processes: its children do (setns(2))."""
    _checked(_LIBC.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: Path, kind: str, options: str = "", flags: int = 0) -> None:
    """Mount a file system (mount(2))."""
    text = [os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), os.fsencode(options)]
    _checked(_LIBC.mount(*text), str(target))


def bind(source: Path, target: Path) -> None:
    """Let what is at `source`, with all that is mounted in it, be at `target` as well."""
    mount(str(source), target, "", "", _BIND | _DEEP)


def keep_mounts_private() -> None:
    """Neither tell other mount namespaces of mounts, nor hear of theirs."""
    mount("none", Path("/"), "", "", _DEEP | _PRIVATE)


def unmount(target: Path) -> None:
    """Take a mount away, with all that is mounted in it."""
    _checked(_LIBC.umount2(os.fsencode(target), _DETACH), str(target))


def pivot(root: Path) -> None:
    """Make the mount `root` this process's root and let go of the one before (pivot_root(2), both in one place)."""
    os.chdir(root)
    _checked(_LIBC.syscall(ctypes.c_long(_SYS_PIVOT_ROOT[os.uname().machine]), b".", b"."), "pivot_root")
    unmount(Path())
    os.chdir("/")


class _Attributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user"))


def protect(target: Path, flags: int, *, deep: bool) -> None:
    """Add READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS to the mount `target`; `deep`: to all mounts below it as well.

    mount_setattr(2), since Linux 5.12; before that mount by mount.
    """
    attributes = _Attributes(set=flags)  # MOUNT_ATTR_* have the same values
    code = _LIBC.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_HERE),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(_RECURSIVE if deep else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    if code and ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM):
        raise _error(str(target))
    if code:
        protect_each(target, flags, deep=deep)


def protect_each(target: Path, flags: int, *, deep: bool) -> None:
    """Do what `protect` does where the kernel has no call for it."""
    for place in (*(mounted_below(target) if deep else ()), target):
        there = os.statvfs(place).f_flag
        kept = sum(wanted for told, wanted in _KEPT.items() if there & told)
        mount("none", place, "", "", _REMOUNT | _BIND | kept | flags)


def bind_numbered(source: Path, target: Path, users: int) -> None:
    """Let the folder `source` be read at `target`, with the owners that the user namespace `users` makes of its own.

    open_tree(2), move_mount(2), since Linux 5.2; MOUNT_ATTR_IDMAP of mount_setattr(2), since 5.12.
    """
    tree = _call(_SYS_OPEN_TREE, str(source), _HERE, os.fsencode(source), _CLONE_TREE | _CLOSE_ON_EXEC)
    try:
        wanted = _Attributes(set=_NUMBERED | _NO_ACCESS_TIMES | READ_ONLY | NO_DEVICES, clear=_ACCESS_TIMES, user=users)
        size = ctypes.c_size_t(ctypes.sizeof(wanted))
        _call(_SYS_MOUNT_SETATTR, str(source), tree, b"", _EMPTY_PATH, ctypes.byref(wanted), size)
        _call(_SYS_MOVE_MOUNT, str(target), tree, b"", _HERE, os.fsencode(target), _FROM_EMPTY_PATH)
    finally:
        os.close(tree)


def _call(number: int, what: str, *words: object) -> int:
    code = int(_LIBC.syscall(ctypes.c_long(number), *(ctypes.c_int(w) if isinstance(w, int) else w for w in words)))
    if code < 0:
        raise _error(what)
    return code


def mounted_below(target: Path) -> list[Path]:
    """What /proc/self/mountinfo lists below a folder (proc(5))."""
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    places = (Path(os.fsdecode(line.split()[4].decode("unicode_escape").encode("latin-1"))) for line in lines)
    return [place for place in places if target in place.parents]


def hide() -> None:
    """Keep others of the same user from this process's memory, descriptors and folders (PR_SET_DUMPABLE)."""
    _control(_DUMPABLE, 0)


def end_with_parent() -> None:
    """Be killed as soon as the parent ends."""
    _control(_PARENT_DEATH, _KILL)


def leave_keyrings() -> None:
    """Start an empty session keyring: the caller's keys stay with the caller (session-keyring(7))."""
    code = _LIBC.syscall(
        ctypes.c_long(_SYS_KEYCTL[os.uname().machine]), ctypes.c_long(_JOIN_SESSION_KEYRING), ctypes.c_void_p()
    )
    if code < 0 and ctypes.get_errno() != errno.ENOSYS:  # a kernel without keys has none to give away
        raise _error("keyctl")


def bound_capabilities() -> None:
    """Close every way to get a capability back once it is given up (capabilities(7)): takes CAP_SETPCAP."""
    drop_capabilities(range(_CAPABILITIES))
    _control(_SECURE_BITS, _LOCKED_BITS)
    _control(_AMBIENT, _AMBIENT_CLEAR)


def drop_capabilities(numbers: Sequence[int]) -> None:
    """Have no program that is started get any of these (capabilities(7)): takes CAP_SETPCAP."""
    for capability in numbers:
        with suppress(OSError):  # numbers that this kernel has not
            _control(_BOUNDING_DROP, capability)


def clear_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets of this process (capset(2))."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _checked(_LIBC.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())), "capset")


def gain_no_privileges() -> None:
    """Let no program that is started have more rights than this process (no_new_privs)."""
    _control(_NO_NEW_PRIVILEGES, 1)


def _control(option: int, value: int) -> None:
    """prctl(2)."""
    _checked(_LIBC.prctl(ctypes.c_int(option), *(ctypes.c_ulong(word) for word in (value, 0, 0, 0))), "prctl")


def _checked(code: int, what: str) -> None:
    if code:
        raise _error(what)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
