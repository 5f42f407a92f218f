"""How long work tells a person how far it is: nothing, plain lines (CI), or what `live` draws on a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, TypeAlias

from bundler.sizes import share_text, size_text
from bundler.terminal import warn, warn_group

# How one of several things stands that a run makes or judges.
State: TypeAlias = Literal["waiting", "fetching", "proving", "packing", "verifying", "done", "failed"]


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

    def follow(self, subjects: Sequence[str]) -> AbstractContextManager[None]:
        """Show how each of several archives, by their names, stands while the context is open."""

    def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
        """Tell that one came to a state, which takes `total` bytes of work; `told` is what became of it at its end."""


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

    @contextmanager
    def follow(self, subjects: Sequence[str]) -> Iterator[None]:
        """Show nothing."""
        yield

    def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
        """Show nothing."""
        return Uncounted()


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
        done = size_text(task.done) if task.done >= total else f"stopped at {share_text(task.done, total)}"
        self.say(f"{label}: {done} in {time.monotonic() - task.started:.1f} s")

    @contextmanager
    def follow(self, subjects: Sequence[str]) -> Iterator[None]:
        """Print nothing of the beginning."""
        yield

    def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
        """Print what became of it, and how far its packing is meanwhile; that something failed is told by who asked."""
        if state == "done" and told:
            self.say(told)
        return (
            _LineTask(self, f"packing {subject.removesuffix('.tar.gz')}", total) if state == "packing" else Uncounted()
        )


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
            self._lines.say(f"{self._label}: {self.done * 100 // max(self._total, 1)} % of {size_text(self._total)}")


class Groups(Lines):
    """The same in a GitHub runner's log: what is told of each thing that is followed is a group, once it has ended.

    Things are made at the same time, and a log has one group after the other: so their lines are gathered.
    """

    def __init__(self) -> None:
        super().__init__()
        self._states: dict[str, list[tuple[State, float]]] = {}

    @contextmanager
    def follow(self, subjects: Sequence[str]) -> Iterator[None]:
        """Gather what is told of each; of what has not ended when the context is left, nothing is told."""
        self._states |= {subject: [] for subject in subjects}
        try:
            yield
        finally:
            for subject in subjects:
                self._states.pop(subject, None)

    def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
        """Keep when it came to a state; at its end print the group."""
        if (states := self._states.get(subject)) is None:
            return super().stage(subject, state, total, told)
        now = time.monotonic()
        if state not in ("done", "failed"):
            states.append((state, now))
            return Uncounted()
        ends = [since for _, since in states[1:]] + [now]
        times = [f"{name}: {end - since:.1f} s" for (name, since), end in zip(states, ends, strict=True)]
        with self._lock:
            warn_group(f"{subject.removesuffix('.tar.gz')}: {state}", (*times, *([told] if told else [])))
        return Uncounted()
