"""What a run of ansible-playbook did, read from the log that it writes (`ANSIBLE_LOG_PATH`, its default callback)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

_LINE = re.compile(r"(\d{4}-\S+ \S+,\d{3}) p=\d+ u=\S+ n=ansible (?:\w+)?\| (.*)")
_TASK = re.compile(r"(?:TASK|RUNNING HANDLER) \[(?:.* : )?(.*)\] \*+")


@dataclass(frozen=True)
class Step:
    """A task: its name, what came of it (ok, changed, skipping, fatal), and seconds until the next one began."""

    name: str
    came: str
    seconds: float


@dataclass(frozen=True)
class Play:
    """The tasks in their order, and the counts of the recap."""

    steps: tuple[Step, ...]
    counts: dict[str, int]

    @classmethod
    def read(cls, log: Path) -> Play:
        """Read the log of one run."""
        begun: list[tuple[str, str, datetime]] = []
        counts: dict[str, int] = {}
        for time, text in _LINE.findall(log.read_text()):
            task = _TASK.match(text)
            if task or text.startswith("PLAY RECAP"):
                begun.append((task[1] if task else "", "", datetime.strptime(time, "%Y-%m-%d %H:%M:%S,%f")))
            elif came := re.match(r"(ok|changed|skipping|fatal): \[", text):
                begun[-1] = (begun[-1][0], came[1], begun[-1][2])
            elif "unreachable=" in text:
                counts = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", text)}
        steps = (Step(one[0], one[1], (after[2] - one[2]).total_seconds()) for one, after in pairwise(begun))
        return cls(tuple(steps), counts)

    def that(self, came: str) -> list[str]:
        """Return the names of the tasks of which this came."""
        return [step.name for step in self.steps if step.came == came]

    def figures(self) -> str:
        """Return the counts, and seconds a task, for people."""
        seconds = ", ".join(
            f"{step.name} {step.seconds:.1f}" for step in self.steps if step.came not in ("skipping", "")
        )
        return f"{self.counts} {sum(step.seconds for step in self.steps):.0f} s: {seconds}"
