"""`inspect`: what an archive says of itself, or a set or delta, and what its provenance says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.errors import UsageError
from bundler.kinds import kind_of
from bundler.kinds.kind import Inspection
from bundler.model.sidecar import NOTHING_TOLD
from bundler.model.trust import NOTHING_TRUSTED
from bundler.session import Session
from bundler.transfer.contents import Contents, contents
from bundler.transfer.form import Wanted
from bundler.transfer.opened import opened
from bundler.transfer.shares import shares

if TYPE_CHECKING:
    from bundler.release.provenance import Explained


def inspect(path: Path) -> Inspection:
    """Read an archive. Raises UsageError if it is not there, IntegrityError if it cannot be read."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file", "give an archive that `build` made, a set or a delta")
    return kind_of(path, path.name).inspect(path)


@dataclass(frozen=True)
class SetInspection:
    """A set: its size in bytes, its files by name, the bytes that each has for itself, and those of several files."""

    size: int
    files: tuple[Wanted, ...]
    own: Mapping[str, int]
    shared: int


def inspect_set(path: Path) -> SetInspection:
    """Read what a set says that it holds. Raises UsageError if it is not there, IntegrityError if it is malformed."""
    with opened(path) as whole:
        found = shares(whole.source, whole.header)
        return SetInspection(whole.source.size, tuple(whole.header.files.values()), found.own, found.shared)


def inspect_delta(path: Path) -> Contents:
    """Read what a delta says that it makes, of what and how. Raises IntegrityError if it is malformed, OSError."""
    return contents(path, path.name)


def page_of(session: Session, found: Inspection, advisories: Path | None) -> str:
    """A page of an archive (HTML): what it holds and why, and what `advisories` say, or a snapshot beside it.

    Raises IntegrityError if it is not good or does not say what it holds, UsageError.
    """
    from bundler.adapters.advisories import read_advisories  # large
    from bundler.model.sidecar import ADVISORIES
    from bundler.pages.archive import Subject, archive_page
    from bundler.release.holdings import explained

    held = explained(found.path, session.progress)
    # A kind whose archives say nothing of sizes names files of them, which have some.
    held = replace(held, items=tuple(replace(one, size=one.size or found.files.get(one.path, 0)) for one in held.items))
    beside = found.path.parent / ADVISORIES
    file = advisories or (beside if beside.is_file() else None)
    size, known = found.path.stat().st_size, read_advisories(file) if file else None
    return archive_page(Subject(found.path.name, size, found.lines, held, known))


def provenance_of(session: Session, path: Path, today: date) -> Explained:
    """What the provenance beside an archive tells; the manifests at hand, if any, say whose signatures count on a day.

    Raises UsageError if there is none, IntegrityError if it cannot be read, ManifestError.
    """
    from bundler.kinds.manifests import manifests_at_hand  # large
    from bundler.release.provenance import explain

    manifests = manifests_at_hand(session)
    trust = manifests.trust if manifests else NOTHING_TRUSTED
    return explain(path, replace(NOTHING_TOLD, trust=trust, today=today))
