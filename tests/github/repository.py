"""The repository: releases, assets with their bytes on disk, git tags; what tests set and look at."""

from __future__ import annotations

import copy
import hashlib
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tests.github.faults import Fault, Seen

GIB = 1 << 30
Who = Literal["writer", "reader", "nobody"]


class ApiError(Exception):
    """A refusal, as the API words it; `errors` makes it a validation error."""

    def __init__(self, status: int, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


def invalid(*errors: dict[str, str]) -> ApiError:
    """GitHub's validation error."""
    return ApiError(422, "Validation Failed", list(errors))


def missing() -> ApiError:
    """What is not there, or must not be seen."""
    return ApiError(404, "Not Found")


@dataclass(frozen=True)
class Addresses:
    """Where the four roles listen; `api` and `uploads` with the prefixes of GitHub Enterprise, if it is one."""

    api: str
    uploads: str
    web: str
    objects: str


@dataclass
class Asset:
    """An asset as it is kept; `size` is what was announced, also where an upload broke."""

    id: int
    name: str
    label: str | None
    content_type: str
    size: int
    path: Path
    created_at: datetime
    updated_at: datetime
    key: str
    state: str = "starter"
    sha256: str | None = None
    tells_digest: bool = True
    downloads: int = 0


@dataclass
class Release:
    """A release as it is kept."""

    id: int
    tag: str
    target: str
    created_at: datetime
    slug: str
    name: str | None = None
    body: str | None = None
    draft: bool = False
    prerelease: bool = False
    make_latest: str = "true"
    immutable: bool = False
    published_at: datetime | None = None
    updated_at: datetime | None = None
    assets: dict[int, Asset] = field(default_factory=dict)

    def named(self, name: str) -> Asset | None:
        """The asset of a name, in whatever state."""
        return next((asset for asset in self.assets.values() if asset.name == name), None)


@dataclass(frozen=True)
class AssetView:
    """An asset as it was at one instant. `sha256` is that of the stored bytes, even where no digest is told."""

    id: int
    name: str
    size: int
    sha256: str | None
    state: str
    path: Path


@dataclass(frozen=True)
class ReleaseView:
    """A release as it was at one instant; assets by name."""

    id: int
    tag: str
    draft: bool
    name: str | None
    body: str | None
    target: str
    prerelease: bool
    immutable: bool
    assets: Mapping[str, AssetView]


class GitHub:
    """One repository, and how the server shall behave; what follows may be read and set while it runs.

    `commits` are known (`head` is one of them, and where the branch `main` is), `tags` name them; tags in `annotated`
    do so by an object of their own; `burnt_tags` were an immutable release's and never serve another.
    `immutable` is the repository's setting, `tells_settings` says whether `token` may ask for it. With `app_token` off,
    tokens are a person's: the repository's permissions are told, and who may not write meets 404. Under `former_name`
    (OWNER/REPO) the API redirects. `digests` off makes all digests null. An asset of `largest_asset` bytes is taken;
    one byte more is answered with 500, two more with 422. `address_seconds` is how long addresses of bytes last.
    `after` is called with each request that was carried out, before its answer is sent.
    """

    def __init__(self, folder: Path, repo: str, at: Addresses) -> None:
        self.repo, self.at = repo, at
        self.api, self.uploads, self.web, self.objects = at.api, at.uploads, at.web, at.objects
        self.token, self.reader_token = f"ghs_{secrets.token_hex(18)}", f"ghs_{secrets.token_hex(18)}"
        self.head = hashlib.sha1(b"head", usedforsecurity=False).hexdigest()
        self.commits: set[str] = {self.head}
        self.branches: dict[str, str] = {"main": self.head}
        self.tags: dict[str, str] = {}
        self.annotated: set[str] = set()
        self.burnt_tags: set[str] = set()
        self.former_name = ""
        self.immutable = False
        self.tells_settings = True
        self.app_token = True
        self.per_page_limit = 100
        self.largest_asset = 2 * GIB - 1
        self.most_assets = 1000
        self.digests = True
        self.address_seconds = 300.0
        self.seen: list[Seen] = []
        self.uploaded_bytes = 0
        self.faults: list[Fault] = []
        self.after: Callable[[Seen], None] | None = None
        self.crashes: list[BaseException] = []
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.kept: dict[int, Release] = {}
        self.latest_id: int | None = None
        self.secret = secrets.token_bytes(16)
        self._folder = folder
        self._last_id = 1000
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def number(self) -> int:
        """The repository's number, which addresses of further pages carry instead of its name."""
        return int.from_bytes(hashlib.sha256(self.repo.encode()).digest()[:4])

    def releases(self) -> list[ReleaseView]:
        """Every release, the newest first; drafts too."""
        with self.lock:
            return [self._view(self.kept[number]) for number in sorted(self.kept, reverse=True)]

    def release(self, tag: str) -> ReleaseView | None:
        """The published release of a tag."""
        return self.snapshot().get(tag)

    def drafts(self) -> list[ReleaseView]:
        """Every draft, the newest first."""
        return [release for release in self.releases() if release.draft]

    def snapshot(self) -> Mapping[str, ReleaseView]:
        """All published releases at one instant, by tag, the newest first."""
        return {release.tag: release for release in self.releases() if not release.draft}

    @property
    def leaks(self) -> list[Seen]:
        """Requests that carried a token to where objects are kept."""
        return [seen for seen in self.seen if seen.role == "objects" and "authorization" in seen.headers]

    def asked(self, method: str, path: str = "") -> list[Seen]:
        """Requests with a method whose path contains `path`, in order."""
        return [seen for seen in list(self.seen) if seen.method == method and path in seen.path]

    def add_release(
        self,
        tag: str,
        files: Mapping[str, bytes],
        *,
        draft: bool = False,
        body: str = "",
        commit: str | None = None,
        immutable: bool = False,
        digests: bool = True,
    ) -> int:
        """Put a release there without any request, and a git tag if it is published; return its id."""
        commit = commit or self.head
        with self.lock:
            self.commits.add(commit)
            release = self.new_release(tag, commit)
            release.name, release.body, release.draft, release.immutable = tag, body, draft, immutable
            if not draft:
                release.published_at = now()
                self.burnt_tags |= {tag} if immutable else set()
                self.tags.setdefault(tag, commit)
            for name, content in files.items():
                asset = self.new_asset(release, name, None, "application/octet-stream", len(content))
                asset.path.write_bytes(content)
                asset.sha256, asset.state = hashlib.sha256(content).hexdigest(), "uploaded"
                asset.tells_digest = digests
            return release.id

    def become(self, other: GitHub) -> None:
        """Hold what another repository holds: its commits, tags and releases, and copies of their bytes."""
        with self.lock:
            self.commits, self.tags, self.branches = set(other.commits), dict(other.tags), dict(other.branches)
            self.annotated, self.burnt_tags = set(other.annotated), set(other.burnt_tags)
            self.kept, self.latest_id, self._last_id = copy.deepcopy(other.kept), other.latest_id, other._last_id
            self.uploaded_bytes = other.uploaded_bytes
            for release in self.kept.values():
                for asset in release.assets.values():
                    asset.path = Path(shutil.copy(asset.path, self._folder))

    def count(self, seen: Seen, size: int) -> None:
        """Note that bytes of a request's body came."""
        with self.lock:
            seen.size += size
            if seen.role == "uploads":
                self.uploaded_bytes += size

    def new_release(self, tag: str, target: str) -> Release:
        """Keep a new, empty release."""
        number = self._next_id()
        release = Release(number, tag, target, now(), f"untagged-{secrets.token_hex(10)}")
        release.updated_at = release.created_at
        self.kept[number] = release
        return release

    def new_asset(self, release: Release, name: str, label: str | None, content_type: str, size: int) -> Asset:
        """Keep a new asset in state `starter`, whose bytes are still to come."""
        number, key = self._next_id(), secrets.token_hex(16)
        asset = Asset(number, name, label, content_type, size, self._folder / f"{number}-{key}", now(), now(), key)
        release.assets[number] = asset
        return asset

    def drop(self, release: Release, asset: Asset) -> None:
        """Forget an asset and its bytes."""
        del release.assets[asset.id]
        asset.path.unlink(missing_ok=True)

    def published(self, tag: str) -> Release | None:
        """The published release of a tag."""
        return next((one for one in self.kept.values() if one.tag == tag and not one.draft), None)

    def latest(self) -> Release | None:
        """The release that is shown as the latest: the one set so, else the newest."""
        fit = [one for one in self.kept.values() if not one.draft and not one.prerelease]
        chosen = [one for one in fit if one.id == self.latest_id]
        willing = [one for one in fit if one.make_latest != "false"]
        return max(chosen or willing or fit, key=lambda one: (one.created_at, one.id), default=None)

    def find_release(self, number: int, who: Who) -> Release:
        """A release that the asker may see. Raises ApiError."""
        release = self.kept.get(number)
        if release is None or (release.draft and who != "writer"):
            raise missing()
        return release

    def find_asset(self, number: int, who: Who) -> tuple[Release, Asset]:
        """An asset that the asker may see, and its release. Raises ApiError."""
        for release in self.kept.values():
            if number in release.assets:
                return self.find_release(release.id, who), release.assets[number]
        raise missing()

    def commit_of(self, name: str) -> str | None:
        """The commit that a branch or a full digest names."""
        return self.branches.get(name) or (name if name in self.commits else None)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _view(self, one: Release) -> ReleaseView:
        assets = {
            asset.name: AssetView(asset.id, asset.name, asset.size, asset.sha256, asset.state, asset.path)
            for asset in one.assets.values()
        }
        return ReleaseView(
            one.id, one.tag, one.draft, one.name, one.body, one.target, one.prerelease, one.immutable, assets
        )


def now() -> datetime:
    """The time in whole seconds, as GitHub tells it."""
    return datetime.now(UTC).replace(microsecond=0)
