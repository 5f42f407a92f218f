"""Put a complete draft in a tag's place: readers see the old set, for an instant nothing, or the new set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bundler.adapters.github import Field, GitHub
from bundler.adapters.http import retrying
from bundler.errors import BundleError
from bundler.model.release import Piece, Release
from bundler.sidecars.release_notes import Role, mark, role_of, unmarked


@dataclass(frozen=True)
class Wanted:
    """A release as it shall be: its tag, commit, text and assets; `newest` if GitHub shall show it as the latest."""

    tag: str
    commit: str
    body: str
    pieces: tuple[Piece, ...]
    newest: bool = True


def unfinished(github: GitHub, tag: str, role: Role) -> list[Release]:
    """The drafts that publishes of `tag` left behind, the oldest first. Drafts of anybody else are never touched."""
    found = [release for release in github.releases() if release.draft and role_of(release.body, tag) == role]
    return sorted(found, key=lambda release: release.id)


def draft_for(github: GitHub, wanted: Wanted) -> Release:
    """Return the draft to fill: one that is there, or a new one."""

    def once() -> Release:  # after a lost answer the draft is there
        there = unfinished(github, wanted.tag, "draft")
        return there[0] if there else github.create_draft(wanted.tag, wanted.commit, mark("draft", wanted.tag))

    return retrying(once)


def switch(github: GitHub, draft: Release, wanted: Wanted, published: Release | None) -> Release:
    """Publish a draft in the place of the release that is published, if any. If that fails, the old one is put back."""
    if published:
        github.edit(
            published,
            {"tag_name": wanted.tag, "draft": True, "body": mark("replaced", wanted.tag) + unmarked(published.body)},
        )
    fields: dict[str, Field] = {
        "tag_name": wanted.tag,
        "target_commitish": wanted.commit,
        "name": wanted.tag,
        "body": wanted.body,
        "draft": False,
        "prerelease": False,
        # An older release that is replaced does not become the newest by that.
        "make_latest": "false" if not wanted.newest else "legacy" if published else "true",
    }
    try:
        return github.edit(draft, fields)
    except BaseException:
        if published:
            with suppress(BundleError):  # the first error tells more; the next run puts it right
                put_back(github, published)
        raise


def put_back(github: GitHub, replaced: Release) -> Release:
    """Publish a release again that was taken off its tag."""
    fields: dict[str, Field] = {"tag_name": replaced.tag_name, "draft": False, "body": unmarked(replaced.body)}
    return github.edit(replaced, fields)


def remove(github: GitHub, releases: Sequence[Release]) -> None:
    """Delete drafts that are of no more use."""
    for release in releases:
        github.delete_release(release)
