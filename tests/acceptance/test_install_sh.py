"""install.sh on this machine: what it makes, what it refuses, and that nothing is left when it fails."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.interpreters import interpreter
from tests.world import World, make_wheel

pytestmark = pytest.mark.slow

PROGRAM = (
    "import os, sys\ndef main():\n    print('fake litellm', os.environ.get('LITELLM_MODE', ''))\n    sys.exit({code})\n"
)


@pytest.fixture
def bundle(unlocked: World) -> World:
    """A world with a real pip and a litellm that answers."""
    make_wheel(unlocked.index.folder, "litellm", "1.0", module=PROGRAM.format(code=0), script="main")
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(unlocked.index.folder), "pip>=25.1"]
    subprocess.run(fetch, check=True)
    (unlocked.index.folder / "pip-26.0-py3-none-any.whl").unlink()
    manifest = (unlocked.root / "manifests" / "litellm.yaml").read_text().replace("[proxy]", "")
    unlocked.write("litellm.yaml", f"{manifest}environment: {{LITELLM_MODE: quick}}\n")
    build(unlocked)
    return unlocked


def build(world: World) -> None:
    assert world.run("lock", "debian-12-amd64", "--upgrade").code == 0
    assert world.run("build", "debian-12-amd64").code == 0
    archive = world.dist / "litellm-runtime-debian-12-amd64.tar.gz"
    subprocess.run(["rm", "-rf", "litellm-runtime"], cwd=world.root, check=True)
    subprocess.run(["tar", "-xzf", str(archive)], cwd=world.root, check=True)


def install(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(interpreter('3.11')).parent}:/usr/bin:/bin"
    argv = ["sh", str(world.root / "litellm-runtime" / "install.sh"), "--prefix", str(world.root / "opt"), *words]
    env = {"PATH": path, "HOME": str(world.root), "PIP_INDEX_URL": "http://127.0.0.1:9/", "PYTHONPATH": "/nowhere"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_it_installs_runs_again_without_change_and_uninstalls(bundle: World) -> None:
    prefix = bundle.root / "opt"
    done = install(bundle)
    assert done.returncode == 0, done.stderr
    assert "installed in" in done.stdout
    assert "fake litellm quick" in done.stdout, "started with the environment of runtime.env"
    assert (prefix / "litellm.env").read_text() == "export LITELLM_MODE=quick\n"
    recorded = (prefix / ".aiws-litellm" / "current" / "requirements").read_text()
    assert "litellm==1.0 --hash=sha256:" in recorded
    before = tree(prefix)
    done = install(bundle)
    assert (done.returncode, "nothing to do" in done.stdout) == (0, True)
    assert tree(prefix) == before
    done = install(bundle, "--uninstall")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["removed"] * 5
    assert not prefix.exists()
    done = install(bundle, "--uninstall")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["not there"] * 5


def test_an_upgrade_is_switched_to_when_it_is_whole_and_one_version_before_it_stays(bundle: World) -> None:
    current = bundle.root / "opt" / ".aiws-litellm" / "current"
    versions = []
    for payload in (b"", b"newer", b"newest"):
        make_wheel(bundle.index.folder, "prisma", "0.15.0", payload=payload)
        build(bundle)
        assert install(bundle).returncode == 0
        versions.append(current.resolve())
        assert (bundle.root / "opt" / "bin" / "litellm").resolve().is_relative_to(versions[-1])
    assert [version.is_dir() for version in versions] == [False, True, True]
    assert install(bundle, "--rollback").returncode == 0
    assert current.resolve() == versions[1]


def test_a_failed_upgrade_leaves_the_old_installation_working(bundle: World) -> None:
    assert install(bundle).returncode == 0
    before = tree(bundle.root / "opt")
    make_wheel(bundle.index.folder, "litellm", "1.0", module=PROGRAM.format(code=3), script="main")
    build(bundle)
    done = install(bundle)
    assert done.returncode == 1
    assert "litellm does not start" in done.stderr
    assert set(tree(bundle.root / "opt")) == set(before)
    subprocess.run([bundle.root / "opt" / "bin" / "litellm"], check=True)


def test_a_damaged_archive_makes_nothing(bundle: World) -> None:
    wheel = next((bundle.root / "litellm-runtime" / "packages" / "pip").glob("prisma*"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    done = install(bundle)
    assert done.returncode == 1
    assert f"packages/pip/{wheel.name}: FAILED" in done.stdout + done.stderr
    assert "the archive is damaged" in done.stderr
    assert not (bundle.root / "opt").exists()


def test_a_failed_installation_removes_what_it_made(bundle: World) -> None:
    make_wheel(bundle.index.folder, "litellm", "1.0", module=PROGRAM.format(code=3), script="main")
    build(bundle)
    done = install(bundle)
    assert done.returncode == 1
    assert "what it had made in" in done.stderr
    assert not (bundle.root / "opt").exists()


def test_two_at_once_do_not_hurt_each_other(bundle: World) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: install(bundle), range(2))
    codes = sorted([first.returncode, second.returncode])
    assert codes in ([0, 0], [0, 1])
    if codes == [0, 1]:
        assert "another install.sh is at work" in first.stderr + second.stderr
    subprocess.run([bundle.root / "opt" / "bin" / "litellm"], check=True)


def test_the_empty_folder_that_another_has_just_locked_is_left_to_it(bundle: World) -> None:
    prefix = bundle.root / "opt"
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(install, bundle)
        while True:
            with suppress(FileNotFoundError):
                descriptor = os.open(prefix, os.O_RDONLY)
                break
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert done.result().returncode == 1
    os.close(descriptor)
    assert "another install.sh is at work" in done.result().stderr
    assert prefix.is_dir()
    assert install(bundle).returncode == 0
