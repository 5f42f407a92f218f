"""Compare a channel with the release that it follows: what its channel.json says, its git tag, and its assets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bundler.sidecars import channel, sums
from bundler.sidecars.channel import Channel

Contents = Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Side:
    """One of the two releases: its tag, that git tag's commit ("" if there is none), its assets.

    `contents` is name -> size in bytes and SHA-256 ("" where it is not known), SHA256SUMS included.
    """

    tag: str
    commit: str
    contents: Contents


def compare_channel(repository: str, moving: Side, said: Channel | None, followed: Side) -> Iterator[str]:
    """Yield where `moving`, its channel.json (`said`) and the release that it follows disagree."""
    yield from _drift(moving, followed)
    if said is None:
        return
    if said.repository.lower() != repository.lower():
        yield _wrong(f"{channel.NAME}: names another repository", repository, said.repository)
    if said.channel != moving.tag:
        yield _wrong(f"{channel.NAME}: names another channel", moving.tag, said.channel)
    for side in (moving, followed):
        if side.commit != said.commit:
            yield f"the tag {side.tag} is at {side.commit or 'no commit'}, {channel.NAME} says {said.commit}"
    told = {name: (asset.size, asset.sha256) for name, asset in said.assets.items()}
    for name in sorted({*told, *followed.contents}):
        if told.get(name) != followed.contents.get(name):
            actual, expected = _shown(told.get(name)), _shown(followed.contents.get(name))
            yield _wrong(f"{channel.NAME}: {name} is not that of {followed.tag}", expected, actual)


def _drift(moving: Side, followed: Side) -> Iterator[str]:
    """Where the assets differ. Each has a SHA256SUMS of its own: the channel's also lists channel.json."""
    for name in sorted({*moving.contents, *followed.contents} - {channel.NAME, sums.NAME}):
        have, want = moving.contents.get(name), followed.contents.get(name)
        if have != want:
            yield (
                f"{name}: {moving.tag} and {followed.tag} drift apart\n"
                f"    {moving.tag} {_shown(have)}\n    {followed.tag} {_shown(want)}"
            )


def _shown(content: tuple[int, str] | None) -> str:
    if content is None:
        return "missing"
    size, sha256 = content
    return f"{sha256 or 'no digest'}, {size} bytes"


def _wrong(what: str, expected: str, actual: str) -> str:
    return f"{what}\n    expected {expected}\n    actual   {actual}"
