"""Which release GitHub shows as the latest: what `publish` says of each, and what it leaves as it was."""

from __future__ import annotations

import pytest

from tests.cli.releasing import REPO, Releasing
from tests.github import Fault, Seen
from tests.world import WHEELHOUSE, Ran

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

CHANNEL = "latest-runtime"
OFFLINE = "offline-ai-workspace-7"
PATCH_RELEASE = r"/releases/\d+$"
NEWER = "f" * 40


def latest(ready: Releasing) -> str:
    """The tag of the latest release."""
    found = ready.hub.latest()
    return found.tag if found else ""


def manifest(ready: Releasing, says: bool) -> None:
    ready.world.write("litellm.yaml", f"{WHEELHOUSE}latest: {str(says).lower()}\n")


def offline(ready: Releasing, *words: str) -> Ran:
    return ready.run("publish", "dist", "--repo", REPO, "--tag", OFFLINE, "--commit", ready.hub.head, *words)


def newer(ready: Releasing, *words: str) -> Ran:
    """Publish other bytes, of another commit."""
    ready.another_build()
    ready.hub.commits.add(NEWER)
    return ready.run("publish", "dist", "--repo", REPO, "--tag", f"runtime-{NEWER[:12]}", "--commit", NEWER, *words)


@pytest.mark.parametrize(
    ("says", "words", "becomes"),
    [
        (None, (), False),
        (None, ("--latest",), True),
        (True, (), True),
        (False, (), False),
        (False, ("--latest",), True),
        (True, ("--not-latest",), False),
    ],
)
def test_a_runtime_release_is_the_latest_if_the_manifest_or_the_command_says_so(
    ready: Releasing, says: bool | None, words: tuple[str, ...], becomes: bool
) -> None:
    assert offline(ready).code == 0
    assert latest(ready) == OFFLINE
    if says is not None:
        manifest(ready, says)
    done = ready.publish(*words, "--channel", CHANNEL)
    assert done.code == 0, done.err
    assert latest(ready) == (ready.tag if becomes else OFFLINE)


@pytest.mark.parametrize(("words", "becomes"), [((), True), (("--not-latest",), False)])
def test_an_offline_release_is_the_latest_unless_the_command_says_otherwise(
    ready: Releasing, words: tuple[str, ...], becomes: bool
) -> None:
    assert ready.publish("--latest").code == 0
    assert offline(ready, *words).code == 0
    assert latest(ready) == (OFFLINE if becomes else ready.tag)


def test_the_channel_is_never_the_latest(ready: Releasing) -> None:
    manifest(ready, True)
    assert ready.publish("--latest", "--channel", CHANNEL).code == 0
    assert latest(ready) == ready.tag
    ready.another_build()
    assert ready.publish("--latest", "--channel", CHANNEL, "--replace").code == 0
    assert latest(ready) == ready.tag
    assert ready.hub.published(CHANNEL) is not None


@pytest.mark.slow
@pytest.mark.parametrize("was_latest", [True, False])
@pytest.mark.parametrize("broken", [False, True])
def test_a_release_in_anothers_place_is_what_that_was(ready: Releasing, was_latest: bool, broken: bool) -> None:
    """Also where a run ended between taking the old one off its tag and publishing the new one."""
    manifest(ready, True)
    assert ready.publish().code == 0
    if not was_latest:
        assert offline(ready).code == 0
    ready.another_build()
    if broken:
        ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=1, times=-1))
        assert ready.publish("--replace").code == 4
        ready.hub.faults.clear()
        assert ready.hub.published(ready.tag) is None
    assert ready.publish("--replace").code == 0
    assert ready.stored(ready.tag) == ready.files
    assert latest(ready) == (ready.tag if was_latest else OFFLINE)


@pytest.mark.slow
@pytest.mark.parametrize("was_latest", [True, False])
def test_a_release_that_is_put_back_is_what_it_was(ready: Releasing, was_latest: bool) -> None:
    manifest(ready, True)
    assert ready.publish().code == 0
    if not was_latest:
        assert offline(ready).code == 0
    ready.another_build()
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=1, times=5))
    assert ready.publish("--replace").code == 4
    assert ready.hub.published(ready.tag) is not None
    assert latest(ready) == (ready.tag if was_latest else OFFLINE)


@pytest.mark.slow
def test_an_older_release_that_is_replaced_becomes_the_latest_only_if_asked(ready: Releasing) -> None:
    manifest(ready, True)
    assert ready.publish().code == 0
    assert newer(ready).code == 0
    assert ready.publish("--replace").code == 0
    assert latest(ready) == f"runtime-{NEWER[:12]}"
    ready.epoch = "1100000000"
    assert ready.world.run("build", "all", SOURCE_DATE_EPOCH=ready.epoch).code == 0
    assert ready.publish("--replace", "--latest").code == 0
    assert latest(ready) == ready.tag


def test_a_release_that_becomes_the_latest_while_another_is_replaced_stays_it(ready: Releasing) -> None:
    manifest(ready, True)
    assert ready.publish().code == 0
    ready.another_build()

    def appear(seen: Seen) -> None:
        if seen.role == "uploads" and not ready.hub.published(OFFLINE):
            ready.hub.add_release(OFFLINE, {"SHA256SUMS": b""})

    ready.hub.after = appear
    ready.hub.latest_id = None  # the newest one is
    assert ready.publish("--replace").code == 0
    assert ready.stored(ready.tag) == ready.files
    assert latest(ready) == OFFLINE


@pytest.mark.slow
def test_what_is_asked_for_holds_for_a_release_that_stays_as_it_is(ready: Releasing) -> None:
    assert offline(ready).code == 0
    assert ready.publish().code == 0
    writes = len(ready.writes())
    planned = ready.publish("--latest", "--dry-run")
    assert "it would be the latest release" in planned.out
    assert (latest(ready), len(ready.writes())) == (OFFLINE, writes)
    done = ready.publish("--latest")
    assert done.code == 0, done.err
    assert "unchanged" in done.out
    assert "it is the latest release" in done.out
    assert (latest(ready), len(ready.writes())) == (ready.tag, writes + 1)
    assert "latest release" not in ready.publish("--latest").out
    assert "latest release" not in ready.publish().out
    assert len(ready.writes()) == writes + 1
    assert "it is no longer the latest release" in ready.publish("--not-latest").out
    assert latest(ready) == OFFLINE


def test_manifests_that_disagree_are_told(ready: Releasing) -> None:
    manifest(ready, True)
    other = WHEELHOUSE.replace("litellm-runtime", "other-runtime").replace("component: litellm", "component: other")
    ready.world.write("other.yaml", f"{other}latest: false\n")
    done = ready.publish("--dry-run")
    assert done.code == 2
    assert "the manifests of litellm, other disagree" in done.err
    assert "give --latest or --not-latest" in done.err
    assert "disagree" not in ready.publish("--dry-run", "--latest").err


def test_it_stands_in_the_manifest_and_changes_no_archive(ready: Releasing) -> None:
    manifest(ready, True)
    assert ready.world.run("lock", "--check").code == 0
    assert "unchanged" in ready.run("build", "all").out
