"""What the archives of a published release hold, for whoever compares them: as SBOMs, else as they themselves tell."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing, read_small
from bundler.adapters.store import Blob, Store
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.model.holding import Holding
from bundler.model.inventory import Inventory
from bundler.model.release import Asset
from bundler.progress import Task
from bundler.release.holdings import told_by
from bundler.session import Session
from bundler.sidecars import parts, sbom
from bundler.words import ARCHIVE, archive_of


def of_release(session: Session, repository: str, tag: str) -> tuple[Holding, ...]:
    """What each archive of a published release holds, by name. Archives without an SBOM are downloaded to the store.

    Of one in parts the first is enough. Raises UnreachableError if there is no such release, IntegrityError.
    """
    with session.github(repository) as github:
        release = github.published(tag)
        if release is None:
            hint = "is the tag right? drafts do not count"
            raise UnreachableError(f"{repository} has no published release {tag}", hint)
        its = Released(session.store(), github, Listing.of(session.store(), github, release))
        if its.listing.faults:
            raise IntegrityError(f"{repository}@{tag}: {its.listing.faults[0]}", "`aiws-bundle verify` tells all")
        told = its.told()
        return its.holdings({**told, **_downloaded(session, f"{repository}@{tag}", its, told)})


def described(session: Session, repository: str, tag: str) -> Mapping[str, Inventory] | None:
    """What the SBOMs of a release say of its archives, by their names; None if not all have one, of listed digests.

    None, too, for what cannot be looked at or read: who verifies the release says why.
    """
    try:
        with session.github(repository) as github:
            release = github.published(tag)
            if release is None:
                return None
            its = Released(session.store(), github, Listing.of(session.store(), github, release))
            archives = {name for name in its.listing.listed if name.endswith(ARCHIVE)}
            if not archives or archives != {*its.archives}:
                return None
            told = its.told()
            return told if told.keys() == archives else None
    except (BundleError, OSError):
        return None


@dataclass(frozen=True)
class Released:
    """A published release, and where what is read of it is kept."""

    store: Store
    github: GitHub
    listing: Listing

    @property
    def archives(self) -> tuple[str, ...]:
        """The names of its archives, whole or in parts."""
        return tuple(sorted({archive for name in self.listing.assets if (archive := archive_of(name))}))

    def told(self) -> Mapping[str, Inventory]:
        """What those of the archives hold that have an SBOM. Raises IntegrityError, UnreachableError."""
        found = {name: asset for name in self.archives if (asset := self.listing.assets.get(sbom.name(name)))}
        with ThreadPoolExecutor(4, "sbom") as pool:
            return dict(zip(found, pool.map(self._told, found, found.values()), strict=True))

    def _told(self, archive: str, asset: Asset) -> Inventory:
        listed = self.listing.listed.get(asset.name)
        if listed is None or asset.sha256 not in (listed, None):
            raise IntegrityError(f"{asset.name}: it is not the one that SHA256SUMS lists", "verify the release")
        content = read_small(self.store, self.github, asset, listed, sbom.LARGEST)
        return told_by(content, archive, self.listing.listed.get(archive, ""))

    def holdings(self, held: Mapping[str, Inventory]) -> tuple[Holding, ...]:
        """What the archives hold, with the size of each."""
        return tuple(Holding(inventory, self._size(name)) for name, inventory in sorted(held.items()))

    def _size(self, archive: str) -> int:
        """The size of an archive in bytes: that of its parts together."""
        whole = self.listing.assets.get(archive)
        pieces = (asset.size for name, asset in self.listing.assets.items() if parts.part_of(name) == archive)
        return whole.size if whole else sum(pieces)

    def first(self, archive: str) -> Asset:
        """The archive, or its first part. Raises IntegrityError if SHA256SUMS does not list it."""
        assets, listed = self.listing.assets, self.listing.listed
        names = (archive, parts.part_name(archive, 0))
        name = next((name for name in names if name in assets and name in listed), None)
        if name is None:
            raise IntegrityError(f"{archive}: SHA256SUMS lists neither it nor a part of it", "verify the release")
        return assets[name]

    def read(self, archive: str, asset: Asset, task: Task) -> Inventory:
        """What an archive says that it holds; `asset` is it, or its first part."""
        from bundler.kinds import held_in  # large

        blob = Blob(asset.name, self.listing.listed[asset.name], asset.size)
        address = self.github.asset_address(asset)
        return held_in(self.store.fetch(blob, iter([address]), self.github, task), archive)


def _downloaded(session: Session, label: str, its: Released, told: Mapping[str, Inventory]) -> Mapping[str, Inventory]:
    """What the other archives hold, which are brought to the store."""
    wanted = {name: its.first(name) for name in its.archives if name not in told}
    if not wanted:
        return {}
    total = sum(asset.size for asset in wanted.values())
    with session.progress.task(label, total) as task, ThreadPoolExecutor(session.jobs, "download") as pool:
        running = {name: pool.submit(its.read, name, asset, task) for name, asset in wanted.items()}
        try:
            return {name: future.result() for name, future in running.items()}
        except BaseException:
            session.cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
