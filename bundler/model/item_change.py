"""What can change of one item of an archive, from one inventory to another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from bundler.model.inventory import Inventory, Item
from bundler.model.version_order import by_text, is_older

# In the order in which they are told: what asks for a look first. `rebuilt` are other bytes under the same name, `file`
# is another file of the same version; `startup` are files that Python runs whenever it starts; `changed` is from one
# version to another that is neither newer nor older.
Event: TypeAlias = Literal[
    "opened",
    "closed",
    "rebuilt",
    "startup",
    "publisher",
    "licence",
    "added",
    "removed",
    "down",
    "up",
    "changed",
    "file",
]
_RANKS = {event: rank for rank, event in enumerate(get_args(Event))}
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{40,64}")
_SHORT = 12


@dataclass(frozen=True)
class ItemChange:
    """One change of an item: of a version, or of what `event` says, from `before` to `after`; "" where there is none.

    `version` is the item's, where it is not what changed.
    """

    event: Event
    kind: str
    name: str
    before: str
    after: str
    version: str = ""

    def __lt__(self, other: ItemChange) -> bool:
        """What asks for a look first; then by kind and name."""
        return self._place() < other._place()

    def _place(self) -> tuple[int, str, str, str, str, str]:
        return _RANKS[self.event], self.kind, self.name, self.before, self.after, self.version

    def __str__(self) -> str:
        """The change in one line, for people. Kinds other than wheels are told."""
        named = self.name if self.kind in ("wheel", "python") else f"{self.name} ({self.kind})"
        before, after = _shown(self.before), _shown(self.after)
        if self.event == "added":
            return f"+ {named} {after}"
        if self.event == "removed":
            return f"- {named} {before}"
        if self.event in ("up", "down", "changed"):
            return f"{named} {before} -> {after}{' (older)' if self.event == 'down' else ''}"
        versioned = f"{named} {_shown(self.version)}".rstrip()
        if self.event == "rebuilt":
            return f"{versioned}: rebuilt, other bytes under the same name"
        if self.event == "file":
            return f"{versioned}: another file of the same version"
        if self.event in ("opened", "closed"):
            return f"{versioned}: {before or after} is {self.event}"
        if self.event == "startup":
            runs = f"Python runs its {after}" if after else f"Python no longer runs its {before}"
            return f"{versioned}: {runs} at every start"
        return f"{versioned}: {self.event} {before or 'unknown'} -> {after or 'unknown'}"


def item_changes(old: Inventory, new: Inventory) -> tuple[ItemChange, ...]:
    """Every change from the items of one inventory to those of another, sorted."""
    changes = list(_python(old, new))
    publishers, licences = _told(old, new, _publisher), _told(old, new, _licence)
    before, after = old.by_name, new.by_name
    for key in before.keys() | after.keys():
        was, now = before.get(key, []), after.get(key, [])
        changes += _versions(was, now)
        changes += _started(was, now) if licences else ()  # who knows licences has read the wheels
        changes += _said("publisher", was, now, _publisher) if publishers else ()
        changes += _said("licence", was, now, _licence) if licences else ()
    return tuple(sorted(set(changes)))


def _python(old: Inventory, new: Inventory) -> Iterator[ItemChange]:
    """Yield the change of Python, unless both bring one: then that is an item like others."""
    brought = [any(item.kind == "python" for item in inventory.items) for inventory in (old, new)]
    if not all(brought) and old.python and new.python and old.python != new.python:
        yield _moved("python", "Python", old.python, new.python)


def _versions(was: Sequence[Item], now: Sequence[Item]) -> Iterator[ItemChange]:
    """Yield how the versions of one item differ: an archive may hold several of them, and several files of each."""
    before, after = _files(was), _files(now)
    kind, name = (*was, *now)[0].kind, (*was, *now)[0].name
    for version in before.keys() & after.keys():
        one, other = before[version], after[version]
        if "" not in {*one.values(), *other.values()} and {*one.values()} != {*other.values()}:
            event: Event = "rebuilt" if any(one[path] != other[path] for path in one.keys() & other.keys()) else "file"
            yield ItemChange(event, kind, name, version, version, version)
    gone = sorted(before.keys() - after.keys(), key=by_text)
    came = sorted(after.keys() - before.keys(), key=by_text)
    # The newest takes the place of the newest.
    while gone and came:
        yield _moved(kind, name, gone.pop(), came.pop())
    yield from (ItemChange("removed", kind, name, version, "") for version in gone)
    yield from (ItemChange("added", kind, name, "", version) for version in came)


def _files(items: Iterable[Item]) -> dict[str, dict[str, str]]:
    """The digest of each file of each version, by its path."""
    found: dict[str, dict[str, str]] = {}
    for item in items:
        found.setdefault(item.version, {})[item.path] = item.sha256
    return found


def _moved(kind: str, name: str, before: str, after: str) -> ItemChange:
    event: Event = "up" if is_older(before, after) else "down" if is_older(after, before) else "changed"
    if any(_DIGEST.fullmatch(version) for version in (before, after)):
        event = "changed"
    return ItemChange(event, kind, name, before, after)


def _publisher(item: Item) -> str:
    return item.publisher


def _licence(item: Item) -> str:
    return ", ".join(item.licences)


def _told(old: Inventory, new: Inventory, of: Callable[[Item], str]) -> bool:
    """Whether both inventories say such a thing of any item at all: what one does not know has not changed."""
    return all(any(of(item) for item in inventory.items) for inventory in (old, new))


def _said(event: Event, was: Sequence[Item], now: Sequence[Item], of: Callable[[Item], str]) -> Iterator[ItemChange]:
    """Yield the change of what is said of an item that both have."""
    before, after = (", ".join(sorted({of(item) for item in items} - {""})) for items in (was, now))
    if was and now and before != after:
        version = ", ".join(sorted({item.version for item in now}))
        yield ItemChange(event, now[0].kind, now[0].name, before, after, version)


def _started(was: Sequence[Item], now: Sequence[Item]) -> Iterator[ItemChange]:
    """Yield which files of an item Python runs when it starts, if that changed: it may be new, or gone."""
    before, after = (", ".join(sorted({path for item in items for path in item.startup})) for items in (was, now))
    if before != after:
        there = now or was
        version = ", ".join(sorted({item.version for item in there}))
        yield ItemChange("startup", there[0].kind, there[0].name, before, after, version)


def _shown(text: str) -> str:
    """A version or another text, of a digest or commit its first digits."""
    match = _DIGEST.fullmatch(text)
    return text.removeprefix(match[1] or "")[:_SHORT] if match else text
