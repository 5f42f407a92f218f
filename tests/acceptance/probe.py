"""A program for the inside of a sandbox: `probe.py NAME` tries one way out and prints what came of it.

`held: …` if the way is closed, `BROKE: …` if it is open; anything else is a probe that does not work. It needs nothing
but Python's own library.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
PROBES: dict[str, Callable[[], Any]] = {}
SENTINEL = sys.argv[2] if len(sys.argv) > 2 else ""


def probe(work: Callable[[], Any]) -> Callable[[], Any]:
    """One way out. It is closed if `work` raises OSError, or returns text that begins with `held`."""
    PROBES[work.__name__] = work
    return work


def call(number: int, *arguments: Any) -> int:
    result = int(LIBC.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def libc(name: str, *arguments: Any) -> None:
    if getattr(LIBC, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def writes(*paths: str) -> str:
    """Every one of the paths must be closed to writing, or not there."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_WRONLY)
        except OSError:
            continue
        os.close(descriptor)
        return f"{path} can be opened for writing"
    return "held: none of them"


def number(x86: int, arm: int) -> int:
    return x86 if X86 else arm


# --- files


@probe
def write_in_the_root() -> Any:
    Path("/planted").write_text("x")


@probe
def write_in_etc() -> Any:
    Path("/etc/planted").write_text("x")


@probe
def write_in_usr() -> Any:
    Path("/usr/bin/planted").write_text("x")


@probe
def replace_hosts() -> Any:
    os.rename("/etc/hosts", "/etc/hosts.old")


@probe
def make_a_device() -> Any:
    os.mknod(os.path.join(os.environ["TMPDIR"], "disk"), stat.S_IFBLK | 0o666, os.makedev(8, 0))


@probe
def change_the_root() -> Any:
    os.chroot("/tmp")


@probe
def mount_a_file_system() -> Any:
    libc("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, b"")


@probe
def make_the_root_writable() -> Any:
    libc("mount", b"none", b"/", b"", 32 | 4096, b"")


@probe
def take_proc_away() -> Any:
    libc("umount2", b"/proc", 2)


@probe
def pivot() -> Any:
    call(number(155, 41), b".", b".")


@probe
def open_a_tree() -> Any:
    call(428, -100, b"/", 1)


@probe
def open_by_handle() -> Any:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 8, 1) + struct.pack("II", 2, 0))
    call(number(304, 265), os.open("/", os.O_RDONLY), handle, os.O_RDONLY)


@probe
def see_the_hosts_file() -> Any:
    return "held: not there" if not os.path.lexists(SENTINEL) else f"{SENTINEL} is there"


@probe
def climb_through_process_one() -> Any:
    os.listdir("/proc/1/root" + os.path.dirname(SENTINEL))


@probe
def process_ones_folder() -> Any:
    os.listdir("/proc/1/cwd")


@probe
def an_open_folder_that_leads_out() -> Any:
    found = [os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if int(one) > 2]
    odd = [one for one in found if not one.startswith(("/proc/", "pipe:"))]
    return f"held: {found}" if not odd else f"{odd}"


@probe
def link_to_anothers_file() -> Any:
    os.link("/etc/hosts", os.path.join(os.environ["TMPDIR"], "hosts"))
    os.chmod(os.path.join(os.environ["TMPDIR"], "hosts"), 0o777)


@probe
def give_a_file_away() -> Any:
    path = os.path.join(os.environ["TMPDIR"], "given")
    Path(path).write_text("x")
    os.chown(path, 1, 1)


@probe
def set_user_id_program() -> Any:
    path = os.path.join(os.environ["TMPDIR"], "setuid")
    Path(path).write_bytes(Path("/bin/true").read_bytes())
    os.chmod(path, 0o6755)
    flags = next(line for line in Path("/proc/self/status").read_text().splitlines() if "NoNewPrivs" in line)
    return "held: no new privileges" if flags.split()[1] == "1" else flags


