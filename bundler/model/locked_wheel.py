"""One wheel that a lock pins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

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

    With `source`, no index has it: it is built.
    """

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    hint: str | None = None
    source: Source | None = None
