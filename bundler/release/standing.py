"""How a tag stands, and what is to be done about it: decided once, for publishing and for saying what it would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bundler.adapters.github import GitHub
from bundler.model.release import Difference, Release, refuse_mixing
from bundler.release.fill import Filler
from bundler.release.notes import mark_of
from bundler.release.switch import Unfinished, Wanted, unfinished

Action = Literal["unchanged", "publish", "replace", "complete"]


@dataclass(frozen=True)
class Standing:
    """What to do; what is published, or was (`off_its_tag`: an interrupted run took it off, and it goes back first).

    `there` is how the assets that are there already differ from the wanted ones: those of the published release if it
    is unchanged or to be completed, else those of a draft that was begun. `was_latest` says whether what was taken
    off the tag was the latest release; None if nothing was.
    """

    action: Action
    published: Release | None
    off_its_tag: bool
    there: Difference | None
    unfinished: Unfinished
    was_latest: bool | None


def survey(github: GitHub, filler: Filler, wanted: Wanted, *, may_replace: bool) -> Standing:
    """Look at a tag. Raises IntegrityError if other assets are published there and may not be replaced."""
    published = github.published(wanted.tag)
    left = unfinished(github, wanted.tag)
    begun = filler.difference(left.drafts[0], wanted.pieces) if left.drafts else None
    was_latest = _was_latest(left) if published is None else None
    off_its_tag = False
    if published is None and left.replaced and not (begun and begun.same):
        published, off_its_tag = left.replaced[-1], True
    if published is None:
        return Standing("publish", None, False, begun, left, was_latest)
    there = filler.difference(published, wanted.pieces)
    if there.same:
        return Standing("unchanged", published, off_its_tag, there, left, was_latest)
    if may_replace:
        return Standing("replace", published, off_its_tag, begun, left, was_latest)
    refuse_mixing(published, there, github.releases)
    return Standing("complete", published, off_its_tag, there, left, was_latest)


def _was_latest(left: Unfinished) -> bool | None:
    """Whether what was taken off its tag was the latest release, as the run said that did it."""
    mark = mark_of(left.replaced[-1].body) if left.replaced else None
    return mark.latest if mark else None
