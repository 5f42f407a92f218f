"""A component that is begun: its manifest, written for a person to go on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeGuard

from bundler.model.target import Target

if TYPE_CHECKING:
    from bundler.kinds.kind import Component
    from bundler.model.hosts import Hosts
    from bundler.model.trust import Trust
    from bundler.session import Session


@dataclass(frozen=True)
class Wish:
    """What is to be shipped, in the asker's words; "" where the application itself is to tell.

    `what` is its name, with a version or without. `name` is what the component is to be called, `program` its program;
    `serve` are the arguments with which that serves HTTP and `ready` where it then answers; `repository` is where its
    releases are.
    """

    what: str
    name: str = ""
    program: str = ""
    serve: Sequence[str] = ()
    ready: Sequence[str] = ()
    repository: str = ""


@dataclass(frozen=True)
class Begun:
    """A component's manifests as they are to be written: `files` are texts by name, the component's own last.

    `found` tells people what is in them, as labels and texts; `notes` what they should know of it.
    """

    name: str
    files: Mapping[str, str]
    found: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Beginner(Protocol):
    """A kind that can begin a component: an entry of the table that has this as well."""

    def begin(
        self,
        wish: Wish,
        targets: Sequence[Target],
        hosts: Hosts,
        trust: Trust,
        others: Mapping[str, Component],
        session: Session,
    ) -> Begun | None:
        """Write the manifests of a component for `targets` of `hosts`, beside the components `others`.

        None if the wish is none for this kind.

        Raises UsageError for what cannot be begun, UnreachableError.
        """


def begins(kind: object) -> TypeGuard[Beginner]:
    """Say whether a kind can begin a component."""
    return hasattr(kind, "begin")
