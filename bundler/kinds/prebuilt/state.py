"""What the components that other repositories release are locked to. Light: it asks no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, LockError
from bundler.kinds.manifests import load_manifests
from bundler.kinds.prebuilt.asset_lock import AssetLock
from bundler.kinds.prebuilt.manifest import ReleaseAsset
from bundler.session import Settings


@dataclass(frozen=True)
class ComponentLock:
    """The lock of one component: `state` is current, stale, missing, locked, unchanged or failed."""

    name: str
    state: str
    lock: AssetLock | None = None
    detail: str = ""
    error: BundleError | None = None

    @property
    def age(self) -> str:
        """When the locked release was published: `2026-11-20, 4 days ago`; "" if nothing is locked."""
        if self.lock is None:
            return ""
        days = (datetime.now(UTC).date() - datetime.fromisoformat(self.lock.published).date()).days
        return f"{self.lock.published[:10]}, {days} days ago"

    @property
    def release(self) -> str:
        """What is locked: `OWNER/REPO@TAG (commit)`; "" if nothing is."""
        return f"{self.lock.repository}@{self.lock.tag} ({self.lock.commit[:12]})" if self.lock else ""


def component_state(workspace: Workspace, name: str, manifest: ReleaseAsset) -> ComponentLock:
    """Say whether a component is locked, and to what."""
    text = workspace.asset_lock_text(name)
    if text is None:
        return ComponentLock(name, "missing", detail=f"run `aiws-bundle lock --component {name}`")
    try:
        lock = AssetLock.parse(text, workspace.asset_lock_path(name).name)
    except LockError as error:
        return ComponentLock(name, "stale", detail=error.message)
    if reason := lock.staleness(manifest):
        return ComponentLock(name, "stale", lock, f"{reason}; run `aiws-bundle lock --component {name}`")
    return ComponentLock(name, "current", lock)


def check_components(settings: Settings, names: Sequence[str]) -> tuple[ComponentLock, ...]:
    """Compare components' locks with their manifests; asks no network."""
    workspace = settings.workspace()
    manifests = load_manifests(workspace).release_assets
    return tuple(component_state(workspace, name, manifests[name]) for name in names)


def errors_of(locked: Sequence[ComponentLock]) -> list[BundleError]:
    """What failed, and one error for each lock that is stale or missing."""
    stale = [LockError(one.state) for one in locked if one.state in ("stale", "missing")]
    return [*(one.error for one in locked if one.error), *stale]
