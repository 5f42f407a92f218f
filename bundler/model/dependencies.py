"""Why each item of an archive is there: what needs it, the way that leads to it, and what would go with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bundler.model.inventory import Inventory, Item


@dataclass(frozen=True)
class Dependencies:
    """The dependency graph of an inventory; items are called by their purls."""

    inventory: Inventory

    @cached_property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """What each item needs, of what is there."""
        there = self.inventory.by_purl
        return {item.purl: tuple(one for one in item.needs if one in there) for item in self.inventory.items}

    @cached_property
    def needed_by(self) -> Mapping[str, tuple[str, ...]]:
        """What needs each item."""
        found: dict[str, list[str]] = {purl: [] for purl in self.needs}
        for purl, needs in self.needs.items():
            for one in needs:
                found[one].append(purl)
        return {purl: tuple(others) for purl, others in found.items()}

    @cached_property
    def _before(self) -> Mapping[str, str]:
        """What stands before each item on a shortest way from what was asked for; "" before that itself."""
        before = dict.fromkeys((root for root in self.inventory.roots if root in self.needs), "")
        queue = list(before)
        for at in queue:
            for one in self.needs[at]:
                if one not in before:
                    before[one] = at
                    queue.append(one)
        return before

    def way_to(self, purl: str) -> tuple[Item, ...]:
        """The shortest way from what was asked for to an item, both included; empty if nothing leads to it."""
        way, at = [], purl if purl in self._before else ""
        while at:
            way.append(self.inventory.by_purl[at])
            at = self._before[at]
        return tuple(reversed(way))

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """How far each item is from what was asked for, which itself is 0 steps away; none that nothing leads to."""
        found: dict[str, int] = {}
        for purl, before in self._before.items():
            found[purl] = found[before] + 1 if before else 0
        return found

    @cached_property
    def brought(self) -> Mapping[str, int]:
        """How many bytes would go with each item: its own, and those of what would be needed by nothing any more."""
        found = {item.purl: item.size for item in self.inventory.items}
        for purl, only in reversed(tuple(self._dominators().items())):
            if only:
                found[only] += found[purl]
        return found

    def _dominators(self) -> Mapping[str, str]:
        """What every way to each item leads through last; "" if there is no such thing. Those before come before.

        Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
        """
        order = ["", *reversed(list(self._after()))]
        number = {purl: place for place, purl in enumerate(order)}
        ways = {purl: [one for one in self.needed_by[purl] if one in number] for purl in order[1:]}
        for root in self.inventory.roots:
            if root in ways:
                ways[root].append("")
        found: dict[str, str] = {"": ""}
        changed = True
        while changed:
            changed = False
            for purl in order[1:]:
                new = _meeting([one for one in ways[purl] if one in found], found, number)
                if found.get(purl) != new:
                    found[purl], changed = new, True
        return {purl: found[purl] for purl in order[1:]}

    def _after(self) -> Iterator[str]:
        """Yield each item that something leads to, after those that it needs, but for circles."""
        seen: set[str] = set()
        for root in self.inventory.roots:
            if root in self.needs and root not in seen:
                seen.add(root)
                yield from self._below(root, seen)

    def _below(self, root: str, seen: set[str]) -> Iterator[str]:
        stack = [(root, iter(self.needs[root]))]
        while stack:
            at, rest = stack[-1]
            one = next((one for one in rest if one not in seen), None)
            if one is None:
                stack.pop()
                yield at
            else:
                seen.add(one)
                stack.append((one, iter(self.needs[one])))


def _meeting(ways: Sequence[str], found: Mapping[str, str], number: Mapping[str, int]) -> str:
    """What all ways have led through last."""
    at = ways[0]
    for other in ways[1:]:
        while at != other:
            if number[at] > number[other]:
                at = found[at]
            else:
                other = found[other]
    return at