# --- rights


@probe
def rights_that_are_left() -> Any:
    lines = Path("/proc/self/status").read_text().splitlines()
    left = [line for line in lines if line.startswith("Cap") and int(line.split()[1], 16)]
    return f"held: {len(lines)}" if not left else f"{left}"


@probe
def be_root() -> Any:
    if os.getuid() == 0:  # without subordinate numbers: its own, not the host's
        inside, outside, count = Path("/proc/self/uid_map").read_text().split()
        return "held: not the host's" if outside != "0" and count == "1" else f"{inside} is {outside}"
    os.setuid(0)
    return None


@probe
def get_capabilities_back() -> Any:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    libc("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)(*(0xFFFFFFFF,) * 6)))


@probe
def a_user_namespace() -> Any:
    libc("unshare", 0x10000000)


@probe
def a_user_namespace_by_clone() -> Any:
    pid = call(number(56, 220), 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)


@probe
def a_network_namespace() -> Any:
    libc("unshare", 0x40000000)


@probe
def enter_a_namespace() -> Any:
    libc("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)


@probe
def higher_priority() -> Any:
    os.nice(-5)


@probe
def real_time() -> Any:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@probe
def bpf() -> Any:
    call(number(321, 280), 0, 0, 0)


@probe
def perf_events() -> Any:
    call(number(298, 241), 0, 0, -1, -1, 0)


@probe
def io_uring() -> Any:
    call(425, 1, ctypes.create_string_buffer(120))


@probe
def page_faults() -> Any:
    call(number(323, 282), 0)


@probe
def the_hosts_name() -> Any:
    socket.sethostname("planted")


@probe
def the_hosts_clock() -> Any:
    time.clock_settime(time.CLOCK_REALTIME, time.time())


@probe
def the_kernels_log() -> Any:
    call(number(103, 116), 3, ctypes.create_string_buffer(100), 100)


@probe
def restart() -> Any:
    call(number(169, 142), 0xFEE1DEAD, 672274793, 0, 0)  # CAD off: harmless where it is allowed


# --- /proc and /sys


@probe
def core_pattern() -> Any:
    return writes("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug")


@probe
def memory_settings() -> Any:
    return writes("/proc/sys/vm/drop_caches", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/panic")


@probe
def network_settings() -> Any:
    return writes("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ping_group_range")


@probe
def key_to_the_kernel() -> Any:
    return writes("/proc/sysrq-trigger", "/proc/kcore", "/proc/mtrr", "/proc/acpi/wakeup", "/proc/scsi/scsi")


@probe
def interrupts() -> Any:
    return writes("/proc/irq/default_smp_affinity", *map(str, Path("/proc/irq").glob("*/smp_affinity")))


@probe
def own_settings() -> Any:
    return writes("/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/self/attr/current")


@probe
def foreign_programs() -> Any:
    return writes("/proc/sys/fs/binfmt_misc/register", *map(str, Path("/proc/sys/fs/binfmt_misc").glob("*")))


@probe
def modes_of_proc() -> Any:
    os.chmod("/proc/sys/kernel/core_pattern", 0o666)


@probe
def memory_of_the_kernel() -> Any:
    return os.pread(os.open("/proc/kcore", os.O_RDONLY), 100, 0)


@probe
def sys_is_empty() -> Any:
    return "held: empty" if not os.path.isdir("/sys") or not os.listdir("/sys") else f"{os.listdir('/sys')}"


# --- other processes


@probe
def other_processes_are_seen() -> Any:
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    words = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]
    return f"held: {len(pids)} processes" if max(pids) < 20 else f"{pids} {words}"


@probe
def memory_of_process_one() -> Any:
    os.open("/proc/1/mem", os.O_RDWR)


@probe
def descriptors_of_process_one() -> Any:
    return [os.readlink(f"/proc/1/fd/{name}") for name in os.listdir("/proc/1/fd")]


@probe
def variables_of_process_one() -> Any:
    return Path("/proc/1/environ").read_bytes()


@probe
def trace_process_one() -> Any:
    libc("ptrace", 16, 1, 0, 0)


@probe
def write_to_process_one() -> Any:
    text = ctypes.create_string_buffer(b"x" * 8)
    one = (ctypes.c_size_t * 2)(ctypes.addressof(text), 8)
    call(number(311, 271), 1, ctypes.byref(one), 1, ctypes.byref(one), 1, 0)


@probe
def take_a_descriptor_of_process_one() -> Any:
    for number_of in range(16):
        try:
            call(438, os.pidfd_open(1), number_of, 0)
        except OSError:
            continue
        return f"{number_of} was taken"
    return "held: none"


@probe
def kill_process_one() -> Any:
    for number_of in (signal.SIGINT, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        try:
            os.kill(1, number_of)
        except PermissionError:
            continue
    time.sleep(0.2)
    return "held: it lives" if os.path.isdir("/proc/1") else "it is gone"


@probe
def kill_everything() -> Any:
    os.kill(-1, signal.SIGKILL)
    return "held: what is left is what asked"


@probe
def stop_everything() -> Any:
    os.kill(-1, signal.SIGSTOP)
    return "held: what is left is what asked"


@probe
def limits_of_process_one() -> Any:
    if os.getuid() == 0:
        return "held: the first process that it sees is one of its own"
    resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))
    return None


# --- keys


@probe
def read_the_session_keyring() -> Any:
    return call(number(250, 219), 11, -3, ctypes.create_string_buffer(100), 100)


@probe
def search_for_a_key() -> Any:
    return call(number(250, 219), 10, -3, b"user", b"aiws-probe", 0)


@probe
def add_a_key() -> Any:
    return call(number(248, 217), b"user", b"aiws-planted", b"x", 1, -4)


@probe
def ask_for_a_key() -> Any:
    return call(number(249, 218), b"user", b"aiws-probe", 0, 0)


@probe
def list_keys() -> Any:
    return (
        "held: empty" if not os.path.exists("/proc/keys") or not Path("/proc/keys").read_text() else "keys are listed"
    )


# --- devices


@probe
def mode_of_a_device() -> Any:
    os.chmod("/dev/null", 0o600)


@probe
def owner_of_a_device() -> Any:
    os.chown("/dev/null", os.getuid(), os.getgid())


@probe
def time_of_a_device() -> Any:
    os.utime("/dev/zero", (1, 1))


@probe
def remove_a_device() -> Any:
    os.unlink("/dev/null")


@probe
def other_devices() -> Any:
    there = set(os.listdir("/dev")) - {"null", "zero", "full", "random", "urandom", "tty", "fd", "shm"}
    return "held: no others" if not there else f"{there}"


@probe
def a_terminal() -> Any:
    os.open("/dev/tty", os.O_RDWR)


@probe
def devices_work() -> Any:
    Path("/dev/null").write_text("x")
    assert Path("/dev/zero").open("rb").read(3) == bytes(3)
    assert len(Path("/dev/urandom").open("rb").read(3)) == 3
    return "held: and those that are there work"


# --- the network


@probe
def raw_packets() -> Any:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)


