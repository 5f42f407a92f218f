"""What stands beside an archive, or over a whole release. The table is the only place that lists them.

A sidecar is a module of this folder: what its file is called, how it is made, and what of it can be wrong. A new one is
one new file and one line in `SIDECARS`: `publish` then puts it on a release, SHA256SUMS lists it if it comes before
that, and `verify` checks it, on releases and in folders.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final, Literal, Protocol

from bundler.model.inventory import Item
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding
from bundler.model.ways import DeltaName
from bundler.sidecars import (
    advisories,
    allowed_signers,
    attestation,
    channel,
    minisig,
    minisign_pub,
    parts,
    provenance,
    sbom,
    sshsig,
    sums,
    trusted_root,
)
from bundler.words import ARCHIVE, archive_of


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


# In this order they are made: each knows what was made before it. SHA256SUMS covers what is before it, and is signed.
SIDECARS: Final[tuple[Sidecar, ...]] = (
    parts,
    sbom,
    provenance,
    attestation,
    trusted_root,
    advisories,
    allowed_signers,
    minisign_pub,
    channel,
    sums,
    minisig,
    sshsig,
)


def over_release(tag: str) -> frozenset[str]:
    """The names of the sidecars that each release has of its own: all others are the same wherever an archive is."""
    return frozenset(one.name(tag) for one in SIDECARS if one.OF == "release")


def foreign(names: Collection[str], tag: str) -> tuple[str, ...]:
    """Those of a release's files that are no archive, no part of or delta to one that is among them, and no sidecar."""
    archives = {name for name in names if name.endswith(ARCHIVE)}
    known = {one.name(archive) for one in SIDECARS if one.OF == "archive" for archive in archives}
    known |= archives | over_release(tag)
    known |= {name for name in names if (delta := DeltaName.parse(name)) and delta.archive in archives}
    return tuple(sorted(name for name in names if name not in known and parts.part_of(name) not in archives))


def beside(archive: str, facts: SidecarFacts) -> Mapping[str, bytes]:
    """The sidecars of an archive that is in one piece, by their names, as `facts` make them."""
    made: dict[str, bytes] = {}

    def read(name: str) -> Iterator[bytes]:
        return iter((made[name],)) if name in made else facts.read(name)

    for sidecar in (one for one in SIDECARS if one.OF == "archive"):
        sizes = {name: (len(content), sha256(content).hexdigest()) for name, content in made.items()}
        own = facts_of(sidecar, archive, replace(facts, files={**facts.files, **sizes}, read=read))
        if (content := sidecar.render(own)) is not None:
            made[sidecar.name(archive)] = content
    return made


def load() -> None:
    """Load what `beside` takes, while something is waited for."""
    sbom.load()


def ahead(items: Iterable[Item]) -> None:
    """Do what `beside` takes of some of what an archive holds, before all of it is there."""
    sbom.ahead(items)


def facts_of(sidecar: Sidecar, subject: str, facts: SidecarFacts) -> SidecarFacts:
    """What one sidecar of an archive, or of a release, is told of all that is there (`facts`)."""
    names: Iterable[str] = facts.files
    if sidecar.OF == "archive":
        names = (name for name in names if archive_of(name) == subject)
    return _told(sidecar, subject, facts, names)


def facts_of_each(sidecar: Sidecar, facts: SidecarFacts) -> Iterator[tuple[str, SidecarFacts]]:
    """Each that there is one sidecar of, and what that one is told; all files are looked through once for all."""
    if sidecar.OF == "release":
        yield facts.place.tag, facts_of(sidecar, facts.place.tag, facts)
        return
    around: dict[str, list[str]] = {archive: [] for archive in subjects_of(sidecar, facts)}
    for name in facts.files:
        if archive := archive_of(name):
            around[archive].append(name)
    yield from ((archive, _told(sidecar, archive, facts, names)) for archive, names in around.items())


def _told(sidecar: Sidecar, subject: str, facts: SidecarFacts, names: Iterable[str]) -> SidecarFacts:
    """The facts of those files among `names` that are made before the sidecar."""
    after = SIDECARS[SIDECARS.index(sidecar) :]
    later = {one.name(subject) for one in after if one.OF == sidecar.OF}
    return replace(facts, subject=subject, files={name: facts.files[name] for name in names if name not in later})


def subjects_of(sidecar: Sidecar, facts: SidecarFacts) -> Sequence[str]:
    """What there is one sidecar of: the release, or every archive: whole, in parts, or by what stands beside it."""
    if sidecar.OF == "release":
        return (facts.place.tag,)
    return sorted({archive for name in (*facts.files, *facts.wholes) if (archive := archive_of(name))})
