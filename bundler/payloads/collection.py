"""What a collection is: a payload that a manifest of the all-in-one package asks for in a section of its own.

What the lock pins for the section is the payload itself: a frozen value that pydantic validates. The module that it
stands in is its entry of the table (`payloads.collections`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from bundler.model.target import Target
from bundler.payloads.payload import Payload
from bundler.session import Network, Session


class Collection(Payload, Protocol):
    """What a lock pins for one section, on one target. A frozen value that pydantic validates."""

    def versions(self) -> Mapping[str, str]:
        """What it holds: the version, or commit, of each thing by its name."""

    def provides(self) -> frozenset[str]:
        """What else can be asked of it: names that things in it stand in for."""

    def sources(self) -> Mapping[str, tuple[str, str]]:
        """The repositories that it holds: address and commit by name."""


class CollectionChoice(Protocol):
    """A section of a manifest that asks for a collection. A frozen value that pydantic validates."""

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What keeps it from being had on all of `targets`, that no single value shows."""


class CollectionModule(Protocol):
    """An entry of the table that makes a collection."""

    @property
    def COLLECTION(self) -> str:
        """The key of manifests and locks that tells of it."""

    @property
    def SAME(self) -> bool:
        """Whether a choice means the same on every target."""

    @property
    def PLACES(self) -> tuple[str, ...]:
        """Where its files stand: folders, which end with a slash, and files; in those `*` stands for part of a name.

        No other payload's are there.
        """

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """Those of its places whose files may be executable."""

    @property
    def LINKS(self) -> tuple[str, ...]:
        """Those of its folders that may hold links, which lead nowhere else."""

    @property
    def TEXTS(self) -> tuple[str, ...]:
        """Those of its files that are judged by their bytes."""

    @property
    def CHOICE(self) -> type[CollectionChoice]:
        """The class that the manifest's section is validated with."""

    @property
    def PINS(self) -> type[Collection]:
        """The class that the lock's table is validated with."""

    def lock(self, choice: CollectionChoice, target: Target, session: Session, network: Network) -> Collection:
        """Find out what a choice means on a target now, exactly. Raises BundleError."""
