"""One repository's releases and tags on GitHub or GitHub Enterprise, through its REST API (docs.github.com/en/rest).

The token goes to the API's own origin and to that of uploads, never to the place that a download is redirected to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import ClassVar, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from pydantic import ConfigDict

from bundler.adapters.http import (
    Answer,
    Body,
    Http,
    MissingError,
    TransientError,
    collect,
    redact,
    retry_after,
    retrying,
)
from bundler.errors import IntegrityError, UnreachableError, UsageError, WorkError
from bundler.model.release import Asset, Release, read_json, read_json_list

PUBLIC_API = "https://api.github.com"
_LARGEST_ANSWER = 64 << 20
_PAGE = 100
_MOST_PAGES = 100
_MOST_REDIRECTS = 3
_VERSION = "2022-11-28"
# GitHub's advice where it does not say how long: docs.github.com, "Best practices for using the REST API".
_RATE_LIMIT_SECONDS = 60.0
_LONGEST_PATIENCE = 900.0
_TOKEN_HINT = "GH_TOKEN needs write access to the repository's contents (in a workflow: `contents: write`)"  # noqa: S105 - no token
_MOST_WORDS = 300

Field = str | bool
T = TypeVar("T")


class RefusedError(WorkError):
    """GitHub understood and refused (422, 409): `codes` are the reasons that it names, such as `already_exists`."""

    def __init__(self, message: str, codes: tuple[str, ...]) -> None:
        super().__init__(message)
        self.codes = codes


class ForbiddenError(UnreachableError):
    """The token is missing, wrong, or may not do this: 401 or 403."""


@dataclass(frozen=True)
class _Object:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    sha: str
    type: str = "commit"


@dataclass(frozen=True)
class _Ref:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    object: _Object


@dataclass(frozen=True)
class _Permissions:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    push: bool = False


@dataclass(frozen=True)
class _Repository:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    permissions: _Permissions | None = None


@dataclass(frozen=True)
class _Reason:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    code: str = ""
    field: str = ""
    message: str = ""


@dataclass(frozen=True)
class _Reasons:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    message: str = ""
    errors: tuple[_Reason | str, ...] = ()


@dataclass(frozen=True)
class _Immutability:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    enabled: bool = False


class GitHub:
    """A repository's releases. Reads need no token where the repository is public. Threads may share it."""

    def __init__(self, http: Http, api: str, repository: str, token: str, say: Callable[[str], None]) -> None:
        """Open nothing yet; `say` is told when the API asks to wait. Raises UsageError if `api` is no address."""
        try:
            parts = urlsplit(api)
            _ = parts.port
        except ValueError as error:
            raise UsageError("GITHUB_API_URL is not an address") from error
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
            raise UsageError(f"GITHUB_API_URL {redact(api)!r} is not an address", f"for example {PUBLIC_API}")
        self._http, self._say, self._token = http, say, token
        self._api = api.rstrip("/")
        self.repository = repository

    @property
    def has_token(self) -> bool:
        """A token was given."""
        return bool(self._token)

    def published(self, tag: str) -> Release | None:
        """The published release of a tag, or None."""
        answer = self._read(f"/releases/tags/{quote(tag, safe='')}")
        return read_json(Release, answer.content, self.repository) if answer else None

    def releases(self) -> Iterator[Release]:
        """Every release, the newest first; drafts too, if the token may write.

        Raises MissingError if there is no such repository.
        """
        yield from self._pages(Release, "/releases")

    def assets(self, release: Release) -> tuple[Asset, ...]:
        """Every asset of a release."""
        return tuple(self._pages(Asset, f"/releases/{release.id}/assets"))

    def create_draft(self, tag: str, commit: str, body: str) -> Release:
        """Make an empty draft. It is tried once: after a lost answer, look whether it is there."""
        fields: dict[str, Field] = {
            "tag_name": tag,
            "target_commitish": commit,
            "name": tag,
            "body": body,
            "draft": True,
        }
        answer = _checked(self._once("POST", "/releases", fields), "POST /releases")
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
        answer = self._http.exchange("POST", address, headers, chunks, _LARGEST_ANSWER)
        return read_json(Asset, _checked(answer, f"uploading {name}").content, self.repository)

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

    def commit(self, name: str) -> str | None:
        """The full digits of a commit by its first ones, or None if the repository has none. Raises MissingError."""
        try:
            answer = self._call("GET", f"/commits/{quote(name, safe='')}")
        except RefusedError:  # 422: no commit found for SHA
            return None
        return read_json(_Object, answer.content, self.repository).sha

    def may_write(self, tag: str, commit: str) -> bool | None:
        """Say whether the token may write to the repository, without writing; None if that cannot be told.

        Generating release notes takes the permission to write and changes nothing.
        """
        fields: dict[str, Field] = {"tag_name": tag, "target_commitish": commit}
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

    def keeps_releases(self) -> bool:
        """Say whether the repository makes published releases immutable; False if the token may not know.

        "Check if immutable releases are enabled for a repository", docs.github.com/en/rest/repos/repos.
        """
        try:
            answer = self._read("/immutable-releases")
        except (ForbiddenError, RefusedError):
            return False
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

    def _pages(self, kind: type[T], path: str) -> Iterator[T]:
        for page in range(1, _MOST_PAGES + 1):
            answer = self._call("GET", f"{path}?per_page={_PAGE}&page={page}")
            yield from read_json_list(kind, answer.content, self.repository)
            if 'rel="next"' not in answer.headers.get("link", ""):
                return
        raise IntegrityError(f"{self.repository}: more than {_MOST_PAGES} pages of {path}")

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

        def once() -> Answer:
            try:
                return _checked(self._once(method, path, fields), f"{method} {path.partition('?')[0]}")
            except TransientError as error:
                self._tell(error)
                raise

        return retrying(once)

    def _tell(self, error: TransientError) -> None:
        if error.wait:
            self._say(f"{self.repository}: the API asks to wait {error.wait:.0f} s")

    def _once(self, method: str, path: str, fields: Mapping[str, Field] | None) -> Answer:
        address = self._address(path)
        content = b"" if fields is None else json.dumps(fields).encode()
        kind = {} if fields is None else {"Content-Type": "application/json"}
        for _ in range(_MOST_REDIRECTS):
            answer = self._http.exchange(method, address, self._headers() | kind, content, _LARGEST_ANSWER)
            if answer.status not in (301, 302, 307, 308):
                return answer
            # A repository that was renamed is answered so.
            address = urljoin(address, answer.headers.get("location", ""))
            if _origin(address) != _origin(self._api):
                raise UnreachableError(f"{redact(self._api)} sends to another host: {redact(address)}")
        raise UnreachableError(f"{redact(address)}: too many redirects")

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
        sibling = self._api.replace("://api.", "://uploads.", 1)
        if _origin(address)[:2] not in (_origin(self._api)[:2], _origin(sibling)[:2]):
            raise IntegrityError(f"{self.repository}: uploads would go to a strange host, {redact(address)}")
        return address