@probe
def raw_sockets() -> Any:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@probe
def the_hypervisor() -> Any:
    socket.socket(40, socket.SOCK_STREAM)  # AF_VSOCK


@probe
def udp_lite() -> Any:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136)


@probe
def the_kernels_crypto() -> Any:
    socket.socket(38, socket.SOCK_SEQPACKET)  # AF_ALG


@probe
def bluetooth() -> Any:
    socket.socket(31, socket.SOCK_RAW)


@probe
def other_netlink() -> Any:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # netfilter


@probe
def take_the_route_away() -> Any:
    attribute = struct.pack("HHI", 8, 4, 1)
    route = struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, 255, 3, 254, 2, 0)
    header = struct.pack("IHHII", 16 + len(route) + len(attribute), 25, 0x5, 1, 0)  # RTM_DELROUTE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(header + route + attribute)
        (code,) = struct.unpack_from("i", netlink.recv(4096), 16)
    if code:
        raise OSError(-code, os.strerror(-code))


@probe
def take_the_resolvers_place() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
        names.bind(("127.0.0.1", 53))


@probe
def the_hosts_abstract_sockets() -> Any:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("\0" + os.path.basename(SENTINEL))


# --- limits: each has to end, and the host has to be there afterwards


@probe
def as_many_processes_as_there_can_be() -> Any:
    count = 0
    try:
        for _ in range(20000):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            count += 1
    except OSError as error:
        return f"held: {count} and {error.strerror}"
    return f"{count} processes"


