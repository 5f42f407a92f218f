"""How long work tells a person how far it is: nothing, plain lines (CI) or live bars (a terminal)."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from bundler.terminal import encodable, obeys, one_line, warn

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int) -> None:
        """Add `amount` (bytes or things) to what is done; negative when work must be done again."""


class Progress(Protocol):
    """Where steps say what they do. All methods may be called from any thread."""

    def say(self, text: str) -> None:
        """Tell one finished thing as a line."""

    def task(self, label: str, total: int, *, brief: bool = False) -> AbstractContextManager[Task]:
        """Show work of `total` bytes while the context is open. Of a `brief` one's end, `say` tells what it made."""


class Uncounted:
    """Work that is done already, or that nobody watches."""

    def advance(self, amount: int) -> None:
        """Count nothing."""


class Silent:
    """Says nothing: for `--quiet`, `--json` and tests."""

    def say(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def task(self, label: str, total: int, *, brief: bool = False) -> Iterator[Task]:
        """Show nothing."""
        yield Uncounted()


class Lines:
    """Plain lines on standard error: for CI logs and pipes. A task is one line when it ends, and one a 10 s."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            warn(text)

    @contextmanager
    def task(self, label: str, total: int, *, brief: bool = False) -> Iterator[Task]:
        """Print the label when the work is done, unless it is brief, and how far it is meanwhile."""
        task = _LineTask(self, label, total)
        yield task
        if brief:
            return
        done = (
            megabytes(task.done) if task.done >= total else f"stopped at {megabytes(task.done)} of {megabytes(total)}"
        )
        self.say(f"{label}: {done} in {time.monotonic() - task.started:.1f} s")


class _LineTask:
    def __init__(self, lines: Lines, label: str, total: int) -> None:
        self._lines, self._label, self._total = lines, label, total
        self.done, self._lock = 0, threading.Lock()
        self.started = self._told = time.monotonic()

    def advance(self, amount: int) -> None:
        with self._lock:
            self.done += amount
            now = time.monotonic()
            if due := now - self._told >= 10:
                self._told = now
        if due:
            self._lines.say(f"{self._label}: {self.done * 100 // max(self._total, 1)} % of {megabytes(self._total)}")


class Terminal:
    """Live bars on a terminal, drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
        from rich.table import Column

        # What is done stands in full; labels, which are cut if they are too long, and bars share the rest of the line.
        label, bar = Column(no_wrap=True, overflow="ellipsis", ratio=5), Column(ratio=1)
        self._bars: RichProgress = Progress(
            TextColumn("{task.description}", markup=False, table_column=label),
            BarColumn(None, table_column=bar),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._open = 0
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print one line above the bars."""
        shown = encodable(one_line(text), sys.stderr)
        with self._lock:  # not while bars end: the line would be put beside the last of them
            self._bars.console.print(shown, markup=False, highlight=False, emoji=False, soft_wrap=True)

    @contextmanager
    def task(self, label: str, total: int, *, brief: bool = False) -> Iterator[Task]:
        """Draw one bar while the work lasts."""
        with self._lock:
            self._open += 1
            if self._open == 1:
                self._bars.start()
        bar = self._bars.add_task(encodable(one_line(label), sys.stderr), total=total)
        try:
            yield _BarTask(self._bars, bar)
        finally:
            self._bars.remove_task(bar)
            with self._lock:
                self._open -= 1
                if self._open == 0:
                    self._bars.stop()


class _BarTask:
    def __init__(self, bars: RichProgress, bar: TaskID) -> None:
        self._bars, self._bar = bars, bar

    def advance(self, amount: int) -> None:
        self._bars.advance(self._bar, amount)


def choose(*, quiet: bool, json: bool, bars: bool) -> Progress:
    """Pick what fits: nothing with `quiet` or `json`, bars on a terminal that wants them, else lines."""
    if quiet or json:
        return Silent()
    if bars and obeys(sys.stderr) and not os.environ.get("CI"):
        return Terminal()
    return Lines()


def megabytes(size: int) -> str:
    """Spell a number of bytes for people: `152.7 MB` (10^6)."""
    return f"{size / 1e6:.1f} MB"
