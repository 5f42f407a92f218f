"""A root that boots: what its own root cannot do, that nothing of it is left, and the role's service in it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bundler.adapters.machine import booted, lacking
from bundler.adapters.sandbox import Sandbox
from bundler.errors import WorkError
from bundler.kinds.question import Question
from bundler.kinds.steps import SYSTEM_PATH, StepError
from bundler.kinds.wheelhouse.program import Description, PostgresPlan, RehearsalPlan
from bundler.kinds.wheelhouse.service import Service
from tests.acceptance.roots import debian_machine
from tests.acceptance.test_rehearse import REHEARSAL, SERVER, built, tree
from tests.world import WHEELHOUSE, World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="to boot a root takes root"),
    pytest.mark.skipif(not shutil.which("systemd-nspawn"), reason="systemd-container is not installed"),
]

ENV = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(__file__, "top/file")
    return path


@pytest.fixture(scope="module")
def machine(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    root = debian_machine("12")
    before = tree(root)
    with booted(root, tmp_path_factory.mktemp("m") / "mountpoint", archive) as made:
        yield made
    assert tree(root) == before, "the root was written to"


def shell(machine: Sandbox, words: str) -> str:
    done = machine.run(["/bin/sh", "-c", words], ENV, "/", 60)
    assert done.code == 0, f"{words}\n{done.output}"
    return done.output


def test_its_services_run_and_sudo_has_other_users(machine: Sandbox) -> None:
    assert shell(machine, "systemctl is-system-running").strip() == "running"
    assert shell(machine, "cd /; sudo -n -u postgres id -un").strip() == "postgres"
    machine.extract("/opt/there")
    assert "what its own root cannot do" in shell(machine, "cat /opt/there/top/file")


# What root inside is not to get done.
REFUSED = {
    "clock": "date -s 2001-01-01 >/dev/null 2>&1",
    "device": "mknod /tmp/disk b 254 0",
    "module": "echo x > /proc/sys/kernel/modprobe",
    "kernel setting": "echo 1 > /proc/sys/kernel/panic",
    "power": "echo o > /proc/sysrq-trigger",
    "host's groups": "mkdir /sys/fs/cgroup/pids/mine || mkdir /sys/fs/cgroup/mine",
    "network device": 'python3 -c "import fcntl, socket, struct; s = socket.socket();'
    " fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0))\"",
    "tun": "python3 -c \"import fcntl, struct; fcntl.ioctl(open('/dev/net/tun', 'r+b', 0), 0x400454ca,"
    " struct.pack('16sH', b'tun0', 1))\"",
    **{
        f"{name} sockets": f'python3 -c "import socket; socket.socket({family}, {kind})"'
        for name, family, kind in [("vsock", 40, 1), ("packet", 17, 3), ("raw", 2, 3), ("crypto", 38, 5)]
    },
    "network": "python3 -c \"import socket; socket.create_connection(('192.0.2.1', 443), 5)\"",
    "network of its own": "unshare --net true || unshare --user --map-root-user --net true",
    "trace": 'python3 -c "import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16, 1, 0, 0) != 0)"',
}


@pytest.mark.parametrize("what", REFUSED)
def test_its_root_is_nobody_outside(what: str, machine: Sandbox) -> None:
    assert machine.run(["/bin/sh", "-c", f"({REFUSED[what]})"], ENV, "/", 60).code, what


def test_no_device_of_the_host_and_no_user_of_it_is_in_it(machine: Sandbox) -> None:
    shell(machine, 'test -z "$(find /dev -type b)"')
    known = {"console", "full", "null", "ptmx", "random", "tty", "urandom", "zero", "tun"}
    assert set(shell(machine, "find /dev -type c -not -path '/dev/pts/*' -printf '%f\\n'").split()) <= known
    first, outside, count = (int(word) for word in shell(machine, "cat /proc/self/uid_map").split())
    assert (first, count) == (0, 65536) and outside > 1_900_000_000
    assert "CapBnd:\t000001ffffffffff" not in shell(machine, "cat /proc/self/status /proc/1/status")


def test_what_it_asks_the_network_for_is_seen(machine: Sandbox) -> None:
    machine.attempts()
    machine.run(["getent", "hosts", "prices.example.org"], ENV)
    machine.run(["python3", "-c", "import socket; socket.create_connection(('192.0.2.7', 443), 5)"], ENV)
    assert {attempt.what for attempt in machine.attempts()} == {"prices.example.org", "192.0.2.7:443/tcp"}


def test_a_program_that_does_not_end_is_ended(machine: Sandbox) -> None:
    began = time.monotonic()
    assert machine.run(["sleep", "300"], ENV, "/", 1.0).code == 124
    assert time.monotonic() - began < 10
    assert machine.run(["pgrep", "-x", "sleep"], ENV).code


BOOT = """
import sys, time
from pathlib import Path
from bundler.adapters.machine import booted
with booted(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])) as machine:
    print("booted", flush=True)
    machine.run(["sleep", "300"], {"PATH": "/usr/bin"}, "/", 400)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_nothing_is_left_when_the_tool_ends(number: int, archive: Path, tmp_path: Path) -> None:
    mountpoint = tmp_path / "mountpoint"
    argv = [sys.executable, "-c", BOOT, str(debian_machine("12")), str(mountpoint), str(archive)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None and process.stdout.readline() == "booted\n"
    assert inside(mountpoint)
    names = groups(mountpoint)
    assert left(names)
    process.send_signal(number)
    process.communicate(timeout=30)
    deadline = time.monotonic() + 15
    while (inside(mountpoint) or left(names)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert inside(mountpoint) == []
    assert left(names) == []
    assert list(mountpoint.iterdir()) == []
    assert str(mountpoint) not in Path("/proc/self/mounts").read_text()


def groups(mountpoint: Path) -> set[str]:
    """The names of a machine's control groups: other tests may have machines at the same time."""
    names: set[str] = set()
    for process in processes(mountpoint):
        with suppress(OSError):
            names.update(re.findall(r"aiws-bundle-[0-9]+-[0-9]+", (process / "cgroup").read_text()))
    return names


def left(names: set[str]) -> list[Path]:
    """Which of these control groups are there."""
    folders = (Path("/sys/fs/cgroup", kind, name) for kind in ("", "systemd", "unified") for name in names)
    return [folder for folder in folders if folder.exists()]


def processes(mountpoint: Path) -> list[Path]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(mountpoint) in (process / "mountinfo").read_text():
                found.append(process)
    return found


def inside(mountpoint: Path) -> list[str]:
    found = []
    for process in processes(mountpoint):
        with suppress(OSError):
            found.append((process / "cmdline").read_text())
    return found


def test_a_root_that_does_not_boot_is_told(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path in ("etc/os-release", "usr/lib/systemd/systemd", "usr/bin/sudo", "usr/bin/dbus-daemon"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    assert lacking(root, os.uname().machine) == ""
    with (
        pytest.raises(WorkError, match="the machine failed: the root does not boot"),
        booted(root, tmp_path / "mountpoint", archive),
    ):
        pass
    assert list((tmp_path / "mountpoint").iterdir()) == []


def test_what_the_role_installed_is_never_run_as_root_nor_written_into_a_unit(machine: Sandbox) -> None:
    shell(machine, "useradd --create-home --user-group other; install -d /home/other/venv/bin")
    said = "/home/other/venv/lib\\nExecStartPre=+/bin/touch /root/owned"
    machine.write("/home/other/venv/bin/python", f"#!/bin/sh\nid -un > /tmp/who\nprintf '{said}\\n'\n")
    shell(machine, "chmod 755 /home/other/venv/bin/python")
    service = Service(machine, "other", Description("program", PLAN), "other", "/home/other/venv")
    with pytest.raises(StepError, match="says that its packages are at '/home/other/venv/lib"):
        service.serve()
    assert shell(machine, "cat /tmp/who").strip() == "other"
    shell(machine, "test ! -e /root/owned && test ! -e /etc/systemd/system/other-rehearsal.service")


# It migrates at start, and answers from the database; what it cannot do without is told by an exception.
PROGRAM = """#!/usr/bin/python3
import http.server, json, os, subprocess, sys
def ask(words):
    url = os.environ["DATABASE_URL"]
    done = subprocess.run(["psql", "-qtAX", url, "-c", words], capture_output=True, text=True)
    if done.returncode:
        raise ConnectionError("no database") from LookupError(done.stderr.strip() or "the cause")
    return done.stdout.strip()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.said(json.dumps({"db": ask("select kind from things"), "who": os.environ.get("USER"), "cwd": os.getcwd()}))
    def do_POST(self):
        known = self.headers["Authorization"] == "Bearer " + os.environ["TOKEN"]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.said(json.dumps({"key": body["name"]}) if known else "no", 200 if known else 401)
    def said(self, text, status=200):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())
print(open(sys.argv[3]).read(), sorted(os.environ))
ask("create table things as select 'connected' as kind")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
PLAN = RehearsalPlan(
    start=("{port}", "--config", "{folder}/a.conf"),
    ready=("/",),
    files={"a.conf": "a: b"},
    postgresql=PostgresPlan(
        "DATABASE_URL",
        (Question("/", '"db": "connected"'), Question("/key", '"key": "mine"', {"name": "mine"}, "a-token")),
        {"TOKEN": "a-token"},
    ),
)


@pytest.mark.parametrize("version", ["12", "13"])
def test_a_service_of_the_roles_shape_serves_from_a_real_postgresql(
    version: str, archive: Path, tmp_path: Path
) -> None:
    with booted(debian_machine(version), tmp_path / "mountpoint", archive) as machine:
        shell(machine, "useradd --create-home --user-group user")
        shell(machine, "python3 -m venv --without-pip /home/user/venv")
        machine.write("/home/user/venv/bin/program", PROGRAM)
        shell(machine, "chmod 755 /home/user/venv/bin/program")
        service = Service(machine, "demo", Description("program", PLAN), "user", "/home/user/venv")

        with pytest.raises(StepError) as caught:
            service.serve()
        assert "the first error: KeyError: 'DATABASE_URL'" in str(caught.value)
        assert "NRestarts=" in str(caught.value)
        shell(machine, "systemctl stop demo-rehearsal; systemctl reset-failed demo-rehearsal || true")

        assert service.give_postgres(PLAN.postgresql or pytest.fail()).startswith("PostgreSQL 1")
        assert service.serve().endswith("with PostgreSQL")
        said = shell(machine, "journalctl -o cat -u demo-rehearsal")
        assert "PIP_NO_INDEX" not in said and "a: b" in said
        assert shell(machine, "systemctl is-active demo-rehearsal || true").strip() == "inactive"


FLAGS = "environment: {ANSIBLE_BECOME_FLAGS: -HSnE}\n"
# It starts only with what the installer's shell has.
NEEDY = SERVER.replace('    print("the very first line")', '    import os; os.environ["PIP_NO_INDEX"]')


def test_an_archive_that_does_not_start_as_a_service_fails_with_the_first_exception(unlocked: World) -> None:
    unlocked.write("litellm.yaml", WHEELHOUSE + FLAGS + REHEARSAL)
    archive = built(unlocked, NEEDY)
    done = unlocked.run_process("--json", "rehearse", str(archive), "--root", str(debian_machine("12")))
    last = done.json()["steps"][-1]
    assert done.code == 1
    assert [step["name"] for step in done.json()["steps"] if not step["ok"]] == [last["name"]]
    assert last["name"] == "role: the service: ready, and answers"
    assert "the first error: KeyError: 'PIP_NO_INDEX'" in last["detail"]
