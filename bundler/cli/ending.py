"""What ends a run from outside: Ctrl-C; a terminal that closes (SIGHUP); `kill`, systemd, `timeout` and CI (SIGTERM).

Each raises KeyboardInterrupt, so that whatever is under way is tidied up in the way that Ctrl-C has.
"""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

from bundler.errors import Interrupted

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
# Tidying up takes less; Ctrl-C so much later ends even that.
_PATIENCE = 1.0
_came: list[tuple[int, float]] = []  # which signal, and when


def interrupt_at_signals() -> None:
    """Have signals raise KeyboardInterrupt; not those that are ignored, as below `nohup` or in a shell's background.

    Also where Python would print and forget it (in a finalizer): a bit later.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)

    def again(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        else:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = again
    signal.signal(signal.SIGALRM, signal.default_int_handler)


def interrupted() -> Interrupted:
    """What ended the run, with the exit code that shells give it: 128 and the signal's number."""
    number = signal.Signals(_came[0][0] if _came else signal.SIGINT)
    error = Interrupted("interrupted" if number == signal.SIGINT else f"ended by {number.name}", "run again to go on")
    error.exit_code = 128 + number
    return error


def _interrupt(number: int, frame: FrameType | None) -> None:
    # `timeout` sends its signal twice, systemd two of them, and people press Ctrl-C twice: tidying up goes on.
    now = time.monotonic()
    if not _came or (number == signal.SIGINT and now > _came[-1][1] + _PATIENCE):
        _came.append((number, now))
        raise KeyboardInterrupt
