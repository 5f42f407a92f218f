"""What readers see at each request of a `publish`, drafts included: none has a tag that they look for."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bundler.release.notes import Mark, Role
from tests.cli.releasing import REPO, Releasing
from tests.github import Fault, Seen

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

CHANNEL = "latest-runtime"
OFFLINE = "offline-ai-workspace-7"
# What consumers look for, some at the beginning of a tag.
LOOKED_FOR = ("runtime-", "offline-ai-workspace-", CHANNEL)
PATCH_RELEASE = r"/releases/\d+$"


def watched(ready: Releasing) -> list[str]:
    """What is wrong with the tags of all releases, after each request from now on."""
    wrong: list[str] = []

    def look(seen: Seen) -> None:
        for release in ready.hub.releases():
            if release.draft and release.tag.startswith(LOOKED_FOR):
                wrong.append(f"{seen.method} {seen.path}: a draft under {release.tag}")
            if not release.draft and not release.tag.startswith(LOOKED_FOR):
                wrong.append(f"{seen.method} {seen.path}: {release.tag} is published")
            if not release.draft and {asset.state for asset in release.assets.values()} != {"uploaded"}:
                wrong.append(f"{seen.method} {seen.path}: {release.tag} is not whole")

    ready.hub.after = look
    return wrong


def first(ready: Releasing) -> None:
    """Nothing is there yet."""


def other_bytes(ready: Releasing) -> None:
    """A release and its channel are there, and dist/ holds others."""
    assert ready.publish("--channel", CHANNEL).code == 0
    ready.another_build()


def broken_upload(ready: Releasing) -> None:
    """A draft is there that lacks an asset."""
    ready.hub.faults.append(Fault("uploads", "POST", r"debian-13-amd64", status=502, times=-1))
    assert ready.publish("--channel", CHANNEL).code == 4
    ready.hub.faults.clear()


def ended_in_the_switch(ready: Releasing) -> None:
    """The old release is off its tag, and the new one is not published."""
    other_bytes(ready)
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=1, times=-1))
    assert ready.publish("--channel", CHANNEL, "--replace").code == 4
    ready.hub.faults.clear()
    assert ready.hub.release(ready.tag) is None


def failed_switch(ready: Releasing) -> None:
    """The old release was put back, as the new one could not be published."""
    other_bytes(ready)
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=1, times=5))
    assert ready.publish("--channel", CHANNEL, "--replace").code == 4
    ready.hub.faults.clear()


@pytest.mark.parametrize("before", [first, other_bytes, broken_upload, ended_in_the_switch, failed_switch])
def test_no_draft_has_a_tag_that_is_looked_for(ready: Releasing, before: Callable[[Releasing], None]) -> None:
    wrong = watched(ready)
    before(ready)
    done = ready.publish("--channel", CHANNEL, "--replace")
    assert done.code == 0, done.err
    assert wrong == []
    assert ready.stored(ready.tag) == ready.files
    assert {release.tag for release in ready.hub.releases()} == {ready.tag, CHANNEL}
    assert ready.hub.tags == {ready.tag: ready.hub.head, CHANNEL: ready.hub.head}


def test_neither_has_a_draft_of_an_offline_release(ready: Releasing) -> None:
    wrong = watched(ready)
    done = ready.run("publish", "dist", "--repo", REPO, "--tag", OFFLINE, "--commit", ready.hub.head)
    assert done.code == 0, done.err
    assert wrong == []
    assert ready.stored(OFFLINE) == ready.files
    assert ready.hub.tags == {OFFLINE: ready.hub.head}


def old_draft(ready: Releasing, role: Role, tag: str, names: str) -> int:
    """A draft as versions before left it: under the final tag."""
    mark = f"<!-- aiws-bundle: {role} of {tag} by {'a' * 16}; the next publish uses or removes this -->\n"
    held = {name: content for name, content in ready.contents.items() if re.search(names, name)}
    return ready.hub.add_release(tag, held, draft=True, body=mark + "the text")


def test_drafts_of_versions_before_are_finished_and_cleaned(ready: Releasing) -> None:
    begun = old_draft(ready, "draft", ready.tag, "debian-12")
    old_draft(ready, "draft", ready.tag, "debian-13")
    old_draft(ready, "replaced", CHANNEL, "debian-13-amd64")
    filled: list[str] = []

    def look(seen: Seen) -> None:
        if seen.role == "uploads":
            number = int(re.findall(r"\d+", seen.path)[-1])
            filled.extend(release.tag for release in ready.hub.releases() if release.id == number)

    ready.hub.after = look
    done = ready.run("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag, "--channel", CHANNEL)
    assert done.code == 0, done.err
    assert set(done.json()["release"]["kept"]) >= {"litellm-runtime-debian-12-amd64.tar.gz"}
    assert ready.release(ready.tag).id == begun
    assert set(filled) == {f"draft-{ready.tag}", f"draft-{CHANNEL}"}
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.drafts() == []
    assert len(ready.published()) == 2


def test_drafts_of_other_tags_are_told_and_what_is_wrong_with_those_of_versions_before(ready: Releasing) -> None:
    other = "runtime-000000000001"
    old_draft(ready, "draft", other, "debian-12")
    done = ready.publish()
    assert f"a publish of {other} was not finished" in done.err
    assert "who lists drafts takes it for a release" in done.err
    ready.hub.kept[min(ready.hub.kept)].tag = f"draft-{other}"
    again = ready.publish()
    assert f"a publish of {other} was not finished" in again.err
    assert "takes it for" not in again.err


def test_a_release_that_a_version_before_took_off_its_tag_is_put_back(ready: Releasing) -> None:
    number = old_draft(ready, "replaced", ready.tag, ".")
    done = ready.publish()
    assert done.code == 0, done.err
    assert "unchanged" in done.out
    assert (ready.release(ready.tag).id, ready.release(ready.tag).body) == (number, "the text")


def test_a_release_is_published_with_tag_and_commit_in_one_request(ready: Releasing) -> None:
    seen_before: list[tuple[bool, str, str | None]] = []

    def look(seen: Seen) -> None:
        for release in ready.hub.releases():
            seen_before.append((release.draft, release.tag, ready.hub.tags.get(release.tag)))

    ready.hub.after = look
    assert ready.publish().code == 0
    draft, final = f"draft-{ready.tag}", ready.tag
    assert set(seen_before) == {(True, draft, None), (False, final, ready.hub.head)}


def test_a_mark_of_a_draft_names_the_final_tag(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", "", status=502, times=-1))
    assert ready.publish().code == 4
    (draft,) = ready.hub.drafts()
    assert (draft.tag, draft.name) == (f"draft-{ready.tag}", ready.tag)
    assert (draft.body or "").startswith(Mark("draft", ready.tag, "").render()[:40])
