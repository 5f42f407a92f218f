"""`publish`: a folder of archives becomes a release, whole or not at all; and a channel that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters.github import GitHub
from bundler.errors import IntegrityError
from bundler.model.release import PART_SIZE, Difference, Release, refuse_mixing
from bundler.pipeline.preflight import Order, Ready, preflight
from bundler.pipeline.settings import Settings
from bundler.sidecars import release_notes
from bundler.steps.fill_release import Filled, Filler
from bundler.steps.release_content import Content, channel_of
from bundler.steps.switch_release import Wanted, draft_for, put_back, remove, switch, unfinished


@dataclass(frozen=True)
class Published:
    """What became of one release: `state` is published, replaced, completed or unchanged; planned in a dry run."""

    tag: str
    commit: str
    state: str
    url: str
    filled: Filled


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
        filler = Filler(github, settings.progress, settings.jobs, settings.cancelled.is_set)
        try:
            return _published(github, filler, order, ready, dry_run)
        except BaseException:
            settings.cancelled.set()
            raise


def _published(github: GitHub, filler: Filler, order: Order, ready: Ready, dry_run: bool) -> PublishReport:
    ensure = _Plan(github, filler) if dry_run else _Ensure(github, filler)
    release = ensure(_wanted(order.tag, ready.commit, ready.content), may_replace=order.replace)
    channel = None
    if order.channel:
        content = channel_of(ready.content, order.channel, order.repository, order.tag, ready.commit)
        wanted = replace(_wanted(order.channel, ready.commit, content, order.tag), newest=False)
        channel = ensure(wanted, may_replace=True)
    return PublishReport(order.repository, release, channel, ready.left_out)


def _wanted(tag: str, commit: str, content: Content, follows: str = "") -> Wanted:
    body = release_notes.render(tag, commit, content.split, follows)
    return Wanted(tag, commit, body, content.pieces())


@dataclass(frozen=True)
class _Plan:
    """Says what a publish would do."""

    github: GitHub
    filler: Filler

    def __call__(self, wanted: Wanted, *, may_replace: bool) -> Published:
        published = self.github.published(wanted.tag)
        drafts = unfinished(self.github, wanted.tag, "draft")
        begun = next((release for release in (published, *drafts) if release), None)
        there = self.filler.difference(begun, wanted.pieces) if begun else None
        if published and there and there.same:
            return Published(wanted.tag, wanted.commit, "unchanged", published.html_url, _would(there, wanted))
        if published and drafts:
            there = self.filler.difference(drafts[0], wanted.pieces)
        elif published and may_replace:
            there = None
        return Published(wanted.tag, wanted.commit, "planned", "", _would(there, wanted))


def _would(there: Difference | None, wanted: Wanted) -> Filled:
    kept = {piece.name for piece in there.kept} if there else set()
    missing = [piece for piece in wanted.pieces if piece.name not in kept]
    return Filled(sum(p.size for p in missing), tuple(sorted(p.name for p in missing)), tuple(sorted(kept)))


@dataclass(frozen=True)
class _Ensure:
    """Makes a release what it shall be, from whatever state an earlier run left it in."""

    github: GitHub
    filler: Filler

    def __call__(self, wanted: Wanted, *, may_replace: bool) -> Published:
        published = self.github.published(wanted.tag) or self._recovered(wanted)
        if published is None:
            state, release, filled = "published", *self._put(wanted, None)
        elif (there := self.filler.difference(published, wanted.pieces)).same:
            state, release = "unchanged", published
            filled = Filled(0, (), tuple(sorted(piece.name for piece in there.kept)))
        elif may_replace:
            state, release, filled = "replaced", *self._put(wanted, published)
        else:
            refuse_mixing(published, there)
            state, release, filled = "completed", published, self.filler.fill(published, wanted.pieces)
        self._point(wanted, may_move=may_replace)
        left = [*unfinished(self.github, wanted.tag, "draft"), *unfinished(self.github, wanted.tag, "replaced")]
        remove(self.github, [one for one in left if one.id != release.id])
        return Published(wanted.tag, wanted.commit, state, release.html_url, filled)

    def _put(self, wanted: Wanted, published: Release | None) -> tuple[Release, Filled]:
        draft = draft_for(self.github, wanted)
        filled = self.filler.fill(draft, wanted.pieces)
        return switch(self.github, draft, wanted, published), filled

    def _recovered(self, wanted: Wanted) -> Release | None:
        """Put back a release that an interrupted run took off its tag, unless what replaces it is complete."""
        replaced = unfinished(self.github, wanted.tag, "replaced")
        if not replaced:
            return None
        drafts = unfinished(self.github, wanted.tag, "draft")
        if drafts and self.filler.difference(drafts[0], wanted.pieces).same:
            return None
        return put_back(self.github, replaced[-1])

    def _point(self, wanted: Wanted, *, may_move: bool) -> None:
        """See that the git tag is at the release's commit: GitHub leaves one alone that was there before."""
        found = self.github.tag_commit(wanted.tag)
        if found == wanted.commit:
            return
        if found is None or not may_move:
            raise IntegrityError(
                f"the tag {wanted.tag} is at {found or 'no commit'}, not at {wanted.commit}",
                "it was moved while the release was made; delete the release and publish again",
            )
        self.github.move_tag(wanted.tag, wanted.commit)


def assets_of(report: Published) -> Sequence[str]:
    """The names of all assets of a release, sorted."""
    return sorted((*report.filled.uploaded, *report.filled.kept))
