from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.adapters import seccomp
from tests import bpf
from tests.adapters import system_calls
from tests.model.samples import examples

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

MACHINES = ("x86_64", "aarch64")
KILL, ALLOW, EPERM, ENOSYS = 0x80000000, 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003, "arm": 0x40000028}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def _filter() -> seccomp.Filter | None:
    try:
        return seccomp.Filter()
    except OSError:
        return None


FILTER = _filter()
needs_filter = pytest.mark.skipif(FILTER is None, reason="no filter of system calls can be set here")


def _asked(*words: str) -> dict[str, int]:
    argv = [sys.executable, "-m", "tests.adapters.system_calls", *words]
    root = Path(__file__).parents[2]
    answers: dict[str, int] = json.loads(subprocess.run(argv, cwd=root, check=True, stdout=subprocess.PIPE).stdout)
    return answers


@pytest.fixture(scope="module")
def without() -> Mapping[str, int]:
    return _asked()


@pytest.fixture(scope="module")
def filtered() -> Mapping[str, int]:
    return _asked("filtered")


def refusal(name: str) -> int:
    absent = name in (*seccomp.ABSENT, "cachestat", "statmount", "the x32 table")
    return -signal.SIGSYS if name == "the 32-bit table" else errno.ENOSYS if absent else errno.EPERM


@needs_filter
def test_what_no_program_needs_is_refused(without: Mapping[str, int], filtered: Mapping[str, int]) -> None:
    refusals = {name: refusal(name) for name in system_calls.probes()}
    assert filtered == refusals
    anyway = {name for name in refusals if without[name] == refusals[name]}
    assert len(anyway) < len(refusals) / 2, f"this host refuses them anyway: {anyway}"


def filtered_run(argv: Sequence[str], cwd: Path) -> str:
    start = (
        "import os, sys; from bundler.adapters.seccomp import Filter; Filter().install(); os.execvp(*eval(sys.argv[1]))"
    )
    return subprocess.run(
        [sys.executable, "-c", start, repr((argv[0], argv))],
        cwd=cwd, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
    ).stdout  # fmt: skip


@needs_filter
def test_whatever_is_started_has_it_and_cannot_take_it_off(tmp_path: Path) -> None:
    script = f"""
        import ctypes, socket, struct, subprocess, sys
        libc = ctypes.CDLL(None)
        allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, {ALLOW}))
        assert libc.prctl(22, 2, struct.pack("@HP", 1, ctypes.addressof(allow)), 0, 0) == 0  # PR_SET_SECCOMP
        assert libc.prctl(22, 0, 0, 0, 0) != 0
        assert libc.prctl(38, 0, 0, 0, 0) != 0  # PR_SET_NO_NEW_PRIVS
        try:
            socket.socket(40, 1)
        except PermissionError:
            print("refused")
        if len(sys.argv) > 1:
            subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
    """
    script = "\n".join(line[8:] for line in script.splitlines())
    assert filtered_run([sys.executable, "-c", script, script], tmp_path).split() == ["refused"] * 2


@needs_filter
def test_threads_that_run_already_have_it(tmp_path: Path) -> None:
    script = """
import threading
from bundler.adapters.seccomp import Filter
def work():
    go.wait()
    print(open("/proc/thread-self/status").read().partition("Seccomp:")[2].split()[0])
go = threading.Event()
thread = threading.Thread(target=work)
thread.start()
Filter().install()
go.set()
thread.join()
"""
    assert subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout == b"2\n"


@needs_filter
def test_servers_threads_and_children_work(tmp_path: Path) -> None:
    """What the proxy is made of: asyncio with servers on loopback, names, threads, children, pools, shared memory."""
    script = """
import asyncio, concurrent.futures, multiprocessing, os, socket, subprocess, sys, tempfile, threading

async def main():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()
    for host in ["127.0.0.1"] + ["::1"] * os.path.exists("/proc/net/if_inet6"):
        server = await asyncio.start_server(answer, host, 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(b"hello\\n")
        assert await reader.readline() == b"hello\\n"
        writer.close()
        server.close()
    child = await asyncio.create_subprocess_exec("sh", "-c", "true | cat; exit 3")
    assert await child.wait() == 3
    return await asyncio.to_thread(lambda: 4)

if __name__ == "__main__":
    assert asyncio.run(main()) == 4
    socket.getaddrinfo("localhost", 80)
    socket.socketpair()
    socket.if_nameindex()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(int, "1234")) == 10
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    assert subprocess.run([sys.executable, "-c", "exit(5)"], close_fds=False).returncode == 5  # by vfork
    os.posix_spawn("/bin/true", ["true"], {})
    print("ok")
"""
    (tmp_path / "script.py").write_text(script)
    assert filtered_run([sys.executable, "-W", "ignore", "script.py"], tmp_path) == "ok\n"


@needs_filter
def test_a_virtual_environment_can_be_made(tmp_path: Path) -> None:
    filtered_run([sys.executable, "-m", "venv", "--without-pip", "made"], tmp_path)
    assert filtered_run(["made/bin/python", "-c", "print('ok')"], tmp_path) == "ok\n"


@needs_filter
@pytest.mark.slow
def test_pip_works(tmp_path: Path) -> None:
    filtered_run([sys.executable, "-m", "venv", "made"], tmp_path)
    assert "pip" in filtered_run(["made/bin/python", "-m", "pip", "list"], tmp_path)


