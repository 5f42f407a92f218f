"""kill -9 at random moments, run again, and all is right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.cli.ending import SIGNALS
from bundler.sidecars import sbom, sums
from tests.world import World, make_wheel

pytestmark = pytest.mark.slow

KILLS = 12


def check_no_lie(dist: Path) -> None:
    """Every line of SHA256SUMS is true; nothing but archives, whole SBOMs and SHA256SUMS can be seen."""
    if not (dist / sums.NAME).is_file():
        return
    checked = subprocess.run(["sha256sum", "--quiet", "-c", sums.NAME], cwd=dist, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    seen = {path.name for path in dist.iterdir() if not path.name.startswith(".")}
    sboms = {name for name in seen if name.endswith(sbom.SUFFIX)}
    assert all(name == sums.NAME or name.endswith(".tar.gz") for name in seen - sboms), seen
    for name in sboms:
        assert json.loads((dist / name).read_bytes())["bomFormat"] == "CycloneDX"


def test_killed_builds_never_show_half_an_archive_nor_a_false_checksum(locked: World) -> None:
    chance = random.Random(20261124)
    wheel = locked.index.folder / "prisma-0.15.0-py3-none-any.whl"
    make_wheel(locked.index.folder, "prisma", "0.15.0", payload=chance.randbytes(40_000_000))
    assert locked.run("lock", "--upgrade").code == 0
    argv = [sys.executable, "-m", "bundler", "build", "all"]
    for turn in range(KILLS):
        # Other times of files, other bytes: every turn has all four archives to replace.
        env = locked.env(SOURCE_DATE_EPOCH=str(1_000_000_000 + turn))
        process = subprocess.Popen(argv, cwd=locked.root, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.3, 1.5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        check_no_lie(locked.dist)
    assert locked.run("build", "all").code == 0
    check_no_lie(locked.dist)
    names = {path.name for path in locked.dist.iterdir()}
    assert len(names) == 9, names
    assert set(sums.parse((locked.dist / sums.NAME).read_text())) == names - {sums.NAME}
    assert locked.run("verify", "dist").code == 0
    assert wheel.is_file()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_with_its_exit_code_and_no_traceback(number: signal.Signals, locked: World) -> None:
    make_wheel(locked.index.folder, "prisma", "0.15.0", payload=os.urandom(80_000_000))
    assert locked.run("lock", "--upgrade").code == 0
    argv = [sys.executable, "-m", "bundler", "build", "all"]
    process = subprocess.Popen(argv, cwd=locked.root, env=locked.env(), stderr=subprocess.PIPE, text=True)
    while not list(locked.dist.glob(".aiws-bundle-*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert "what is finished stays" in errors
    assert "Traceback" not in errors
    assert not list(locked.dist.glob(".aiws-bundle-*"))
