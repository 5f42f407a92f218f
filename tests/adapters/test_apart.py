"""Downloads by a copy of this process, in processes of their own: a copy is only made where no other thread runs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, cast

import pytest

from bundler.adapters import turns
from bundler.adapters.apart import _serve
from bundler.model.pin import Pin
from bundler.progress import Task
from tests.server import wait_until
from tests.world import World

if TYPE_CHECKING:
    from bundler.adapters.apart import _Asked, _End

_PREPARED = """
import os, signal, sys, threading, time
from pathlib import Path
from contextlib import contextmanager
from bundler.adapters.apart import Wanted, downloads_apart
from bundler.errors import IntegrityError
from bundler.model.pin import Pin

here = os.getpid()

class OfTwo(IntegrityError):
    # What is told of it is not enough to make it anew.
    def __init__(self, one, other):
        super().__init__(f"{one} {other}")

class Task:
    bytes = 0
    def advance(self, amount):
        self.bytes += amount

def bring(pin, task):
    task.advance(7)
    if pin.name == "lies":
        raise IntegrityError("lies: the digest differs", "ask")
    if pin.name == "of two":
        raise OfTwo("of", "two")
    if pin.name == "of threads":
        raise OSError(threading.Lock())
    if pin.name == "odd":
        raise ValueError("nobody expects it")
    if pin.name.startswith("kills"):
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    if pin.name.startswith("hangs"):
        os.write(1, b"%d\\n" % os.getpid())
        time.sleep(60)
    if os.getpid() == here:
        sys.exit("it was brought in the first process")
    return Path(pin.name)

def wanted(names):
    pins = [Pin(name, name * 8, 1, "https://x.test/") for name in names]
    return [Wanted(pin, rank, (spell, fail), Task()) for rank, pin in enumerate(pins)]

def spell(path):
    if path.name == "untold":
        return threading.Lock()
    if path.name == "unheard":
        return OfTwo("un", "heard")
    return f"{path}, spelt by {'another' if os.getpid() != here else 'the first'}"

def fail(path):
    raise ValueError(path)

@contextmanager
def prepare():
    if sys.argv[1] == "refuses":
        raise IntegrityError("the settings are of no use")
    yield bring
"""
_BRINGING = f"""{_PREPARED}
with downloads_apart(lambda: None, prepare, 2) as downloads:
    assert downloads.ready()
    files = wanted(sys.argv[1:])
    downloads.begin(files)
    for one in files:
        name, sha256 = one.pin.name, one.pin.sha256
        try:
            print(name, downloads.brought(sha256, bool), one.task.bytes, downloads.made(sha256, spell))
        except Exception as error:
            print(name, type(error).__name__, error)
        assert downloads.made(sha256, fail) is None
    print("unknown", downloads.brought("unknown", bool))
"""
_ENDING = f"""{_PREPARED}
with downloads_apart(lambda: None, prepare, 2) as downloads:
    if sys.argv[1:]:
        downloads.begin(wanted(sys.argv[1:]))
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
    told = [
        "fine True 7 fine, spelt by another",
        "lies IntegrityError lies: the digest differs",
        "odd False 0 None",
        "good True 7 good, spelt by another",
    ]
    assert (done.returncode, done.stdout.splitlines()) == (0, [*told, "unknown False"]), done.stderr
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "left"),
    [("of two", "False 0"), ("of threads", "False 0"), ("untold", "True 7"), ("unheard", "True 7")],
)
def test_what_cannot_be_told_or_understood_is_left_and_all_else_goes_on(name: str, left: str) -> None:
    """An error or an answer that cannot be pickled, or that nothing can be made of at the other end."""
    files = [f"file{number}" for number in range(8)]
    done = brought(name, *files)
    assert done.returncode == 0, done.stderr
    told = [f"{one} True 7 {one}, spelt by another" for one in files]
    assert done.stdout.splitlines() == [f"{name} {left} None", *told, "unknown False"]


