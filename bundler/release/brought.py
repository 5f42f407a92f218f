"""A published release that archives are taken from: its list is signed as asked, and what is taken is what it lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing, newest_runtime, read_small
from bundler.adapters.store import Blob, Store
from bundler.errors import IntegrityError, UnreachableError
from bundler.model.inventory import Inventory
from bundler.model.release import CHANNEL, Asset, Release, disagreement
from bundler.model.sidecar import Place, SidecarFacts
from bundler.model.signatures import NO_DEMAND
from bundler.progress import Task
from bundler.release.parts import joinable
from bundler.release.released import Released
from bundler.release.signed import signatures_of
from bundler.sidecars import channel, parts, sums
from bundler.words import ARCHIVE


@dataclass(frozen=True)
class Brought:
    """A published release, of which archives are taken into the store."""

    store: Store
    github: GitHub
    release: Release
    listing: Listing

    @classmethod
    def of(cls, store: Store, github: GitHub, release: Release) -> Brought:
        """Look at a release. Raises IntegrityError if it is not whole, or does not list what it holds."""
        listing = Listing.of(store, github, release)
        if listing.faults:
            where = f"{github.repository}@{release.tag_name}"
            raise IntegrityError(f"{where}: {listing.faults[0]}", "`aiws-bundle verify` tells all")
        return cls(store, github, release, listing)

    @property
    def tag(self) -> str:
        """Its tag."""
        return self.release.tag_name

    def check_signed(self, told: SidecarFacts) -> None:
        """Raise IntegrityError unless its SHA256SUMS is signed as `verify` wants it, by keys that `told` trusts."""
        place = Place(self.github.repository, self.tag, self.github.tag_commit(self.tag) or "")
        facts = replace(told, files=self.listing.contents, place=place, demand=told.demand or NO_DEMAND)
        assets = {asset.name: asset for asset in self.listing.all()}

        def text(name: str, limit: int) -> bytes:
            return self.small(assets[name], limit)

        for finding in signatures_of(facts, text).findings:
            if finding.grade == "integrity":
                where = f"{self.github.repository}@{self.tag}"
                raise IntegrityError(f"{where}: {finding.message}", "`aiws-bundle verify` tells all")

    @cached_property
    def archives(self) -> Mapping[str, str]:
        """The SHA-256 of each archive that is there, whole or in parts, by its name."""
        there = {*self.listing.assets, *self.wholes}
        return {
            name: digest for name, digest in self.listing.listed.items() if name.endswith(ARCHIVE) and name in there
        }

    @cached_property
    def wholes(self) -> Mapping[str, tuple[str, ...]]:
        """What is there in parts: its name -> its parts in their order."""
        read = partial(self.small, limit=parts.LARGEST)
        return joinable(self.listing.assets, self.listing.listed, read)

    def size(self, archive: str) -> int:
        """The size of an archive in bytes: that of its parts together."""
        return sum(self.listing.assets[name].size for name in self.wholes.get(archive, (archive,)))

    def needed(self, archive: str) -> int:
        """How many bytes have to be downloaded for an archive; 0 if the store has it."""
        if self.store.has(Blob(archive, self.archives[archive], self.size(archive))):
            return 0
        return sum(self.missing(name) for name in self.wholes.get(archive, (archive,)))

    def missing(self, name: str) -> int:
        """How many bytes have to be downloaded for an asset; 0 if the store has it."""
        asset = self.listing.assets[name]
        return 0 if self.store.has(Blob(name, self.listing.listed[name], asset.size)) else asset.size

    def like(self, archive: str, held: Callable[[], Inventory | None]) -> str | None:
        """The archive that takes another one's place: of the same name, else for the same component and host.

        `held` tells what the other one holds, and is asked only then. Raises IntegrityError, UnreachableError.
        """
        if archive in self.archives:
            return archive
        if (its := held()) is None:
            return None
        told = Released(self.store, self.github, self.listing).told()
        same = [name for name, one in told.items() if (one.component, one.host) == (its.component, its.host)]
        return same[0] if len(same) == 1 and same[0] in self.archives else None

    def bring(self, archive: str, task: Task) -> Path:
        """Return where an archive is in the store. Raises as `fetch` does."""
        split = self.wholes.get(archive)
        if split is None:
            return self.fetch(archive, task)
        blob = Blob(archive, self.archives[archive], self.size(archive))
        return self._sound(
            blob, lambda: self.store.take(blob) or self.store.join(blob, [self.fetch(name, task) for name in split])
        )

    def fetch(self, name: str, task: Task) -> Path:
        """Return where an asset is in the store. Raises IntegrityError if it is not the one that SHA256SUMS lists.

        Raises UnreachableError. What the store has may have gone bad on disk, and is then fetched once more.
        """
        asset, listed = self.listing.assets[name], self.listing.listed[name]
        if asset.sha256 not in (None, listed):
            what = disagreement(name, asset, None, listed)
            raise IntegrityError(f"{self.github.repository}@{self.tag}: {what}", "`aiws-bundle verify` tells all")
        blob, address = Blob(name, listed, asset.size), self.github.asset_address(asset)
        return self._sound(blob, lambda: self.store.fetch(blob, iter([address]), self.github, task))

    def _sound(self, blob: Blob, get: Callable[[], Path]) -> Path:
        for _ in range(2):
            path = get()
            if sha256_of(path) == blob.sha256:
                return path
            self.store.discard(blob.sha256)
        raise IntegrityError(
            f"{blob.name}: the store does not keep it", "is the disk that the cache folder is on sound?"
        )

    def small(self, asset: Asset, limit: int = sums.LARGEST) -> bytes:
        """The bytes of a small asset. Raises IntegrityError, UnreachableError."""
        return read_small(self.store, self.github, asset, self.listing.digest(asset), limit)


def followed(store: Store, github: GitHub, tag: str) -> Brought:
    """The published release of a tag; of a channel the one that it follows.

    Raises UnreachableError if there is none, IntegrityError if it is not whole or a channel does not say which it is.
    """
    newest = newest_runtime(github) if tag == CHANNEL else ""
    release = github.published(tag) or (github.published(newest) if newest else None)
    if release is None:
        message = f"{github.repository} has no published release {tag}"
        raise UnreachableError(message, "is the tag right? drafts do not count")
    its = Brought.of(store, github, release)
    asset = its.listing.assets.get(channel.NAME)
    if asset is None:
        return its
    where = f"{github.repository}@{its.tag}"
    said = channel.parse(its.small(asset, channel.LARGEST))
    for fault in channel.misnamed(said, Place(github.repository, its.tag)):
        raise IntegrityError(f"{where}: {fault}", "`aiws-bundle verify` tells all")
    if (moved := github.published(said.tag)) is None:
        raise IntegrityError(f"{where} points at {said.tag}, which is not published", "publish the channel once more")
    return Brought.of(store, github, moved)
