"""Copies of a single-threaded process that do one thing and end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial

_ENDING = frozenset((signal.SIGHUP, signal.SIGINT, signal.SIGTERM))


def fork(work: Callable[[], int]) -> int:
    """Return the number of a child that does `work` and ends with the code that this returns; 70 if it raises."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = work()
    finally:
        os._exit(code)


def helper(work: Callable[[], int]) -> int:
    """The same of a copy that helps this process: no signal makes it go on as this process would. Raises OSError.

    Ctrl-C, which a terminal sends to copies as well, is for this process to answer; other signals end the copy at once.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        return fork(partial(_help, work, before))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _help(work: Callable[[], int], unblocked: set[int]) -> int:
    for number in _ENDING:
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)
        elif signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
    return work()


def code_of(status: int) -> int:
    """The exit code of a process that was waited for, as a shell tells it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def only_descriptors(standard: Sequence[int], kept: Sequence[int] = ()) -> None:
    """Close every descriptor but `kept`, and let standard input, output and errors be the three `standard`."""
    for number, one in enumerate([os.dup(one) for one in standard]):
        os.dup2(one, number)
    last = 3
    for one in sorted(kept):
        os.closerange(last, one)
        last = one + 1
    os.closerange(last, os.sysconf("SC_OPEN_MAX"))
