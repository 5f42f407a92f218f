"""Read a published release: its assets, and what its SHA256SUMS says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bundler.adapters.github import GitHub
from bundler.adapters.store import Blob, Store
from bundler.errors import IntegrityError
from bundler.model.release import RUNTIME_PREFIX, Asset, Release, disagreement
from bundler.sidecars import parts, sha256sums

LARGEST_TEXT = 4 << 20


@dataclass(frozen=True)
class Listing:
    """A release's assets by name, its SHA256SUMS and what that says of them. `faults` is what is wrong so far."""

    assets: Mapping[str, Asset]
    sums: Asset | None
    listed: Mapping[str, str]
    faults: tuple[str, ...]

    @classmethod
    def of(cls, store: Store, github: GitHub, release: Release) -> Listing:
        """Ask for a release's assets, and read its SHA256SUMS. Raises UnreachableError."""
        found = github.assets(release)
        faults = [f"{a.name}: not uploaded whole (state {a.state})" for a in found if not a.complete]
        assets: dict[str, Asset] = {}
        for asset in found:
            if asset.name in assets:
                faults.append(f"{asset.name}: is there twice")
            assets[asset.name] = asset
        sums = assets.pop(sha256sums.NAME, None)
        if sums is None:
            return cls(assets, None, {}, (*faults, f"{sha256sums.NAME}: missing, so nothing can be checked"))
        try:
            text = read_small(store, github, sums).decode("utf-8", "replace")
            return cls(assets, sums, sha256sums.parse(text), tuple(faults))
        except IntegrityError as error:
            return cls(assets, sums, {}, (*faults, error.message))

    def all(self) -> tuple[Asset, ...]:
        """Every asset."""
        return (*self.assets.values(), *((self.sums,) if self.sums else ()))

    @property
    def split(self) -> tuple[str, ...]:
        """The names of what is there in parts."""
        lists = [name.removesuffix(parts.SUFFIX) for name in self.assets if name.endswith(parts.SUFFIX)]
        return tuple(name for name in lists if name not in self.assets)

    def digest(self, asset: Asset) -> str:
        """The best-known SHA-256 of an asset: what GitHub computed, else what is listed, else ""."""
        return asset.sha256 or self.listed.get(asset.name, "")

    def findings(self) -> Iterator[str]:
        """Where SHA256SUMS and the assets disagree."""
        yield from self.faults
        if not self.listed:
            return
        for name, asset in self.assets.items():
            if name not in self.listed:
                yield f"{name}: surplus: not listed in {sha256sums.NAME}"
            elif asset.sha256 and asset.sha256 != self.listed[name]:
                yield disagreement(name, asset, None, self.listed[name])
        for name, sha256 in self.listed.items():
            if name not in self.assets and name not in self.split:
                yield disagreement(name, None, None, sha256)


def newest_runtime(github: GitHub) -> str:
    """The tag of the newest published runtime release, as consumers find it; "" if there is none."""
    found = (r.tag_name for r in github.releases() if not r.draft and r.tag_name.startswith(RUNTIME_PREFIX))
    return next(found, "")


def read_small(store: Store, github: GitHub, asset: Asset) -> bytes:
    """A small text asset, from the store if GitHub tells its digest. Raises IntegrityError if it is large."""
    if asset.size > LARGEST_TEXT:
        raise IntegrityError(f"{asset.name}: {asset.size} bytes are too many")
    address = github.asset_address(asset)
    if asset.sha256 is None:
        return github.read(address, asset.size)
    blob = Blob(asset.name, asset.sha256, asset.size)
    return store.fetch(blob, iter([address]), github, _Uncounted()).read_bytes()


class _Uncounted:
    def advance(self, amount: int) -> None:
        pass
