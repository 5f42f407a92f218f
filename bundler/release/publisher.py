"""Make releases what they shall be, from whatever state an earlier run left them in; and let a channel follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bundler.adapters.github import GitHub
from bundler.adapters.http import TransientError, retrying
from bundler.errors import IntegrityError, WorkError
from bundler.model.release import CHANNEL, Release, offline_number
from bundler.model.sidecar import Held, Place
from bundler.model.signatures import is_further
from bundler.release import notes
from bundler.release.content import files_of
from bundler.release.fill import Filled, Filler
from bundler.release.preflight import Publication, Ready, immovable
from bundler.release.standing import Standing, survey
from bundler.release.switch import Draft, Wanted, put_back, remove, unfinished
from bundler.sidecars import channel

_NOTHING = Filled(0, (), ())


def _nothing_more(tag: str) -> str:
    return ""


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
class Publisher:
    """Makes releases what they shall be, from whatever state an earlier run left them in.

    `changes` tells what a release changes, for the end of its text; it is asked once a release is about to be filled.
    """

    github: GitHub
    filler: Filler
    order: Publication
    ready: Ready
    run: str
    dry_run: bool
    changes: Callable[[str], str] = field(default=_nothing_more)

    def recover(self) -> None:
        """Put back `latest-runtime` if an interrupted run took it off its tag, whether it was asked for or not."""
        if self.dry_run or self.order.channel == CHANNEL or self.github.published(CHANNEL):
            return
        for one in unfinished(self.github, CHANNEL).replaced[-1:]:
            mark = notes.mark_of(one.body)
            put_back(self.github, one, CHANNEL, latest=mark is not None and mark.latest)

    def release(self) -> Published:
        """Publish the release."""
        wanted = replace(self._wanted(self.order.tag), latest=self.ready.latest)
        # Hosts keep what they have of an offline tag for ever; the preflight said so, unless it is published since.
        may_replace = self.order.replace and not offline_number(wanted.tag)
        done = self._ensure(wanted, may_replace=may_replace, more=self.changes)
        return self._ranked(done)

    def channel(self, release: Published) -> Published:
        """Let the channel follow. Raises WorkError where releases cannot move."""
        published = self.github.published(self.order.tag)
        if published and published.immutable:
            raise immovable(self.order)
        if newer := self._follows_newer(release, published):
            return newer
        # What others sign of it comes later, and is theirs: the channel need not move for that.
        pieces = (piece for piece in self._wanted(self.order.tag).pieces if not is_further(piece.name))
        followed = Held(self._place(self.order.tag), files_of(pieces))
        wanted = self._wanted(self.order.channel, followed)
        return self._ensure(wanted, may_replace=True)

    def _place(self, tag: str) -> Place:
        return Place(self.order.repository, tag, self.ready.at.sha, self.ready.at.date)

    def _wanted(self, tag: str, follows: Held | None = None) -> Wanted:
        """The release of a tag, which may be a channel that follows another."""
        content, commit = self.ready.content, self.ready.at.sha
        tells = follows.place.tag if follows else ""
        text = notes.render(tag, commit, content.split, tells, deltas=bool(content.deltas))
        return Wanted(tag, commit, text, content.pieces(self._place(tag), follows))

    def _ranked(self, done: Published) -> Published:
        """See that a release that stays as it is becomes the latest, or does not stay it, if that was asked for."""
        asked, published = self.order.latest, self.github.published(done.tag)
        if asked is None or published is None or done.state in ("published", "replaced", "would replace"):
            return done
        latest = self.github.latest()
        if (latest is not None and latest.id == published.id) == asked:
            return done
        if not self.dry_run:
            self.github.edit(published, {"make_latest": "true" if asked else "false"})
        detail = (
            f"it {'would be' if self.dry_run else 'is'} {'the latest' if asked else 'no longer the latest'} release"
        )
        return replace(done, detail="; ".join(filter(None, (done.detail, detail))))

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

    def _ensure(self, wanted: Wanted, *, may_replace: bool, more: Callable[[str], str] = _nothing_more) -> Published:
        standing = survey(self.github, self.filler, wanted, may_replace=may_replace)
        if self.dry_run:
            return _planned(standing, wanted)
        published = standing.published
        if published and standing.off_its_tag:
            published = put_back(self.github, published, wanted.tag, latest=bool(standing.was_latest))
        if standing.action == "unchanged" and published:
            state, release, filled = "unchanged", published, _kept(standing)
        elif standing.action == "complete" and published:
            state, release = "completed", published
            filled = self.filler.fill(published, wanted.pieces, lambda: None)
        else:
            draft = Draft(self.github, replace(wanted, body=wanted.body + more(wanted.tag)), self.run)
            filled = self.filler.fill(draft.release, wanted.pieces, draft.check)
            release = draft.publish(published, standing.was_latest)
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
