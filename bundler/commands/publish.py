"""`publish`: a folder of archives becomes a release, whole or not at all; and a channel that follows it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters.github import GitHub
from bundler.adapters.http import TransientError, retrying
from bundler.errors import IntegrityError, WorkError
from bundler.model.release import CHANNEL, PART_SIZE, Release
from bundler.release import notes
from bundler.release.content import Content, channel_of
from bundler.release.fill import Filled, Filler
from bundler.release.preflight import Order, Ready, immovable, preflight
from bundler.release.standing import Standing, survey
from bundler.release.switch import Draft, Wanted, put_back, remove, unfinished
from bundler.session import Settings
from bundler.sidecars import channel

_NOTHING = Filled(0, (), ())


@dataclass(frozen=True)
class Published:
    """What became of one release.

    `state` is published, replaced, completed, unchanged or left alone; in a dry run, what would be done.
    """

    tag: str
    commit: str
    state: str
    url: str
    filled: Filled
    detail: str = ""


@dataclass(frozen=True)
class PublishReport:
    """The release, the channel if one was asked for, and the files of the folder that were left out."""

    repository: str
    release: Published
    channel: Published | None
    left_out: tuple[str, ...]


def publish(
    settings: Settings, folder: Path, order: Order, *, dry_run: bool = False, part_size: int = PART_SIZE
) -> PublishReport:
    """Check everything, then publish. Raises PreflightError with every problem, before anything is changed.

    Run it again after an interruption: it goes on where it was. Run it again after success: nothing happens.
    """
    with settings.github(order.repository) as github:
        ready = preflight(settings, github, folder, order, part_size)
        filler = Filler(github, settings.progress, settings.jobs, settings.cancelled)
        publisher = _Publisher(github, filler, order, ready, secrets.token_hex(8), dry_run)
        return PublishReport(order.repository, *publisher.both(), ready.left_out)


@dataclass(frozen=True)
class _Publisher:
    """Makes releases what they shall be, from whatever state an earlier run left them in."""

    github: GitHub
    filler: Filler
    order: Order
    ready: Ready
    run: str
    dry_run: bool

    def both(self) -> tuple[Published, Published | None]:
        """Publish the release, and let the channel follow."""
        if not self.dry_run:
            self._recover(CHANNEL)
        release = self._ensure(_wanted(self.order.tag, self.ready.commit, self.ready.content), self.order.replace)
        return release, self._channel(release) if self.order.channel else None

    def _channel(self, release: Published) -> Published:
        published = self.github.published(self.order.tag)
        if published and published.immutable:
            raise immovable(self.order)
        if newer := self._follows_newer(release, published):
            return newer
        content = channel_of(
            self.ready.content, self.order.channel, self.order.repository, self.order.tag, self.ready.commit
        )
        wanted = _wanted(self.order.channel, self.ready.commit, content, self.order.tag)
        return self._ensure(replace(wanted, newest=False), may_replace=True)

    def _follows_newer(self, release: Published, published: Release | None) -> Published | None:
        """Leave a channel alone that follows a later release than one that was only published once more."""
        moving = self.github.published(self.order.channel)
        if release.state != "unchanged" or self.order.replace or moving is None or published is None:
            return None
        named = _channel_json(self.github, moving)
        other = self.github.published(named.tag) if named and named.tag != self.order.tag else None
        if other is None or _moment(other) <= _moment(published):
            return None
        detail = f"it follows {other.tag_name}, which was published later; --replace moves it back"
        commit = named.commit if named else ""
        return Published(self.order.channel, commit, "left alone", moving.html_url, _NOTHING, detail)

    def _ensure(self, wanted: Wanted, may_replace: bool) -> Published:
        standing = survey(self.github, self.filler, wanted, may_replace=may_replace)
        if self.dry_run:
            return _planned(standing, wanted)
        published = standing.published
        if published and standing.off_its_tag:
            published = put_back(self.github, published, newest=wanted.newest)
        if standing.action == "unchanged" and published:
            state, release, filled = "unchanged", published, _kept(standing)
        elif standing.action == "complete" and published:
            state, release = "completed", published
            filled = self.filler.fill(published, wanted.pieces, lambda: None)
        else:
            draft = Draft(self.github, wanted, self.run)
            filled = self.filler.fill(draft.release, wanted.pieces, draft.check)
            release = draft.publish(published)
            state = "replaced" if published else "published"
            self._look_again(release, wanted)
        self._point(wanted, may_move=may_replace)
        remove(self.github, [one for one in self._left(standing, wanted.tag) if one.id != release.id])
        return Published(wanted.tag, wanted.commit, state, release.html_url, filled)

    def _look_again(self, release: Release, wanted: Wanted) -> None:
        if not self.filler.difference(release, wanted.pieces).same:
            raise IntegrityError(
                f"{wanted.tag} was changed by somebody in the instant that it was published", "run again with --replace"
            )

    def _left(self, standing: Standing, tag: str) -> list[Release]:
        """What earlier runs left behind, and what this one did; not what another has begun since."""
        seen = {one.id for one in standing.unfinished.all()}
        there = unfinished(self.github, tag).all()
        marks = {one.id: notes.mark_of(one.body) for one in there}
        return [one for one in there if one.id in seen or ((mark := marks[one.id]) and mark.run == self.run)]

    def _recover(self, tag: str) -> None:
        """Put back a channel that an interrupted run took off its tag, whether it was asked for or not."""
        if tag != self.order.channel and self.github.published(tag) is None:
            for one in unfinished(self.github, tag).replaced[-1:]:
                put_back(self.github, one, newest=False)

    def _point(self, wanted: Wanted, *, may_move: bool) -> None:
        """See that the git tag is at the release's commit: GitHub leaves one alone that was there before."""

        def seen() -> str:
            found = self.github.tag_commit(wanted.tag)
            if found is None:  # it takes GitHub a moment to show a new one
                raise TransientError(f"{wanted.tag} is published, but its git tag is not seen yet", "run again")
            return found

        found = retrying(seen)
        if found == wanted.commit:
            return
        if not may_move:
            raise IntegrityError(
                f"{wanted.tag} is published, but its git tag is at {found}, not at {wanted.commit}",
                "somebody moved the tag while the release was made; look at who did",
            )
        self.github.move_tag(wanted.tag, wanted.commit)


