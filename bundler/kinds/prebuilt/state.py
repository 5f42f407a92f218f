"""What a component that another repository releases is locked to. Asks no network."""

from __future__ import annotations

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError
from bundler.kinds.prebuilt.asset_lock import AssetLock
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.model.advice import lock_again
from bundler.model.outcome import Outcome, PinnedRelease


def lock_name(name: str) -> str:
    """The file name of a component's lock; `name` is its manifest's file stem."""
    return f"assets.{name}.toml"


def state_of(name: str, workspace: Workspace, manifest: Prebuilt) -> tuple[Outcome, AssetLock | None]:
    """Say whether a component is locked, and to what."""
    text, again = workspace.lock_text(lock_name(name)), lock_again(components=[name])
    if text is None:
        return Outcome(name, "", "missing", detail=again), None
    try:
        lock = AssetLock.parse(text, lock_name(name))
    except LockError as error:
        return Outcome(name, "", "stale", detail=f"{error.message}; {again}"), None
    if reason := lock.staleness(manifest):
        return Outcome(name, "", "stale", detail=f"{reason}; {again}", release=pinned(lock)), lock
    return Outcome(name, "", "current", release=pinned(lock)), lock


def pinned(lock: AssetLock) -> PinnedRelease:
    """What a lock pins, as outcomes tell it."""
    archives = tuple((asset.name, asset.size, asset.sha256) for asset in lock.assets)
    return PinnedRelease(lock.repository, lock.tag, lock.commit, lock.published, archives)
