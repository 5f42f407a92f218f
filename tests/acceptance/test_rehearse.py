"""Real Debian roots with no network: every bundle installs, LiteLLM comes up, and what would not is named."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bundler.adapters.sandbox import opened
from tests import json_documents
from tests.acceptance.roots import debian_machine, debian_root
from tests.archives import Entries, on_disk, repack
from tests.cli.test_components import archive as component
from tests.world import WHEELHOUSE, World, make_wheel

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
STANDINS = ROOT.parent / "shared" / "fixtures" / "portable-python"


def aiws(*words: str, code: int = 0, cwd: Path = ROOT) -> str:
    argv = [sys.executable, "-m", "bundler", *words]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    json_documents.hold(words, done.stdout)
    return done.stdout


def figures(report: dict[str, Any]) -> str:
    steps = {str(step["name"]): step for step in report["steps"]}
    shown = {name: steps[name]["seconds"] for name in steps if "install" in name or "program" in name}
    return f"{report['versions']} {report['disk_bytes'] / 1e6:.0f} MB {shown}"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT / "manifests", folder / "manifests", symlinks=True)
    path = folder / "manifests" / "litellm.yaml"
    if "ANSIBLE_BECOME_FLAGS" not in path.read_text():
        path.write_text(path.read_text().replace("environment:\n", "environment:\n  ANSIBLE_BECOME_FLAGS: -HSnE\n", 1))
    aiws("build", "debian-11-amd64", "debian-12", "debian-13-amd64", cwd=folder)
    return folder / "dist"


@pytest.mark.parametrize("version", ["11", "13"])
def test_the_bundle_comes_up_on_a_host_without_network(version: str, dist: Path) -> None:
    """Debian 12's does in `test_database`, with database support, and as committed in `test_operate`."""
    root = debian_machine(version) if version == "13" else debian_root(version, "amd64")
    before = tree(root)
    archive = dist / f"litellm-runtime-debian-{version}-amd64.tar.gz"
    report = json.loads(aiws("--json", "rehearse", str(archive), "--root", str(root)))
    print(figures(report))
    assert report["ok"], report
    assert report["manifest"] == "litellm.yaml"
    assert "program: ready, and answers" in [step["name"] for step in report["steps"]]
    # The role's unit has nothing of runtime.env, so there LiteLLM asks for its table of prices.
    assert {step["name"] for step in report["steps"] if step["attempts"]} <= {"role: the service: ready, and answers"}
    assert tree(root) == before, "the root was written to"
    role = role_of(report)
    if version == "11" or not machines_boot():
        assert [(step["name"], step["skipped"]) for step in role] == [("boot the root", True)]
        assert role[0]["detail"]
    else:
        check_role(role, "database: skipped", "No matching distribution found")


def machines_boot() -> bool:
    return os.geteuid() == 0 and shutil.which("systemd-nspawn") is not None


def role_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of the role's part, by their names in it."""
    named = [(step["name"].partition("role: "), step) for step in report["steps"]]
    return [{**step, "name": name[2]} for name, step in named if name[1]]


def check_role(role: list[dict[str, Any]], database: str, without_flags: str) -> None:
    """All of the role's steps were taken; `database` is the one for that, `without_flags` what pip then said."""
    assert [step["name"] for step in role] == [
        "boot the root",
        "the host has no pip",
        "the installer's part, as root",
        "without ANSIBLE_BECOME_FLAGS pip sees no wheelhouse",
        "make the venv",
        "upgrade pip",
        "install",
        "again, nothing changes",
        database,
        "PostgreSQL for the service",
        "the service: ready, and answers",
    ]
    assert [step["name"] for step in role if step["skipped"]] == ["PostgreSQL for the service"]
    assert f"fails, as it should: {without_flags}" in role[3]["detail"]


def tree(root: Path) -> str:
    listed = subprocess.run(["find", str(root), "-printf", "%p %s %T@\\n"], capture_output=True, check=True)
    return hashlib.sha256(listed.stdout).hexdigest()


