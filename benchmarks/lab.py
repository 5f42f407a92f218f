"""The lab: a temporary folder, the tool under test, its targets, and a warm store to start from."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.child import Cost, FailedError, answer, cost

PROJECT = Path(__file__).resolve().parents[1]
# The target whose cold build is compared with pip on a Python of the same minor version.
REFERENCE = "debian-12-amd64"


@dataclass(frozen=True)
class Target:
    """A target that needs nothing but the package index."""

    name: str
    asset: str
    requirements: tuple[str, ...]


class Lab:
    """Where everything is measured: `folder` is empty at first and removed by its owner."""

    def __init__(self, folder: Path, runs: int, long_runs: int) -> None:
        self.folder, self.runs, self.long_runs = folder, runs, long_runs
        self.program = Path(sys.executable).with_name("aiws-bundle")
        if not self.program.is_file():
            raise FailedError(f"{self.program} is missing: install the project into this environment first")
        # As pip installs it, whatever PYTHONDONTWRITEBYTECODE says here: to compile it takes 0.15 s a run.
        answer([sys.executable, "-m", "compileall", "-q", "bundler", "benchmarks"], PROJECT)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Every target without a portable Python."""
        found = json.loads(answer([self.program, "--json", "targets"], PROJECT))["targets"]
        return tuple(
            Target(facts["target"], facts["asset"], tuple(facts["requirements"]))
            for facts in found
            if not facts["portable"]
        )

    @property
    def reference(self) -> Target:
        """The target of the single cold build."""
        return next(target for target in self.targets if target.name == REFERENCE)

    @cached_property
    def index(self) -> str:
        """The index that the tool takes its wheels from; pip is pointed at the same."""
        ask = (
            "import os; from bundler.adapters.index_address import find_index; "
            "from bundler.adapters.process import run; "
            "print(find_index(os.environ, run))"
        )
        return answer([sys.executable, "-c", ask], PROJECT).strip()

    @cached_property
    def warm(self) -> Path:
        """A folder whose `dist` holds every target's archive and whose `cache` holds every wheel."""
        folder = self.folder / "warm"
        self.build(folder, self.targets)
        return folder

    def archive(self, target: Target) -> Path:
        """The finished archive of a target."""
        return self.warm / "dist" / target.asset

    def build(self, folder: Path, targets: tuple[Target, ...], *options: str) -> Cost:
        """Build targets into `folder`, which has a cache of its own."""
        names = [target.name for target in targets]
        return self.run("--cache-dir", folder / "cache", "build", *names, "--out", folder / "dist", *options)

    def run(self, *arguments: str | Path) -> Cost:
        """Run the tool as people do: as a process of its own, with the environment that it finds."""
        return cost([self.program, "--quiet", *arguments], PROJECT)
