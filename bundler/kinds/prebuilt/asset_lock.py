"""Locks of components that other repositories release: which release, and every asset by address, size and SHA-256.

One file a component, `assets.<name>.toml`, so that locking one never touches another's.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, ClassVar
from urllib.parse import unquote

import tomli_w
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.errors import LockError
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.model.manifest_values import LOCK_CONFIG
from bundler.model.toml import parse_toml
from bundler.platforms import PlatformName
from bundler.words import ASSET_PATTERN, Address, Commit, Repository, Sha256

_LARGEST = 1 << 36
# A release by this name is another one tomorrow.
_MOVING = re.compile(r"(^|[^a-z])latest([^a-z]|$)", re.IGNORECASE)

AssetName = Annotated[str, StringConstraints(pattern=rf"^{ASSET_PATTERN}$", max_length=255)]
Size = Annotated[int, Field(gt=0, lt=_LARGEST)]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./+-]*$", max_length=200)]


def _moment(value: str) -> str:
    datetime.fromisoformat(value)  # ValueError
    return value


@dataclass(frozen=True)
class LockedFile:
    """One file of a release: where it is, its size in bytes, its SHA-256 (hex)."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    name: AssetName
    address: Address
    size: Size
    sha256: Sha256


@dataclass(frozen=True)
class LockedAsset:
    """One archive, for one platform such as `linux-amd64`. Its bytes are those of `files`, in their order."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    platform: PlatformName
    name: AssetName
    sha256: Sha256
    files: Annotated[tuple[LockedFile, ...], Field(min_length=1, max_length=100)]

    @property
    def size(self) -> int:
        """The archive's size in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class AssetLock:
    """A component's release: its exact tag and commit, when it was published (RFC 3339), and its archives."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    component: str
    manifest_sha256: Sha256
    repository: Repository
    tag: Tag
    commit: Commit
    published: Annotated[str, StringConstraints(max_length=40), AfterValidator(_moment)]
    assets: tuple[LockedAsset, ...]

    @classmethod
    def parse(cls, text: str, name: str) -> AssetLock:
        """Parse a lock; `name` is what errors call it. Raises LockError."""
        try:
            lock = _adapter().validate_python(parse_toml(text))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (ValueError, RecursionError) as error:
            reason = str(error)
        else:
            if _MOVING.search(lock.tag):
                raise LockError(
                    f"{name}: {lock.tag} moves, so it locks nothing", "lock the component to a release that does not"
                )
            place = f"/releases/download/{lock.tag}/"
            if wrong := [address for address in lock.addresses() if place not in unquote(address)]:
                raise LockError(
                    f"{name}: {wrong[0][:200]} is no address of release {lock.tag}", "lock the component again"
                )
            return lock
        stem = re.search(r"assets\.(.+)\.toml$", name)
        hint = f"run `aiws-bundle lock --component {stem[1]}`" if stem else ""
        raise LockError(f"{name} is not a lock that aiws-bundle wrote: {reason}", hint)

    def addresses(self) -> tuple[str, ...]:
        """Where all files are."""
        return tuple(file.address for asset in self.assets for file in asset.files)

    def digests(self) -> set[str]:
        """The SHA-256 of every file, and of what parts are joined to."""
        return {asset.sha256 for asset in self.assets} | {file.sha256 for one in self.assets for file in one.files}

    def render(self) -> str:
        """Return the lock's text."""
        header = "# Written by `aiws-bundle lock`; edit the manifests instead.\n"
        document = _adapter().dump_python(self, by_alias=True, mode="json")
        return header + tomli_w.dumps(document)

    def staleness(self, manifest: Prebuilt) -> str | None:
        """Say why this lock does not serve `manifest`, or None if it does."""
        if self.manifest_sha256 == choices_of(manifest):
            return None
        if self.repository != manifest.repository:
            return f"the manifest says {manifest.repository}, the lock {self.repository}"
        return "the manifest changed"


def choices_of(manifest: Prebuilt) -> str:
    """SHA-256 (hex) of the manifest's choices; a lock made for other ones is stale.

    Comments do not count, nor how the kind is spelled.
    """
    return hashlib.sha256(
        json.dumps({**asdict(manifest), "kind": "release-asset"}, sort_keys=True).encode()
    ).hexdigest()


@cache
def _adapter() -> TypeAdapter[AssetLock]:
    return TypeAdapter(AssetLock)
