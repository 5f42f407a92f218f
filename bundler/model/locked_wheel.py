"""One wheel that a lock pins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import ConfigDict

from bundler.model.known_bad import Held, package
from bundler.model.publisher import Publisher
from bundler.words import Commit, Sha256


@dataclass(frozen=True)
class Source:
    """What a wheel is built from: a commit, by the SHA-256 of its archive."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    commit: Commit
    sha256: Sha256


@dataclass(frozen=True)
class LockedWheel:
    """One wheel, exactly. `hint` is a folder, relative to an index's file store, that is worth trying first.

    With `source`, no index has it: it is built. `uploaded` is when the index says that it came there (UTC, whole
    seconds); `publishers` are proven by its attestations, sorted: mostly one, none if the index served no attestation.
    """

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    hint: str | None = None
    source: Source | None = None
    uploaded: datetime | None = None
    publishers: tuple[Publisher, ...] = ()

    @property
    def held(self) -> tuple[Held, ...]:
        """What may be known to be bad: the version, and the file."""
        return package(self.project, self.version), self.sha256
