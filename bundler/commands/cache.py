"""`cache`: what the store holds, what of it can go, and why the rest stays."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, ManifestError, Problem, UsageError
from bundler.kinds.kind import Component
from bundler.kinds.manifests import Manifests, load_manifests, manifests_at_hand
from bundler.session import Session

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,5})([mhdw])")


@dataclass(frozen=True)
class Share:
    """The files of the store that the locks of some components name, and nobody else's; sizes in bytes.

    `used` is when one of them was last taken or written (s since 1970).
    """

    components: tuple[str, ...]
    files: int
    size: int
    used: float


@dataclass(frozen=True)
class CacheInfo:
    """The store in numbers; sizes in bytes. `shares` are all its files, those that no lock here names last.

    `known` is false if there are no manifests here to tell.
    """

    folder: Path
    files: int
    size: int
    unfinished: int
    shares: tuple[Share, ...] = ()
    known: bool = True


@dataclass(frozen=True)
class Kept:
    """Files that stay, and why; their size in bytes."""

    why: str
    files: int
    size: int


@dataclass(frozen=True)
class PruneReport:
    """What was removed, or would be in a dry run, in files and bytes. A file that stays is in one of `kept` only."""

    files: int
    size: int
    dry_run: bool
    kept: tuple[Kept, ...]


def info(session: Session) -> CacheInfo:
    """Count what the store holds, and whose it is. Raises ManifestError, LockError."""
    store, manifests = session.store(), manifests_at_hand(session)
    named: dict[str, list[str]] = {}
    for name, digests in _digests(manifests, session.workspace()).items() if manifests else ():
        for digest in digests:
            named.setdefault(digest, []).append(name)
    held: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for path in store.entries():
        with suppress(FileNotFoundError):  # another run tidies up
            found = path.stat()
            held.setdefault(tuple(named.get(path.name, ())), []).append((found.st_size, found.st_mtime))
    shares = [
        Share(names, len(files), sum(size for size, _ in files), max(used for _, used in files))
        for names, files in sorted(held.items(), key=lambda pair: (not pair[0], len(pair[0]), pair[0]))
    ]
    unfinished = sum(path.suffix != ".lock" for path in store.leftovers())
    total = sum(one.files for one in shares), sum(one.size for one in shares)
    return CacheInfo(store.root, *total, unfinished, tuple(shares), known=manifests is not None)


def prune(
    session: Session,
    *,
    everything: bool = False,
    older_than: str | None = None,
    also_keep: Sequence[Path] = (),
    dry_run: bool = False,
) -> PruneReport:
    """Remove what no lock or pin of the manifests names, nor of the folders `also_keep`; or everything.

    With `older_than`, such as 30d, only of that what was not used for that long. Raises UsageError, ManifestError or
    LockError before anything is removed.
    """
    if everything and also_keep:
        raise UsageError("--all keeps nothing: it takes no --keep")
    since = time.time() - _seconds(older_than) if older_than is not None else None
    named = {} if everything else _named(session, also_keep)
    pruned = session.store().prune(named, unused_since=since, dry_run=dry_run)
    sizes: dict[str, list[int]] = {}
    for digest, size in pruned.kept.items():
        sizes.setdefault(named.get(digest, f"used in the last {older_than}"), []).append(size)
    reasons = [why for why in dict.fromkeys((*named.values(), *sizes)) if why in sizes]
    kept = tuple(Kept(why, len(sizes[why]), sum(sizes[why])) for why in reasons)
    return PruneReport(pruned.files, pruned.size, dry_run, kept)


def _seconds(duration: str) -> float:
    """Parse a duration such as 30d. Raises UsageError."""
    match = _DURATION.fullmatch(duration)
    if not match:
        raise UsageError(
            f"--older-than {duration!r} is not a duration", "for example 30d, or 12h; m, h, d and w are known"
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds()


def _named(session: Session, also: Sequence[Path]) -> dict[str, str]:
    """Every digest that manifests and their locks name, and what keeps it: the first reason of several."""
    try:
        reasons = list(_reasons(session.workspace(), ""))
    except LockError as error:
        raise LockError(error.message, f"{error.hint}, or prune with --all") from error
    for folder in also:
        try:
            reasons += _reasons(Workspace.find(folder, folder), f" of {folder}")
        except LockError as error:
            raise LockError(f"{folder}: {error.message}", f"mend it there, or leave out --keep {folder}") from error
        except ManifestError as error:
            there = [Problem(f"{folder}/{p.file}", p.line, p.column, p.message) for p in error.problems]
            raise ManifestError(there) from error
    named: dict[str, str] = {}
    for why, digests in reasons:
        named |= dict.fromkeys(digests - named.keys(), why)
    return named


def _reasons(workspace: Workspace, of: str) -> Iterator[tuple[str, set[str]]]:
    """What keeps files, and their digests. Raises LockError rather than guess at a broken lock."""
    manifests = load_manifests(workspace)
    for component in manifests.components.values():
        there = _locked(component, manifests, workspace)
        yield f"named by {len(there)} lock{'s' * (len(there) != 1)} of {component.name}{of}", set().union(*there)
    yield f"named by python.yaml{of}", _pythons(manifests)


def _digests(manifests: Manifests, workspace: Workspace) -> Mapping[str, set[str]]:
    """The digests that the locks of each component name, and those of python.yaml. Raises LockError."""
    found = {
        name: set().union(*_locked(component, manifests, workspace)) for name, component in manifests.components.items()
    }
    return {**found, "python.yaml": _pythons(manifests)}


def _locked(component: Component, manifests: Manifests, workspace: Workspace) -> list[set[str]]:
    """The digests that each lock of a component names. Raises LockError."""
    locks = [(lock, workspace.lock_text(lock.name)) for lock in component.locks(manifests.hosts, workspace)]
    return [lock.digests(text) for lock, text in locks if text is not None]


def _pythons(manifests: Manifests) -> set[str]:
    return {pin.sha256 for pin in manifests.hosts.python.pins.values()} if manifests.hosts.python else set()
