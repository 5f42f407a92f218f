"""Offline releases, whose numbers are never used twice: hosts keep for ever what they have of an address."""

from __future__ import annotations

import pytest

from bundler.commands.publish import publish as publish_folder
from bundler.progress import Silent
from bundler.release.parts import Cut
from bundler.release.preflight import Publication
from bundler.session import Session
from tests.cli.releasing import REPO, Releasing
from tests.github import Fault, Seen
from tests.world import Ran

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

TAG = "offline-ai-workspace-7"
ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"


def publish(ready: Releasing, *words: str, tag: str = TAG) -> Ran:
    return ready.run("publish", "dist", "--repo", REPO, "--tag", tag, "--commit", ready.hub.head, *words)


def test_it_is_published_at_its_commit_and_verifies(ready: Releasing) -> None:
    done = publish(ready)
    assert done.code == 0, done.err
    assert ready.stored(TAG) == ready.files
    assert ready.hub.tags == {TAG: ready.hub.head}
    assert f"published  {TAG} at commit {ready.hub.head}" in done.out
    verified = ready.run("verify", f"{REPO}@{TAG}")
    assert verified.code == 0, verified.out
    writes = len(ready.writes())
    assert "unchanged" in publish(ready).out
    assert len(ready.writes()) == writes


@pytest.mark.parametrize("another", [True, False])
def test_it_is_never_replaced(ready: Releasing, another: bool) -> None:
    assert publish(ready).code == 0
    assert publish(ready, tag="offline-ai-workspace-11").code == 0
    ready.hub.faults.append(Fault("uploads", "POST", "", status=502, times=-1))
    assert publish(ready, tag="offline-ai-workspace-12").code == 4  # a draft that somebody is filling
    ready.hub.faults.clear()
    if another:
        ready.another_build()
    before, writes = ready.stored(TAG), len(ready.writes())
    done = publish(ready, "--replace")
    assert done.code == 2
    assert f"{TAG} is published, and hosts keep for ever what they have of it: it is never replaced" in done.err
    assert "take the next number: --tag offline-ai-workspace-13" in done.err
    assert (ready.stored(TAG), len(ready.writes())) == (before, writes)


def test_other_bytes_are_refused_with_what_to_do(ready: Releasing) -> None:
    assert publish(ready).code == 0
    ready.another_build()
    done = publish(ready)
    assert done.code == 3
    assert f"{TAG} is published with other assets" in done.err
    assert "publish under the next number, --tag offline-ai-workspace-8" in done.err
    assert "--replace" not in done.err


def test_it_is_called_as_a_build_and_a_runtime_release_is_not(ready: Releasing) -> None:
    names: set[str | None] = set()
    ready.hub.after = lambda seen: names.update(release.name for release in ready.hub.releases())
    assert publish(ready).code == 0
    assert names == {f"Build {TAG}"}
    assert ready.publish().code == 0
    assert (ready.release(TAG).name, ready.release(ready.tag).name) == (f"Build {TAG}", ready.tag)


def test_parts_are_there_before_their_list_and_all_before_the_sums(ready: Releasing) -> None:
    settings = Session(
        manifests=ready.world.root / "manifests",
        cache_dir=ready.world.root / "cache",
        env=ready.world.env(**ready.env()),
        progress=Silent(),
        jobs=8,
    )
    size = (ready.world.dist / ARCHIVE).stat().st_size
    order = Publication(REPO, TAG, (), "", ready.hub.head, replace=False)
    wrong: list[str] = []

    def look(seen: Seen) -> None:
        for release in ready.hub.releases():
            there = {name for name, asset in release.assets.items() if asset.state == "uploaded"}
            parts = {name for name in there if ".part-" in name}
            if f"{ARCHIVE}.parts" in release.assets and not {f"{ARCHIVE}.part-{n:03}" for n in range(4)} <= parts:
                wrong.append(f"a list before its parts: {sorted(there)}")
            if "SHA256SUMS" in release.assets and f"{ARCHIVE}.parts" not in there:
                wrong.append(f"sums before the list: {sorted(there)}")
            if release.tag == TAG and release.draft:
                wrong.append("a draft under the final tag")

    ready.hub.after = look
    publish_folder(settings, ready.world.dist, order, cut=Cut(size // 3 - 9, size // 3 - 9))
    assert wrong == []
    assert f"{ARCHIVE}.part-003" in ready.stored(TAG)


def test_the_channel_stays_as_it_is(ready: Releasing) -> None:
    assert ready.publish("--channel", "latest-runtime").code == 0
    before = ready.release("latest-runtime")
    ready.another_build()
    assert publish(ready).code == 0
    assert ready.release("latest-runtime") == before
    assert publish(ready, "--channel", "latest-runtime").code == 2


def test_one_that_is_published_while_the_run_looks_is_not_replaced(ready: Releasing) -> None:
    kept = dict.fromkeys(ready.contents, b"other")
    writes = 0

    def appear(seen: object) -> None:
        # After the preflight, which asks for the tag's release and finds none.
        if not ready.hub.published(TAG) and ready.hub.asked("GET", f"/releases/tags/{TAG}"):
            ready.hub.add_release(TAG, kept, commit=ready.hub.head)

    ready.hub.after = appear
    done = publish(ready, "--replace")
    assert done.code == 3
    assert "publish under the next number, --tag offline-ai-workspace-8" in done.err
    assert len(ready.writes()) == writes


def test_what_it_lacks_is_added(ready: Releasing) -> None:
    kept = {name: content for name, content in ready.contents.items() if name != ARCHIVE}
    ready.hub.add_release(TAG, kept, commit=ready.hub.head)
    assert "completed" in publish(ready).out
    assert ready.stored(TAG) == ready.files
