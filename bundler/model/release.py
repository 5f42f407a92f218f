"""Releases and their assets, as GitHub's REST API shows them, and how a set of assets differs from another.

The shapes are those of "List releases" and "List release assets" in docs.github.com/en/rest/releases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar, cast

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.errors import IntegrityError, TooMuchError, UsageError
from bundler.model.json_text import TooManyValuesError, first_fault, limited
from bundler.words import REPOSITORY_PATTERN, SHA256_PATTERN, TAG_PATTERN, Commit, Repository, Tag

_CONFIG = ConfigDict(extra="ignore")
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_ADDRESS = re.compile(f"({REPOSITORY_PATTERN})@({TAG_PATTERN})")
_RUNTIME_TAG = re.compile(r"runtime-([0-9a-f]{12})")
_OFFLINE_TAG = re.compile(r"offline-ai-workspace-([1-9][0-9]{0,8})")

RUNTIME_PREFIX = "runtime-"
OFFLINE_PREFIX = "offline-ai-workspace-"
# In place of a tag, what is made here has this and the beginning of what it is made of.
BUILT_PREFIX = "built-"
TAG_FORMS = f"{RUNTIME_PREFIX}<first 12 digits of the commit> or {OFFLINE_PREFIX}<number>"
# What consumers look for at the beginning of a tag, some of them among drafts too: no draft of ours begins so.
_DRAFT_PREFIX = "draft-"
CHANNEL = "latest-runtime"
# What GitHub takes (docs.github.com, "About releases", storage and bandwidth quotas).
MOST_ASSETS = 1000
# GitHub's limit, too: no asset reaches 2 GiB. What does is published in parts of 1900 MiB (the consumers' contract).
TOO_LARGE = 2 << 30
PART_SIZE = 1900 << 20

Line = Annotated[str, StringConstraints(pattern=_PRINTABLE, max_length=1000)]


@dataclass(frozen=True)
class Asset:
    """One asset of a release. `state` is `uploaded` once all its bytes are there; `digest` may be unknown."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    id: int
    name: Line
    size: Annotated[int, Field(ge=0, lt=1 << 53)]
    state: Line
    digest: Line | None = None
    browser_download_url: Line = ""

    @property
    def sha256(self) -> str | None:
        """The SHA-256 (hex) that GitHub computed, or None for assets of before it did."""
        algorithm, _, value = (self.digest or "").partition(":")
        return value.lower() if algorithm == "sha256" and re.fullmatch(SHA256_PATTERN, value, re.IGNORECASE) else None

    @property
    def complete(self) -> bool:
        """All its bytes are there; else it is what a broken upload left behind."""
        return self.state == "uploaded"


@dataclass(frozen=True)
class Release:
    """One release; a draft is seen by those who may write only, and has no git tag yet."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    id: int
    tag_name: Line
    draft: bool
    upload_url: Line
    html_url: Line = ""
    target_commitish: Line = ""
    name: str | None = None
    body: str | None = None
    immutable: bool = False
    published_at: Line | None = None


@dataclass(frozen=True)
class Piece:
    """One asset to be: its size in bytes, its SHA-256, and its bytes: `content`, or `size` bytes of a file.

    What tells of others is uploaded after them: in a later `turn`.
    """

    name: str
    size: int
    sha256: str
    content: bytes = b""
    source: Path | None = None
    offset: int = 0
    turn: int = 0


@dataclass(frozen=True)
class Difference:
    """What makes a release's assets the wanted ones. Of `unproven` ones GitHub tells no digest."""

    kept: tuple[Piece, ...]
    unproven: tuple[tuple[Asset, Piece], ...]
    surplus: tuple[Asset, ...]
    missing: tuple[Piece, ...]
    differing: tuple[tuple[Asset, Piece], ...]
    broken: tuple[Asset, ...]

    @property
    def same(self) -> bool:
        """Nothing has to change, as far as GitHub tells."""
        return not (self.surplus or self.missing or self.differing or self.broken)


def compare(assets: Iterable[Asset], pieces: Sequence[Piece]) -> Difference:
    """Compare what a release holds with what it should."""
    wanted = {piece.name: piece for piece in pieces}
    there: dict[str, Asset] = {}
    surplus, broken = [], []
    for asset in assets:
        if not asset.complete:
            broken.append(asset)
        elif asset.name not in wanted or asset.name in there:
            surplus.append(asset)
        else:
            there[asset.name] = asset
    pairs = [(asset, wanted[name]) for name, asset in there.items()]
    agreeing = [(a, p) for a, p in pairs if a.size == p.size and a.sha256 in (p.sha256, None)]
    return Difference(
        kept=tuple(piece for asset, piece in agreeing if asset.sha256),
        unproven=tuple(pair for pair in agreeing if pair[0].sha256 is None),
        surplus=tuple(surplus),
        missing=tuple(piece for piece in pieces if piece.name not in there),
        differing=tuple(pair for pair in pairs if pair not in agreeing),
        broken=tuple(broken),
    )


