"""Who published a file, as its attestations prove (PEP 740) and locks record (`attestation-identities`, PEP 751)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What the certificate of an attestation proves, by the kind of Trusted Publisher; the rest an index only says.
PROVEN: Mapping[str, tuple[str, ...]] = {
    "CircleCI": ("project_id", "pipeline_definition_id", "vcs_origin"),
    "GitHub": ("repository", "workflow"),
    "GitLab": ("repository", "workflow_filepath"),
    "Google": ("email",),
}
_OPTIONAL = ("vcs_origin",)
_CLAIM = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, order=True)
class Publisher:
    """A Trusted Publisher: its kind (`GitHub`), and what tells it from others of that kind, in the kind's own order."""

    kind: str
    claims: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> Publisher:
        """Read an entry of a lock's `attestation-identities`. Raises ValueError for any that no lock of ours holds."""
        found = cls.told(table)
        if found.table() != table:
            raise ValueError(f"a publisher of {found.kind} has {', '.join(PROVEN[found.kind])}, and no more")
        return found

    @classmethod
    def told(cls, table: Mapping[str, object]) -> Publisher:
        """Read what an index says of a publisher, as far as an attestation can prove it. Raises ValueError."""
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in PROVEN:
            raise ValueError(f"a publisher is of one of these kinds: {', '.join(PROVEN)}")
        claims = []
        for name in PROVEN[kind]:
            value = table.get(name)
            if value is None and name in _OPTIONAL:
                continue
            if not isinstance(value, str) or not _CLAIM.fullmatch(value):
                raise ValueError(f"a publisher of {kind} has {name}, a word of at most 200 characters")
            claims.append((name, value))
        return cls(kind, tuple(claims))

    def table(self) -> dict[str, str]:
        """It as an entry of `attestation-identities`."""
        return {"kind": self.kind, **dict(self.claims)}

    def __str__(self) -> str:
        """It in a few words, for people: `GitHub owner/project release.yml`."""
        return " ".join((self.kind, *(value for _, value in self.claims)))
