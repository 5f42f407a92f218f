"""Copies of this process. pytest's workers have threads of their own, so what is tested runs in a Python of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bundler.adapters.forks import mapped
from bundler.adapters.known_wheels import KnownWheels

pytestmark = pytest.mark.slow
_BEGIN = """
import os, signal, sys, threading, time
from bundler.adapters.forks import mapped
from bundler.adapters.known_wheels import KnownWheels, WheelKey
from bundler.model.closure import Wheel
mine = os.getpid()
def here():
    return os.getpid() == mine
"""


def started(code: str) -> subprocess.Popen[str]:
    program = _BEGIN + textwrap.dedent(code)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(code: str) -> str:
    process = started(code)
    output, errors = process.communicate(timeout=60)
    assert (errors, process.returncode) == ("", 0)
    return output


def test_each_is_answered_in_order_by_a_copy() -> None:
    code = """
    with mapped(lambda number: (number * 2, here()), range(9), 3, KnownWheels()) as answers:
        print([one.result() for one in answers] == [(number * 2, False) for number in range(9)])
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("none is left", threading.active_count() < 5)
    """
    assert said(code) == "True\nnone is left True\n"


def test_what_a_copy_cannot_answer_is_done_here_and_raised_here() -> None:
    code = """
    def work(word):
        if word == "killed" and not here():
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "odd":
            return (lambda: 1) if not here() else "odd"
        if word == "bad":
            raise OSError(5, "cannot be read")
        return word, here()
    with mapped(work, ["killed", "fine", "odd", "bad"], 2, KnownWheels()) as answers:
        for one in answers:
            try:
                print(one.result()[0])
            except OSError as error:
                print(error)
    """
    assert said(code) == "killed\nfine\no\n[Errno 5] cannot be read\n"


def test_where_other_threads_run_all_is_done_here() -> None:
    code = """
    stop = threading.Event()
    threading.Thread(target=stop.wait).start()
    with mapped(lambda number: here(), range(3), 2, KnownWheels()) as answers:
        print([one.result() for one in answers])
    stop.set()
    """
    assert said(code) == "[True, True, True]\n"


@pytest.mark.parametrize(("most", "kept"), [(0, True), (1, False)])
def test_where_no_more_copies_can_be_made_those_that_there_are_do_it(most: int, kept: bool) -> None:
    """As where a user may have so many processes and no more."""
    code = f"""
    fork, left = os.fork, {most}
    def refusing():
        global left
        if not left:
            raise BlockingIOError(11, "no more processes")
        left -= 1
        return fork()
    os.fork = refusing
    with mapped(lambda number: here(), range(4), 3, KnownWheels()) as answers:
        print([one.result() for one in answers] == [{kept}] * 4)
    print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    """
    assert said(code) == "True\nset()\n"


def test_a_wheel_is_read_by_one_of_the_copies_and_known_to_all() -> None:
    code = """
    known = KnownWheels()
    keys = [WheelKey(str(number), f"a-{number}-py3-none-any.whl", True) for number in range(20)]
    def work(turn):
        read = []
        for key in keys:
            def once():
                read.append(key.sha256)
                time.sleep(0.003)
                return Wheel(key.filename)
            assert known.once(key, once).filename == key.filename
        return read
    with mapped(work, range(8), 4, known) as answers:
        print(sorted(sum((one.result() for one in answers), [])) == sorted(key.sha256 for key in keys))
    """
    assert said(code) == "True\n"


def test_a_wheel_that_one_refuses_or_dies_of_is_read_by_the_next() -> None:
    code = """
    known = KnownWheels()
    key = WheelKey("0", "a-1-py3-none-any.whl", True)
    def refuse():
        time.sleep(0.2)
        raise ValueError("bad")
    def work(how):
        try:
            return known.once(key, {"refused": refuse, "killed": lambda: os.kill(os.getpid(), 9)}[how]).filename
        except ValueError:
            return "refused"
    for how in ("refused", "killed"):
        with mapped(lambda one: work(how) if not here() else "here", range(2), 2, known) as answers:
            print(*(one.result() for one in answers))
    """
    assert said(code) == "refused refused\nhere here\n"


def _children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no list of children here")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_no_copy_outlives_this_process(how: signal.Signals) -> None:
    code = """
    def work(number):
        time.sleep(1)
        return number
    try:
        with mapped(work, range(40), 3, KnownWheels()) as answers:
            print("begun", flush=True)
            answers[-1].result()
    except KeyboardInterrupt:
        os._exit(130)
    """
    process = started(code)
    assert process.stdout and process.stdout.readline() == "begun\n"
    children = _children(process.pid)
    assert len(children) == 3
    process.send_signal(how)
    process.communicate(timeout=30)
    late = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < late:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert process.returncode == (130 if how == signal.SIGINT else -how)


def test_a_copy_does_nothing_of_what_this_process_does_at_a_signal() -> None:
    """Ctrl-C is for this process to answer, SIGTERM ends it, and what is ignored stays so, from its first moment on."""
    code = """
    from bundler.adapters.jail_fork import helper
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: print("answered", number, flush=True))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    def work():
        os.write(1, b"begun\\n")
        time.sleep(60)
        return 0
    for _ in range(20):
        copy = helper(work)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            os.kill(copy, number)
        assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == -signal.SIGTERM
    copy = helper(lambda: time.sleep(0.3) or 7)
    os.kill(copy, signal.SIGINT)
    os.kill(copy, signal.SIGHUP)
    assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 7
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
    os.kill(mine, signal.SIGTERM)
    """
    assert said(code).replace("begun\n", "") == "answered 15\n"


def test_one_at_a_time_needs_no_copy() -> None:
    with mapped(lambda number: os.getpid(), range(3), 1, KnownWheels()) as answers:
        assert {one.result() for one in answers} == {os.getpid()}
