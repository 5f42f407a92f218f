"""Where each of several things stands, as lines that fit a terminal: pure text, drawn anew ten times a second.

    debian-12-amd64     done       0:14  152.7 MB
    debian-13-amd64     packing    0:12  ━━━━━━━━━━────── 98.1 of 154.6 MB
    ubuntu-22.04-amd64  fetching   0:12  ━━───────────── 20.4 of 153.1 MB
    ubuntu-24.04-amd64  waiting
    example-runtime: 1 of 4 done in 0:14

Where there are more than lines, those that are done are told as one number, then those that wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bundler.progress import State
from bundler.sizes import share_text, size_text
from bundler.terminal import Style, Styled, one_line

_STATE, _TIME, _BAR, _LEAST_DETAIL = 9, 6, 40, 8
_STYLES: dict[State, Style] = {"done": "good", "failed": "bad", "waiting": "aside"}


@dataclass
class Row:
    """One thing, and how it stands: `done` of `total` bytes of its state; `started` and `ended` are seconds."""

    name: str
    state: State = "waiting"
    total: int = 0
    done: int = 0
    told: str = ""
    started: float | None = None
    ended: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed")

    @property
    def shown(self) -> State:
        """Its state as a person sees it: what is to be fetched waits until a byte is there, and again when all are."""
        waits = self.state == "fetching" and (not self.done or self.done >= self.total)
        return "waiting" if waits else self.state

    def detail(self, width: int, bar: tuple[str, str]) -> str:
        """How far it is, or what became of it, in at most `width` characters."""
        if self.over:
            return size_text(self.total) if self.total and len(self.told) > width else cut(self.told, width)
        if not self.total or not self.done:
            return ""
        if self.done >= self.total:
            return cut("fetched" if self.state == "fetching" else size_text(self.total), width)
        far = share_text(self.done, self.total)
        room = min(_BAR, width - len(far) - 1)
        return cut(far, width) if room < 4 else f"{_drawn(self.done / self.total, room, bar)} {far}"

    def seconds(self, now: float) -> float | None:
        """How long it took, or takes already; None if it was not begun."""
        return None if self.started is None else (self.ended or now) - self.started


@dataclass
class Board:
    """The rows of one run. `bar` are the characters for what is done and what is not."""

    names: Sequence[str]
    begun: float
    bar: tuple[str, str] = ("━", "─")
    rows: dict[str, Row] = field(init=False)
    _title: str = field(init=False)

    def __post_init__(self) -> None:
        """A row for each name, without what all of them begin with."""
        common = _common(self.names)
        self.rows = {name: Row(one_line(name.removesuffix(".tar.gz").removeprefix(common))) for name in self.names}
        self._title = one_line(common).rstrip("-")

    def enter(self, name: str, state: State, total: int, told: str, now: float) -> Row:
        """Let one come to a state."""
        row = self.rows[name]
        if row.over and state != "waiting":
            return row
        row.state, row.total, row.done, row.told = state, total, 0, one_line(told)
        if state != "waiting" and row.started is None:
            row.started = now
        if row.over:
            row.ended = now
        return row

    def lines(self, width: int, height: int, now: float) -> list[Styled | str]:
        """At most `height` lines of at most `width` characters."""
        drawn = list(self._drawn(width, max(height - 1, 0), now))
        return [*drawn[: max(height - 1, 0)], self._summary(width, now)][:height]

    def _drawn(self, width: int, height: int, now: float) -> Iterator[Styled | str]:
        rows, before, after = self._folded(height)
        names = min(max((len(row.name) for row in self.rows.values()), default=0), max(width // 3, 8))
        if before:
            yield Styled(cut(before, width), "good")
        for row in rows:
            style, text = _STYLES.get(row.shown), self._line(row, names, width, now)
            yield Styled(text, style) if style else text
        if after:
            yield Styled(cut(after, width), "aside")

    def _folded(self, height: int) -> tuple[list[Row], str, str]:
        """The rows that are shown one by one, and what is told of those before and after them."""
        rows, before, after = list(self.rows.values()), "", ""
        if len(rows) > height and (done := [row for row in rows if row.state == "done"]):
            rows, before = [row for row in rows if row.state != "done"], f"{len(done)} done"
        if len(rows) + bool(before) > height:
            active = [row for row in rows if row.shown != "waiting"]
            fit = max(height - bool(before) - 1, 0)
            shown = active if len(active) < fit else active[:fit]
            shown += [row for row in rows if row.shown == "waiting"][: fit - len(shown)]
            after, rows = f"and {len(rows) - len(shown)} more", [row for row in rows if row in shown]
        return rows, before, after

    def _line(self, row: Row, names: int, width: int, now: float) -> str:
        seconds, detail = row.seconds(now), width - names - _STATE - _TIME - 4
        line = f"{cut(row.name, names):{names}}  {row.shown:{_STATE}}"
        line += f"{'' if seconds is None else _clock(seconds):>{_TIME}}"
        if detail >= _LEAST_DETAIL:
            line += f"  {row.detail(detail, self.bar)}"
        return cut(line.rstrip(), width)

    def _summary(self, width: int, now: float) -> str:
        counts = [sum(row.state == state for row in self.rows.values()) for state in ("done", "failed")]
        text = f"{counts[0]} of {len(self.rows)} done" + (f", {counts[1]} failed" if counts[1] else "")
        text = f"{self._title}: {text}" if self._title else text
        return cut(f"{text} in {_clock(now - self.begun)}", width)


def _common(names: Sequence[str]) -> str:
    """What all names begin with, but for their last three words, which are the target's."""
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    same = min(same, *(len(name) - len("-".join(name.split("-")[-3:])) for name in names))
    return first[: first.rfind("-", 0, same) + 1]


def cut(text: str, width: int) -> str:
    """Text of at most `width` characters; one that is longer ends with an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"[: max(width, 0)]


def _drawn(part: float, width: int, bar: tuple[str, str]) -> str:
    done = int(part * width)
    return bar[0] * done + bar[1] * (width - done)


def _clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
