"""The real command line under limits of memory and time, in a process of its own; says what it took.

Memory is counted in both ways: the address space is limited (RLIMIT_AS; a bare `verify` needs less than 100 MB of it),
and the peak of what was resident is told. Time is the processor's (RLIMIT_CPU), so that a busy machine fails no test; a
program that waits is killed by the clock on the wall.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limited:
    """A finished run. `seconds` of processor time, `wall` seconds passed, `megabytes` (MiB) resident at its peak."""

    code: int
    out: str
    err: str
    seconds: float
    wall: float
    megabytes: float


def limited(
    argv: Sequence[str | Path],
    seconds: int = 10,
    megabytes: int = 250,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Limited:
    """Run `aiws-bundle ARGV` within `seconds` of processor time and `megabytes` (MiB) of address space.

    Fails the test if a limit was hit, or if what it printed is a traceback or owns up to a bug.
    """
    done = launched([sys.executable, "-m", "bundler", *map(str, argv)], seconds, megabytes, cwd, env)
    told = f"{' '.join(map(str, argv))[:200]}\n{done}"[:4000]
    assert done.code not in (-signal.SIGXCPU, -signal.SIGKILL), f"took more than {seconds} s: {told}"
    assert done.code >= 0, f"died of signal {-done.code}: {told}"
    assert "MemoryError" not in done.err, f"took more than {megabytes} MB: {told}"
    assert "Traceback" not in done.err, told
    assert "this is a bug" not in done.err + done.out, told
    assert done.megabytes <= megabytes, told
    return done


def launched(argv: list[str], seconds: int, megabytes: int, cwd: Path | None, env: Mapping[str, str] | None) -> Limited:
    """Run any program within limits, and judge nothing.

    It is started from a small process: what a large one held when it forked would count as its peak.
    """
    reading, writing = os.pipe()
    launcher = [sys.executable, "-I", "-S", __file__, str(writing), str(seconds), str(megabytes), *argv]
    try:
        done = subprocess.run(
            launcher,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=[writing],
            check=False,
        )
        os.close(writing)
        with os.fdopen(reading, "rb", closefd=False) as pipe:
            took = json.loads(pipe.read())
    finally:
        os.close(reading)
    return Limited(out=done.stdout.decode("utf-8", "replace"), err=done.stderr.decode("utf-8", "replace"), **took)


def _launch(outlet: int, seconds: int, megabytes: int, argv: list[str]) -> None:
    """Be the small process: run `argv` within the limits and write what it took to `outlet`."""
    start = time.monotonic()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
        os.close(outlet)
        os.execv(argv[0], argv)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(4 * seconds + 10)
    _, status, usage = os.wait4(child, 0)
    took = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "wall": round(time.monotonic() - start, 2),
        "megabytes": round(usage.ru_maxrss / 1024, 1),
    }
    os.write(outlet, json.dumps(took).encode())


if __name__ == "__main__":
    _launch(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
