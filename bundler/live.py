"""Live bars, and where each of several things stands, on a terminal; drawn by rich, which is loaded for it alone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from bundler.board import Board, Row
from bundler.progress import State, Task, Uncounted
from bundler.terminal import Style, Styled, encodable, one_line

_STYLES: dict[Style, str] = {"good": "green", "bad": "red", "caution": "yellow", "aside": "dim"}
# From so many columns on, the time that is left has a place.
_ROOMY = 80


class Terminal:
    """Live bars on a terminal, below the rows of what is followed."""

    def __init__(self) -> None:
        self._bars = _Bars(Console(stderr=True))
        self._open = 0
        self._parts: list[TaskID] = []
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print one line above the bars."""
        shown = encodable(one_line(text), sys.stderr)
        with self._lock:  # not while bars end: the line would be put beside the last of them
            self._bars.console.print(shown, markup=False, highlight=False, emoji=False, soft_wrap=True)

    @contextmanager
    def task(self, label: str, total: int, *, brief: bool = False) -> Iterator[Task]:
        """Draw one bar while the work lasts."""
        with self._drawing():
            bar = self._bars.add_task(encodable(one_line(label), sys.stderr), total=total)
            try:
                yield _BarTask(self._bars, bar)
            finally:
                self._bars.remove_task(bar)

    @contextmanager
    def follow(self, subjects: Sequence[str]) -> Iterator[None]:
        """Draw a row for each while the context is open; what fails or is interrupted leaves them on the screen."""
        plain = encodable("━─…", sys.stderr) != "━─…"
        with self._drawing():
            board = Board(subjects, time.monotonic(), ("#", "-") if plain else ("━", "─"))
            self._bars.board = board
            try:
                yield
            except BaseException:
                self._bars.live.transient = False
                raise
            finally:
                for part in self._parts:
                    self._bars.remove_task(part)
                self._parts.clear()
                if self._bars.live.transient:
                    self._bars.board = None

    def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
        """Show a state in the row of what is followed; of what is not, a bar while it has bytes."""
        board = self._bars.board
        if board and subject in board.rows:
            return _RowTask(board.enter(subject, state, total, told, time.monotonic()))
        if not self._open or not total:
            return Uncounted()
        label = f"{state} {subject.removesuffix('.tar.gz')}"
        part = self._bars.add_task(encodable(one_line(label), sys.stderr), total=total)
        self._parts.append(part)
        return _BarTask(self._bars, part)

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        with self._lock:
            self._open += 1
            if self._open == 1:
                self._bars.start()
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1
                if self._open == 0:
                    self._bars.stop()
                    self._bars.board = None


class _Bars(RichProgress):
    """rich's bars below a board."""

    def __init__(self, console: Console) -> None:
        self.board: Board | None = None
        # What is done stands in full; labels, which are cut if they are too long, and bars share the rest of the line.
        label, bar = Column(no_wrap=True, overflow="ellipsis", ratio=5), Column(ratio=1)
        left = [TimeRemainingColumn(compact=True)] if console.width >= _ROOMY else []
        super().__init__(
            TextColumn("{task.description}", markup=False, table_column=label),
            BarColumn(None, table_column=bar),
            DownloadColumn(),
            TransferSpeedColumn(),
            *left,
            console=console,
            transient=True,
            expand=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The board's lines, then the bars: together fewer than the terminal has lines, or it would scroll."""
        tasks = self.tasks
        if board := self.board:
            width, height = self.console.size
            room = height - len(tasks) - 1
            lines = board.lines(width, max(room, 1), time.monotonic())
            yield Text("\n", no_wrap=True, overflow="crop").join(map(_text, lines))
        if tasks or not board:
            yield self.make_tasks_table(tasks)


class _BarTask:
    def __init__(self, bars: RichProgress, bar: TaskID) -> None:
        self._bars, self._bar = bars, bar

    def advance(self, amount: int) -> None:
        self._bars.advance(self._bar, amount)


class _RowTask:
    """The bytes of one state of a row: what comes late, of a state before, counts for nothing."""

    def __init__(self, row: Row) -> None:
        self._row, self._state, self._lock = row, row.state, threading.Lock()

    def advance(self, amount: int) -> None:
        with self._lock:
            if self._row.state == self._state:
                self._row.done += amount


def _text(line: Styled | str) -> Text:
    if isinstance(line, Styled):
        return Text(encodable(line.text, sys.stderr), _STYLES[line.style])
    return Text(encodable(line, sys.stderr))