@probe
def memory_without_end() -> Any:
    kept: list[bytes] = []
    try:
        while len(kept) < 200:
            kept.append(b"x" * (128 << 20))
    except MemoryError:
        return f"held: after {len(kept)}"
    return "25 GB"


@probe
def shared_memory_without_end() -> Any:
    maps = []
    for _ in range(400):
        shared = mmap.mmap(-1, 128 << 20)
        shared.write(bytes(128 << 20))
        maps.append(shared)
    return "50 GB"


@probe
def a_file_without_end() -> Any:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open(os.path.join(os.environ["TMPDIR"], "large"), "wb") as file:
        file.truncate(1 << 40)


@probe
def a_disk_without_end() -> Any:
    data = b"x" * (1 << 24)
    for count in range(3000):
        with open(os.path.join(os.environ["TMPDIR"], f"large{count}"), "wb") as file:
            file.write(data)


@probe
def files_without_number() -> Any:
    folder = os.path.join(os.environ["TMPDIR"], "many")
    os.mkdir(folder)
    for count in range(2_000_000):
        os.close(os.open(f"{folder}/{count}", os.O_CREAT | os.O_WRONLY))


@probe
def descriptors_without_number() -> Any:
    return [os.pipe() for _ in range(20000)]


@probe
def a_core_file() -> Any:
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    return "held: none" if max(limit) <= 1 and min(limit) >= 0 else f"{limit}"


@probe
def output_without_end() -> Any:
    end = time.monotonic() + 2
    while time.monotonic() < end:
        os.write(1, b"x" * 65536)
    return "\nheld: it is thrown away"


# --- what is left running


@probe
def a_daemon_that_keeps_the_output() -> Any:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(name, signal.SIG_IGN)
            time.sleep(987653)
        os._exit(0)
    time.sleep(0.2)
    return "held: it ends with what started it"


@probe
def descriptors_that_are_open() -> Any:
    open_ones = {}
    for name in os.listdir("/proc/self/fd"):
        if os.path.exists(f"/proc/self/fd/{name}"):
            open_ones[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    odd = [target for name, target in open_ones.items() if name > 2 and not target.startswith("/proc/")]
    plain = open_ones[0] == "/dev/null" and open_ones[1] == open_ones[2] and open_ones[1].startswith("pipe:")
    return "held: output only" if plain and not odd else f"{open_ones}"


@probe
def the_other_end_of_the_output() -> Any:
    """Read what process 1 reads: the pipe, opened once more, is the same pipe; but nobody else's."""
    os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    return "held: its own output is its own"


def main() -> None:
    if sys.argv[1] == "--list":
        sys.stdout.write("\n".join(PROBES))
        return
    try:
        result = PROBES[sys.argv[1]]()
    except OSError as error:
        result = f"held: {errno.errorcode.get(error.errno or 0, '?')}"
    text = str(result)
    os.write(1, f"\n{text if text.lstrip().startswith('held') else 'BROKE: ' + text}\n".encode())


if __name__ == "__main__":
    main()
