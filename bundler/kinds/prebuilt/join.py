"""Put a released archive together from the store."""

from __future__ import annotations

from pathlib import Path

from bundler.adapters.store import Blob, Store
from bundler.errors import IntegrityError
from bundler.kinds.prebuilt.asset_lock import AssetLock, LockedAsset
from bundler.kinds.prebuilt.examine import Expected, judge


def archive_of(store: Store, lock: AssetLock, asset: LockedAsset) -> Path:
    """Put an archive together from the store, and check that it is what its name says. Raises IntegrityError."""
    whole = Blob(asset.name, asset.sha256, asset.size)
    files = [store.path(file.sha256) for file in asset.files]
    path = files[0] if len(files) == 1 else store.join(whole, files)
    verdict = judge(path, asset.name, Expected(lock.component, asset.platform))
    if not verdict.good:
        raise IntegrityError(
            f"{asset.name} of {lock.repository}@{lock.tag} is not what it should be:\n  "
            + "\n  ".join(verdict.integrity),
            "ask who releases it",
        )
    return path
