"""The channel beside a published release: which release it follows, and whether the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing, read_small
from bundler.adapters.store import Store
from bundler.errors import IntegrityError
from bundler.model.release import CHANNEL, Release
from bundler.model.sidecar import Held, Place
from bundler.model.signatures import is_further
from bundler.sidecars import channel
from bundler.sidecars.channel import Channel
from bundler.sidecars.table import over_release


@dataclass(frozen=True)
class ChannelView:
    """What a channel points at: the release that channel.json names (None without one), and the newest release.

    `newest` is "" for a channel that does not promise to follow the newest one.
    """

    name: str
    points_at: Channel | None
    newest: str


@dataclass(frozen=True)
class Found:
    """A release that was looked at: where it stands, and its assets."""

    place: Place
    listing: Listing

    @property
    def held(self) -> Held:
        """The release as one of two that are compared."""
        return Held(self.place, self.listing.contents)


@dataclass(frozen=True)
class Following:
    """Looks at channels: a release that holds a channel.json is one, and `latest-runtime` is in any case.

    `newest` is the tag of the newest runtime release.
    """

    store: Store
    github: GitHub
    newest: str

    def view(self, release: Found, asked: str) -> tuple[ChannelView | None, Sequence[str]]:
        """What the channel is, if `release` is one or is followed by `latest-runtime`; and where the two drift apart.

        `asked` is the tag that was asked for. Raises UnreachableError.
        """
        if release.place.tag == CHANNEL or channel.NAME in release.listing.assets:
            return self._channel(release)
        if asked == CHANNEL:
            return ChannelView(CHANNEL, None, self.newest), ()
        return self._follower(release)

    def _channel(self, moving: Found) -> tuple[ChannelView, Sequence[str]]:
        """Compare a channel with the release that it names, else with the newest."""
        said, findings = self._read(moving.listing)
        newest = self.newest if moving.place.tag == CHANNEL else ""
        view = ChannelView(moving.place.tag, said, newest)
        return view, [*findings, *self._drift(moving, said, newest)]

    def _drift(self, moving: Found, said: Channel | None, newest: str) -> Iterator[str]:
        if said is None and moving.place.tag != CHANNEL:
            return
        tag = said.tag if said else newest
        if moving.place.tag == CHANNEL and tag != newest:
            yield f"{CHANNEL} points at {tag}, the newest release is {newest or 'none'}"
        followed = self._found(tag) if tag else None
        if followed is None:
            yield f"{moving.place.tag} points at {tag or 'nothing'}, which is not published"
            return
        yield from compare(moving.held, said, followed.held)

    def _follower(self, release: Found) -> tuple[ChannelView | None, Sequence[str]]:
        """Compare a release with the channel `latest-runtime`, if that follows it."""
        moving = self._found(CHANNEL)
        if moving is None:
            return None, ()
        said, findings = self._read(moving.listing)
        if said is None:  # what it follows is told by its git tag then
            follows = bool(release.place.commit) and moving.place.commit == release.place.commit
            return None, [f"{CHANNEL}: {finding}" for finding in findings] if follows else ()
        if said.tag != release.place.tag:
            return None, ()
        return ChannelView(CHANNEL, said, ""), tuple(compare(moving.held, said, release.held))

    def _found(self, tag: str) -> Found | None:
        release = self.github.published(tag)
        if release is None:
            return None
        return found(self.store, self.github, release)

    def _read(self, listing: Listing) -> tuple[Channel | None, tuple[str, ...]]:
        asset = listing.assets.get(channel.NAME)
        if asset is None:
            return None, ()
        try:
            return channel.parse(read_small(self.store, self.github, asset, listing.digest(asset))), ()
        except IntegrityError as error:
            return None, (error.message,)


def found(store: Store, github: GitHub, release: Release) -> Found:
    """Look at a published release. Raises UnreachableError."""
    place = Place(github.repository, release.tag_name, github.tag_commit(release.tag_name) or "")
    return Found(place, Listing.of(store, github, release))


def compare(moving: Held, said: Channel | None, followed: Held) -> Iterator[str]:
    """Yield where a channel, its channel.json (`said`) and the release that it follows disagree.

    What others sign of the one or the other may come later, and is not compared.
    """
    yield from _drift(moving, followed)
    if said is None:
        return
    yield from channel.misnamed(said, moving.place)
    for place in (moving.place, followed.place):
        if place.commit != said.commit:
            yield f"the tag {place.tag} is at {place.commit or 'no commit'}, {channel.NAME} says {said.commit}"
    told = {name: (asset.size, asset.sha256) for name, asset in said.assets.items()}
    for name in sorted(name for name in {*told, *followed.files} if not is_further(name)):
        if told.get(name) != followed.files.get(name):
            expected, actual = _shown(followed.files.get(name)), _shown(told.get(name))
            yield (
                f"{channel.NAME}: {name} is not that of {followed.place.tag}\n"
                f"    expected {expected}\n    actual   {actual}"
            )


def _drift(moving: Held, followed: Held) -> Iterator[str]:
    """Where the assets differ; what is over each release as a whole is its own."""
    one, other = moving.place.tag, followed.place.tag
    own = over_release(one) | over_release(other)
    for name in sorted(name for name in {*moving.files, *followed.files} - own if not is_further(name)):
        have, want = moving.files.get(name), followed.files.get(name)
        if have != want:
            yield f"{name}: {one} and {other} drift apart\n    {one} {_shown(have)}\n    {other} {_shown(want)}"


def _shown(content: tuple[int, str] | None) -> str:
    if content is None:
        return "missing"
    size, sha256 = content
    return f"{sha256 or 'no digest'}, {size} bytes"
