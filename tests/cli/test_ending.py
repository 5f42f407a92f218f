"""SIGTERM, as systemd, CI and `timeout` send it, and SIGHUP: they end a run as Ctrl-C does, and all its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bundler.cli.ending import SIGNALS
from tests.json_documents import hold
from tests.server import wait_until
from tests.transfer.wheels import noise
from tests.world import World

# Whole commands, killed while they work.
pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).with_name("aiws-bundle"))


def started(world: World, *words: str, **env: str) -> subprocess.Popen[str]:
    """Begin a command in a process group of its own, as a shell or `timeout` does."""
    return subprocess.Popen(
        [PROGRAM, *words],
        cwd=world.root,
        env=world.env(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def group(number: int) -> list[str]:
    """The processes of a group that have not ended, proc_pid_stat(5)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == number and fields[0] != "Z":
            found.append(path.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no list of processes here")
@pytest.mark.parametrize("whom", ["one", "all"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_it_ends_with_the_process_that_downloads(
    number: signal.Signals, whom: str, locked: World, stalled: threading.Event
) -> None:
    """`kill` tells one process; `timeout`, systemd and a terminal tell all of them."""
    words = ("--json", "build", "all")
    process = started(locked, *words)
    wait_until(lambda: len(group(process.pid)) > 1)
    time.sleep(0.5)
    if whom == "one":
        os.kill(process.pid, number)
    else:
        os.killpg(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert json.loads(out)["error"]["exit_code"] == 128 + number
    hold(words, out)
    wait_until(lambda: not group(process.pid))
    assert list(locked.dist.glob(".*")) == []
    assert list((locked.root / "cache").glob("tmp/*")) == []


def test_what_is_ignored_stays_so(locked: World, stalled: threading.Event) -> None:
    """Below nohup a closed terminal ends nothing."""
    words = ["nohup", PROGRAM, "build", "debian-12-amd64"]
    process = subprocess.Popen(words, cwd=locked.root, env=locked.env(), stderr=subprocess.PIPE)
    time.sleep(1)
    process.send_signal(signal.SIGHUP)
    stalled.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_nothing_is_left_of_what_a_delta_half_made(number: signal.Signals, unlocked: World) -> None:
    """As of `timeout`, which sends its signal twice, to the process and to its group: tidying up goes on."""
    root = unlocked.root
    for folder, version in (("old", "1"), ("new", "2")):
        (root / folder).mkdir()
        content = noise("k", 30_000) * 1000 + noise(version, 10_000)
        (root / folder / "x.tar.gz").write_bytes(content)
    assert unlocked.run("delta", "old", "new").code == 0
    process = started(unlocked, "apply", "old", "deltas", "--out", "made")
    wait_until(lambda: any((root / "made").glob("*/*")) or process.poll() is not None)
    process.send_signal(number)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=20)
    assert "Traceback" not in err
    assert process.returncode == 128 + number, err
    assert not (root / "made").exists()
