"""What a release changes of the one before it, for its text: never a reason not to publish."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing
from bundler.errors import BundleError, from_os
from bundler.model.comparison import compare
from bundler.model.comparison_text import markdown
from bundler.model.holding import Holding
from bundler.model.release import OFFLINE_PREFIX, RUNTIME_PREFIX, Release
from bundler.release.content import Content
from bundler.release.released import Released
from bundler.session import Session
from bundler.words import TAG_PATTERN, archive_of

# GitHub takes 125,000 characters for a release's text; the first lines, and a mark, have to have room too.
_LONGEST = 100_000
# git takes ` and < in a tag's name, which would be markup in the text.
_TAG = re.compile(TAG_PATTERN)


@dataclass(frozen=True)
class Since:
    """Compares what is published with the release before it, whose SBOMs tell what that holds."""

    session: Session
    github: GitHub
    content: Content

    def text(self, tag: str) -> str:
        """The section for the text of a release of this tag; "" where there is none before it, or nothing tells."""
        try:
            return self._text(tag)
        except BundleError as error:
            fault = error
        except OSError as error:
            fault = from_os(error)
        self.session.progress.say(f"note: the release's text does not tell what changed: {fault}")
        return ""

    def _text(self, tag: str) -> str:
        before = previous(list(self.github.releases()), tag)
        if before is None:
            return ""
        store = self.session.store()
        its = Released(store, self.github, Listing.of(store, self.github, before))
        told = its.told()
        if told.keys() != {*its.archives}:
            self.session.progress.say(f"note: {before.tag_name} has no SBOMs to tell what changed since")
            return ""
        comparison = compare(its.holdings(told), self._holdings())
        if not comparison.differs:
            return f"\nThe packages are those of `{before.tag_name}`.\n"
        return "\n" + markdown(comparison, f"What changed since `{before.tag_name}`", _LONGEST)

    def _holdings(self) -> tuple[Holding, ...]:
        """What is published."""
        sizes: dict[str, int] = {}
        for piece in self.content.archives:
            if piece.source is not None and (archive := archive_of(piece.name)):  # an archive, or a part of one
                sizes[archive] = sizes.get(archive, 0) + piece.size
        held = self.content.told.inventories
        return tuple(Holding(held[name], size) for name, size in sorted(sizes.items()) if name in held)


def previous(releases: Iterable[Release], tag: str) -> Release | None:
    """The newest of those that are `earlier`."""
    return next(iter(earlier(releases, tag)), None)


def earlier(releases: Iterable[Release], tag: str) -> Sequence[Release]:
    """The published releases of the same kind of tag that are older than what is published as `tag`, if that is.

    The newest is the first. Releases are older if they were published earlier.
    """
    prefix = next((one for one in (RUNTIME_PREFIX, OFFLINE_PREFIX) if tag.startswith(one)), None)
    published = [one for one in releases if not one.draft and one.published_at]
    now = next((_moment(one) for one in published if one.tag_name == tag), None)
    named = [one for one in published if _TAG.fullmatch(one.tag_name) and one.tag_name != tag]
    alike = [one for one in named if prefix and one.tag_name.startswith(prefix)]
    return sorted((one for one in alike if now is None or _moment(one) < now), key=_moment, reverse=True)


def _moment(release: Release) -> tuple[str, int]:
    """When a release was published (RFC 3339, UTC), and in which order within the second."""
    return release.published_at or "", release.id
