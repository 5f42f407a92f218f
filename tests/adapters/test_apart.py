"""Downloads by a copy of this process, in processes of their own: a copy is only made where no other thread runs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.adapters.apart import _A_FILE, _shares
from bundler.model.pin import Pin
from tests.server import wait_until
from tests.world import World

_PREPARED = """
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
    if pin.name.startswith("hangs"):
        os.write(1, b"%d\\n" % os.getpid())
        time.sleep(60)
    if os.getpid() == here:
        sys.exit("it was brought in the first process")

@contextmanager
def prepare():
    if sys.argv[1] == "refuses":
        raise IntegrityError("the settings are of no use")
    yield bring
"""
_BRINGING = f"""{_PREPARED}
with downloads_apart(lambda: None, prepare, 2) as downloads:
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
_ENDING = f"""{_PREPARED}
with downloads_apart(lambda: None, prepare, 2) as downloads:
    if sys.argv[1:]:
        downloads.begin([(Pin(name, name * 8, 1, "https://x.test/"), Task()) for name in sys.argv[1:]])
        input()
print("ended", flush=True)
input()
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
def test_every_copy_ends_with_the_process_that_made_it() -> None:
    argv = [sys.executable, "-c", _BRINGING, "hangs", "hangs too"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        copies = {int(process.stdout.readline()) for _ in range(2)}
        assert process.pid not in copies
        assert len(copies) == min(2, len(os.sched_getaffinity(0)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(map(_runs, copies)))


@pytest.mark.slow
@pytest.mark.parametrize("names", [[], ["hangs", "hangs too"]])
def test_no_copy_is_left_when_the_context_ends(names: list[str]) -> None:
    """Whatever it is at: its store may be removed after that."""
    argv = [sys.executable, "-c", _ENDING, *names]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        copies = [int(process.stdout.readline()) for _ in names]
        for copy in copies:
            os.kill(copy, signal.SIGSTOP)
        wait_until(lambda: all(_state(copy) == "T" for copy in copies))
        print(file=process.stdin, flush=True)
        for copy in copies:
            assert not select.select([process.stdout], [], [], 0.3)[0], "nobody waited for it"
            os.kill(copy, signal.SIGCONT)
        assert process.stdout.readline() == "ended\n"
        assert not any(map(_state, copies)), "of some there is a zombie, which others have to look after"
        assert Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text() == ""
        process.kill()


@given(st.lists(st.none() | st.integers(0, 60_000_000), max_size=40), st.integers(1, 4))
def test_every_file_is_in_one_share_and_none_takes_much_longer(sizes: list[int | None], number: int) -> None:
    pins = [Pin(str(at), str(at), size, "https://x.test/") for at, size in enumerate(sizes)]
    shares = _shares(pins, number)
    assert len(shares) == number
    assert sorted((pin for share in shares for pin in share), key=pins.index) == pins
    weights = [sum((pin.size or 0) + _A_FILE for pin in share) for share in shares]
    assert max(weights) - min(weights) <= max((size or 0 for size in sizes), default=0) + _A_FILE
    assert all(share == sorted(share, key=pins.index) for share in shares)


def _runs(process: int) -> bool:
    """Whether a process is there and no zombie."""
    return _state(process) not in ("", "Z")


def _state(process: int) -> str:
    """A process' state, proc_pid_stat(5); "" if it is not there."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


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