def _wanted(tag: str, commit: str, content: Content, follows: str = "") -> Wanted:
    body = notes.render(tag, commit, content.split, follows)
    return Wanted(tag, commit, body, content.pieces())


def _moment(release: Release) -> tuple[str, int]:
    """When a release was published (RFC 3339, UTC), and in which order within the second."""
    return release.published_at or "", release.id


def _kept(standing: Standing) -> Filled:
    return Filled(0, (), tuple(sorted(piece.name for piece in standing.there.kept)) if standing.there else ())


def _planned(standing: Standing, wanted: Wanted) -> Published:
    """What would be done."""
    kept = set(_kept(standing).kept)
    missing = [piece for piece in wanted.pieces if piece.name not in kept]
    filled = Filled(sum(p.size for p in missing), tuple(sorted(p.name for p in missing)), tuple(sorted(kept)))
    state = standing.action if standing.action == "unchanged" else f"would {standing.action}"
    url = standing.published.html_url if standing.published else ""
    detail = "the release is off its tag, and would first be put back" if standing.off_its_tag else ""
    return Published(wanted.tag, wanted.commit, state, url, filled, detail)


def _channel_json(github: GitHub, moving: Release) -> channel.Channel | None:
    """What a channel points at; None if it does not say so in a way that makes sense."""
    asset = next((asset for asset in github.assets(moving) if asset.name == channel.NAME), None)
    if asset is None or asset.size > channel.LARGEST:
        return None
    try:
        return channel.parse(github.read(github.asset_address(asset), asset.size))
    except (IntegrityError, WorkError):
        return None