@needs_filter
@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_a_server_of_node_js_works(tmp_path: Path) -> None:
    script = """
        const net = require("net"), { execSync } = require("child_process"), { Worker } = require("worker_threads");
        require("fs").promises.readFile("/proc/self/status").then(() => new Worker("0", { eval: true }));
        const server = net.createServer(socket => socket.end(execSync("echo hello"))).listen(0, "127.0.0.1", () =>
            net.connect(server.address().port, "127.0.0.1").on("data", data => { process.stdout.write(data); server.close(); }));
    """  # noqa: E501
    assert filtered_run(["node", "-e", script], tmp_path) == "hello\n"


def test_a_machine_without_a_filter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*uname[:4], "riscv64")))
    with pytest.raises(OSError, match="no filter of system calls is known for riscv64"):
        seccomp.Filter()


@needs_filter
def test_a_kernel_without_filters_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(seccomp._SYS_SECCOMP, os.uname().machine, 9999)
    with pytest.raises(OSError, match="the kernel takes no filter of system calls: Function not implemented"):
        seccomp.Filter()


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", HEADERS[machine].read_text(), re.M)
    known = {name: int(number) for name, number in found}
    table = {**seccomp.REFUSED, **seccomp.ABSENT, **seccomp.CHECKED}
    assert {name: row[MACHINES.index(machine)] for name, row in table.items()} == {
        name: known.get(name) for name in table
    }


def judged(machine: str, number: int, *arguments: int, of: str = "") -> int:
    given = [*arguments, *[0] * (6 - len(arguments))]
    return bpf.run(
        seccomp.program(machine), struct.pack("<IIQ6Q", number, ARCHITECTURES[of or machine], 0, *given), "little"
    )


def number(machine: str, name: str) -> int:
    found = {**seccomp.REFUSED, **seccomp.ABSENT, **seccomp.CHECKED}[name][MACHINES.index(machine)]
    assert found is not None
    return found


@pytest.mark.parametrize("machine", MACHINES)
def test_each_number_is_judged_on_both_machines(machine: str) -> None:
    column = MACHINES.index(machine)
    denied = {row[column] for row in seccomp.REFUSED.values()}
    absent = {row[column] for row in seccomp.ABSENT.values()}
    checked = {row[column] for row in seccomp.CHECKED.values()}
    for one in set(range(451)) - checked:
        assert judged(machine, one) == (EPERM if one in denied else ENOSYS if one in absent else ALLOW)
    for one in (451, 467, 9999, 0x40000000, 0x40000000 | 41, 0x80000000, 0xFFFFFFFF):
        assert judged(machine, one) == ENOSYS
    for other in set(ARCHITECTURES) - {machine}:
        assert judged(machine, 20, of=other) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_that_boots_has_namespaces_and_mounts_and_little_else(machine: str) -> None:
    def booting(number: int, *arguments: int) -> int:
        data = struct.pack("<IIQ6Q", number, ARCHITECTURES[machine], 0, *arguments, *[0] * (6 - len(arguments)))
        return bpf.run(seccomp.program(machine, boots=True), data, "little")

    for name in {*seccomp.REFUSED, *seccomp.ABSENT}:
        if seccomp.REFUSED.get(name, (0, 0))[MACHINES.index(machine)] is not None:
            refused = ENOSYS if name in seccomp.ABSENT else EPERM
            assert booting(number(machine, name)) == (ALLOW if name in seccomp.BOOTING else refused), name
    for name in ("clone", "unshare"):
        assert booting(number(machine, name), 0x3E020000) == ALLOW
        assert booting(number(machine, name), 0x40000000) == EPERM, "what is asked for in another network is not seen"
    # Unix; TCP and UDP; the kernel's lists of addresses and of devices. Neither audit, packets nor the hypervisor's.
    allowed = {(1, 1, 0), (2, 1, 6), (10, 2, 17), (16, 3, 0), (16, 3, 15)}
    for words in allowed | {(16, 3, 9), (17, 3, 768), (40, 1, 0), (38, 5, 0), (2, 3, 255)}:
        assert (booting(number(machine, "socket"), *words) == ALLOW) == (words in allowed), words


BYTES = st.integers(0, 300)
HALVES = st.integers(0, 0xFFFFFFFF)


@settings(max_examples=examples(200))
@given(
    machine=st.sampled_from(MACHINES),
    family=st.sampled_from([1, 2, 10, 16]) | BYTES,
    kind=st.integers(0, 15),
    flags=st.sampled_from([0, 0x800, 0x80000, 0x80800]),
    protocol=st.sampled_from([0, 6, 17, 136, 132, 262]) | BYTES | HALVES,
    high=HALVES,
)
def test_only_sockets_that_can_be_seen(
    machine: str, family: int, kind: int, flags: int, protocol: int, high: int
) -> None:
    seen = (
        family == 1
        or (family == 16 and protocol == 0)
        or (family in (2, 10) and (kind, protocol) in {(1, 0), (1, 6), (2, 0), (2, 17)})
    )
    words = (word | high << 32 for word in (family, kind | flags, protocol))
    assert judged(machine, number(machine, "socket"), *words) == (ALLOW if seen else EPERM)


@settings(max_examples=examples(100))
@given(machine=st.sampled_from(MACHINES), flags=HALVES, high=HALVES)
def test_no_new_namespace(machine: str, flags: int, high: int) -> None:
    new = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
    word = flags | high << 32
    assert judged(machine, number(machine, "clone"), word) == (EPERM if flags & new else ALLOW)
    assert judged(machine, number(machine, "clone"), word & ~new) == ALLOW
    assert judged(machine, number(machine, "unshare"), word) == (EPERM if flags & ~0x40600 else ALLOW)