# Each compiled module of an archive is loaded as Python would load it; one that is not is named, with the reason.
LOAD = """
import ctypes, os, pathlib, sys, zipfile
loaded = 0
for wheel in sorted(pathlib.Path(sys.argv[1]).glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".so" in os.path.basename(name)]
        folder = pathlib.Path("/tmp/loading", wheel.name)
        archive.extractall(folder, names)
    for name in (name for name in names if ".libs/" not in name):
        try:
            ctypes.CDLL(str(folder / name), os.RTLD_NOW)
            loaded += 1
        except OSError as error:
            print(f"{wheel.name}: {name}: {error}")
print(f"{loaded} modules loaded")
"""


@pytest.fixture(scope="module")
def arm64() -> Path:
    """A root of another processor, and what runs its programs."""
    if not shutil.which("qemu-aarch64-static"):
        pytest.skip("qemu-user-static is not installed")
    return debian_root("12", "arm64")


def test_all_that_is_compiled_in_the_bundle_for_arm64_loads_there(arm64: Path, dist: Path, tmp_path: Path) -> None:
    """To install and start LiteLLM through an emulator takes eight minutes, most of it to compile its Python."""
    archive = dist / "litellm-runtime-debian-12-arm64.tar.gz"
    assert "ok " in aiws("verify", str(archive))
    env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
    with opened(arm64, "aarch64", tmp_path / "mountpoint", archive) as sandbox:
        sandbox.extract("/tmp/there")
        sandbox.write("/tmp/load.py", LOAD)
        done = sandbox.run(["python3", "-I", "/tmp/load.py", "/tmp/there/litellm-runtime/packages/pip"], env)
    assert re.fullmatch(r"(\d{2,}) modules loaded\n", done.output), done.output


def test_an_application_for_arm64_is_rehearsed_through_the_emulator(arm64: Path, unlocked: World) -> None:
    """Installed twice, started, and asked, with a real wheel for that processor that it imports."""
    unlocked.write("litellm.yaml", WHEELHOUSE + REHEARSAL)
    (unlocked.index.folder / "orjson-3.1-cp311-cp311-manylinux_2_17_aarch64.whl").unlink()
    host = ["--only-binary=:all:", "--python-version", "3.11", "--platform", "manylinux_2_17_aarch64"]
    pip_download(unlocked.index.folder, *host, "orjson>=3")
    archive = built(unlocked, SERVER.replace("import http.server", "import orjson, http.server"), "debian-12-arm64")
    before = tree(arm64)
    report = unlocked.run_process("--json", "rehearse", str(archive), "--root", str(arm64)).json()
    print(figures(report))
    assert report["ok"], report
    assert [step["name"] for step in report["steps"] if step["skipped"] or step["attempts"]] == []
    assert "program: ready, and answers" in [step["name"] for step in report["steps"]]
    assert tree(arm64) == before, "the root was written to"


def test_one_litellm_for_every_host_debian_11_with_a_portable_python(tmp_path: Path) -> None:
    standin = next(iter(STANDINS.glob("*x86_64*.tar.gz")), None) if STANDINS.is_dir() else None
    if standin is None:
        pytest.skip("no stand-in for the portable CPython beside the project")
    shutil.copytree(ROOT / "manifests" / "portable", tmp_path / "manifests", symlinks=False)
    pins = tmp_path / "manifests" / "python.yaml"
    digest = hashlib.sha256(standin.read_bytes()).hexdigest()
    text = re.sub(r"version: \S+", "version: 3.13.5", pins.read_text())
    text = re.sub(
        r"(amd64:\n\s+address: )\S+(\n\s+sha256: )\S+", rf"\g<1>https://x.test/{standin.name}\g<2>{digest}", text
    )
    pins.write_text(text)
    aiws("lock", "debian-11-amd64", cwd=tmp_path)
    aiws("build", "debian-11-amd64", "--mirror", f"https://x.test/=file://{standin.parent}/", cwd=tmp_path)
    archive = "dist/litellm-runtime-debian-11-amd64.tar.gz"
    root = debian_root("11", "amd64")
    report = json.loads(aiws("--json", "rehearse", archive, "--root", str(root), cwd=tmp_path))
    print(figures(report))
    assert report["ok"]
    assert report["versions"]["litellm"] == "1.89.0"
    assert report["versions"]["Python"] == "3.13.5"


