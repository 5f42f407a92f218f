"""install.sh of an archive for macOS, where nothing is there but what a Mac has: BSD's programs, an old bash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import plistlib
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.members.installer import render
from bundler.kinds.wheelhouse.members.texts import PROGRAMS, program
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from tests.installing import archive, relist, tree
from tests.kinds.wheelhouse.members.test_install import PIP, wheel
from tests.mac import LABEL, MAC, UID, Mac, make, portable_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("shasum"), reason="takes shasum"),
]
SHELLS = {
    "sh": ("sh",),
    "dash": ("dash",),
    "bash as sh": ("bash", "--posix"),
    "bash 3.2, the sh of macOS": ("bash-3.2", "--posix"),
}
SERVER = """
case $1 in --version) echo litellm {version}; exit ;; esac
{before}
here=$(cd -P "$(dirname "$0")" && pwd)
exec "$here/python" -c '
import http.server, os, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        told = (os.environ.get("TOKEN"), os.environ.get("LITELLM_MODE"))
        self.wfile.write("{version} {{0}} {{1}}".format(*told).encode())
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Answers).serve_forever()' "$@"
"""


@pytest.fixture
def mac(tmp_path: Path) -> Iterator[Mac]:
    mac = make(tmp_path / "mac")
    yield mac
    mac.end()


def unpacked(mac: Mac, version: str, program: str = "", service: ServicePlan | None = None) -> Path:
    folder = mac.base / "Downloads" / version
    archive(folder, version, program, service=service, host=MAC)
    portable_python(folder, mac.base / "cleared")
    relist(folder)
    return folder


def says(mac: Mac) -> str:
    done = subprocess.run([mac.prefix / "bin" / "litellm"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize("shell", SHELLS)
def test_it_installs_upgrades_goes_back_and_leaves_nothing(mac: Mac, shell: str) -> None:
    words = SHELLS[shell]
    if not shutil.which(words[0]):
        pytest.skip(f"takes {words[0]}")
    before = tree(mac.home)
    old, new = unpacked(mac, "1.0"), unpacked(mac, "2.0")
    assert "installed in" in mac.good(old, shell=words)
    first = (mac.prefix / ".aiws-litellm" / "current").resolve()
    assert "nothing to do" in mac.good(old, shell=words)
    mac.good(new, shell=words)
    assert says(mac) == "litellm 2.0" and first.is_dir()
    assert "switched back" in mac.good(new, "--rollback", shell=words)
    assert says(mac) == "litellm 1.0"
    status = mac.good(new, "--status", shell=words)
    assert "installed litellm 1.0" in status and "service   none (--launchd makes one)" in status
    said = mac.good(new, "--uninstall", "--purge", shell=words)
    for path in ("bin", "litellm.env", "litellm.plain.env", ".aiws-litellm"):
        assert f"removed: {mac.prefix / path}\n" in said
    assert f"removed: {mac.prefix}\n" in said
    assert tree(mac.home) == before
    assert set(re.findall("not there: (.*)", mac.good(new, "--uninstall", shell=words))) >= {str(mac.prefix)}


def test_the_archives_own_pip_installs_its_wheels(mac: Mac) -> None:
    def real(version: str) -> Path:
        folder = unpacked(mac, version)
        wheels = folder / "packages" / "pip"
        for path in wheels.iterdir():
            path.unlink()
        shutil.copy(PIP, wheels)
        points = "[console_scripts]\nlitellm = litellm:main\n"
        module = f"def main():\n    print('litellm {version}')\n"
        files = {"litellm/__init__.py": module, f"litellm-{version}.dist-info/entry_points.txt": points}
        made = [wheel(wheels, "litellm", version, files), wheel(wheels, "same", "1.0", {"same.py": "SAME = 1\n"})]
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*made, PIP)]
        names = (f"litellm=={version}", "same==1.0", "==".join(PIP.name.split("-")[:2]))
        lines = [f"{name} --hash=sha256:{digest}\n" for name, digest in zip(names, digests, strict=True)]
        (folder / "metadata" / "requirements.txt").write_text("".join(lines))
        for name in PROGRAMS:
            (folder / "metadata" / name).write_bytes(program(name))
        relist(folder)
        return folder

    mac.good(real("1.0"))
    assert "2 of 3 packages are those of the version before, and copied" in mac.good(real("2.0"))
    assert says(mac) == "litellm 2.0"
    assert "as they were installed" in mac.good(mac.base / "Downloads" / "2.0", "--status")


def test_programs_start_because_quarantine_is_taken_from_what_was_compared(mac: Mac) -> None:
    folder = unpacked(mac, "1.0")
    (folder / "packages" / "pip" / "pip-26.0-py3-none-any.whl").write_text("other")
    said = mac.refused(folder)
    assert "packages/pip/pip-26.0-py3-none-any.whl: FAILED" in said and "the archive is damaged" in said
    assert mac.log("xattr") == [] and not mac.prefix.exists()
    relist(folder)
    mac.good(folder)
    (call,) = mac.log("xattr")
    assert call.startswith(f"-dr com.apple.quarantine {mac.prefix}/.aiws-litellm/")
    assert Path(call).parts[-2:] == ("work", "archive")


def test_what_is_there_and_not_listed_is_refused(mac: Mac) -> None:
    folder = unpacked(mac, "1.0")
    (folder / "packages" / "more").touch()
    assert "there and not listed: packages/more" in mac.refused(folder)
    (folder / "packages" / "more").unlink()
    (folder / "metadata" / "probe.py").unlink()
    assert "listed and not there: metadata/probe.py" in mac.refused(folder)
    assert not mac.prefix.exists()


@pytest.mark.parametrize(
    "target", ["/bin/sh", "..", "../../../pip/x", ".", "../../..", "nowhere/x", "../lib/../../../x"]
)
def test_a_link_that_leads_out_of_the_python_is_refused(mac: Mac, target: str) -> None:
    folder = unpacked(mac, "1.0")
    link = folder / "packages" / "python" / "cpython" / "bin" / "odd"
    link.symlink_to(target)
    assert "a link leads out of packages/python: packages/python/cpython/bin/odd" in mac.refused(folder)
    assert not mac.prefix.exists()


def test_help_tells_of_what_a_mac_has(mac: Mac) -> None:
    said = mac.good(unpacked(mac, "1.0"), "--help")
    assert f"(default: {mac.prefix})" in said and f"~/Library/LaunchAgents/{LABEL}.plist" in said
    assert "litellm.plain.env" in said and "systemd" not in said and "apt" not in said


def test_one_at_a_time(mac: Mac) -> None:
    folder = unpacked(mac, "1.0")
    mac.good(folder)
    place = os.open(mac.prefix, os.O_RDONLY)
    fcntl.flock(place, fcntl.LOCK_EX)
    try:
        for words in ((), ("--uninstall",), ("--rollback",)):
            assert "another install.sh is at work" in mac.refused(folder, *words)
    finally:
        os.close(place)
    assert "nothing to do" in mac.good(folder)


HOSTS: dict[str, tuple[str, str, str]] = {
    "an Intel Mac": ("machine", "x86_64\n", "this host is x86_64"),
    "macOS 10": ("release", "10.15.7\n", "for macOS 11 and later, this host has 10.15.7"),
}


@pytest.mark.parametrize("name", HOSTS)
def test_another_mac_is_refused(mac: Mac, name: str) -> None:
    file, text, said = HOSTS[name]
    (mac.base / file).write_text(text)
    assert said in mac.refused(unpacked(mac, "1.0"))


def test_a_shell_under_rosetta_runs_on_an_arm64_all_the_same(mac: Mac) -> None:
    (mac.base / "machine").write_text("x86_64\n")
    (mac.base / "sysctl").write_text("1\n")
    mac.good(unpacked(mac, "1.0"))


def test_another_system_is_told_so(mac: Mac) -> None:
    script = unpacked(mac, "1.0") / "install.sh"
    done = subprocess.run(["sh", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "this archive is for macos 11 arm64, this host runs Linux" in done.stderr


@pytest.mark.parametrize("path", ["", ".aiws-litellm", ".aiws-litellm/record"])
def test_an_access_control_list_that_lets_others_in_is_refused(mac: Mac, path: str) -> None:
    folder = unpacked(mac, "1.0")
    mac.good(folder)
    (mac.base / "acl").write_text(f"{mac.prefix / path if path else mac.prefix}\n")
    before = tree(mac.prefix)
    for words in ((), ("--uninstall",)):
        mac.refused(folder, *words)
    assert tree(mac.prefix) == before
    (mac.base / "acl").write_text("")
    mac.good(folder, "--uninstall")


def test_a_link_in_the_way_is_told_with_the_real_folder(mac: Mac) -> None:
    (mac.home / "disk").mkdir()
    (mac.home / "link").symlink_to("disk")
    said = mac.refused(unpacked(mac, "1.0"), "--prefix", str(mac.home / "link" / "a" / "b"))
    assert f"--prefix {mac.home}/disk/a/b\n" in said


@pytest.mark.parametrize("folder", ["/Applications", "/Library", "/usr/local", "/Users"])
def test_folders_of_the_system_are_not_installed_into(mac: Mac, folder: str) -> None:
    assert "is a folder of the system" in mac.refused(unpacked(mac, "1.0"), "--prefix", folder)


def test_only_what_is_signed_is_installed_where_that_is_asked_for(mac: Mac) -> None:
    if not shutil.which("ssh-keygen"):
        pytest.skip("takes ssh-keygen")
    assets, key = mac.base / "Downloads", mac.base / "key"
    folder = unpacked(mac, "1.0").rename(assets / "litellm-runtime")
    asset = assets / "litellm-runtime-darwin-arm64.tar.gz"
    with tarfile.open(asset, "w:gz") as tar:
        tar.add(folder, folder.name)
    sums = subprocess.run(["sha256sum", asset.name], cwd=assets, capture_output=True, check=True).stdout
    (assets / "SHA256SUMS").write_bytes(sums)
    for made in (key, mac.base / "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", made], check=True)
    sign: list[str | Path] = [
        "ssh-keygen",
        "-q",
        "-Y",
        "sign",
        "-f",
        key,
        "-n",
        "runtime-1@aiws-bundle",
        assets / "SHA256SUMS",
    ]
    subprocess.run(sign, check=True, stdin=subprocess.DEVNULL)
    assert "is a good signature" in mac.refused(folder, "--require-signature", f"{mac.base}/other.pub")
    said = mac.good(folder, "--require-signature", f"{key}.pub", "--tag", "runtime-1")
    assert "signed by the key, for runtime-1" in said and "what is unpacked here" in said


# --- the agent


@pytest.fixture
def plan() -> ServicePlan:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    return ServicePlan(
        description="a demo",
        start=("--port", "{port}", "--config={config}/a.yaml", "a & b"),
        ready="/ready",
        alive="/it's/alive",
        port=port,
        internal_port=port - 1 if port > 1024 else port + 1,
        files={"a.yaml": "greeting: hello\n"},
        secrets={"TOKEN": "demo-{random}"},
        trial={"MODE": "trial"},
        start_seconds=20,
        stop_seconds=5,
    )


def serving(mac: Mac, version: str, plan: ServicePlan, before: str = "") -> Path:
    return unpacked(mac, version, SERVER.format(version=version, before=before), plan)


def answer(plan: ServicePlan) -> str:
    with socket.create_connection(("127.0.0.1", plan.port), 10) as one:
        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: one.recv(9999), b"")).decode().rpartition("\r\n\r\n")[2]


@pytest.mark.parametrize("shell", SHELLS)
def test_an_agent_is_made_upgraded_switched_back_and_removed(mac: Mac, plan: ServicePlan, shell: str) -> None:
    words = SHELLS[shell]
    if not shutil.which(words[0]):
        pytest.skip(f"takes {words[0]}")
    mac.plist.parent.mkdir(parents=True)
    other = mac.plist.with_name("plus.svc.xworkspace.litellm.plist")
    other.write_text("of the playbooks")
    old, new = serving(mac, "1.0", plan), serving(mac, "2.0", plan)
    said = mac.good(old, "--launchd", shell=words)
    assert f"made: {mac.plist}\n" in said and f"running: {LABEL}, at http://127.0.0.1:{plan.port}\n" in said
    assert re.fullmatch("1.0 demo-[0-9a-f]{32} quick", answer(plan))
    assert f"health    http://127.0.0.1:{plan.port}/it's/alive answers" in mac.good(old, "--status", shell=words)
    secret = mac.home / ".config" / "aiws-bundle" / "litellm" / "secrets.env"
    secret.write_text("# mine\nTOKEN='b&c d'\n")
    assert "starting it on a port of its own" in mac.good(new, shell=words)
    assert answer(plan) == "2.0 b&c d quick"
    mac.good(new, "--rollback", shell=words)
    assert answer(plan) == "1.0 b&c d quick"
    assert "already installed" in mac.good(old, shell=words)
    said = mac.good(new, "--uninstall", shell=words)
    assert f"removed: {mac.plist}\n" in said
    kept = [mac.home / ".config/aiws-bundle/litellm", mac.home / ".local/state/aiws-bundle/litellm"]
    kept.append(mac.home / "Library/Logs/aiws-bundle/litellm")
    for path in kept:
        assert f"left: {path}, which --uninstall --purge removes" in said and path.is_dir()
    with pytest.raises(ConnectionRefusedError):
        answer(plan)
    said = mac.good(new, "--uninstall", "--purge", shell=words)
    assert [f"removed: {path}" in said for path in kept] == [True] * 3
    assert [path.name for path in mac.plist.parent.iterdir()] == [other.name]
    assert not any("xworkspace" in line for line in mac.log("launchctl"))


def test_the_property_list_says_what_launchd_reads_and_no_secret(mac: Mac, plan: ServicePlan) -> None:
    mac.good(serving(mac, "1.0", plan), "--launchd")
    text = mac.plist.read_bytes()
    agent = plistlib.loads(text)
    current = f"{mac.prefix}/.aiws-litellm/current"
    config = f"{mac.home}/.config/aiws-bundle/litellm"
    assert agent["Label"] == LABEL and agent["RunAtLoad"] is True and agent["KeepAlive"] is True
    assert agent["ProgramArguments"] == [
        *(f"{current}/venv/bin/python", "-I", "-B", f"{current}/agent.py", "run", f"{config}/secrets.env"),
        *(f"{current}/venv/bin/litellm", "--port", str(plan.port), f"--config={config}/a.yaml", "a & b"),
    ]
    assert agent["EnvironmentVariables"]["LITELLM_MODE"] == "quick"
    assert agent["StandardErrorPath"] == f"{mac.home}/Library/Logs/aiws-bundle/litellm/litellm.err.log"
    token = Path(config, "secrets.env").read_text().partition("TOKEN=")[2].strip()
    assert token.startswith("demo-") and token.encode() not in text
    assert Path(config, "secrets.env").stat().st_mode & 0o777 == 0o600
    assert mac.plist.stat().st_mode & 0o777 == 0o644


def test_an_upgrade_whose_program_does_not_become_ready_changes_nothing(mac: Mac, plan: ServicePlan) -> None:
    old, bad = serving(mac, "1.0", plan), serving(mac, "2.0", plan, "echo no such model >&2; exit 3")
    mac.good(old, "--launchd")
    before = tree(mac.prefix)
    said = mac.refused(bad)
    assert "the program has ended\n" in said, "it was waited for"
    assert "no such model" in said and "the one that runs was not touched" in said
    assert tree(mac.prefix) == before
    assert answer(plan).startswith("1.0 ")


def test_an_agent_that_does_not_become_ready_is_switched_back(mac: Mac, plan: ServicePlan) -> None:
    old, bad = serving(mac, "1.0", plan), serving(mac, "2.0", plan, '[ "${MODE-}" = trial ] || exit 3')
    mac.good(old, "--launchd")
    assert "the version before runs again" in mac.refused(bad)
    assert answer(plan).startswith("1.0 ")
    assert "installed litellm 1.0" in mac.good(old, "--status")


REFUSALS: dict[str, tuple[Callable[[Mac], object], str]] = {
    "a plist of somebody": (lambda mac: mac.plist.write_text("mine"), "is there and not of this installation"),
    "nobody at the screen": (lambda mac: (mac.base / "session").unlink(), "is not logged in at the screen"),
    "root": (lambda mac: _as_root(mac), "run it as the user who is to have it"),
}


def _as_root(mac: Mac) -> None:
    text = (mac.bin / "id").read_text()
    (mac.bin / "id").write_text(text.replace(f"echo {UID} ", "echo 0 "))


@pytest.mark.parametrize("name", REFUSALS)
def test_no_agent_is_made_where_it_cannot_run_or_is_in_the_way(mac: Mac, plan: ServicePlan, name: str) -> None:
    folder = serving(mac, "1.0", plan)
    mac.plist.parent.mkdir(parents=True)
    spoil, said = REFUSALS[name]
    spoil(mac)
    before = tree(mac.home)
    assert said in mac.refused(folder, "--launchd", "--prefix", str(mac.prefix))
    assert tree(mac.home) == before


def test_a_port_that_another_program_has_is_left_to_it(mac: Mac, plan: ServicePlan) -> None:
    folder = serving(mac, "1.0", plan)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", plan.port))
        other.listen()
        assert f"another program listens on 127.0.0.1:{plan.port}" in mac.refused(folder, "--launchd")
    assert not mac.prefix.exists()


def test_a_plist_of_somebody_is_left_where_it_is(mac: Mac, plan: ServicePlan) -> None:
    folder = serving(mac, "1.0", plan)
    mac.good(folder, "--launchd")
    mac.plist.write_bytes(mac.plist.read_bytes().replace(str(mac.prefix).encode(), b"/opt/mine"))
    mac.good(folder, "--uninstall")
    assert mac.plist.exists()


# --- the stubs, and the text


GNU = (
    *("mv -T a b", "cp -a a b", "cp --reflink=auto a b", "readlink -f a", "readlink -m a", "sed -i s/a/b/ a"),
    *("grep -P a a", "find . -printf %P", "find . -perm /022", "stat -c %u a", "base64 -w 0", "rm --one-file-system a"),
    *("sync -f a", "xargs -r a", "flock -n 9", "sha256sum a", "ionice a", "date -d now", "systemctl start a", "tac a"),
)


@pytest.mark.parametrize("command", GNU)
def test_what_only_gnu_knows_is_refused_here_too(mac: Mac, command: str) -> None:
    (mac.home / "a").write_text("a\n")
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=mac.home, env={"PATH": str(mac.bin)}, capture_output=True, check=False
    )
    assert done.returncode != 0


def script() -> str:
    return render(MAC).decode()


def substitutions(text: str) -> Iterator[str]:
    """What stands in each `$(...)`, as bash 3.2 reads it: to the first parenthesis that closes."""
    for begin in re.finditer(r"\$\((?!\()", text):
        depth, place = 1, begin.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[place], 0)
            place += 1
        yield text[begin.end() : place]


def test_no_pattern_closes_what_it_stands_in() -> None:
    """In `$(...)`, bash 3.2 takes the `)` of a `case` for its end."""
    assert list(substitutions("x=$(case a in b) ;; esac)")) == ["case a in b)"]
    text = re.sub(r"^\s*#.*$", "", script(), flags=re.MULTILINE)
    assert [inner for inner in substitutions(text) if re.search(r"\bcase\b", inner)] == []


def test_it_uses_nothing_that_only_bash_knows() -> None:
    words = r"\b(?:declare|local|mapfile|readarray|coproc|function) [A-Za-z_$]"
    later = rf"^\s*{words}|\[\[ |\$\{{\w+(?:,,|\^\^|@)|\|&|&>|<<<"
    assert re.findall(later, script(), re.MULTILINE) == []
