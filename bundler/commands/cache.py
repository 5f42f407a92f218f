"""`cache`: what the store holds, what of it can go, and why the rest stays."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, ManifestError, Problem, UsageError
from bundler.kinds.manifests import load_manifests
from bundler.session import Session

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,5})([mhdw])")


@dataclass(frozen=True)
class CacheInfo:
    """The store in numbers; sizes in bytes."""

    folder: Path
    files: int
    size: int
    unfinished: int


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
    """Count what the store holds."""
    store = session.store()
    sizes = [path.stat().st_size for path in store.entries()]
    unfinished = sum(path.suffix != ".lock" for path in store.leftovers())
    return CacheInfo(store.root, len(sizes), sum(sizes), unfinished)


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
        locks = [(lock, workspace.lock_text(lock.name)) for lock in component.locks(manifests.hosts, workspace)]
        there = [lock.digests(text) for lock, text in locks if text is not None]
        yield f"named by {len(there)} lock{'s' * (len(there) != 1)} of {component.name}{of}", set().union(*there)
    if python := manifests.hosts.python:
        yield f"named by python.yaml{of}", {pin.sha256 for pin in python.pins.values()}
