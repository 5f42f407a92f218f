"""What a new lock changes of the one before, and which targets share each change.

Told once, a change that every target shares is one line, and what is true of a few of them stands out:

    debian-12-amd64, debian-13-amd64:        debian-12-amd64:
      aiohttp 3.0 -> 3.5                       + async-timeout 5.0
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:  # every command's start loads this module
    from bundler.model.locked_wheel import LockedWheel

C = TypeVar("C")


@dataclass(frozen=True, order=True)
class Change:
    """One project's version before and after, "" where it is not there.

    If both are the same, the file is another one, and `file` is its name.
    """

    project: str
    before: str
    after: str
    file: str = ""

    def __str__(self) -> str:
        """The change in one line, for people."""
        if not self.before:
            return f"+ {self.project} {self.after}"
        if not self.after:
            return f"- {self.project} {self.before}"
        return f"{self.project} {self.before}" + (f": {self.file}" if self.file else f" -> {self.after}")


@dataclass(frozen=True)
class Shared(Generic[C]):
    """Changes, of whatever type, that exactly these targets have in common."""

    targets: tuple[str, ...]
    changes: tuple[C, ...]


def changes_between(before: Sequence[LockedWheel], after: Sequence[LockedWheel]) -> tuple[Change, ...]:
    """The changes from the wheels of one lock to those of another, by project."""
    old, new = ({wheel.project: wheel for wheel in wheels} for wheels in (before, after))
    return tuple(
        change
        for project in sorted({*old, *new})
        if (change := _change(project, old.get(project), new.get(project))) is not None
    )


def _change(project: str, old: LockedWheel | None, new: LockedWheel | None) -> Change | None:
    versions = old.version if old else "", new.version if new else ""
    if versions[0] != versions[1]:
        return Change(project, *versions)
    return Change(project, *versions, new.filename) if old and new and old.sha256 != new.sha256 else None


def shared(changes: Iterable[tuple[str, Sequence[C]]]) -> tuple[Shared[C], ...]:
    """Each change once, with the targets that it is true of; those that most targets share come first.

    Changes of a group are in the order in which they were told.
    """
    groups: dict[tuple[str, ...], list[C]] = {}
    for change, names in targets_of(changes).items():
        groups.setdefault(names, []).append(change)
    ranked = sorted(groups.items(), key=lambda group: -len(group[0]))
    return tuple(Shared(names, tuple(own)) for names, own in ranked)


def targets_of(changes: Iterable[tuple[str, Sequence[C]]]) -> dict[C, tuple[str, ...]]:
    """The targets that each change is true of, in the order in which they were told."""
    targets: dict[C, list[str]] = {}
    for target, own in changes:
        for change in own:
            targets.setdefault(change, []).append(target)
    return {change: tuple(names) for change, names in targets.items()}
