"""Children: the time and memory that a command costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class FailedError(Exception):
    """A command that is measured did not do its work."""


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and the peak of resident memory in MB (10^6).

    The peak is wait4's: of the process or of the largest child that it waited for, so never less than its own.
    """

    seconds: float
    peak: float

    def __add__(self, other: Cost) -> Cost:
        """The cost of both, one after the other."""
        return Cost(self.seconds + other.seconds, max(self.peak, other.peak))


def cost(argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command and return what it cost. What earlier runs wrote is flushed before the clock starts."""
    os.sync()
    with tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        child = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            tail = errors.read()[-2000:].decode("utf-8", "replace")
            raise FailedError(f"{' '.join(map(str, argv))}: exit {child.returncode}\n{tail}")
    return Cost(seconds, usage.ru_maxrss * 1024 / 1e6)


def median(once: Callable[[], Cost], runs: int) -> Cost:
    """The median time and the highest peak of `runs` calls."""
    costs = [once() for _ in range(runs)]
    return Cost(statistics.median(one.seconds for one in costs), max(one.peak for one in costs))


def answer(argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """What a command prints, without the time it takes."""
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise FailedError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout
