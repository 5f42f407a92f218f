"""`lock --set`: which names can be meant, and which overrides of the manifest it beats."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.errors import LockError, UsageError
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.manifest import Wheelhouse
from bundler.kinds.wheelhouse.request import Request


def unknown(names: Iterable[str], requests: Sequence[Request], locks: Sequence[Lock | None]) -> Set[str]:
    """Those of `names` that no lock holds and no requirement names: only a lock to come may hold them.

    Raises UsageError, with the nearest names, if none is to come: every request has its lock.
    """
    held = {wheel.project for lock in locks if lock for wheel in lock.wheels}
    asked = {name for request in requests for name in _named(request)}
    left = sorted(set(names) - held - asked)
    if left and None not in locks:
        them = "it" if len(left) == 1 else "them"
        raise UsageError(
            f"no lock holds {' or '.join(left)}, and no requirement names {them}", _nearest(left, held | asked)
        )
    return frozenset(left)


def refuse(names: Set[str], target: str, lock: Lock) -> None:
    """Raise LockError, with the nearest names, if a lock about to be written holds not all of `names`."""
    held = {wheel.project for wheel in lock.wheels}
    if left := sorted(names - held):
        raise LockError(f"{target}: nothing asks for {' or '.join(left)}", _nearest(left, held))


def beaten(wheelhouse: Wheelhouse, request: Request, versions: Mapping[str, str]) -> str:
    """The requirement that an override chose for a request, if it wants another version than `versions`; "" if not."""
    chosen = Requirement(request.requirement)
    version = versions.get(canonicalize_name(chosen.name))
    overridden = request.requirement != wheelhouse.requirement
    return request.requirement if overridden and version and version not in chosen.specifier else ""


def _named(request: Request) -> Iterable[str]:
    """The projects that a request's requirements name."""
    whole = request.with_sections(dict(request.sections))
    return (canonicalize_name(Requirement(text).name) for text in whole.requirements)


def _nearest(names: Iterable[str], known: Collection[str]) -> str:
    found = dict.fromkeys(near for name in names for near in difflib.get_close_matches(name, sorted(known), n=2))
    return f"did you mean {' or '.join(found)}?" if found else "--set takes the name of a project that is locked"
