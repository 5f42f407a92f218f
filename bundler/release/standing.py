"""How a tag stands, and what is to be done about it: decided once, for publishing and for saying what it would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bundler.adapters.github import GitHub
from bundler.model.release import Difference, Release, refuse_mixing
from bundler.release.fill import Filler
from bundler.release.switch import Unfinished, Wanted, unfinished

Action = Literal["unchanged", "publish", "replace", "complete"]


@dataclass(frozen=True)
class Standing:
    """What to do; what is published, or was (`off_its_tag`: an interrupted run took it off, and it goes back first).

    `there` is how the assets that are there already differ from the wanted ones: those of the published release if it
    is unchanged or to be completed, else those of a draft that was begun.
    """

    action: Action
    published: Release | None
    off_its_tag: bool
    there: Difference | None
    unfinished: Unfinished


def survey(github: GitHub, filler: Filler, wanted: Wanted, *, may_replace: bool) -> Standing:
    """Look at a tag. Raises IntegrityError if other assets are published there and may not be replaced."""
    published = github.published(wanted.tag)
    left = unfinished(github, wanted.tag)
    begun = filler.difference(left.drafts[0], wanted.pieces) if left.drafts else None
    off_its_tag = False
    if published is None and left.replaced and not (begun and begun.same):
        published, off_its_tag = left.replaced[-1], True
    if published is None:
        return Standing("publish", None, False, begun, left)
    there = filler.difference(published, wanted.pieces)
    if there.same:
        return Standing("unchanged", published, off_its_tag, there, left)
    if may_replace:
        return Standing("replace", published, off_its_tag, begun, left)
    refuse_mixing(published, there)
    return Standing("complete", published, off_its_tag, there, left)
