"""What a sidecar is made from and compared with: the archive, or the release, that it stands beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from bundler.errors import IntegrityError
from bundler.model.inventory import Inventory
from bundler.model.materials import NO_BUILDER, Builder, Materials, Sources
from bundler.model.trust import NOTHING_TRUSTED, Trust

if TYPE_CHECKING:
    from bundler.model.signatures import Demand
    from bundler.model.signing import Signer

# A snapshot of advisories, as it is called wherever it stands, and the most bytes that it may have.
ADVISORIES, LARGEST_ADVISORIES = "advisories.json", 32 << 20
# Name -> size in bytes and SHA-256 (hex), "" where it is not known.
Files: TypeAlias = Mapping[str, tuple[int, str]]
# Yields the bytes of a file by its name. Raises UnreadError.
Read: TypeAlias = Callable[[str], Iterator[bytes]]

# What an archive says it was made of, by its name; None if others made it. Raises UnreadError, IntegrityError.
MaterialsOf: TypeAlias = Callable[[str], Materials | None]


class UnreadError(Exception):
    """A file's bytes are not at hand, only its digest is."""


@dataclass(frozen=True)
class Place:
    """Where a release stands: its repository, its tag, the commit of that, and when it was made (RFC 3339, UTC).

    What is not known is "".
    """

    repository: str = ""
    tag: str = ""
    commit: str = ""
    date: str = ""


NOWHERE = Place()


@dataclass(frozen=True)
class Held:
    """A release, and all that it holds."""

    place: Place
    files: Files


def _unread(name: str) -> Iterator[bytes]:
    raise UnreadError(name)


def _untold(name: str) -> Materials | None:
    raise UnreadError(name)


@dataclass(frozen=True)
class SidecarFacts:
    """What a sidecar stands over, on a release or in a folder.

    `subject` is the archive's name, or the release's tag. `files` is the archive or its parts and what stands beside
    it, or all of the release; neither the sidecar itself nor what comes after it in the table. `wholes` are the digests
    of what is there in parts. `follows` is what a channel points at. In a `partial` folder not all that is listed has
    to be there. `inventories` tell what the archives hold that were read, by their names. `signer` is who signs what is
    made, if anybody does; `trust` says whose signatures count, `today` on which day (UTC), and `demand` what else they
    must show; None where nobody asks for any. `materials` tells what an archive was made of, `sources` what manifests
    and locks at hand say of those that they make, `builder` where.
    """

    files: Files
    read: Read
    subject: str = ""
    wholes: Mapping[str, str] = field(default_factory=dict)
    place: Place = NOWHERE
    follows: Held | None = None
    partial: bool = False
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    signer: Signer | None = None
    trust: Trust = NOTHING_TRUSTED
    today: date | None = None
    demand: Demand | None = None
    materials: MaterialsOf = _untold
    sources: Mapping[str, Sources] = field(default_factory=dict)
    builder: Builder = NO_BUILDER

    @property
    def sha256(self) -> str:
        """The archive's digest (hex), in however many parts it is; "" where it is not known."""
        return self.wholes.get(self.subject, "") or self.files.get(self.subject, (0, ""))[1]

    def there(self, name: str, largest: int) -> bytes | None:
        """What lies there already; None if nothing does. Raises IntegrityError for more than so many bytes."""
        content = b""
        try:
            for chunk in self.read(name):
                content += chunk
                if len(content) > largest:
                    raise IntegrityError(f"{name}: it has more than {largest} bytes")
        except UnreadError:
            return None
        return content


# Nobody is trusted, nobody signs, and nothing is there yet.
NOTHING_TOLD = SidecarFacts({}, _unread)
