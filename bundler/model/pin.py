"""A pin: one file to be fetched, exactly, and where it is to be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bundler.model.locked_wheel import LockedWheel


@dataclass(frozen=True)
class OnRegistry:
    """A file at a path below whatever registry npm is configured for."""

    path: str


@dataclass(frozen=True)
class InArchive:
    """A file at a path in a distribution's own archive, such as `debian`, wherever apt finds that."""

    archive: str
    path: str


# An address of its own; a wheel, which an index is asked for, or which is built; a path on the npm registry, or in a
# distribution's archive.
Origin: TypeAlias = str | LockedWheel | OnRegistry | InArchive


@dataclass(frozen=True)
class Pin:
    """One file: what people call it, its SHA-256 (hex), its size in bytes (None: nobody told), where it comes from."""

    name: str
    sha256: str
    size: int | None
    origin: Origin

    @classmethod
    def of_wheel(cls, wheel: LockedWheel) -> Pin:
        """The pin of a locked wheel."""
        return cls(wheel.filename, wheel.sha256, wheel.size, wheel)
