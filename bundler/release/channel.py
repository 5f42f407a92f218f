"""The channel beside a published release: which release it follows, and whether the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing, read_small
from bundler.adapters.store import Store
from bundler.errors import IntegrityError
from bundler.model.release import CHANNEL
from bundler.release.compare import Side, compare_channel
from bundler.sidecars import channel
from bundler.sidecars.channel import Channel


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
    """A release that was asked for: its tag, the commit of its git tag ("" if there is none), its assets."""

    tag: str
    commit: str
    listing: Listing

    @property
    def side(self) -> Side:
        """The release as one of the two that are compared."""
        return Side(self.tag, self.commit, self.listing.contents)


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
        if release.tag == CHANNEL or channel.NAME in release.listing.assets:
            return self._channel(release)
        if asked == CHANNEL:
            return ChannelView(CHANNEL, None, self.newest), ()
        return self._follower(release)

    def _channel(self, release: Found) -> tuple[ChannelView, Sequence[str]]:
        """Compare a channel with the release that it names, else with the newest."""
        said, findings = self._read(release.listing)
        newest = self.newest if release.tag == CHANNEL else ""
        view = ChannelView(release.tag, said, newest)
        return view, [*findings, *self._drift(release, said, newest)]

    def _drift(self, moving: Found, said: Channel | None, newest: str) -> Iterator[str]:
        if said is None and moving.tag != CHANNEL:
            return
        tag = said.tag if said else newest
        if moving.tag == CHANNEL and tag != newest:
            yield f"{CHANNEL} points at {tag}, the newest release is {newest or 'none'}"
        followed = self._found(tag) if tag else None
        if followed is None:
            yield f"{moving.tag} points at {tag or 'nothing'}, which is not published"
            return
        yield from compare_channel(self.github.repository, moving.side, said, followed.side)

    def _follower(self, release: Found) -> tuple[ChannelView | None, Sequence[str]]:
        """Compare a release with the channel `latest-runtime`, if that follows it."""
        moving = self._found(CHANNEL)
        if moving is None:
            return None, ()
        said, findings = self._read(moving.listing)
        if said is None:  # what it follows is told by its git tag then
            follows = bool(release.commit) and moving.commit == release.commit
            return None, [f"{CHANNEL}: {finding}" for finding in findings] if follows else ()
        if said.tag != release.tag:
            return None, ()
        drift = compare_channel(self.github.repository, moving.side, said, release.side)
        return ChannelView(CHANNEL, said, ""), tuple(drift)

    def _found(self, tag: str) -> Found | None:
        release = self.github.published(tag)
        if release is None:
            return None
        listing = Listing.of(self.store, self.github, release)
        return Found(tag, self.github.tag_commit(tag) or "", listing)

    def _read(self, listing: Listing) -> tuple[Channel | None, tuple[str, ...]]:
        asset = listing.assets.get(channel.NAME)
        if asset is None:
            return None, ()
        try:
            return channel.parse(read_small(self.store, self.github, asset, listing.digest(asset))), ()
        except IntegrityError as error:
            return None, (error.message,)
