"""What stands beside an archive, or over a whole release. The table is the only place that lists them.

A sidecar is a module of this folder: what its file is called, how it is made, and what of it can be wrong. A new one is
one new file and one line in `SIDECARS`: `publish` then puts it on a release, SHA256SUMS lists it if it comes before
that, and `verify` checks it, on releases and in folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, Protocol

from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding
from bundler.sidecars import channel, parts, sums
from bundler.words import ARCHIVE

_BESIDE = re.compile(rf"(?P<archive>.+?{re.escape(ARCHIVE)})(\..+)?")


class Sidecar(Protocol):
    """One format: its writer and its checker, pure bytes <-> values."""

    @property
    def OF(self) -> Literal["archive", "release"]:
        """Whether there is one for each archive, the same on every release, or one over all that a release holds."""

    @property
    def LARGEST(self) -> int:
        """The most bytes that one may have; nobody reads more."""

    def name(self, subject: str) -> str:
        """The file's name beside an archive of this name, or on a release of this tag."""

    def render(self, facts: SidecarFacts) -> bytes | None:
        """The file's bytes; None where there is none. `facts.read` also finds what others put in the folder."""

    def findings(self, content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
        """Yield what is wrong with one that was found; `content` is None if it is not there. Raises UnreadError."""


# In this order they are made: each knows what was made before it, and SHA256SUMS covers all of that.
SIDECARS: Final[tuple[Sidecar, ...]] = (
    parts,
    channel,
    sums,
)


def over_release(tag: str) -> frozenset[str]:
    """The names of the sidecars that each release has of its own: all others are the same wherever an archive is."""
    return frozenset(one.name(tag) for one in SIDECARS if one.OF == "release")


def archive_of(name: str) -> str | None:
    """The archive that a file of this name is, is a part of or stands beside; None for any other name."""
    match = _BESIDE.fullmatch(name)
    return match["archive"] if match else None


def facts_of(sidecar: Sidecar, subject: str, facts: SidecarFacts) -> SidecarFacts:
    """What one sidecar of an archive, or of a release, is told of all that is there (`facts`)."""
    after = SIDECARS[SIDECARS.index(sidecar) :]
    later = {one.name(subject) for one in after if one.OF == sidecar.OF}
    names = [name for name in facts.files if name not in later]
    if sidecar.OF == "archive":
        names = [name for name in names if archive_of(name) == subject]
    return replace(facts, subject=subject, files={name: facts.files[name] for name in names})


def subjects_of(sidecar: Sidecar, facts: SidecarFacts) -> Sequence[str]:
    """What there is one sidecar of: the release, or every archive: whole, in parts, or by what stands beside it."""
    if sidecar.OF == "release":
        return (facts.place.tag,)
    return sorted({archive for name in (*facts.files, *facts.wholes) if (archive := archive_of(name))})
