"""Both sandboxes, attacked from inside, as every kind of user: no way leads out, nothing is forged, nothing hangs."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.probe import PROBES
from tests.acceptance.roots import debian_root
from tests.sandboxes import needs_sandbox

pytestmark = [pytest.mark.slow, needs_sandbox]

ROOT = Path(__file__).parent.parent.parent
# Minutes each, and the same for every user: tried as one of them.
LONG = {name for name in PROBES if name.endswith(("without_end", "without_number"))}
# Ended by the kernel, or by the clock: neither tells anything any more.
ENDED = {"shared_memory_without_end": (124, 137), "memory_without_end": (124, 137)}


def uid_of(user: str) -> int:
    """The number of `root`, of a user `alone` without subordinate numbers, or of one `with numbers`."""
    if user == "root":
        return 0
    lines = Path("/etc/subuid").read_text().splitlines() if Path("/etc/subuid").exists() else []
    owners = {line.split(":")[0] for line in lines}
    if user == "alone":
        return pwd.getpwnam("nobody").pw_uid
    if not shutil.which("newuidmap"):
        pytest.skip("newuidmap is not installed")
    found = [one.pw_uid for one in pwd.getpwall() if owners & {one.pw_name, str(one.pw_uid)} and one.pw_uid]
    if not found:
        pytest.skip("no user has subordinate numbers")
    return found[0]


@pytest.fixture(params=["root", "alone", "with numbers"])
def user(request: pytest.FixtureRequest) -> Iterator[tuple[int, Path]]:
    """A user to be, and a folder that is theirs."""
    uid = uid_of(request.param)
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chown(folder, uid, uid)
        yield uid, Path(folder)


def python_of(uid: int) -> str:
    if uid == 0:
        return sys.executable
    for program in ("/usr/bin/python3", "/usr/local/bin/python3"):
        told = subprocess.run([program, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True)
        if told.stdout.strip() == b"True":
            return program
    pytest.skip("no Python that other users can run")


def as_user(uid: int, folder: Path, checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [python_of(uid), str(checkout / "tests" / "acceptance" / "probing.py"), *words]
    if uid:
        argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *argv]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(checkout)}
    return subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.parametrize("kind", ["overlay", "sealed"])
def test_every_way_out_is_closed(kind: str, user: tuple[int, Path]) -> None:
    uid, folder = user
    root = debian_root("12", "amd64") if kind == "overlay" else Path("-")

    names = [name for name in PROBES if uid == 0 or name not in LONG]
    before = host(folder)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        shown, checkout = visible(root, Path(place), uid), readable(Path(place), uid)
        words = (kind, str(shown), str(folder), str(folder / "sentinel"), *names)
        done = as_user(uid, folder, checkout, *words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == set(names)
    broke = {name: one for name, one in told.items() if not held(name, *one)}
    assert not broke, broke
    assert host(folder) == before


def held(name: str, code: int, output: str, _: float) -> bool:
    last = output.strip().splitlines()[-1] if output.strip() else ""
    return (code == 0 and last.startswith("held")) or code in ENDED.get(name, ())


def visible(root: Path, place: Path, uid: int) -> Path:
    """The root, where `uid` can come to it."""
    if uid == 0 or str(root) == "-":
        return root
    place.chmod(0o755)
    target = place / "root"
    subprocess.run(["cp", "-a", str(root), str(target)], check=True)
    return target


def readable(place: Path, uid: int) -> Path:
    """This checkout, where `uid` can read it: it may lie in a folder that is root's alone."""
    if uid == 0:
        return ROOT
    place.chmod(0o755)
    for part in ("bundler", "tests"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["chmod", "-R", "a+rX", str(place / part)], check=True)
    return place


def host(folder: Path) -> dict[str, object]:
    """What no sandbox may change: settings of the kernel, devices, keys, files."""
    sentinel = folder / "sentinel"
    if not sentinel.exists():
        sentinel.write_text("mine")
    settings = [Path("/proc/sys/kernel", name) for name in ("core_pattern", "panic", "modprobe", "hostname", "sysrq")]
    settings += [Path("/proc/sys/vm/overcommit_memory"), Path("/proc/sys/user/max_user_namespaces")]
    facts: dict[str, object] = {str(path): path.read_text() for path in settings if path.exists()}
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        status = Path("/dev", name).stat()
        facts[name] = (status.st_mode, status.st_uid, status.st_gid, int(status.st_mtime) if name == "zero" else 0)
    keys = Path("/proc/keys")
    facts["keys"] = "aiws-planted" in keys.read_text() if keys.exists() else False
    facts["sentinel"] = hashlib.sha256(sentinel.read_bytes()).hexdigest(), sentinel.stat().st_mode
    facts["planted"] = [path for path in ("/planted", "/etc/planted", "/usr/bin/planted") if os.path.lexists(path)]
    facts["mounts"] = Path("/proc/self/mountinfo").read_text().count("\n")
    return facts
