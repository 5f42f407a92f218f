"""Put a complete draft in a tag's place: readers see the old set, for an instant nothing, or the new set.

A draft has a tag of its own until it is published, and again once it is replaced: some readers list drafts, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from bundler.adapters.github import Field, GitHub
from bundler.adapters.http import retrying
from bundler.errors import BundleError, UnreachableError, WorkError
from bundler.model.release import Piece, Release, draft_tag, title_of
from bundler.release.notes import Mark, Role, mark_of, unmarked

# Whether GitHub is to show a release as the latest; `stays`: a new one, and one in the place of one that was it.
Latest = Literal["yes", "no", "stays"]


@dataclass(frozen=True)
class Wanted:
    """A release as it shall be: its tag, commit, text and assets, and whether it is the latest."""

    tag: str
    commit: str
    body: str
    pieces: tuple[Piece, ...]
    latest: Latest = "no"


@dataclass(frozen=True)
class Unfinished:
    """The drafts that publishes of one tag left behind, each the oldest first."""

    drafts: tuple[Release, ...]
    replaced: tuple[Release, ...]

    def all(self) -> tuple[Release, ...]:
        """Both kinds."""
        return (*self.drafts, *self.replaced)


def unfinished(github: GitHub, tag: str) -> Unfinished:
    """What publishes of `tag` left behind. Drafts of anybody else are never touched."""
    marked = [(release, mark_of(release.body)) for release in github.releases() if release.draft]
    ours = sorted(((r, m.role) for r, m in marked if m and m.tag == tag), key=lambda pair: pair[0].id)

    def of(role: Role) -> tuple[Release, ...]:
        return tuple(release for release, its in ours if its == role)

    return Unfinished(of("draft"), of("replaced"))


class Draft:
    """A draft that one run fills. Whoever claims it last has it: a run that lost it stops, and publishes nothing."""

    def __init__(self, github: GitHub, wanted: Wanted, run: str) -> None:
        self._github, self._wanted = github, wanted
        self._mark, self._tag = Mark("draft", wanted.tag, run), draft_tag(wanted.tag)
        self._tagged = github.tag_commit(wanted.tag) is not None
        self.release = retrying(self._claimed)

    def _claimed(self) -> Release:
        """Claim the draft that is there, or make one. After a lost answer, it is there."""
        for there in unfinished(self._github, self._wanted.tag).drafts:
            claimed = self._github.edit(there, {"body": self._mark.render()})
            if claimed.draft and claimed.tag_name != self._tag:  # an older version's has the final tag
                claimed = self._github.edit(claimed, {"tag_name": self._tag})
            if claimed.draft:
                return claimed
            self._github.edit(claimed, {"tag_name": self._wanted.tag, "body": self._wanted.body})
            raise WorkError(
                f"another run published {self._wanted.tag} meanwhile", "run again to see what is left to do"
            )
        commit = "" if self._tagged else self._wanted.commit
        return self._github.create_draft(self._tag, commit, title_of(self._wanted.tag), self._mark.render())

    def check(self) -> None:
        """Raise WorkError if this run has the draft no more."""
        now = self._github.release(self.release.id)
        if now is None or not now.draft or mark_of(now.body) != self._mark:
            raise WorkError(
                f"another run took over the publishing of {self._wanted.tag}",
                "nothing was published by this one; when the other has ended, run again",
            )

    def publish(self, published: Release | None, was_latest: bool | None = None) -> Release:
        """Publish it in the place of what is published, if anything. If that fails, the old release is put back.

        `was_latest` says whether what an earlier run took off the tag was the latest release; None if none did.
        """
        self.check()
        wanted = self._wanted
        if published:
            latest = self._github.latest()
            was_latest = latest is not None and latest.id == published.id
        fields: dict[str, Field] = {
            "tag_name": wanted.tag,
            "name": title_of(wanted.tag),
            "body": wanted.body,
            "draft": False,
            "prerelease": False,
            "make_latest": _word(wanted.latest == "yes" or (wanted.latest == "stays" and was_latest is not False)),
        }
        # All in one request: nobody sees a draft under the final tag, or a published release under the draft's.
        if not self._tagged:  # where the tag is there, GitHub would only ask for more rights
            fields["target_commitish"] = wanted.commit
        try:
            if published:
                mark = Mark("replaced", wanted.tag, self._mark.run, latest=bool(was_latest))
                body = mark.render() + unmarked(published.body)
                self._github.edit(published, {"tag_name": self._tag, "draft": True, "body": body})
            return self._github.edit(self.release, fields)
        except BaseException as error:
            done = self._undone(published, error, latest=bool(was_latest))
            if done is None or not isinstance(error, BundleError):
                raise
            return done

    def _undone(self, published: Release | None, error: BaseException, *, latest: bool) -> Release | None:
        """Put the old release back, unless the new one is published although the answer was lost: then return that."""
        try:
            now = self._github.published(self._wanted.tag)
            if now and now.id == self.release.id:
                return now
            if published and now is None:
                put_back(self._github, published, self._wanted.tag, latest=latest)
        except BundleError:
            hint = "run the same command again as soon as GitHub can be reached: it puts that right"
            raise UnreachableError(f"{self._wanted.tag} is off its tag for now: {error}", hint) from error
        return None


def put_back(github: GitHub, replaced: Release, tag: str, *, latest: bool) -> Release:
    """Publish a release again that was taken off its tag."""
    fields: dict[str, Field] = {
        "tag_name": tag,
        "draft": False,
        "body": unmarked(replaced.body),
        "make_latest": _word(latest),
    }
    return github.edit(replaced, fields)


def _word(latest: bool) -> str:
    """What the API calls it. It counts in the request that publishes; of a draft GitHub forgets it."""
    return "true" if latest else "false"


def remove(github: GitHub, releases: Iterable[Release]) -> None:
    """Delete drafts that are of no more use, each looked at once more: a list may be some seconds old."""
    for release in releases:
        now = github.release(release.id)
        if now and now.draft and mark_of(now.body):
            with suppress(WorkError):  # one that another run has published this instant
                github.delete_release(now)