def test_an_archive_for_another_host_is_refused(dist: Path) -> None:
    archive = str(dist / "litellm-runtime-debian-13-amd64.tar.gz")
    aiws("rehearse", archive, "--root", str(debian_root("12", "amd64")), code=2)


def test_a_flipped_byte_fails_the_rehearsal(dist: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "litellm-runtime-debian-12-amd64.tar.gz"
    content = bytearray((dist / damaged.name).read_bytes())
    content[len(content) // 3] ^= 1
    damaged.write_bytes(content)
    out = aiws("rehearse", str(damaged), "--root", str(debian_root("12", "amd64")), code=3)
    assert "does not verify, so it is not rehearsed" in out
    assert "sha256 differs" in out or "not a whole archive" in out


@pytest.mark.parametrize(
    ("left_out", "cause"),
    [
        ("pip-", "missing: no wheel of pip; needed by pip>=25.1"),
        ("orjson-", "missing: no wheel of orjson; needed by litellm[proxy]==1.89.0 -> orjson"),
    ],
)
def test_a_wheelhouse_without_a_wheel_fails_the_rehearsal(
    left_out: str, cause: str, dist: Path, tmp_path: Path
) -> None:
    def leave_out(entries: Entries) -> None:
        (path,) = (path for path in entries if path.startswith(f"packages/pip/{left_out}"))
        del entries[path]

    archive = changed(dist, tmp_path, leave_out)
    out = aiws("rehearse", str(archive), "--root", str(debian_root("12", "amd64")), code=3)
    assert cause in out


def changed(dist: Path, folder: Path, change: Callable[[Entries], None]) -> Path:
    """A copy of the archive for Debian 12 with other content."""
    archive = folder / "changed" / "litellm-runtime-debian-12-amd64.tar.gz"
    archive.parent.mkdir()
    shutil.copy(dist / archive.name, archive)
    repack(archive, change)
    return archive


def test_a_wheel_for_a_too_new_glibc_fails_the_rehearsal(dist: Path, tmp_path: Path) -> None:
    version = ""

    def take_another(entries: Entries) -> None:
        nonlocal version
        (path,) = (path for path in entries if path.startswith("packages/pip/orjson-"))
        version = path.split("-")[1]
        made = make_wheel(tmp_path, "orjson", version, tag="cp311-cp311-manylinux_2_39_x86_64")
        del entries[path]
        new = f"packages/pip/{made.name}"
        entries[new] = on_disk(tmp_path / "contents", new, made.read_bytes())

    archive = changed(dist, tmp_path, take_another)
    out = aiws("rehearse", str(archive), "--root", str(debian_root("12", "amd64")), code=3)
    assert f"wrong platform: orjson-{version}-cp311-cp311-manylinux_2_39_x86_64.whl does not run on" in out
    assert "glibc 2.36" in out


def pip_download(folder: Path, *words: str) -> None:
    """Bring a wheel of the real index into a folder."""
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), *words], check=True)


def built(world: World, program: str, target: str = "debian-12-amd64") -> Path:
    """An archive whose program is the function `main` of `program`, and whose pip is a real one."""
    make_wheel(world.index.folder, "litellm", "1.0", ["orjson>=3; extra == 'proxy'"], module=program, script="main")
    pip_download(world.index.folder, "pip>=25.1")
    (world.index.folder / "pip-26.0-py3-none-any.whl").unlink()
    assert world.run("lock", target).code == 0
    assert world.run("build", target).code == 0
    return world.dist / f"litellm-runtime-{target}.tar.gz"


def test_an_installation_that_needs_the_network_fails_and_what_it_asked_for_is_named(unlocked: World) -> None:
    program = "import socket\ndef main():\n    socket.create_connection(('prices.example.org', 443), 5)\n"
    archive = built(unlocked, program)
    done = unlocked.run_process("rehearse", str(archive), "--root", str(debian_root("12", "amd64")))
    assert done.code == 1
    assert "FAILED: consumers: the program answers" in done.out
    assert "it asked the network for prices.example.org" in done.out
    assert re.search(r"prices\.example\.org +by python\S* \S*/bin/litellm --version", done.out)


