"""What the provenance beside an archive tells, and what of that could be checked here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.regular import chunks, read_regular
from bundler.errors import BundleError, UsageError
from bundler.kinds import materials_of
from bundler.model.intoto import Statement
from bundler.model.materials import Material
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding
from bundler.sidecars import provenance

_CHECKOUT = re.compile(r"git\+https://[^ @]+@refs/[^ @]+")


@dataclass(frozen=True)
class Explained:
    """A statement, who signed it (a key's name in trust.yaml, "" if unknown, and fingerprint), and what was found."""

    archive: Path
    statement: Statement
    signer: str
    key_id: str
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Nothing disagrees."""
        return all(finding.grade == "note" for finding in self.findings)

    @property
    def numbers(self) -> Mapping[str, int]:
        """How many things of each kind it was made of."""
        return Counter(item.kind for item in self.statement.items)

    @property
    def checked(self) -> tuple[str, ...]:
        """What could be checked, in words; nothing if something disagrees."""
        if not self.good:
            return ()
        own = "it is of this very archive, and names what the archive says that it was made of"
        return (own, f"the signature is {self.signer}'s, and counts today") if self.signer else (own,)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What could not be checked, in words."""
        notes = tuple(finding.message for finding in self.findings if finding.grade == "note")
        said = "that it was made there, and of these manifests, is what the signer says"
        return (*notes, f"{said}; `verify --rebuild` makes it anew and compares")

    @property
    def source(self) -> Material | None:
        """The repository and commit that were checked out to make it, if it says so."""
        return _source(self.statement)


def explain(archive: Path, told: SidecarFacts) -> Explained:
    """Read what stands beside an archive, and check it. `told` says whom to trust, and on which day.

    Raises UsageError if nothing stands there, IntegrityError if it is no provenance, or the archive is none.
    """
    if not archive.is_file():
        raise UsageError(f"{archive} is not a file", "give an archive that `build` made")
    beside = archive.with_name(provenance.name(archive.name))
    if not beside.is_file():
        hint = "a release has one for each archive if its maker signs; download it to the same folder"
        raise UsageError(f"{archive.name} has no provenance: {beside} is not there", hint)
    content = read_regular(beside, provenance.LARGEST)
    envelope, statement = provenance.parse(content, archive.name)
    facts = replace(
        told,
        files={archive.name: (archive.stat().st_size, sha256_of(archive))},
        read=lambda name: chunks(archive.with_name(name)),
        subject=archive.name,
        materials=lambda name: materials_of(archive),
    )
    key, found = told.trust.key_of(envelope.key_id), tuple(provenance.findings(content, facts))
    return Explained(archive, statement, key.name if key else "", envelope.key_id, found)


def commit_beside(archive: Path) -> str:
    """The commit that the provenance beside an archive says was checked out to make it; "" if none tells.

    Nothing of it is checked: it is only where to look.
    """
    beside = archive.with_name(provenance.name(archive.name))
    try:
        content = read_regular(beside, provenance.LARGEST) if beside.is_file() else b""
        source = _source(provenance.parse(content, archive.name)[1])
    except (BundleError, OSError):
        return ""
    return source.digest if source else ""


def _source(statement: Statement) -> Material | None:
    found = (item for item in statement.items if item.kind == "repository" and _CHECKOUT.fullmatch(item.uri))
    return next(found, None)