def disagreement(name: str, asset: Asset | None, size: int | None, sha256: str) -> str:
    """Say how a published asset differs from what it should be."""
    actual = "missing" if asset is None else f"{asset.sha256 or 'no digest'}, {asset.size} bytes"
    expected = sha256 if size is None else f"{sha256}, {size} bytes"
    return f"{name}\n    expected {expected}\n    actual   {actual}"


def refuse_mixing(published: Release, there: Difference, all_there: Callable[[], Iterable[Release]]) -> None:
    """Raise IntegrityError if a published release cannot become the wanted one by adding to it alone.

    `all_there` lists the repository's releases, drafts too.
    """
    wrong = [disagreement(piece.name, asset, piece.size, piece.sha256) for asset, piece in there.differing]
    wrong += [f"{asset.name}: not in what you publish" for asset in there.surplus]
    if wrong:
        hint = "the same commit has the same bytes: was it built from something else? --replace switches to yours"
        if offline_number(published.tag_name):
            number = next_offline_tag(all_there())
            hint = f"hosts keep for ever what they have of this tag: publish under the next number, --tag {number}"
        raise IntegrityError(f"{published.tag_name} is published with other assets:\n  " + "\n  ".join(wrong), hint)
    if published.immutable and not there.same:
        names = ", ".join([piece.name for piece in there.missing] + [asset.name for asset in there.broken])
        hint = "publish from another commit, under its tag"
        if offline_number(published.tag_name):
            hint = f"publish under the next number, --tag {next_offline_tag(all_there())}"
        raise IntegrityError(f"{published.tag_name} is immutable and lacks {names}", hint)


def runtime_commit(tag: str) -> str | None:
    """The first twelve digits of the commit that a runtime release's tag names, or None for another tag."""
    match = _RUNTIME_TAG.fullmatch(tag)
    return match[1] if match else None


def offline_number(tag: str) -> int | None:
    """The number of an offline release's tag, or None for another tag."""
    match = _OFFLINE_TAG.fullmatch(tag)
    return int(match[1]) if match else None


def next_offline_tag(releases: Iterable[Release]) -> str:
    """The first offline tag after those of all releases, drafts too."""
    numbers = (offline_number(final_tag(release.tag_name)) or 0 for release in releases)
    return f"{OFFLINE_PREFIX}{max(numbers, default=0) + 1}"


def title_of(tag: str) -> str:
    """What a release is called: consumers know offline ones by builds."""
    return f"Build {tag}" if offline_number(tag) else tag


def draft_tag(tag: str) -> str:
    """The tag that a release carries while it is a draft."""
    return f"{_DRAFT_PREFIX}{tag}"


def final_tag(tag: str) -> str:
    """The tag that a release will carry, or carries."""
    return tag.removeprefix(_DRAFT_PREFIX)


def parse_repository(text: str) -> str:
    """Check `OWNER/REPO`. Raises UsageError."""
    return _word(_words()[0], text, "OWNER/REPO", "for example --repo example/demo")


def parse_tag(text: str) -> str:
    """Check a tag's name. Raises UsageError."""
    return _word(_words()[1], text, "a tag", "for example --tag runtime-3ad385a8a469")


def parse_commit(text: str) -> str:
    """Check a commit's full digits. Raises UsageError."""
    return _word(_words()[2], text.strip().lower(), "a commit", "give all of its 40 hexadecimal digits")


def parse_address(text: str) -> tuple[str, str] | None:
    """Take `OWNER/REPO@TAG` apart, or return None if it is something else. Raises UsageError for `../..@x`."""
    match = _ADDRESS.fullmatch(text)
    return (parse_repository(match[1]), parse_tag(match[2])) if match else None


def _word(adapter: TypeAdapter[str], text: str, what: str, example: str) -> str:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        raise UsageError(f"{text!r} is not {what}", example) from error


T = TypeVar("T")


def read_json(kind: type[T], content: bytes, where: str) -> T:
    """Validate an answer of the API. Raises IntegrityError for one of another shape, TooMuchError for a huge one."""
    try:
        return cast("TypeAdapter[T]", _adapter(kind)).validate_json(limited(content))  # type: ignore[arg-type]
    except TooManyValuesError as error:
        raise TooMuchError(f"{where}: an answer that is too large: {error}") from error
    except ValueError as error:
        raise IntegrityError(f"{where}: an answer that makes no sense: {first_fault(error)}") from error


def read_json_list(kind: type[T], content: bytes, where: str) -> tuple[T, ...]:
    """Validate an answer that is a list. Raises what `read_json` raises."""
    return cast("tuple[T, ...]", read_json(cast("type[object]", tuple[kind, ...]), content, where))  # type: ignore[valid-type]


@cache
def _words() -> tuple[TypeAdapter[str], TypeAdapter[str], TypeAdapter[str]]:
    """The validators of a repository's name, of a tag and of a commit."""
    return TypeAdapter(Repository), TypeAdapter(Tag), TypeAdapter(Commit)


@cache
def _adapter(kind: type[object]) -> TypeAdapter[object]:
    return TypeAdapter(kind)
