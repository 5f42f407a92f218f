"""Downloads by a copy of this process, in processes of their own: a copy is only made where no other thread runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import wait_until
from tests.world import World

_BRINGING = """
import os, signal, sys, time
from contextlib import contextmanager
from bundler.adapters.apart import downloads_apart
from bundler.errors import IntegrityError
from bundler.model.pin import Pin

here = os.getpid()

class Task:
    bytes = 0
    def advance(self, amount):
        self.bytes += amount

def bring(pin, task):
    task.advance(7)
    if pin.name == "lies":
        raise IntegrityError("lies: the digest differs", "ask")
    if pin.name == "odd":
        raise ValueError("nobody expects it")
    if pin.name == "kills":
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    if pin.name == "hangs":
        print(os.getpid(), flush=True)
        time.sleep(60)
    if os.getpid() == here:
        sys.exit("it was brought in the first process")

@contextmanager
def prepare():
    if sys.argv[1] == "refuses":
        raise IntegrityError("the settings are of no use")
    yield bring

with downloads_apart(prepare, 2) as downloads:
    assert downloads.ready()
    tasks = [(Pin(name, name * 8, 1, "https://x.test/"), Task()) for name in sys.argv[1:]]
    downloads.begin(tasks)
    for pin, task in tasks:
        try:
            print(pin.name, downloads.brought(pin.sha256, bool), task.bytes)
        except Exception as error:
            print(pin.name, type(error).__name__, error)
    print("unknown", downloads.brought("unknown", bool))
"""


def brought(*names: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", _BRINGING, *names]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.slow
def test_what_the_copy_brings_is_there_and_what_it_cannot_is_told_or_left() -> None:
    done = brought("fine", "lies", "odd", "good")
    told = ["fine True 7", "lies IntegrityError lies: the digest differs", "odd False 0", "good True 7"]
    assert (done.returncode, done.stdout.splitlines()) == (0, [*told, "unknown False"]), done.stderr
    assert done.stderr == ""


@pytest.mark.slow
def test_nothing_waits_for_a_copy_that_was_killed() -> None:
    done = brought("fine", "kills", "late")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["fine True 7", "kills False 0"]


@pytest.mark.slow
def test_settings_that_are_of_no_use_are_told_by_the_first_process() -> None:
    done = brought("refuses")
    assert done.returncode != 0
    assert "IntegrityError: the settings are of no use" in done.stderr


@pytest.mark.slow
def test_the_copy_ends_with_the_process_that_made_it() -> None:
    argv = [sys.executable, "-c", _BRINGING, "hangs"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        copy = int(process.stdout.readline())
        assert copy != process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not _runs(copy))


def _runs(process: int) -> bool:
    """Whether a process is there and no zombie, proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_build_with_a_copy_makes_the_same_bytes_as_one_without(locked: World) -> None:
    assert locked.run("build", "all").code == 0
    without = (locked.dist / "SHA256SUMS").read_bytes()
    apart = locked.run_process("--cache-dir", "other", "build", "all", "--out", "again")
    assert apart.code == 0, apart.err
    assert (locked.root / "again/SHA256SUMS").read_bytes() == without


@pytest.mark.slow
def test_what_an_index_lacks_is_told_as_ever(locked: World) -> None:
    for wheel in locked.index.folder.glob("orjson-*"):
        wheel.unlink()
    done = locked.run_process("build", "all")
    assert done.code == 4, done.err
    assert "orjson" in done.err
