"""One repository's releases and tags on GitHub or GitHub Enterprise, through its REST API (docs.github.com/en/rest).

The token goes to the API's own origin and to that of uploads, never to the place that a download is redirected to.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from pydantic import AfterValidator, AwareDatetime, ConfigDict, StringConstraints

from bundler.adapters.github_answer import REDIRECTS, ForbiddenError, RateLimitError, RefusedError, checked
from bundler.adapters.github_pages import Pages
from bundler.adapters.http import (
    Answer,
    Body,
    Http,
    MissingError,
    TransientError,
    collect,
    redact,
    retrying,
)
from bundler.errors import IntegrityError, UnreachableError, UsageError
from bundler.model.moment import in_utc, rfc3339
from bundler.model.release import Asset, Release, read_json, read_json_list

PUBLIC_API = "https://api.github.com"
_LARGEST_ANSWER = 32 << 20
_MOST_REDIRECTS = 3
_VERSION = "2022-11-28"
# GitHub's advice where it does not say how long: docs.github.com, "Best practices for using the REST API".
_RATE_LIMIT_SECONDS = 60.0
_LONGEST_PATIENCE = 900.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_sleep = time.sleep

Field = str | bool
T = TypeVar("T")


@dataclass(frozen=True)
class _Object:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    sha: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$")]
    type: str = "commit"


@dataclass(frozen=True)
class _Ref:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    object: _Object


@dataclass(frozen=True)
class _Committer:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    date: Annotated[AwareDatetime, AfterValidator(in_utc)] | None = None


@dataclass(frozen=True)
class _CommitBody:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    committer: _Committer | None = None


@dataclass(frozen=True)
class _Commit(_Object):
    commit: _CommitBody | None = None


@dataclass(frozen=True)
class Committed:
    """A commit: its full digits, and when it was made (RFC 3339, UTC), "" where that is not told."""

    sha: str
    date: str = ""


@dataclass(frozen=True)
class _Permissions:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    push: bool = False


@dataclass(frozen=True)
class _Repository:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    permissions: _Permissions | None = None


@dataclass(frozen=True)
class _Immutability:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    enabled: bool = False


class GitHub:
    """A repository's releases. Reads need no token where the repository is public. Threads may share it."""

    def __init__(self, http: Http, api: str, repository: str, token: str, say: Callable[[str], None]) -> None:
        """Open nothing yet; `say` is told when the API asks to wait. Raises UsageError if `api` or `token` are none."""
        _check_api(api)
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise UsageError("GH_TOKEN holds characters that no token has", "set it to the token alone")
        self._http, self._say, self._token = http, say, token
        self._api = api.rstrip("/")
        self._not_before, self._limits = 0.0, 0
        self._pages = Pages()
        self._lock = threading.Lock()
        self.repository = repository

    @property
    def has_token(self) -> bool:
        """A token was given."""
        return bool(self._token)

    def published(self, tag: str) -> Release | None:
        """The published release of a tag, or None. Raises IntegrityError if the answer is of another tag."""
        found = self._release(f"/releases/tags/{quote(tag, safe='')}")
        if found is not None and found.tag_name != tag:
            raise IntegrityError(
                f"{self.repository}: asked for the release {tag}, GitHub tells of {found.tag_name}",
                "who answers in GitHub's place may pass one release off as another; is GITHUB_API_URL right?",
            )
        return None if found is None or found.draft else found

    def release(self, number: int) -> Release | None:
        """A release by its id, or None if it is gone."""
        return self._release(f"/releases/{number}")

    def latest(self) -> Release | None:
        """The release that GitHub shows as the latest, or None."""
        return self._release("/releases/latest")

    def releases(self) -> Iterator[Release]:
        """Every release, the newest first; drafts too, if the token may write.

        Raises MissingError if there is no such repository.
        """
        yield from self._list(Release, "/releases")

    def assets(self, release: Release) -> tuple[Asset, ...]:
        """Every asset of a release."""
        return tuple(self._list(Asset, f"/releases/{release.id}/assets"))

    def create_draft(self, tag: str, commit: str, name: str, body: str) -> Release:
        """Make an empty draft. It is tried once: after a lost answer, look whether it is there."""
        fields: dict[str, Field] = {
            "tag_name": tag,
            "target_commitish": commit,
            "name": name,
            "body": body,
            "draft": True,
        }
        answer = self._once("POST", "/releases", fields)
        return read_json(Release, answer.content, self.repository)

    def edit(self, release: Release, fields: Mapping[str, Field]) -> Release:
        """Change a release, and return it as it is then."""
        answer = self._call("PATCH", f"/releases/{release.id}", fields)
        return read_json(Release, answer.content, self.repository)

    def delete_release(self, release: Release) -> None:
        """Delete a release and its assets, not its git tag; one that is gone is fine."""
        self._delete(f"/releases/{release.id}")

    def delete_asset(self, asset: Asset) -> None:
        """Delete an asset; one that is gone is fine."""
        self._delete(f"/releases/assets/{asset.id}")

    def upload(self, release: Release, name: str, size: int, chunks: Iterator[bytes]) -> Asset:
        """Upload an asset in one try, as `chunks` yields its `size` bytes; what breaks leaves a wreck behind.

        Raises TransientError, RefusedError (`already_exists`, also for a wreck), UnreachableError.
        """
        address = f"{self._upload_address(release)}?name={quote(name, safe='')}"
        headers = self._headers() | {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        answer = self._exchange("POST", address, headers, chunks, f"uploading {name}")
        return read_json(Asset, answer.content, self.repository)

    def tag_commit(self, tag: str) -> str | None:
        """The commit that a git tag names, or None if there is no such tag."""
        answer = self._read(f"/git/ref/tags/{quote(tag)}")
        if answer is None:
            return None
        found = read_json(_Ref, answer.content, self.repository).object
        for _ in range(_MOST_REDIRECTS):  # an annotated tag names a tag object, which names the commit
            if found.type != "tag":
                break
            answer = self._call("GET", f"/git/tags/{quote(found.sha)}")
            found = read_json(_Ref, answer.content, self.repository).object
        return found.sha

    def move_tag(self, tag: str, commit: str) -> None:
        """Point a git tag that exists at another commit."""
        self._call("PATCH", f"/git/refs/tags/{quote(tag)}", {"sha": commit, "force": True})

    def commit(self, name: str) -> Committed | None:
        """A commit by its first digits, or None if the repository has none. Raises MissingError."""
        try:
            answer = self._call("GET", f"/commits/{quote(name, safe='')}")
        except RefusedError:  # 422: no commit found for SHA
            return None
        found = read_json(_Commit, answer.content, self.repository)
        moment = found.commit.committer.date if found.commit and found.commit.committer else None
        return Committed(found.sha, rfc3339(moment) if moment else "")

    def may_write(self, tag: str, commit: str) -> bool | None:
        """Say whether the token may write to the repository, without writing; None if that cannot be told.

        Generating release notes takes the permission to write and changes nothing.
        """
        fields: dict[str, Field] = {"tag_name": tag}
        if commit:
            fields["target_commitish"] = commit
        try:
            self._call("POST", "/releases/generate-notes", fields)
        except ForbiddenError:
            return False
        except RefusedError:
            return True
        except MissingError:  # classic tokens meet 404 where they may not write
            answer = self._read("")
            found = read_json(_Repository, answer.content, self.repository).permissions if answer else None
            return None if found is None or found.push else False
        return True

    def keeps_releases(self) -> bool | None:
        """Say whether the repository makes published releases immutable; None if the token may not know.

        "Check if immutable releases are enabled for a repository", docs.github.com/en/rest/repos/repos: it takes
        administrators' rights, which a workflow's own token does not have.
        """
        try:
            answer = self._read("/immutable-releases")
        except (ForbiddenError, RefusedError):
            return None
        return answer is not None and read_json(_Immutability, answer.content, self.repository).enabled

    def asset_address(self, asset: Asset) -> str:
        """Where `stream` finds an asset's bytes."""
        return self._address(f"/releases/assets/{asset.id}")

    def stream(self, address: str, start: int = 0) -> AbstractContextManager[Body]:
        """Open one try at an asset's bytes, as `Http.stream` does."""
        return self._http.stream(address, start, self._headers() | {"Accept": "application/octet-stream"})

    def read(self, address: str, limit: int) -> bytes:
        """Fetch a small asset of at most `limit` bytes. Raises UnreachableError, IntegrityError."""
        return collect(lambda: self.stream(address), address, limit)

    def _list(self, kind: type[T], path: str) -> Iterator[T]:
        """Every entry of a list. Raises what a request raises, IntegrityError if there is no end to it."""

        def ask(page: str) -> tuple[tuple[T, ...], bool]:
            answer = self._call("GET", page)
            listed = read_json_list(kind, answer.content, self.repository)
            return listed, 'rel="next"' in answer.headers.get("link", "")

        yield from self._pages.walk(path, ask)

    def _release(self, path: str) -> Release | None:
        answer = self._read(path)
        return read_json(Release, answer.content, self.repository) if answer else None

    def _read(self, path: str) -> Answer | None:
        try:
            return self._call("GET", path)
        except MissingError:
            return None

    def _delete(self, path: str) -> None:
        with suppress(MissingError):
            self._call("DELETE", path)

    def _call(self, method: str, path: str, fields: Mapping[str, Field] | None = None) -> Answer:
        """Send a request that may be repeated. Raises ForbiddenError, MissingError, RefusedError, UnreachableError."""
        return retrying(lambda: self._once(method, path, fields))

    def _once(self, method: str, path: str, fields: Mapping[str, Field] | None) -> Answer:
        address, what = self._address(path), f"{method} {path.partition('?')[0]}"
        content = b"" if fields is None else json.dumps(fields).encode()
        kind = {} if fields is None else {"Content-Type": "application/json"}
        for _ in range(_MOST_REDIRECTS):
            answer = self._exchange(method, address, self._headers() | kind, content, what)
            if answer.status not in REDIRECTS:
                return answer
            # A repository that was renamed is answered so.
            address = _joined(address, answer.headers.get("location", ""))
            if _origin(address) != _origin(self._api):
                raise UnreachableError(f"{redact(self._api)} sends to another host: {redact(address)}")
        raise UnreachableError(f"{redact(address)}: too many redirects")

    def _exchange(
        self, method: str, address: str, headers: Mapping[str, str], content: bytes | Iterator[bytes], what: str
    ) -> Answer:
        """Send one request once no rate limit holds it back, and check the answer."""
        self._hold_back()
        try:
            answer = checked(self._http.exchange(method, address, headers, content, _LARGEST_ANSWER), what)
        except RateLimitError as error:
            raise self._limited(error) from error
        with self._lock:
            self._limits = 0
        return answer

    def _hold_back(self) -> None:
        """Wait until nothing forbids a request any more: GitHub asks that all requests stop meanwhile."""
        seen = 0.0
        while (until := self._not_before) > max(seen, time.monotonic()):
            _sleep(until - time.monotonic())
            seen = until  # meanwhile another answer may have asked for more

    def _limited(self, error: RateLimitError) -> UnreachableError:
        """Note until when requests are held back. Where GitHub does not say, each wait is longer than the last."""
        with self._lock:
            asked = error.asked if error.asked is not None else _RATE_LIMIT_SECONDS * 2**self._limits
            if asked > _LONGEST_PATIENCE:
                hint = f"it asks to come back in {asked:.0f} s; run again then, what is done is kept"
                return UnreachableError(error.message, hint)
            self._limits += 1
            until = time.monotonic() + asked
            if asked and until > self._not_before + 1:
                self._say(f"{self.repository}: GitHub asks to wait {asked:.0f} s")
            self._not_before = max(self._not_before, until)
        return TransientError(error.message, error.hint, 0.0)

    def _address(self, path: str) -> str:
        return f"{self._api}/repos/{self.repository}{path}"

    def _headers(self) -> dict[str, str]:
        """What every request carries. Only addresses of the API and of its uploads are ever asked with it."""
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _upload_address(self, release: Release) -> str:
        """Where to upload to, without the RFC 6570 template's end: the API's own host, or its sibling for uploads.

        Raises IntegrityError if the release names a strange host, which shall not get the token.
        """
        address = release.upload_url.partition("{")[0]
        scheme, host, port = _origin(self._api)
        # github.com and ghe.com: api.X and uploads.X; a server of one's own: X itself, or uploads.X.
        known = {(scheme, name, port) for name in (host, f"uploads.{host}", f"uploads.{host.removeprefix('api.')}")}
        try:
            asked, plain = _origin(address), "@" not in urlsplit(address).netloc
        except (UnreachableError, ValueError):
            asked, plain = ("", "", 0), False
        same_machine = host in _LOOPBACK and asked[:2] == (scheme, host)
        if not plain or not (asked in known or same_machine):
            raise IntegrityError(f"{self.repository}: uploads would go to a strange host, {redact(address)}")
        return address


def _check_api(api: str) -> None:
    """Raise UsageError if `api` is no address that a token may be sent to."""
    try:
        parts = urlsplit(api)
        scheme, host, _ = _origin(api)
    except (ValueError, UnreachableError) as error:
        raise UsageError("GITHUB_API_URL is not an address", f"for example {PUBLIC_API}") from error
    plain = not (parts.query or parts.fragment or "@" in parts.netloc) and api.isascii() and api.isprintable()
    if scheme not in ("https", "http") or not host or not plain or " " in api:
        raise UsageError(f"GITHUB_API_URL {redact(api)!r} is not an address", f"for example {PUBLIC_API}")
    if scheme == "http" and host not in _LOOPBACK:
        raise UsageError(f"GITHUB_API_URL {redact(api)!r} would show the token to everybody on the way", "use https")


def _joined(address: str, location: str) -> str:
    try:
        return urljoin(address, location)
    except ValueError as error:
        raise UnreachableError(f"{redact(address)} redirects to what is no address") from error


def _origin(address: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError as error:
        raise UnreachableError(f"{redact(address)} is not an address") from error