@pytest.mark.slow
def test_nothing_waits_for_a_copy_that_was_killed() -> None:
    done = brought("fine", "kills", "late")
    assert done.returncode == 0, done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines()[:2]] == [
        ["fine", "True", "7"],
        ["kills", "False", "0"],
    ]


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


@pytest.mark.slow
def test_all_is_brought_or_left_whichever_copies_are_killed() -> None:
    """Each takes the next file when it is done with one: what nobody took is left when nobody is there."""
    done = brought("kills", "kills too", *(f"hangs{number}" for number in range(40)))
    lines = [line for line in done.stdout.splitlines() if not line.isdecimal()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[-3:] for line in lines[:-1]] == [["False", "0", "None"]] * 42


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 2, 3, 5])
def test_no_more_is_fetched_at_once_than_was_said(at_once: int) -> None:
    """Each that hangs tells of itself, and keeps its place."""
    script = _ENDING.replace("prepare, 2)", f"prepare, {at_once})")
    argv = [sys.executable, "-c", script, *(f"hangs{number}" for number in range(9))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(at_once):
            assert process.stdout.readline().strip().isdecimal()
        assert not select.select([process.stdout], [], [], 0.3)[0], "one more was begun"
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "ended\n"
        process.kill()


@pytest.mark.slow
def test_one_copy_goes_on_with_what_another_left() -> None:
    names = [f"file{number}" for number in range(60)]
    done = brought("kills", *names)
    assert done.returncode == 0, done.stderr
    there = [line.split()[0] for line in done.stdout.splitlines() if " True 7 " in line]
    if len(os.sched_getaffinity(0)) > 1:
        assert len(there) >= 50
    assert set(there) <= set(names)


class _Blocked:
    """A connection at whose other end nobody listens before another file is begun."""

    def __init__(self) -> None:
        self.begun, self.waited = threading.Event(), list[bool]()

    def send(self, _: object) -> None:
        """Block as a pipe that is full."""
        self.waited.append(self.begun.wait(10))


def test_others_have_the_turn_of_a_file_that_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LONG_SECONDS", 60.0)
    connection, told = _Blocked(), threading.Event()
    asked = cast("Queue[_Asked]", Queue())

    def bring(pin: Pin, task: Task) -> Path:
        if pin.name == "first":
            told.set()
            task.advance(1 << 20)
        connection.begun.set()
        return Path(pin.name)

    serve = partial(_serve, bring, 2, cast("_End", connection), asked)
    threading.Thread(target=serve, daemon=True).start()
    asked.put((Pin("first", "a" * 64, None, "https://x.test/"), 0, ()))
    assert told.wait(10)
    asked.put((Pin("second", "b" * 64, None, "https://x.test/"), 1, ()))
    wait_until(lambda: connection.waited == [True] * 3)


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


_WHO_READS = """
import os, sys
from bundler.adapters.locked_reading import ReadLocked

read = ReadLocked.__call__

def told(self, path):
    with open(sys.argv[1], "a") as file:
        print(os.getpid(), self.filename, file=file)
    return read(self, path)

ReadLocked.__call__ = told
from bundler.cli import run
print(os.getpid(), run(sys.argv[2:]))
"""


@pytest.mark.slow
def test_each_wheel_is_read_once_by_the_copy_that_brought_it(locked: World) -> None:
    """What a job has made of it there is what it asks for here."""
    noted = locked.root / "noted"
    words = ["--cache-dir", "other", "-q", "build", "debian-12-amd64"]
    argv = [sys.executable, "-c", _WHO_READS, str(noted), *words]
    done = subprocess.run(argv, cwd=locked.root, env=locked.env(), capture_output=True, text=True, check=False)
    here, code = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    by, wheels = zip(*(line.split() for line in noted.read_text().splitlines()), strict=True)
    assert here not in by
    assert len(set(wheels)) == len(wheels) > 3


@pytest.mark.slow
def test_what_an_index_lacks_is_told_as_ever(locked: World) -> None:
    for wheel in locked.index.folder.glob("orjson-*"):
        wheel.unlink()
    done = locked.run_process("build", "all")
    assert done.code == 4, done.err
    assert "orjson" in done.err