def test_what_runs_in_the_sandbox_finds_no_way_out(dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", "a secret")
    archive = dist / "litellm-runtime-debian-12-amd64.tar.gz"
    outside = tmp_path / "escaped"
    climb = "import os; os.mkdir('/tmp/j'); os.chroot('/tmp/j'); [os.chdir('..') for _ in range(30)]; os.chroot('.')"
    with opened(debian_root("12", "amd64"), "x86_64", tmp_path / "mountpoint", archive) as sandbox:
        for script in (
            f"echo x > /proc/1/root{outside}",
            f"echo x > {outside}",
            "cat /proc/1/environ",
            f'python3 -c "{climb}"',
            "chroot / true",
        ):
            assert sandbox.run(["/bin/sh", "-c", script], {"PATH": "/usr/sbin:/usr/bin"}).code, script
        status = sandbox.run(["/bin/cat", "/proc/self/status"], {}).output
        assert "a secret" not in sandbox.run(["/bin/sh", "-c", "cat /proc/*/environ"], {"PATH": "/bin"}).output
    assert "CapEff:\t0000000000000000" in status
    assert not outside.exists()
    assert list((tmp_path / "mountpoint").iterdir()) == []


def test_nothing_is_left_when_the_rehearsal_is_killed(dist: Path, tmp_path: Path) -> None:
    archive = str(dist / "litellm-runtime-debian-12-amd64.tar.gz")
    cache = tmp_path / "cache"
    argv = [sys.executable, "-m", "bundler", "--cache-dir", str(cache), "rehearse", archive]
    process = subprocess.Popen([*argv, "--root", str(debian_root("12", "amd64"))], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "make the venv" not in process.stderr.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while inside(cache) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert inside(cache) == []
    assert str(cache) not in Path("/proc/self/mounts").read_text()
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def inside(cache: Path) -> list[str]:
    """Processes whose root or mounts are below the rehearsal's mountpoint."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(cache) in (process / "mountinfo").read_text():
                found.append((process / "cmdline").read_text())
    return found


# At every path that the rehearsal itself has used or uses, whatever would lead elsewhere; then into every descriptor.
FORGERY = """
import os, socket
def main():
    folder = "/tmp/rehearsal"
    places = ["working", "working/config.json", "home/.keep", "python", "installed", "unpacked-again"]
    for place, target in zip(places * 3, ["/proc/self/fd/1", "/proc/self/fd/3", "/proc/self/mem", "FIFO"] * 5):
        path = os.path.join(folder, place)
        try:
            os.path.lexists(path) and os.rename(path, path + ".gone")
            os.mkfifo(path) if target == "FIFO" else os.symlink(target, path)
        except OSError:
            pass
    for name in os.listdir("/proc/self/fd"):
        try:
            os.write(int(name), b'\\n{"result": {"code": 0, "output": "1.0", "seconds": 1.0}}\\n' * 3)
        except OSError:
            pass
    for pid in range(1, 40):
        for name in range(12):
            try:
                with open(f"/proc/{pid}/fd/{name}", "w") as file:
                    file.write('{"result": {"code": 0, "output": "1.0", "seconds": 1.0}}\\n')
            except OSError:
                pass
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.7", 9999))
    print("litellm 1.0")
"""


def test_rehearsed_code_forges_no_rehearsal(unlocked: World) -> None:
    unlocked.write("litellm.yaml", WHEELHOUSE + REHEARSAL)
    archive = built(unlocked, FORGERY)
    before = hashlib.sha256(archive.read_bytes()).hexdigest()
    root = str(debian_root("12", "amd64"))
    done = unlocked.run_process("--json", "rehearse", str(archive), "--root", root)
    report = json.loads(done.out)
    assert done.code == 1 and report["ok"] is False
    assert "192.0.2.7:9999/udp" in {attempt["what"] for step in report["steps"] for attempt in step["attempts"]}
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == before


# A server that answers as its configuration says, breaks when that is asked for, and leaves a long log behind.
SERVER = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{config['greeting']}, {asked['name']}".encode())
def main():
    global config
    if "--version" in sys.argv:
        print("demo 1.0")
        return
    print("the very first line")
    config = json.load(open(sys.argv[2]))
    if "broken" in config:
        for number in range(3000):
            print("line", number)
        try:
            raise LookupError("no engine")
        except LookupError as error:
            raise RuntimeError("cannot start") from error
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
REHEARSAL = """\
program: litellm
rehearsal:
  files: {config.json: '{"greeting": "hello"}'}
  start: ["{port}", "{folder}/config.json"]
  ready: [/health]
  ask: {path: /greet, body: {name: nobody}, answer: "hello, nobody"}
"""


def test_a_manifest_says_how_its_program_is_started_and_asked(unlocked: World) -> None:
    unlocked.write("litellm.yaml", WHEELHOUSE + REHEARSAL)
    archive = built(unlocked, SERVER)
    words = ("rehearse", str(archive), "--root", str(debian_root("12", "amd64")))

    report = unlocked.run_process("--json", *words).json()
    steps = {step["name"]: step for step in report["steps"]}
    assert report["ok"], report
    assert steps["program: ready, and answers"]["detail"].startswith("ready after ")
    no_role = "what a role of Ansible does is not tried: runtime.env exports no ANSIBLE_BECOME_FLAGS (`environment:`)"
    assert (report["manifest"], report["notes"]) == ("litellm.yaml", [no_role])

    unlocked.write("litellm.yaml", WHEELHOUSE + REHEARSAL.replace('"greeting"', '"broken"'))
    failed = unlocked.run_process("--json", *words)
    last = failed.json()["steps"][-1]
    assert failed.code == 1
    assert last["detail"].splitlines()[2] == "the first error: LookupError: no engine"
    assert last["log"].startswith("the very first line\nline 0\n")
    assert last["log"].count("\n") > 3000

    shutil.rmtree(unlocked.root / "manifests")
    nowhere = unlocked.run_process(*words)
    assert nowhere.code == 0, nowhere.out
    assert "note: no manifests are here (--manifests DIR), so litellm is only asked for its version" in nowhere.out
    assert "program: ready" not in nowhere.out


@pytest.mark.parametrize(
    ("code", "ok", "told"),
    [
        (b"#!/bin/sh\necho console 1.2.3\n", True, "--version: console 1.2.3"),
        (
            b"#!/bin/sh\n[ $1 = --help ] && exec sleep 600\nexit 2\n",
            True,
            "--help: it goes on, and was ended after 5 s",
        ),
        (b"#!/usr/bin/env node\n", False, "ended with 127"),
    ],
    ids=["version", "server", "no interpreter"],
)
def test_a_component_is_unpacked_and_its_program_started(
    code: bytes, ok: bool, told: str, unlocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundler.kinds.prebuilt.rehearsal._PATIENCE", 5.0)
    path = unlocked.root / "xworkspace-console-runtime-linux-amd64.tar.gz"
    path.write_bytes(component("linux-amd64", code=code))
    assert unlocked.run("verify", str(path)).code == 0
    done = unlocked.run("--json", "rehearse", str(path), "--root", str(debian_root("12", "amd64")))
    report = done.json()
    assert (done.code, report["ok"]) == (0, True) if ok else (1, False)
    assert [step["name"] for step in report["steps"]] == ["unpack the archive", "the program starts"]
    assert told in report["steps"][-1]["detail"]
    assert report["notes"] == ["the program was only started: what it does is for its own repository to test"]


def test_a_component_whose_program_is_for_another_machine_is_not_rehearsed(unlocked: World) -> None:
    path = unlocked.root / "xworkspace-console-runtime-linux-amd64.tar.gz"
    path.write_bytes(component("linux-arm64"))
    done = unlocked.run("rehearse", str(path), "--root", str(debian_root("12", "amd64")))
    assert done.code == 3
    assert "does not verify, so it is not rehearsed" in done.out
