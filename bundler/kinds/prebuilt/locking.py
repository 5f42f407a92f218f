"""Components that other repositories release: which release is locked, and locking one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing, newest_runtime
from bundler.adapters.store import Blob, Store
from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError
from bundler.kinds.prebuilt.asset_lock import AssetLock
from bundler.kinds.prebuilt.component import PrebuiltComponent
from bundler.kinds.prebuilt.join import archive_of
from bundler.kinds.prebuilt.lock_assets import Offered, UnlistedError, lock_assets
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.kinds.prebuilt.state import lock_name, pinned, state_of
from bundler.model.outcome import Outcome
from bundler.model.release import CHANNEL, Asset, Release
from bundler.progress import Silent
from bundler.session import Session

# How many releases are looked through for one that is whole.
_LOOKED_AT = 20


def lock_all(
    components: Sequence[PrebuiltComponent], session: Session, *, upgrade: bool, deep: bool
) -> Sequence[Outcome]:
    """Lock those of the components whose lock does not match, or all with `upgrade` or `deep`.

    `deep` also downloads every archive. A component that fails keeps its old lock and does not stop the others.
    """
    workspace, made = session.workspace(), []
    for one in components:
        before, lock = state_of(one.name, workspace, one.manifest)
        if before.state == "current" and not upgrade and not deep:
            made.append(before)
            continue
        session.progress.say(f"locking {one.name}: {one.manifest.repository}@{one.manifest.tag}")
        try:
            made.append(_lock(session, workspace, one, lock, deep=deep))
        except BundleError as error:
            made.append(Outcome(one.name, "", "failed", release=before.release, error=error))
    return made


def _lock(
    session: Session, workspace: Workspace, one: PrebuiltComponent, before: AssetLock | None, *, deep: bool
) -> Outcome:
    store, manifest = session.store(), one.manifest
    with session.github(manifest.repository) as github:
        release = _release(github, manifest)
        commit = github.tag_commit(release.tag_name)
        if commit is None:
            raise IntegrityError(f"{manifest.repository}@{release.tag_name} has no git tag")
        listing = Listing.of(store, github, release)
        try:
            made = _locked(store, github, manifest, release, commit, listing)
        except UnlistedError as error:
            raise IntegrityError(error.message, _elsewhere(store, github, one, release)) from error
        text = made.render()
        try:
            AssetLock.parse(text, "")  # what came from outside must be fit to stand in a lock
        except LockError as error:
            raise IntegrityError(f"{manifest.repository}@{release.tag_name}: {error.message}") from error
        _same_bytes(before, made)
        if deep:
            _look_inside(session, store, github, listing, made)
    if text == workspace.lock_text(lock_name(one.name)):
        return Outcome(one.name, "", "unchanged", release=pinned(made))
    workspace.write_lock(lock_name(one.name), text)
    return Outcome(one.name, "", "locked", release=pinned(made))


def _locked(
    store: Store, github: GitHub, manifest: Prebuilt, release: Release, commit: str, listing: Listing
) -> AssetLock:
    """The lock of a release. Raises what `lock_assets` does, IntegrityError if it is not whole."""
    if listing.faults:
        where = f"{manifest.repository}@{release.tag_name}"
        raise IntegrityError(f"{where}: {listing.faults[0]}", "a release that is whole can be locked")
    offered = Offered(listing.assets, listing.listed)
    return lock_assets(manifest, release, commit, offered, partial(_bring, store, github))


def _elsewhere(store: Store, github: GitHub, one: PrebuiltComponent, unlisted: Release) -> str:
    """Which other release could be locked instead: the newest that is whole, of the newest few."""
    no = (unlisted.tag_name, CHANNEL)
    published = (release for release in github.releases() if not release.draft and release.tag_name not in no)
    for release in islice(published, _LOOKED_AT):
        try:
            _locked(store, github, one.manifest, release, "", Listing.of(store, github, release))
        except BundleError:
            continue
        return f"{release.tag_name} is whole: lock it with `tag: {release.tag_name}` in {one.name}.yaml"
    return "none of the newest other releases is whole; ask who releases it to list every asset"


def _release(github: GitHub, manifest: Prebuilt) -> Release:
    """The release that a manifest's tag means now; `latest-runtime` is the newest runtime one, as consumers take it."""
    tag = newest_runtime(github) if manifest.tag == CHANNEL else manifest.tag
    release = github.published(tag) if tag else None
    if release is None:
        what = f"release {tag}" if tag else "runtime release"
        raise UnreachableError(f"{manifest.repository} has no published {what}", "is the manifest's tag right?")
    return release


def _bring(store: Store, github: GitHub, asset: Asset, sha256: str) -> Path:
    with Silent().task("", 0) as task:
        blob = Blob(asset.name, sha256, asset.size)
        return store.fetch(blob, iter([github.asset_address(asset)]), github, task)


def _same_bytes(before: AssetLock | None, after: AssetLock) -> None:
    """Refuse a release whose assets were replaced under the tag that was locked."""
    if before is None or (before.repository, before.tag) != (after.repository, after.tag):
        return
    if before.commit != after.commit:
        raise IntegrityError(
            f"{after.repository}@{after.tag}: the tag was moved since it was locked\n"
            f"  expected {before.commit}\n  actual   {after.commit}",
            "ask who releases it; to accept it, remove the component's lock and lock again",
        )
    old = {asset.name: asset.sha256 for asset in before.assets}
    for asset in after.assets:
        if old.get(asset.name, asset.sha256) != asset.sha256:
            raise IntegrityError(
                f"{after.repository}@{after.tag}: {asset.name} was replaced since it was locked\n"
                f"  expected {old[asset.name]}\n  actual   {asset.sha256}",
                "ask who releases it; to accept it, remove the component's lock and lock again",
            )


def _look_inside(session: Session, store: Store, github: GitHub, listing: Listing, lock: AssetLock) -> None:
    """Download every archive and check it. Raises IntegrityError."""
    for asset in lock.assets:
        with session.progress.task(asset.name, asset.size) as task:
            for file in asset.files:
                blob = Blob(file.name, file.sha256, file.size)
                store.fetch(blob, iter([github.asset_address(listing.assets[file.name])]), github, task)
        archive_of(store, lock, asset)
