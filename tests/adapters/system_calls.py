"""Asks the kernel for what a sandbox refuses, each in a process of its own, and prints what it answered as JSON.

`python -m tests.adapters.system_calls [filtered]`: name -> 0, an errno, or minus a signal. Nothing is changed: where a
call would change this host, its arguments are wrong in a way that the kernel notices after it let the caller in.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from bundler.adapters import seccomp

_COLUMN = {"x86_64": 0, "aarch64": 1}[os.uname().machine] if os.uname().machine in ("x86_64", "aarch64") else 0
_NUMBERS = {**seccomp.REFUSED, **seccomp.ABSENT, **seccomp.CHECKED, "cachestat": (451, 451), "statmount": (457, 457)}
_NOWHERE = 1  # an address at which nothing is
_BAD = -1  # no descriptor, no process
_SIGHAND = 0x800  # without CLONE_VM: clone refuses it, whatever else it is asked for
_X32 = 0x40000000

# System calls, by name (what follows a dot tells two of a kind apart), and arguments.
CALLS: dict[str, tuple[int, ...]] = {
    "setns": (_BAD, 0), "chroot": (_NOWHERE,), "pivot_root": (_NOWHERE, _NOWHERE),
    "mount": (_NOWHERE, _NOWHERE, _NOWHERE, 0, 0), "umount2": (_NOWHERE, 0), "open_tree": (_BAD, _NOWHERE, 0),
    "move_mount": (_BAD, _NOWHERE, _BAD, _NOWHERE, 0), "fsopen": (_NOWHERE, 0), "fsconfig": (_BAD, 0, 0, 0, 0),
    "fsmount": (_BAD, 0, 0), "fspick": (_BAD, _NOWHERE, 0), "mount_setattr": (_BAD, _NOWHERE, 0, _NOWHERE, 0),
    "name_to_handle_at": (_BAD, _NOWHERE, _NOWHERE, _NOWHERE, 0), "open_by_handle_at": (_BAD, _NOWHERE, 0),
    "add_key": (_NOWHERE, 0, 0, 0, 0), "request_key": (_NOWHERE, 0, 0, 0), "keyctl": (0, -3, 0),
    "ptrace": (9999, _BAD, 0, 0), "process_vm_readv": (os.getpid(), 0, 0, 0, 0, 0),
    "process_vm_writev": (os.getpid(), 0, 0, 0, 0, 0), "kcmp": (os.getpid(), os.getpid(), 99, 0, 0),
    "pidfd_getfd": (_BAD, 0, 0), "process_madvise": (_BAD, 0, 0, 0, 0),
    "bpf": (9999, _NOWHERE, 8), "perf_event_open": (_NOWHERE, 0, 0, 0, 0), "userfaultfd": (0xFFFF,),
    "lookup_dcookie": (0, _NOWHERE, 0), "uselib": (_NOWHERE,), "modify_ldt": (0, _NOWHERE, 0), "iopl": (9,),
    "ioperm": (0xFFFFFFFF, 1, 1),
    "kexec_load": (0, 0, 0, 0xFFFF), "kexec_file_load": (_BAD, _BAD, 0, 0, 0xFFFF), "init_module": (_NOWHERE, 0, 0),
    "finit_module": (_BAD, _NOWHERE, 0xFFFF), "delete_module": (_NOWHERE, 0), "reboot": (0, 0, 0, 0),
    "swapon": (_NOWHERE, 0), "swapoff": (_NOWHERE,), "settimeofday": (_NOWHERE, 0), "clock_settime": (0, _NOWHERE),
    "adjtimex": (_NOWHERE,), "clock_adjtime": (0, _NOWHERE), "sethostname": (_NOWHERE, 9999),
    "setdomainname": (_NOWHERE, 9999), "acct": (_NOWHERE,), "quotactl": (0xFFFFFFFF, _NOWHERE, 0, 0),
    "quotactl_fd": (_BAD, 0xFFFFFFFF, 0, 0), "syslog": (9999, 0, 0), "vhangup": (),
    "io_uring_setup": (0, _NOWHERE), "io_uring_enter": (_BAD, 0, 0, 0, 0, 0), "io_uring_register": (_BAD, 0, 0, 0),
    "clone3": (_NOWHERE, 0), "cachestat": (_BAD, 0, 0, 0), "statmount": (_NOWHERE, 0, 0, 0),
    "clone.mount": (0x00020000 | _SIGHAND,), "clone.cgroup": (0x02000000 | _SIGHAND,),
    "clone.name": (0x04000000 | _SIGHAND,), "clone.ipc": (0x08000000 | _SIGHAND,),
    "clone.user": (0x10000000 | _SIGHAND,), "clone.pid": (0x20000000 | _SIGHAND,),
    "clone.net": (0x40000000 | _SIGHAND,),
    "unshare.mount": (0x00020000,), "unshare.cgroup": (0x02000000,), "unshare.name": (0x04000000,),
    "unshare.ipc": (0x08000000,), "unshare.user": (0x10000000,), "unshare.pid": (0x20000000,),
    "unshare.net": (0x40000000,), "unshare.time": (0x80,), "unshare.both": (0x50000000,),
    "ioctl.tiocsti": (_BAD, 0x5412, 0), "ioctl.tiocsti high": (_BAD, 0x5412 | 1 << 40, 0),
    "ioctl.tioclinux": (_BAD, 0x541C, 0), "personality.randomless": (0x0040000,), "personality.32": (8,),
    "socket.high": (socket.AF_VSOCK | 1 << 32, socket.SOCK_STREAM | 1 << 33, 1 << 32),
}  # fmt: skip

# What socket(2) is asked for: family, type, protocol. Packets of the first families leave no trace on loopback.
SOCKETS: dict[str, tuple[int, int, int]] = {
    "vsock": (40, 1, 0), "vsock datagram": (40, 2, 0), "packet": (17, 3, 0x0300), "packet datagram": (17, 2, 0x0300),
    "old packet": (2, 10, 0x0300), "alg": (38, 5, 0), "bluetooth": (31, 3, 1), "xdp": (44, 3, 0), "can": (29, 3, 1),
    "tipc": (30, 4, 0), "rds": (21, 5, 0), "smc": (43, 1, 0), "kcm": (41, 5, 0), "appletalk": (5, 2, 0),
    "x25": (9, 5, 0), "phonet": (35, 2, 0), "qrtr": (42, 2, 0), "key": (15, 3, 2), "ieee802154": (36, 2, 0),
    "nfc": (39, 5, 0), "mctp": (45, 2, 0), "llc": (26, 1, 0), "pppox": (24, 1, 0), "rxrpc": (33, 2, 2),
    "udp-lite": (2, 2, 136), "udp-lite 6": (10, 2, 136), "sctp": (2, 1, 132), "sctp 6": (10, 5, 132),
    "sctp datagram": (2, 5, 132), "dccp": (2, 6, 33), "mptcp": (2, 1, 262), "mptcp 6": (10, 1, 262),
    "smc of inet": (2, 1, 256), "ping": (2, 2, 1), "ping 6": (10, 2, 58), "icmp": (2, 3, 1), "icmp 6": (10, 3, 58),
    "raw": (2, 3, 255), "raw 6": (10, 3, 255), "raw udp": (2, 3, 17), "raw tcp": (10, 3, 6), "l2tp": (2, 2, 115),
    "igmp": (2, 3, 2), "gre": (2, 3, 47), "flags": (2, 3 | 0x80800, 1),
    "netlink generic": (16, 3, 16), "netlink diag": (16, 3, 4), "netlink uevent": (16, 3, 15),
    "netlink audit": (16, 3, 9), "netlink netfilter": (16, 3, 12), "netlink xfrm": (16, 3, 6),
    "netlink crypto": (16, 3, 21), "netlink connector": (16, 3, 11), "netlink firewall": (16, 3, 3),
}  # fmt: skip
PAIRS: dict[str, tuple[int, int, int]] = {"tipc pair": (30, 1, 0), "inet pair": (2, 1, 0), "inet 6 pair": (10, 2, 0)}

_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> int:
    """Ask for a system call of this machine; return 0 or an errno (ENOSYS also where it has no such call)."""
    number = _NUMBERS[name.partition(".")[0]][_COLUMN]
    return _raw(_BAD if number is None else number, *arguments)


def _raw(number: int, *arguments: int) -> int:
    code = _LIBC.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return ctypes.get_errno() if code == -1 else 0


def _by_int_0x80() -> int:
    """Ask for the number of this process as a 32-bit program does."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000 cd80 c3"))  # mov $20, %eax; int $0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return max(0, -int(ctypes.CFUNCTYPE(ctypes.c_int)(address)()))


def probes() -> dict[str, Callable[[], int]]:
    """Return what can be asked on this machine, by name."""
    asked: dict[str, Callable[[], int]] = {
        name: lambda name=name, arguments=arguments: _call(name, *arguments)  # type: ignore[misc]
        for table in (CALLS, {f"socket.{name}": words for name, words in SOCKETS.items()},
                      {f"socketpair.{name}": (*words, 0) for name, words in PAIRS.items()})
        for name, arguments in table.items()
    }  # fmt: skip
    if os.uname().machine == "x86_64":
        asked["the x32 table"] = lambda: _raw(_X32 | 39)
        asked["the 32-bit table"] = _by_int_0x80
    return asked


def _answer(probe: Callable[[], int], install: Callable[[], None]) -> int:
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        with os.fdopen(reading) as file:
            answer = file.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return int(answer) if answer else code
    with suppress(BaseException):
        os.setsid()
        install()
        os.write(writing, str(probe()).encode())
    os._exit(0)


def main() -> None:
    """Ask for everything, with the filter if told so."""
    install = seccomp.Filter().install if sys.argv[1:] == ["filtered"] else lambda: None
    print(json.dumps({name: _answer(probe, install) for name, probe in probes().items()}))


if __name__ == "__main__":
    main()
