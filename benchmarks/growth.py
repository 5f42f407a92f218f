"""How every step grows with applications, targets and releases: real commands on tiny wheels, and the exponents.

`python -m benchmarks.growth FIGURES` writes them; `python -m benchmarks.plot FIGURES docs/growth.svg` draws them.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.child import Cost
from benchmarks.growing import REPOSITORY, Grown, grown

APPLICATIONS, FIXED_TARGETS = (1, 5, 10, 25, 50), 4
TARGETS, FIXED_APPLICATIONS = (2, 6, 12, 24), 4
RELEASES, HELD_TARGETS = (1, 4, 13, 26, 52), 2
# A command that does nothing takes so long: it says nothing of how the rest grows.
_LEAST_SECONDS = 0.1


@dataclass
class Growth:
    """Processor seconds and peaks (MB) of each step by how many there were, along one axis; and other counts."""

    axis: str
    seconds: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    peaks: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    counts: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def note(self, step: str, size: int, cost: Cost) -> None:
        """Note what a step took at a size."""
        self.seconds[step][size], self.peaks[step][size] = cost.busy, cost.peak

    def exponent(self, step: str) -> float | None:
        """See `exponent`."""
        return exponent(self.seconds[step])


def exponent(seconds: Mapping[int, float]) -> float | None:
    """The power of the size by which time grows between the two largest, without what the smallest takes.

    None if it does not grow: what is added is no more than the noise of a start.
    """
    least, *_, before, last = sorted(seconds)
    base = seconds[least]
    small, large = seconds[before] - base, seconds[last] - base
    if small < _LEAST_SECONDS or large < _LEAST_SECONDS:
        return None
    return math.log(large / small) / math.log((last - least) / (before - least))


def measure(folder: Path, axes: Sequence[str] = ("applications", "targets", "releases")) -> Iterator[Growth]:
    """Measure along each axis, the others held."""
    for axis in axes:
        yield _AXES[axis](folder / axis)


def _applications(folder: Path) -> Growth:
    return _sizes(folder, "applications", APPLICATIONS, lambda size: (size, FIXED_TARGETS))


def _targets(folder: Path) -> Growth:
    return _sizes(folder, "targets", TARGETS, lambda size: (FIXED_APPLICATIONS, size))


def _sizes(folder: Path, axis: str, sizes: Sequence[int], of: Callable[[int], tuple[int, int]]) -> Growth:
    found = Growth(axis)
    for size in sizes:
        with grown(folder / str(size), *of(size)) as world:
            for step, words in _steps(world).items():
                found.note(step, size, world.run(*words))
            asked, archives = len(world.hub.seen), len(list((world.root / "dist").glob("*.tar.gz")))
            found.note("publish", size, _publish(world))
            found.counts["requests of publish"][size] = len(world.hub.seen) - asked
            found.counts["archives"][size] = archives
            found.note("verify OWNER/REPO@TAG", size, world.run("verify", f"{REPOSITORY}@{_tag(world)}"))
            found.note("build another release", size, world.run(*world.every("build", "all"), epoch=1))
            found.note("clean", size, world.run("clean"))
        shutil.rmtree(folder)
    return found


def _steps(world: Grown) -> Mapping[str, Sequence[str]]:
    """What is run for all archives, in this order."""
    return {
        "lock": world.every("lock", "all"),
        "lock --check": world.every("lock", "all", "--check"),
        "check": ("check",),
        "targets": ("targets",),
        "build": world.every("build", "all"),
        "build what is finished": world.every("build", "all"),
        "verify": ("verify", "dist"),
        "summary": ("summary", "dist"),
        "diff": ("diff", "dist", "dist"),
        "cache info": ("cache", "info"),
        "cache prune": ("cache", "prune", "--dry-run"),
    }


def _releases(folder: Path) -> Growth:
    """One application, released again and again, and a channel that follows; the store keeps what all releases hold.

    What the releases between those that are measured left behind is put there: assets, and files in the store.
    """
    found = Growth("releases")
    with grown(folder, 1, HELD_TARGETS) as world:
        for number in range(1, max(RELEASES) + 1):
            head = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
            world.hub.commits.add(head)
            world.release(number)
            if number in RELEASES:
                _measured(found, world, number, head)
            else:
                _left_behind(world, head)
    shutil.rmtree(folder)
    return found


def _measured(found: Growth, world: Grown, number: int, head: str) -> None:
    """Lock, build and publish a release, and look at it and at the store."""
    costs = {"lock": world.run("lock", "all"), "build": world.run("build", "all")}
    asked, sent = len(world.hub.seen), world.hub.uploaded_bytes
    costs["publish"] = _publish(world, head, "--channel", "latest-runtime")
    found.counts["requests of publish"][number] = len(world.hub.seen) - asked
    found.counts["bytes of publish"][number] = world.hub.uploaded_bytes - sent
    costs["verify OWNER/REPO@TAG"] = world.run("verify", f"{REPOSITORY}@runtime-{head[:12]}")
    costs["verify the channel"] = world.run("verify", f"{REPOSITORY}@latest-runtime")
    costs["cache info"] = world.run("cache", "info")
    costs["cache prune"] = world.run("cache", "prune", "--dry-run")
    held = (world.root / "cache" / "sha256").glob("??/*")
    found.counts["files in the store"][number] = sum(path.is_file() for path in held)
    for step, cost in costs.items():
        found.note(step, number, cost)


def _left_behind(world: Grown, head: str) -> None:
    """A release with the assets of the last one, and the wheels that are new in it in the store."""
    assets = {path.name: path.read_bytes() for path in (world.root / "dist").iterdir()}
    world.hub.add_release(f"runtime-{head[:12]}", assets, commit=head)
    for path in (world.root / "wheels").glob("app*.whl"):
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        place = world.root / "cache" / "sha256" / sha256[:2] / sha256
        place.parent.mkdir(mode=0o700, exist_ok=True)
        if not place.exists():
            place.write_bytes(content)


_AXES: Mapping[str, Callable[[Path], Growth]] = {
    "applications": _applications,
    "targets": _targets,
    "releases": _releases,
}


def _publish(world: Grown, head: str = "", *words: str) -> Cost:
    commit = head or world.hub.head
    argv = ("publish", "dist", "--repo", REPOSITORY, "--tag", f"runtime-{commit[:12]}", "--commit", commit)
    return world.run(*argv, *(words or ("--no-channel",)))


def _tag(world: Grown) -> str:
    return f"runtime-{world.hub.head[:12]}"


def rows(growths: Iterable[Growth]) -> Iterator[tuple[str, float, str, float, float]]:
    """What each step took at the largest size, against that of the size before if it grew with the size alone.

    What, seconds, against what, the seconds of that, and the peak in MB.
    """
    for one in growths:
        for step, seconds in one.seconds.items():
            *_, before, last = sorted(seconds)
            theirs = seconds[before] * last / before
            yield f"{step}, {last} {one.axis}", seconds[last], f"{before}, in proportion", theirs, one.peaks[step][last]


def written(growths: Iterable[Growth]) -> str:
    """The figures as JSON, from which `python -m benchmarks.plot` draws."""
    told = [vars(one) | {"exponents": {step: one.exponent(step) for step in one.seconds}} for one in growths]
    return json.dumps(told, indent=1) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="aiws-growth-") as name:
        Path(sys.argv[1]).write_text(written(measure(Path(name))), encoding="utf-8")
