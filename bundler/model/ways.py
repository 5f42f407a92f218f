"""Which way leads from an archive that is at hand to another one in the fewest bytes: deltas, or the archive itself."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bundler.words import ARCHIVE, ASSET_PATTERN

# Each step writes the whole archive.
MOST_STEPS = 25
_DELTA = re.compile(
    rf"(?P<archive>{ASSET_PATTERN}?{re.escape(ARCHIVE)})\.from-(?P<old>[0-9a-f]{{12}})(?P<plain>\.plain)?\.delta"
)


@dataclass(frozen=True)
class DeltaName:
    """What the name of a delta says: which archive it makes, and the first digits of the old one's SHA-256."""

    archive: str
    old: str
    plain: bool = False

    @classmethod
    def parse(cls, name: str) -> DeltaName | None:
        """Take a file's name apart; None if it is no delta's."""
        match = _DELTA.fullmatch(name)
        return cls(match["archive"], match["old"], match["plain"] is not None) if match else None


@dataclass(frozen=True)
class Step:
    """What one asset of a release does: it makes the archive of SHA-256 `new`, out of the one whose digits begin `old`.

    `old` is "" for an archive itself, which takes no other. `size` is what has to be downloaded for it, in bytes.
    """

    tag: str
    name: str
    size: int
    old: str
    new: str


def cheapest(steps: Iterable[Step], start: str, end: str) -> tuple[Step, ...] | None:
    """The steps from one SHA-256 to another with the fewest bytes, of those the fewest steps; None if there is no way.

    It has MOST_STEPS at most. Of ways that are alike the one whose steps come first in `steps` is taken.
    """
    there = tuple(steps)
    leading: dict[str, list[int]] = {}
    for number, step in enumerate(there):
        leading.setdefault(step.old, []).append(number)
    digits = {len(old) for old in leading}
    # In how few steps each was reached: one that takes more bytes is of use if it takes fewer steps.
    fewest: dict[str, int] = {}
    waiting: list[tuple[int, int, tuple[int, ...], str]] = [(0, 0, (), start)]
    while waiting:
        size, length, way, at = heapq.heappop(waiting)
        if at == end:
            return tuple(there[number] for number in way)
        if length >= fewest.get(at, MOST_STEPS):
            continue
        fewest[at] = length
        for number in (one for many in digits for one in leading.get(at[:many], ())):
            step = there[number]
            heapq.heappush(waiting, (size + step.size, length + 1, (*way, number), step.new))
    return None
