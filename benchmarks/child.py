"""Children: the time and memory that a command costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class FailedError(Exception):
    """A command that is measured did not do its work."""


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, the peak of resident memory in MB (10^6), and seconds of processors (user and system).

    The peak is wait4's: of the process or of the largest child that it waited for.
    """

    seconds: float
    peak: float
    busy: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """The cost of both, one after the other."""
        return Cost(self.seconds + other.seconds, max(self.peak, other.peak), self.busy + other.busy)


# Starts a command and tells what it took. Linux counts what a process had before it became another program, so it is
# started by one that has less (9 MB) than any that is measured, and not by this one.
_LAUNCHER = """
import os, sys, time
started = time.monotonic()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
told = time.monotonic() - started, usage.ru_maxrss, usage.ru_utime + usage.ru_stime
os.write(int(sys.argv[1]), " ".join(map(repr, told)).encode())
sys.exit(max(os.waitstatus_to_exitcode(status), -1) % 256)
"""


def cost(argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command and return what it cost. What earlier runs wrote is flushed before the clock starts."""
    os.sync()
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as errors, os.fdopen(reading) as told:
        try:
            code = subprocess.call(
                [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(writing), *argv],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[writing],
            )
        finally:
            os.close(writing)
        if code:
            errors.seek(0)
            tail = errors.read()[-2000:].decode("utf-8", "replace")
            raise FailedError(f"{' '.join(map(str, argv))}: exit {code}\n{tail}")
        seconds, peak, busy = map(float, told.read().split())
    return Cost(seconds, peak * 1024 / 1e6, busy)


def median(once: Callable[[], Cost], runs: int) -> Cost:
    """The median times and the highest peak of `runs` calls."""
    return in_turn([once], runs)[0]


def in_turn(each: Sequence[Callable[[], Cost]], runs: int) -> list[Cost]:
    """The same of several, which take turns."""
    rounds = [[once() for once in each] for _ in range(runs)]
    return [
        Cost(
            statistics.median(one.seconds for one in costs),
            max(one.peak for one in costs),
            statistics.median(one.busy for one in costs),
        )
        for costs in zip(*rounds, strict=True)
    ]


def answer(argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """What a command prints, without the time it takes."""
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise FailedError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout
