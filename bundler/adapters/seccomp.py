"""A filter of system calls that no process below can take off: what no watch could see, or nobody needs, is refused.

seccomp(2) with a classic BPF program (linux/filter.h, linux/seccomp.h). It leaves TCP, UDP, Unix sockets and the
kernel's own list of addresses; namespaces, keys, mounts, other processes' memory and foreign system call tables are
out of reach. Numbers are those of Linux: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from bundler.adapters.bpf import IF_ANY_BIT, IF_GREATER, Instruction, Program, answer, equal, keep, load, unless, when

# linux/seccomp.h: struct seccomp_data (number, architecture, instruction pointer, six arguments), and answers.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_KILL = 0x80000000
_END, _ALLOW = answer(_KILL), answer(0x7FFF0000)
_DENY, _UNKNOWN = answer(0x00050000 | errno.EPERM), answer(0x00050000 | errno.ENOSYS)

# linux/audit.h: AUDIT_ARCH_*.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Linux 6.1's last one, on both. What came later was looked at by nobody here, and programs do without; numbers of the
# x32 table are larger still.
_NEWEST = 450  # set_mempolicy_home_node

# Number on x86_64 and on aarch64, None where there is none.
REFUSED: dict[str, tuple[int, int | None]] = {
    # Other namespaces and roots, and the mounts of these.
    "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40), "umount2": (166, 39),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # Keyrings know no namespace.
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # Other processes' memory and files.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    # Large parts of the kernel that nothing here needs.
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "lookup_dcookie": (212, 18),
    "uselib": (134, None), "modify_ldt": (154, None), "iopl": (172, None), "ioperm": (173, None),
    # The host: its modules, clock, name, disks, log and power.
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "syslog": (103, 116), "vhangup": (153, 58),
}  # fmt: skip
# Programs know how to do without these: io_uring opens sockets past any filter, clone3's flags cannot be read by one.
ABSENT: dict[str, tuple[int, int | None]] = {
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "clone3": (435, 435),
}  # fmt: skip

# What a machine that boots cannot do without: its service manager makes namespaces and mounts, in a user namespace.
BOOTING = frozenset((
    "setns", "chroot", "pivot_root", "mount", "umount2", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "name_to_handle_at", "sethostname", "setdomainname", "vhangup",
))  # fmt: skip

# What is refused for some arguments only.
CHECKED: dict[str, tuple[int, int | None]] = {
    "socket": (41, 198), "socketpair": (53, 199), "clone": (56, 220), "unshare": (272, 97), "ioctl": (16, 29),
    "personality": (135, 92),
}  # fmt: skip

# linux/sched.h: every CLONE_NEW* that clone(2) knows, and all that unshare(2) may be asked for: FS, FILES, SYSVSEM.
_NEW_NAMESPACES, _UNSHARED, _NEW_NETWORK = 0x7E020000, 0x00040600, 0x40000000
_SOCKET_TYPE = 0xF  # linux/net.h: SOCK_TYPE_MASK
_TYPES_AHEAD, _PASTES = 0x5412, 0x541C  # asm-generic/ioctls.h: TIOCSTI, TIOCLINUX
_DEVICE_EVENTS = 15  # linux/netlink.h: NETLINK_KOBJECT_UEVENT, of this network namespace
_LINUX, _UNCHANGED = 0, 0xFFFFFFFF  # personality(2)

_PR_SET_NO_NEW_PRIVS = 38
_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _GET_ACTION_AVAIL, _ALL_THREADS = 1, 2, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Filter:
    """The filter for this machine, ready to be installed.

    `boots`: for a machine that boots. Raises OSError, before anything is changed, if the machine is neither x86_64 nor
    aarch64 or the kernel has no filters (CONFIG_SECCOMP_FILTER; Linux 4.14).
    """

    def __init__(self, *, boots: bool = False) -> None:
        machine = os.uname().machine
        if machine not in _ARCHITECTURES:
            raise OSError(errno.ENOSYS, f"no filter of system calls is known for {machine}")
        self._program, self._boots = Program(program(machine, boots=boots)), boots
        self._number = _SYS_SECCOMP[machine]
        self._seccomp(_GET_ACTION_AVAIL, 0, struct.pack("I", _KILL))

    def install(self) -> None:
        """Refuse them to all threads of this process, and to whatever it starts, for ever. Raises OSError.

        Also sets no_new_privs, but for a machine that boots: it has a sudo, and this takes CAP_SYS_ADMIN. Nothing is
        loaded or imported: it may be called between fork and exec.
        """
        if not self._boots and _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0))):
            raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")
        self._seccomp(_SET_MODE_FILTER, _ALL_THREADS, self._program.header)

    def _seccomp(self, operation: int, flags: int, argument: bytes) -> None:
        code = _LIBC.syscall(
            ctypes.c_long(self._number), ctypes.c_ulong(operation), ctypes.c_ulong(flags), ctypes.c_char_p(argument)
        )
        if code:  # positive: a thread that has a filter of its own
            number = ctypes.get_errno() if code < 0 else errno.EBUSY
            raise OSError(number, f"the kernel takes no filter of system calls: {os.strerror(number)}")


def program(machine: str, *, boots: bool = False) -> list[Instruction]:
    """Return the filter for `machine` (x86_64, aarch64); `boots`: that of a machine that boots.

    Foreign tables end the process (SIGSYS): with int 0x80 or 32-bit programs, every number means something else.
    """
    column = ("x86_64", "aarch64").index(machine)
    numbers = {name: row[column] for name, row in (REFUSED | ABSENT | CHECKED).items()}
    answers = dict.fromkeys(REFUSED, _DENY) | dict.fromkeys(ABSENT, _UNKNOWN) | _RULES
    if boots:
        answers |= {"socket": _BOOTING_SOCKETS, "clone": _SAME_NETWORK, "unshare": _SAME_NETWORK}
        numbers = {name: number for name, number in numbers.items() if name not in BOOTING}
    return [
        load(_ARCHITECTURE),
        *unless(_ARCHITECTURES[machine], _END),
        load(_NUMBER),
        *when(IF_GREATER, _NEWEST, _UNKNOWN),
        *(one for name, number in numbers.items() if number is not None for one in equal(number, answers[name])),
        *_ALLOW,
    ]


def _argument(index: int) -> Instruction:
    """Load an argument's lower half, which is all that the kernel reads of an int (both machines: little-endian)."""
    return load(_ARGUMENTS + 8 * index)


def _only(index: int, *values: int) -> tuple[Instruction, ...]:
    """Allow what has one of `values` as the argument `index`, and refuse all else."""
    return (_argument(index), *(one for value in values for one in equal(value, _ALLOW)), *_DENY)


# Everything else that AF_INET and AF_INET6 carry (raw, UDP-Lite, SCTP, MPTCP, ICMP …) has no port that a watch knows.
_INTERNET = (
    _argument(1),
    keep(_SOCKET_TYPE),
    *equal(socket.SOCK_STREAM, _only(2, 0, socket.IPPROTO_TCP)),
    *equal(socket.SOCK_DGRAM, _only(2, 0, socket.IPPROTO_UDP)),
    *_DENY,
)
# A family that is not there is what programs can do without: libaudit's users go on after this answer only.
_NO_FAMILY = answer(0x00050000 | errno.EAFNOSUPPORT)
_BOOTING_SOCKETS = (
    _argument(0),
    *equal(socket.AF_UNIX, _ALLOW),
    *equal(socket.AF_INET, _INTERNET),
    *equal(socket.AF_INET6, _INTERNET),
    *unless(socket.AF_NETLINK, _NO_FAMILY),
    _argument(2),
    *equal(socket.NETLINK_ROUTE, _ALLOW),
    *equal(_DEVICE_EVENTS, _ALLOW),
    *_NO_FAMILY,
)
# The watch is on one network. Units that ask for one of their own (PrivateNetwork=) go on without (systemd.exec(5)).
_SAME_NETWORK = (_argument(0), *when(IF_ANY_BIT, _NEW_NETWORK, _DENY), *_ALLOW)
_RULES: dict[str, tuple[Instruction, ...]] = {
    "socket": (
        _argument(0),
        *equal(socket.AF_UNIX, _ALLOW),
        *equal(socket.AF_INET, _INTERNET),
        *equal(socket.AF_INET6, _INTERNET),
        *equal(socket.AF_NETLINK, _only(2, socket.NETLINK_ROUTE)),
        *_DENY,
    ),
    "socketpair": _only(0, socket.AF_UNIX),
    "clone": (_argument(0), *when(IF_ANY_BIT, _NEW_NAMESPACES, _DENY), *_ALLOW),
    "unshare": (_argument(0), *when(IF_ANY_BIT, ~_UNSHARED & 0xFFFFFFFF, _DENY), *_ALLOW),
    "ioctl": (_argument(1), *equal(_TYPES_AHEAD, _DENY), *equal(_PASTES, _DENY), *_ALLOW),
    "personality": _only(0, _LINUX, _UNCHANGED),
}
