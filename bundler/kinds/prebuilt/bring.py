"""Bring the locked archives of other repositories' components into the output folder, each checked before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.archive import Written
from bundler.adapters.dist import Dist
from bundler.adapters.regular import open_regular
from bundler.adapters.store import Blob
from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError, from_os
from bundler.kinds.manifests import Manifests
from bundler.kinds.prebuilt.asset_lock import AssetLock, LockedAsset
from bundler.kinds.prebuilt.locking import archive_of
from bundler.kinds.prebuilt.state import component_state
from bundler.model.outcome import Outcome
from bundler.model.target import select_platforms
from bundler.session import Network, Settings

_CHUNK = 1 << 20
_DAMAGED_HINT = "the damaged copy was removed from the store; run again to fetch it anew"


@dataclass(frozen=True)
class Locked:
    """One archive to be brought: the component (its manifest's file stem), its lock, and which archive of it."""

    component: str
    lock: AssetLock
    asset: LockedAsset

    @property
    def name(self) -> str:
        """The archive's file name."""
        return self.asset.name


def locked_archives(
    workspace: Workspace, manifests: Manifests, selectors: Sequence[str], names: Sequence[str]
) -> list[Locked]:
    """The archives of the components `names` for the selected platforms. Raises LockError for what is not locked."""
    found: list[Locked] = []
    problems: list[str] = []
    unlocked: list[str] = []
    for name in names:
        manifest = manifests.release_assets[name]
        state = component_state(workspace, name, manifest)
        if state.lock is None or state.state != "current":
            problems.append(f"{name} is not locked" if state.state == "missing" else f"{name}: {state.detail}")
            unlocked.append(name)
            continue
        wanted = select_platforms(manifest.targets, manifests.targets, selectors)
        found += [Locked(name, state.lock, asset) for asset in state.lock.assets if asset.platform in wanted]
    if problems:
        words = " ".join(f"--component {name}" for name in unlocked)
        raise LockError("\n".join(problems), f"run `aiws-bundle lock {words}`")
    return found


def bring_all(settings: Settings, archives: Sequence[Locked], dist: Dist, offline: bool, force: bool) -> list[Outcome]:
    """Fetch, check and place the archives that are not in place yet. One that fails does not stop the others."""
    there = {} if force else {a.name: w for a in archives if (w := dist.current(a.name, a.asset.sha256))}
    made: dict[str, Written | BundleError] = {}
    if len(there) < len(archives):
        with nullcontext() if offline else settings.network() as network:
            bringing = _Bringing(settings, network, dist)
            made = {archive.name: bringing.tried(archive) for archive in archives if archive.name not in there}
    return [_outcome(archive, there.get(archive.name), made.get(archive.name)) for archive in archives]


def _outcome(archive: Locked, there: Written | None, made: Written | BundleError | None) -> Outcome:
    label = f"{archive.component} {archive.asset.platform}"
    if there:
        return Outcome(label, archive.name, "unchanged", there.size, there.sha256)
    if isinstance(made, Written):
        return Outcome(label, archive.name, "built", made.size, made.sha256)
    return Outcome(label, archive.name, "failed", error=made)


@dataclass(frozen=True)
class _Bringing:
    settings: Settings
    network: Network | None
    dist: Dist

    def tried(self, locked: Locked) -> Written | BundleError:
        """Bring one archive, or return what went wrong."""
        try:
            return self.bring(locked)
        except OSError as error:
            return from_os(error)
        except BundleError as error:
            return error

    def bring(self, locked: Locked) -> Written:
        """Bring one archive. Raises IntegrityError if it is not what was locked, or not what it should be."""
        store, asset = self.settings.store(), locked.asset
        self._fetch(asset)
        try:
            path = archive_of(store, locked.lock, asset)
            with self.dist.replacing(asset.name) as file:
                written = _copied(path, asset, file.write)
        except IntegrityError as error:
            whole = Blob(asset.name, asset.sha256, asset.size)
            if store.discard_damaged([whole, *(Blob(file.name, file.sha256, file.size) for file in asset.files)]):
                raise IntegrityError(error.message, _DAMAGED_HINT) from error
            raise
        self.dist.place(asset.name, written, asset.sha256)
        self.settings.progress.say(f"brought {asset.name} from {locked.lock.repository}@{locked.lock.tag}")
        return written

    def _fetch(self, asset: LockedAsset) -> None:
        store = self.settings.store()
        blobs = {file.address: Blob(file.name, file.sha256, file.size) for file in asset.files}
        missing = [address for address, blob in blobs.items() if not store.has(blob)]
        if not missing:
            return
        if self.network is None:
            raise UnreachableError(f"{asset.name} is not in the store", "run once without --offline")
        http = self.network.http
        with self.settings.progress.task(f"fetching {asset.name}", asset.size) as task, ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(store.fetch, blobs[a], iter([a]), http, task) for a in missing]:
                done.result()


def _copied(path: Path, asset: LockedAsset, write: Callable[[bytes], object]) -> Written:
    """Copy an archive, hashing what is copied. Raises IntegrityError if that is not what was locked."""
    digest, size = hashlib.sha256(), 0
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            write(chunk)
            size += len(chunk)
    if digest.hexdigest() != asset.sha256:
        raise IntegrityError(
            f"{asset.name}: the copy in the store differs\n  expected {asset.sha256}\n  actual   {digest.hexdigest()}"
        )
    return Written(size, asset.sha256)
