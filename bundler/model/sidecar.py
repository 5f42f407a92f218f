"""What a sidecar is made from and compared with: the archive, or the release, that it stands beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

# Name -> size in bytes and SHA-256 (hex), "" where it is not known.
Files: TypeAlias = Mapping[str, tuple[int, str]]
# Yields the bytes of a file by its name. Raises UnreadError.
Read: TypeAlias = Callable[[str], Iterator[bytes]]


class UnreadError(Exception):
    """A file's bytes are not at hand, only its digest is."""


@dataclass(frozen=True)
class Place:
    """Where a release stands: its repository, its tag and the commit of that; "" for what is not known."""

    repository: str = ""
    tag: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Held:
    """A release, and all that it holds."""

    place: Place
    files: Files


@dataclass(frozen=True)
class SidecarFacts:
    """What a sidecar stands over, on a release or in a folder.

    `subject` is the archive's name, or the release's tag. `files` is the archive or its parts and what stands beside
    it, or all of the release; neither the sidecar itself nor what comes after it in the table. `wholes` are the digests
    of what is there in parts. `follows` is what a channel points at. In a `partial` folder not all that is listed has
    to be there.
    """

    files: Files
    read: Read
    subject: str = ""
    wholes: Mapping[str, str] = field(default_factory=dict)
    place: Place = Place()
    follows: Held | None = None
    partial: bool = False