def _origin(address: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError as error:
        raise IntegrityError(f"{redact(address)} is not an address") from error


def _checked(answer: Answer, what: str) -> Answer:
    """Return an answer that grants what was asked for. Raises what `GitHub._call` does."""
    status = answer.status
    if 200 <= status < 300:
        return answer
    words, codes = _reasons(answer.content)
    shown = f"GitHub answered {status} to {what}{f': {words}' if words else ''}"
    wait = _asked_wait(answer, words)
    if wait is not None and wait > _LONGEST_PATIENCE:
        raise UnreachableError(shown, f"it asks to come back in {wait:.0f} s; run again then, what is done is kept")
    if wait is not None or status in (408, 425) or status >= 500:
        raise TransientError(shown, "GitHub is busy or broken; run again later, what is done is kept", wait)
    if status in (401, 403):
        raise ForbiddenError(shown, _TOKEN_HINT)
    if status in (404, 410):
        raise MissingError(shown, "is the name right, and may the token see it?")
    if status in (400, 409, 422):
        raise RefusedError(shown, codes)
    raise UnreachableError(shown)


def _asked_wait(answer: Answer, words: str) -> float | None:
    """Seconds that a rate limit asks to wait, or None if this is none (docs.github.com, "Rate limits")."""
    if answer.status not in (403, 429) and "retry-after" not in answer.headers:
        return None
    if (asked := retry_after(answer.headers.get("retry-after", ""))) is not None:
        return asked
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(1.0, float(reset) - time.time())
    limited = answer.status == 429 or "rate limit" in words.lower()
    return _RATE_LIMIT_SECONDS if limited else None


def _reasons(content: bytes) -> tuple[str, tuple[str, ...]]:
    """The message of an error, fit for print, and the codes that it names."""
    try:
        found = read_json(_Reasons, content, "")
    except IntegrityError:
        return "", ()
    errors = [error for error in found.errors if isinstance(error, _Reason)]
    texts = [found.message, *(e.message or " ".join(filter(None, (e.field, e.code))) for e in errors)]
    line = "".join(c if c.isprintable() else " " for c in "; ".join(filter(None, texts)))
    return line[:_MOST_WORDS], tuple(error.code for error in errors)
