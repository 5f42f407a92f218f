"""Which member of an old ZIP a new one is most like: of that content, of that name, or with many of its bytes."""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import eq

from bundler.transfer.layout import View, pieces
from bundler.transfer.members import Key, Member, Zip
from bundler.transfer.there import Space

# Where deflated data is cut so that equal pieces are found: every 128 bytes of random ones.
_CUT = re.compile(rb"[\x5a\xa5][^\x5a\xa5]{7,}")
# Below that, what is found is no better than nothing; beyond, a member's beginning tells.
_SMALLEST, _LARGEST = 2048, 1 << 22


@dataclass(frozen=True)
class Like:
    """A member of an old ZIP that a new one may be made of."""

    space: Space
    member: Member

    @property
    def sizes(self) -> tuple[int, int]:
        """How many bytes it has, as it is and inflated."""
        return self.member.packed, self.member.key.size

    @property
    def largest(self) -> int:
        """The larger of the two."""
        return max(self.sizes)

    def packed(self) -> bytes:
        """Its data, as it is."""
        return self.space.view.read(self.member.data, self.member.packed)

    def copied(self, view: View, start: int, end: int, old_start: int, old_end: int) -> bool:
        """Whether a part of a view is the same as one of the old ZIP."""
        there = pieces(self.space.view, old_start, old_end)
        return end - start == old_end - old_start and all(map(eq, pieces(view, start, end), there))


@dataclass
class Pairing:
    """The members of an old ZIP, for those of a new one."""

    new: Zip
    old: Zip
    space: Space
    _cuts: dict[str, dict[int, list[Member]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = {member.name: member for member in self.old.members}
        self._contents: dict[Key, Member] = {member.key: member for member in self.old.members}
        self._kept = {member.key for member in self.new.members}, {member.name for member in self.new.members}

    def like(self, member: Member) -> Like | None:
        """The old member that a new one is most like."""
        found = self._contents.get(member.key) or self._names.get(member.name) or self._similar(member)
        return Like(self.space, found) if found else None

    def _similar(self, member: Member) -> Member | None:
        """Of the members that are gone, with a name like this one's, that which shares most pieces."""
        if member.packed < _SMALLEST:
            return None
        group = _group(member.name)
        if group not in self._cuts:
            self._cuts[group] = self._gone(group)
        votes: Counter[int] = Counter()
        known: dict[int, Member] = {}
        for cut in _cuts(self.new.view, member):
            for one in self._cuts[group].get(cut, ()):
                votes[one.start] += 1
                known[one.start] = one
        # The first of the best, by place: the same on every host.
        best = max(votes, key=lambda start: (votes[start], -start), default=None)
        return None if best is None else known[best]

    def _gone(self, group: str) -> dict[int, list[Member]]:
        cuts: dict[int, list[Member]] = defaultdict(list)
        contents, names = self._kept
        for member in self.old.members:
            if member.key not in contents and member.name not in names and _group(member.name) == group:
                for cut in _cuts(self.old.view, member):
                    cuts[cut].append(member)
        return cuts


def _group(name: str) -> str:
    """A member's folder, and how its name ends."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.rpartition('.')[2]}"


def _cuts(view: View, member: Member) -> Sequence[int]:
    data = view.read(member.data, min(member.packed, _LARGEST))
    return sorted({zlib.crc32(match[0]) for match in _CUT.finditer(data)})
