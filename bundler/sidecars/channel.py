"""`channel.json`: what a moving release points at, for readers that would rather follow it than take its copy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, Field, TypeAdapter

from bundler.errors import IntegrityError
from bundler.model.json_text import first_fault, limited
from bundler.model.sidecar import Place, SidecarFacts
from bundler.model.verdict import Finding
from bundler.words import AssetName, Commit, Repository, Sha256, Tag

OF: Final = "release"
NAME = "channel.json"
LARGEST = 4 << 20
_CONFIG = ConfigDict(extra="ignore")
_FORMAT = 1


@dataclass(frozen=True)
class ChannelAsset:
    """One asset of the release that the channel points at: size in bytes, SHA-256 (hex)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


@dataclass(frozen=True)
class Channel:
    """The channel's name, and the release that it points at: its tag, commit and every asset."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    channel: Tag
    repository: Repository
    tag: Tag
    commit: Commit
    assets: Mapping[AssetName, ChannelAsset]


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return NAME


def compose(channel: Channel) -> bytes:
    """Return the file's bytes."""
    document = {
        "format": _FORMAT,
        "channel": channel.channel,
        "repository": channel.repository,
        "tag": channel.tag,
        "commit": channel.commit,
        "assets": {n: {"size": a.size, "sha256": a.sha256} for n, a in sorted(channel.assets.items())},
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def parse(content: bytes) -> Channel:
    """Parse the file. Raises IntegrityError."""
    try:
        return _adapter().validate_json(limited(content))
    except ValueError as error:
        raise IntegrityError(f"{NAME}: {first_fault(error)}") from error


def render(facts: SidecarFacts) -> bytes | None:
    """What a channel points at; None for a release that follows no other."""
    if facts.follows is None:
        return None
    followed = facts.follows.place
    listed = {name: ChannelAsset(size, sha256) for name, (size, sha256) in facts.follows.files.items()}
    return compose(Channel(facts.place.tag, facts.place.repository, followed.tag, followed.commit, listed))


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield what the file alone shows: what it points at is compared by who can look there (`release.channel`)."""
    if content is None:
        return
    try:
        yield from map(Finding, misnamed(parse(content), facts.place))
    except IntegrityError as error:
        yield Finding(error.message)


def misnamed(said: Channel, place: Place) -> Iterator[str]:
    """Yield where a channel's file says that it is another channel's than that of the release which holds it."""
    if place.repository and said.repository.lower() != place.repository.lower():
        yield _wrong("names another repository", place.repository, said.repository)
    if place.tag and said.channel != place.tag:
        yield _wrong("names another channel", place.tag, said.channel)


def _wrong(what: str, expected: str, actual: str) -> str:
    return f"{NAME}: {what}\n    expected {expected}\n    actual   {actual}"


@cache
def _adapter() -> TypeAdapter[Channel]:
    return TypeAdapter(Channel)
