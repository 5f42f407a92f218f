"""A program: one build as the command makes it, and where its time goes; prints JSON (`python -m benchmarks.phases`).

Told are, in s since `STARTED` (s of the system's monotonic clock, taken before this process began): when its first
archive began to wait for files, when the last byte of a file had come, and when all was in place.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundler.progress import Silent, State, Task, Uncounted
from bundler.session import Session


class Clock(Silent):
    """Notes when downloads begin and when their last byte has come."""

    def __init__(self, started: float) -> None:
        self._started, self.begun, self.received = started, 0.0, 0.0

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @contextmanager
    def task(self, label: str, total: int, *, brief: bool = False) -> Iterator[Task]:
        """Count nothing, but note when."""
        yield self

    def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
        """Note when the first archive waits for files."""
        if state == "fetching" and not self.begun:
            self.begun = self.now
        return Uncounted()

    def advance(self, amount: int) -> None:
        """Bytes have come."""
        self.received = self.now


def main(started: str, cache: str, out: str, *targets: str) -> None:
    """Build `targets` into `out` with a store in `cache`, and tell when."""
    clock = Clock(float(started))
    with Session(None, Path(cache), dict(os.environ), clock).downloading() as session:
        from bundler.commands.build import build  # as the command does: while the other process loads what it takes

        report = build(session, targets, (), Path(out))
    print(json.dumps({"begun": clock.begun, "received": clock.received, "placed": clock.now}), flush=True)
    os._exit(report.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
