"""Pin a component's release: one archive a platform, its address, size and SHA-256, cross-checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import IntegrityError, LockError
from bundler.kinds.prebuilt.asset_lock import AssetLock, LockedAsset, LockedFile, choices_of
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.model.release import Asset, Release
from bundler.sidecars import parts, sums


class UnlistedError(IntegrityError):
    """Assets that are to be locked have no line in SHA256SUMS."""


# Brings an asset's bytes, once its digest is known, to a file.
Bring = Callable[[Asset, str], Path]


@dataclass(frozen=True)
class Offered:
    """What a release offers: its assets by name, and what its SHA256SUMS says of them."""

    assets: Mapping[str, Asset]
    listed: Mapping[str, str]

    @property
    def unlisted(self) -> tuple[str, ...]:
        """The assets without a line."""
        return tuple(sorted(name for name in self.assets if sums.covers(name) and name not in self.listed))


def lock_assets(manifest: Prebuilt, release: Release, commit: str, offered: Offered, bring: Bring) -> AssetLock:
    """Return the lock of `release` for the platforms of `manifest`. `bring` is asked for lists of parts only.

    Raises IntegrityError if SHA256SUMS disagrees with what GitHub tells, UnlistedError if it does not cover what is to
    be locked, LockError if the release lacks an archive.
    """
    where = f"{manifest.repository}@{release.tag_name}"
    if release.published_at is None:
        raise LockError(f"{where} is not published")
    assets = [_asset(p, manifest.asset_name(p), offered, bring, where) for p in manifest.targets]
    return AssetLock(
        component=manifest.component,
        manifest_sha256=choices_of(manifest),
        repository=manifest.repository,
        tag=release.tag_name,
        commit=commit,
        published=release.published_at,
        assets=tuple(assets),
    )


def _asset(platform: str, name: str, offered: Offered, bring: Bring, where: str) -> LockedAsset:
    """Pin one archive, whole or in parts."""
    if name in offered.assets:
        file = _file(name, offered, where)
        return LockedAsset(platform, name, file.sha256, (file,))
    listed = f"{name}{parts.SUFFIX}"
    if listed not in offered.assets:
        raise LockError(f"{where} has no {name}", f"its assets are: {', '.join(sorted(offered.assets)) or 'none'}")
    if name not in offered.listed:
        raise UnlistedError(f"{where}: {name} is in parts, but not listed whole")
    if offered.assets[listed].size > parts.LARGEST:
        raise IntegrityError(f"{where}: {listed} is larger than any list of parts")
    text = read_regular(bring(offered.assets[listed], _file(listed, offered, where).sha256), parts.LARGEST)
    files = tuple(_file(part, offered, where) for part in parts.parse(text, name))
    return LockedAsset(platform, name, offered.listed[name], files)


def _file(name: str, offered: Offered, where: str) -> LockedFile:
    """Pin one asset: SHA256SUMS says its digest, and what GitHub computed must agree."""
    asset, listed = offered.assets.get(name), offered.listed.get(name)
    if asset is None:
        raise IntegrityError(f"{where}: {name} is missing")
    if listed is None:
        without = offered.unlisted
        count = f"{len(without)} of {len(offered.assets)} assets have no line in SHA256SUMS"
        raise UnlistedError(f"{where}: {count}: {', '.join(without)}")
    if asset.sha256 not in (listed, None):
        raise IntegrityError(
            f"{where}: {name}: SHA256SUMS and GitHub disagree\n  expected {listed}\n  actual   {asset.sha256}",
            "the asset was replaced after its checksums were written; ask who releases it",
        )
    if not asset.browser_download_url.startswith("https://"):
        raise IntegrityError(f"{where}: {name} has no https address")
    return LockedFile(name, asset.browser_download_url, asset.size, listed)
