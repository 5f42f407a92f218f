"""What two sets of archives hold, compared: what came and went, what took its place, and where the megabytes went.

Archives are compared by their component and host; one alone with another alone whatever their hosts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from bundler.errors import UsageError
from bundler.model.changes import Shared, shared
from bundler.model.holding import Holding
from bundler.model.inventory import Inventory, Item
from bundler.model.item_change import ItemChange, item_changes

# Yields each advisory that is known of what an archive holds: the item, and the advisory's name.
Lookup: TypeAlias = Callable[[Inventory], Iterable[tuple[Item, str]]]


@dataclass(frozen=True)
class Totals:
    """How many items an archive holds, their size in bytes, and the size of the archive's file (0: not known)."""

    items: int
    size: int
    file: int


@dataclass(frozen=True)
class Gain:
    """How many bytes one item gained: in each archive from `least` to `most`, in all `archives` together `total`.

    `before` and `after` are its versions, sorted; none where it is not there.
    """

    kind: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    least: int
    most: int
    total: int
    archives: int = 1

    def and_another(self, other: Gain) -> Gain:
        """The same item's gain in more archives."""
        return Gain(
            self.kind,
            self.name,
            tuple(sorted({*self.before, *other.before})),
            tuple(sorted({*self.after, *other.after})),
            min(self.least, other.least),
            max(self.most, other.most),
            self.total + other.total,
            self.archives + other.archives,
        )


@dataclass(frozen=True)
class Pair:
    """Two archives that were compared; `name` is their target's, or what tells them from the other pairs."""

    name: str
    before: Totals
    after: Totals
    changes: tuple[ItemChange, ...]
    gains: tuple[Gain, ...]

    @property
    def differs(self) -> bool:
        """Whether anything was found."""
        return bool(self.changes or self.gains)


@dataclass(frozen=True)
class Comparison:
    """Two sets of archives, compared; `only_old` and `only_new` name archives that the other set has not."""

    pairs: tuple[Pair, ...]
    only_old: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything was found."""
        return bool(self.only_old or self.only_new or any(pair.differs for pair in self.pairs))

    @cached_property
    def shared(self) -> tuple[Shared[ItemChange], ...]:
        """Each change once, with the archives that share it."""
        return shared((pair.name, pair.changes) for pair in self.pairs)

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """What each item gained in all archives, what gained or lost most first."""
        found: dict[tuple[str, str], Gain] = {}
        for gain in (gain for pair in self.pairs for gain in pair.gains):
            key = gain.kind, gain.name
            found[key] = found[key].and_another(gain) if key in found else gain
        return tuple(sorted(found.values(), key=lambda gain: (-abs(gain.total), gain.kind, gain.name)))


def nothing_known(inventory: Inventory) -> Iterator[tuple[Item, str]]:
    """Yield no advisory: the lookup where nobody gave any."""
    yield from ()


@dataclass(frozen=True)
class Advisories:
    """What is known of the old set's items, and of the new one's."""

    old: Lookup = field(default=nothing_known)
    new: Lookup = field(default=nothing_known)


def compare(old: Sequence[Holding], new: Sequence[Holding], known: Advisories | None = None) -> Comparison:
    """Compare two sets of archives. Raises UsageError if none of one is comparable with any of the other."""
    known = known or Advisories()
    if len(old) == len(new) == 1 and old[0].inventory.component == new[0].inventory.component:
        name, other = _target(old[0]), _target(new[0])
        return Comparison((_pair(name if name == other else f"{name} -> {other}", old[0], new[0], known),))
    before, after = _by_place(old), _by_place(new)
    both = [place for place in before if place in after]
    if not both:
        raise _incomparable(old, new)
    several = len({component for component, _ in (*before, *after)}) > 1
    return Comparison(
        tuple(_pair(_named(before[place], several=several), before[place], after[place], known) for place in both),
        tuple(_alone(before, after, several=several)),
        tuple(_alone(after, before, several=several)),
    )


def _alone(
    own: Mapping[tuple[str, str], Holding], others: Mapping[tuple[str, str], Holding], *, several: bool
) -> Iterator[str]:
    """Name the archives that others have not; a component that they have not at all is told once, with how many."""
    there = {component for component, _ in others}
    absent = Counter(component for component, _ in own if component not in there)
    yield from (f"{component} ({number})" for component, number in absent.items())
    for (component, host), one in own.items():
        if component in there and (component, host) not in others:
            yield _named(one, several=several)


def _by_place(holdings: Sequence[Holding]) -> dict[tuple[str, str], Holding]:
    """Archives by component and host, sorted. Raises UsageError for two of the same."""
    found: dict[tuple[str, str], Holding] = {}
    for one in holdings:
        place = one.inventory.component, one.inventory.host
        if place in found:
            raise UsageError(f"two archives are for the same, {' '.join(place)}", "compare one of them at a time")
        found[place] = one
    return dict(sorted(found.items()))


def _incomparable(old: Sequence[Holding], new: Sequence[Holding]) -> UsageError:
    components = [sorted({one.inventory.component for one in side}) for side in (old, new)]
    if set(components[0]).isdisjoint(components[1]):
        told = " and ".join(", ".join(names) or "nothing" for names in components)
        return UsageError(f"there is nothing to compare: {told} have no component in common", "compare one with itself")
    hosts = [", ".join(sorted({_target(one) for one in side})) for side in (old, new)]
    hint = "give one archive of each to compare them all the same"
    return UsageError(f"there is nothing to compare: no target is on both sides, {hosts[0]} and {hosts[1]}", hint)


def _target(one: Holding) -> str:
    return one.inventory.host.replace(" ", "-") or one.inventory.component


def _named(one: Holding, *, several: bool) -> str:
    component, target = one.inventory.component, _target(one)
    return f"{component} {target}" if several and target != component else target


def _pair(name: str, old: Holding, new: Holding, known: Advisories) -> Pair:
    changes = (*item_changes(old.inventory, new.inventory), *_advisories(old.inventory, new.inventory, known))
    return Pair(name, _totals(old), _totals(new), tuple(sorted(changes)), _gains(old.inventory, new.inventory))


def _totals(one: Holding) -> Totals:
    return Totals(len(one.inventory.items), sum(item.size for item in one.inventory.items), one.size)


def _gains(old: Inventory, new: Inventory) -> tuple[Gain, ...]:
    """What each item gained, what gained or lost most first; nothing of those of which no size is known."""
    before, after = old.by_name, new.by_name
    gains = []
    for key in sorted({*before, *after}):
        was, now = before.get(key, ()), after.get(key, ())
        gained = sum(item.size for item in now) - sum(item.size for item in was)
        if gained and all(item.size for item in (*was, *now)):
            gains.append(Gain(*key, _versions(was), _versions(now), gained, gained, gained))
    return tuple(sorted(gains, key=lambda gain: -abs(gain.total)))


def _versions(items: Iterable[Item]) -> tuple[str, ...]:
    return tuple(sorted({item.version for item in items}))


def _advisories(old: Inventory, new: Inventory, known: Advisories) -> Iterator[ItemChange]:
    """Yield the advisories that only one of the two is open to."""
    before, after = (
        {(item.kind, item.name, name): item.version for item, name in lookup(inventory)}
        for lookup, inventory in ((known.old, old), (known.new, new))
    )
    for kind, name, advisory in before.keys() - after.keys():
        yield ItemChange("closed", kind, name, advisory, "", before[kind, name, advisory])
    for kind, name, advisory in after.keys() - before.keys():
        yield ItemChange("opened", kind, name, "", advisory, after[kind, name, advisory])
