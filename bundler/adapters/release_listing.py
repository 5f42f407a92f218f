"""Read a published release: its assets, and what its SHA256SUMS says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bundler.adapters.github import GitHub
from bundler.adapters.http import MissingError
from bundler.adapters.regular import read_regular
from bundler.adapters.store import Blob, Store
from bundler.errors import IntegrityError
from bundler.model.release import RUNTIME_PREFIX, Asset, Release, disagreement
from bundler.sidecars import parts, sums
from bundler.words import ARCHIVE


@dataclass(frozen=True)
class Listing:
    """A release's assets by name, its SHA256SUMS and what that says of them. `faults` is what is wrong so far.

    An asset that was not uploaded whole is a fault and no asset. `sums_sha256` is the digest of SHA256SUMS as read.
    """

    assets: Mapping[str, Asset]
    sums: Asset | None
    listed: Mapping[str, str]
    faults: tuple[str, ...]
    sums_sha256: str = ""

    @classmethod
    def of(cls, store: Store, github: GitHub, release: Release) -> Listing:
        """Ask for a release's assets, and read its SHA256SUMS. Raises UnreachableError."""
        faults: list[str] = []
        assets: dict[str, Asset] = {}
        for asset in github.assets(release):
            if not asset.complete:
                faults.append(f"{asset.name}: not uploaded whole (state {asset.state})")
                continue
            if asset.name in assets:
                faults.append(f"{asset.name}: is there twice")
            assets[asset.name] = asset
        found = assets.pop(sums.NAME, None)
        if found is None:
            return cls(assets, None, {}, (*faults, f"{sums.NAME}: missing, so nothing can be checked"))
        try:
            content = read_small(store, github, found)
            listed = sums.parse(content.decode("utf-8", "replace"))
        except IntegrityError as error:
            return cls(assets, found, {}, (*faults, error.message))
        return cls(assets, found, listed, tuple(faults), hashlib.sha256(content).hexdigest())

    def all(self) -> tuple[Asset, ...]:
        """Every asset."""
        return (*self.assets.values(), *((self.sums,) if self.sums else ()))

    @property
    def contents(self) -> dict[str, tuple[int, str]]:
        """Every asset: its name, its size in bytes, and the best-known SHA-256."""
        return {asset.name: (asset.size, self.digest(asset)) for asset in self.all()}

    @property
    def split(self) -> tuple[str, ...]:
        """The names of what is there in parts."""
        lists = [name.removesuffix(parts.SUFFIX) for name in self.assets if name.endswith(parts.SUFFIX)]
        return tuple(name for name in lists if name not in self.assets)

    def digest(self, asset: Asset) -> str:
        """The best-known SHA-256 of an asset: what GitHub computed, else what is listed or was read, else ""."""
        known = self.sums_sha256 if asset == self.sums else self.listed.get(asset.name, "")
        return asset.sha256 or known

    def findings(self) -> Iterator[str]:
        """What is wrong so far, and a release without an archive. Where SHA256SUMS disagrees it finds itself."""
        yield from self.faults
        if not any(name.endswith(ARCHIVE) for name in (*self.assets, *self.split)):
            yield f"the release holds no archive (*{ARCHIVE})"


def newest_runtime(github: GitHub) -> str:
    """The tag of the newest published runtime release, as consumers find it; "" if there is none."""
    found = (r.tag_name for r in github.releases() if not r.draft and r.tag_name.startswith(RUNTIME_PREFIX))
    return next(found, "")


def read_small(store: Store, github: GitHub, asset: Asset, listed: str = "", limit: int = sums.LARGEST) -> bytes:
    """A small text asset of at most `limit` bytes, from the store if its digest is known: GitHub's, else `listed`.

    Raises IntegrityError if it is larger (nothing is downloaded then), other bytes, or not there; UnreachableError.
    """
    if asset.size > limit:
        raise IntegrityError(f"{asset.name}: {asset.size} bytes are too many, {limit} are the most")
    sha256 = asset.sha256 or listed
    try:
        if not sha256:
            return github.read(github.asset_address(asset), asset.size)
        return _stored(store, github, Blob(asset.name, sha256, asset.size), asset)
    except MissingError as error:
        raise IntegrityError(disagreement(asset.name, None, asset.size, sha256 or "its bytes")) from error


def _stored(store: Store, github: GitHub, blob: Blob, asset: Asset) -> bytes:
    """Its bytes, checked: what the store has may have gone bad on disk, and is then fetched once more."""
    for _ in range(2):
        content = read_regular(store.fetch(blob, iter([github.asset_address(asset)]), github, _Uncounted()), asset.size)
        actual = hashlib.sha256(content).hexdigest()
        if actual == blob.sha256:
            return content
        store.discard(blob.sha256)
    raise IntegrityError(
        f"{asset.name}: the store does not keep it\n    expected {blob.sha256}\n    actual   {actual}",
        "is the disk that the cache folder is on sound?",
    )


class _Uncounted:
    def advance(self, amount: int) -> None:
        pass
