"""What is found out about an archive: one finding a line, and the verdict that they make together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bundler.model.inventory import Inventory
from bundler.model.known_bad import Held

# What disagrees with what was listed or promised (exit code 3); what a host would miss (1); what is only told (0).
Grade: TypeAlias = Literal["integrity", "closure", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was found, and how grave it is. The message may have further, indented lines."""

    message: str
    grade: Grade = "integrity"


@dataclass(frozen=True)
class Verdict:
    """What was found in one archive. `summary` says what it is, for people; `tar_sha256` is the digest of its tar.

    `holds` are the packages and files in it, `inventory` is all that it holds, if it could be read. `sha256` is its own
    digest, where judging it took all of its bytes.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    summary: str = ""
    tar_sha256: str | None = None
    holds: tuple[Held, ...] = ()
    inventory: Inventory | None = None
    sha256: str | None = None

    @property
    def good(self) -> bool:
        """Nothing was found but notes."""
        return not self.integrity and not self.closure

    @property
    def integrity(self) -> tuple[str, ...]:
        """What disagrees with what the archive says of itself."""
        return self.of("integrity")

    @property
    def closure(self) -> tuple[str, ...]:
        """What a host would miss."""
        return self.of("closure")

    def of(self, grade: Grade) -> tuple[str, ...]:
        """The messages of one grade."""
        return tuple(finding.message for finding in self.findings if finding.grade == grade)
