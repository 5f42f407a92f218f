"""The floor of a cold build: what curl, sha256sum and tar alone take to fetch, hash and pack the same files."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import Cost, answer, cost
from benchmarks.lab import PROJECT, Lab, Target

# The addresses that `build` would ask first, of what it does not make itself; each archive's files by their digests.
_ASK = """
import json, os, sys
from pathlib import Path
from bundler.fetch import addresses_of, distinct
from bundler.kinds.manifests import load_manifests
from bundler.progress import Silent
from bundler.session import Session

session = Session(None, Path(os.devnull), dict(os.environ), Silent())
manifests = load_manifests(session.workspace())
[chosen] = manifests.chosen((), "build")
orders = chosen.orders(manifests.hosts, session.workspace(), sys.argv[1:], session.epoch())
archives = [order.job().pins() for order in orders]
with session.network() as network:
    pins = distinct(pin for pins in archives for pin in pins)
    addresses = [
        next(addresses_of(pin, lambda: network.index, lambda: network.registry, network.archive)) for pin in pins
    ]
print(json.dumps({
    "files": {pin.sha256: address for pin, address in zip(pins, addresses)},
    "archives": [[pin.sha256 for pin in pins] for pins in archives],
}))
"""


@dataclass(frozen=True)
class Wanted:
    """Distinct files, their addresses by SHA-256 (hex), and which of them each archive holds."""

    files: dict[str, str]
    archives: list[list[str]]


@dataclass(frozen=True)
class Floor:
    """What each of the three programs costs."""

    curl: Cost
    sha256sum: Cost
    tar: Cost

    @property
    def all(self) -> Cost:
        """The three, one after the other."""
        return self.curl + self.sha256sum + self.tar


@dataclass(frozen=True)
class Phases:
    """Where the time of one of our builds goes, in s: until it fetches, until the last byte came, and after that."""

    start: float
    fetch: float
    after: float


def wanted(targets: Sequence[Target]) -> Wanted:
    """What a cold build of `targets` fetches."""
    return Wanted(**json.loads(answer([sys.executable, "-c", _ASK, *(one.name for one in targets)], PROJECT)))


def floor(lab: Lab, what: Wanted) -> Floor:
    """Fetch each file once, hash each once, and pack each archive's."""
    folder = lab.folder / "floor"
    files = folder / "files"
    files.mkdir(parents=True)
    asked, listed = folder / "curl.conf", folder / "listed"
    asked.write_text("".join(f'url = "{url}"\noutput = "{sha256}"\n' for sha256, url in what.files.items()))
    listed.write_text("".join(f"{sha256}  {sha256}\n" for sha256 in what.files))
    options = ("--parallel", "--parallel-max", "16", "--fail", "--location", "--silent", "--show-error")
    try:
        curl = cost(["curl", *options, "--config", asked], files)
        summed = cost(["sha256sum", "--quiet", "-c", listed], files)
        tar = Cost(0, 0)
        for number, held in enumerate(what.archives):
            tar += cost(["tar", "-cf", folder / f"{number}.tar", *held], files)
    finally:
        shutil.rmtree(folder)
    return Floor(curl, summed, tar)


def phases(lab: Lab, targets: Sequence[Target], runs: int) -> Phases:
    """Where our time goes: the median of each phase."""
    seen = [_phases(lab, targets) for _ in range(runs)]
    return Phases(*(statistics.median(times) for times in zip(*seen, strict=True)))


def _phases(lab: Lab, targets: Sequence[Target]) -> tuple[float, float, float]:
    folder, names = lab.folder / "phases", [target.name for target in targets]
    started = time.monotonic()
    words: list[str | Path] = [sys.executable, "-m", "benchmarks.phases", str(started), folder / "cache"]
    try:
        told: dict[str, float] = json.loads(answer([*words, folder / "dist", *names], PROJECT))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return told["begun"], told["received"] - told["begun"], told["placed"] - told["received"]
