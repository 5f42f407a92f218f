"""What became of one thing that was asked for: an archive, or a lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bundler.errors import BundleError
from bundler.model.care import Concern
from bundler.model.changes import Change
from bundler.terminal import Json


@dataclass(frozen=True)
class PinnedRelease:
    """A release that a lock pins: when it was published (RFC 3339), and its archives by name, size and SHA-256."""

    repository: str
    tag: str
    commit: str
    published: str
    archives: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Outcome:
    """What became of it. `component` is the manifest's file stem; `target` is "" for what serves every target.

    `state` of an archive: built, unchanged or failed; of a lock: current, stale, missing, locked, unchanged, renamed or
    failed. `size` is in bytes. `lacking` is what the manifest asks for and is not there: its name, and why not.
    `changes` are what a new lock changes, `concerns` what to look at twice in it, `sizes` what the wheels of the lock
    before and of the new one take, in bytes. `beats` is the requirement that an override chose and `--set` beats.
    `named` is how commands have to call the component; "" if it is the one that is meant where none is named.
    """

    component: str
    target: str
    state: str
    label: str = ""
    asset: str = ""
    size: int = 0
    sha256: str = ""
    packages: int = 0
    detail: str = ""
    lacking: tuple[tuple[str, str], ...] = ()
    changes: tuple[Change, ...] = ()
    concerns: tuple[Concern, ...] = ()
    sizes: tuple[int, ...] = ()
    release: PinnedRelease | None = None
    error: BundleError | None = None
    beats: str = ""
    named: str = ""


def named(release: PinnedRelease) -> str:
    """A release in one line: `OWNER/REPO@TAG (commit)`."""
    return f"{release.repository}@{release.tag} ({release.commit[:12]})"


def age_of(release: PinnedRelease) -> str:
    """When a release was published: `2026-11-20, 4 days ago`."""
    days = (datetime.now(UTC).date() - datetime.fromisoformat(release.published).date()).days
    return f"{release.published[:10]}, {days} days ago"


def document_of(outcome: Outcome) -> dict[str, Json]:
    """What a component is locked to, as `--json` prints it."""
    release = outcome.release
    archives: list[Json] = [
        {"name": name, "size": size, "sha256": sha256} for name, size, sha256 in (release.archives if release else ())
    ]
    return {
        "component": outcome.component,
        "state": outcome.state,
        "detail": outcome.detail,
        "repository": release.repository if release else None,
        "tag": release.tag if release else None,
        "commit": release.commit if release else None,
        "published": release.published if release else None,
        "archives": archives,
        "error": None,
    }
