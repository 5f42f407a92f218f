"""`channel.json`: what a moving release points at, for readers that would rather follow it than take its copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from bundler.errors import IntegrityError
from bundler.model.json_text import limited
from bundler.words import AssetName, Commit, Repository, Sha256, Tag

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


def render(channel: Channel) -> bytes:
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
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise IntegrityError(f"{NAME}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise IntegrityError(f"{NAME}: {error}") from error


@cache
def _adapter() -> TypeAdapter[Channel]:
    return TypeAdapter(Channel)
