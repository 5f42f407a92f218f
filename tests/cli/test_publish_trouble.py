"""`publish` when others publish too, when the switch breaks in the middle, and when somebody has no patience."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bundler.adapters.github import GitHub
from bundler.adapters.http import Http
from bundler.errors import WorkError
from bundler.model.release import Piece
from bundler.progress import Silent
from bundler.release.content import generated
from bundler.release.fill import Filler
from bundler.release.switch import Draft, Wanted
from tests.cli.releasing import FIRST, REPO, Releasing
from tests.github import Fault, Seen

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

PATCH_RELEASE = r"/releases/\d+$"
ARCHIVE = "litellm-runtime-debian-13-amd64.tar.gz"
CHANNEL = ("--channel", "latest-runtime")


@pytest.fixture
def client(ready: Releasing) -> Iterator[GitHub]:
    http = Http()
    yield GitHub(http, ready.hub.api, REPO, ready.hub.token, lambda text: None)
    http.close()


def pieces(text: bytes) -> tuple[Piece, ...]:
    return (generated("x.tar.gz", text), generated("SHA256SUMS", b"of " + text))


def wanted(ready: Releasing, text: bytes) -> Wanted:
    return Wanted(ready.tag, ready.hub.head, "text", pieces(text))


def filler(client: GitHub) -> Filler:
    import threading

    return Filler(client, Silent(), 2, threading.Event())


def test_a_run_whose_draft_another_took_changes_and_publishes_nothing(ready: Releasing, client: GitHub) -> None:
    first, second = wanted(ready, b"first"), wanted(ready, b"second")
    mine = Draft(client, first, "a" * 16)
    filler(client).fill(mine.release, first.pieces, mine.check)
    theirs = Draft(client, second, "b" * 16)
    assert theirs.release.id == mine.release.id
    for work in (lambda: filler(client).fill(mine.release, first.pieces, mine.check), lambda: mine.publish(None)):
        with pytest.raises(WorkError, match="another run took over"):
            work()
    filler(client).fill(theirs.release, second.pieces, theirs.check)
    theirs.publish(None)
    assert ready.stored(ready.tag) == {piece.name: piece.sha256 for piece in second.pieces}
    with pytest.raises(WorkError, match="another run took over"):
        mine.publish(None)


def test_a_published_release_is_not_filled_by_a_run_that_thinks_it_is_its_draft(
    ready: Releasing, client: GitHub
) -> None:
    first, second = wanted(ready, b"first"), wanted(ready, b"second")
    mine = Draft(client, first, "a" * 16)
    filler(client).fill(mine.release, first.pieces, mine.check)
    mine.publish(None)
    with pytest.raises(WorkError):
        filler(client).fill(mine.release, second.pieces, mine.check)
    assert ready.stored(ready.tag) == {piece.name: piece.sha256 for piece in first.pieces}


def test_a_draft_that_is_published_before_it_is_claimed_keeps_its_tag(ready: Releasing, client: GitHub) -> None:
    first = wanted(ready, b"first")
    mine = Draft(client, first, "a" * 16)
    filler(client).fill(mine.release, first.pieces, mine.check)
    tags: set[tuple[str, bool]] = set()

    def look(seen: Seen) -> None:
        tags.update((release.tag, release.draft) for release in ready.hub.releases())
        if (seen.method, seen.path) == ("GET", f"/repos/{REPO}/releases") and not ready.published():
            mine.publish(None)

    ready.hub.after = look
    with pytest.raises(WorkError, match="another run published"):
        Draft(client, wanted(ready, b"second"), "b" * 16)
    assert tags == {(f"draft-{ready.tag}", True), (ready.tag, False)}
    assert ready.stored(ready.tag) == {piece.name: piece.sha256 for piece in first.pieces}
    assert ready.release(ready.tag).body == "text"


def test_a_release_that_is_no_channel_is_not_taken_for_one(ready: Releasing) -> None:
    ready.hub.add_release("v1", {"notes.txt": b"mine"}, body="my release")
    done = ready.publish("--channel", "v1")
    assert done.code == 1
    assert "no channel" in done.err
    assert ready.writes() == []


@pytest.mark.usefixtures("published")
def test_a_lost_first_half_of_the_switch_is_undone(ready: Releasing) -> None:
    before = ready.stored(ready.tag)
    ready.another_build()
    # Claiming is no PATCH for a new draft: the first five are tries to take the old release off its tag.
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, lose_answer=True, times=5))
    assert ready.publish("--replace").code == 4
    assert ready.stored(ready.tag) == before
    assert ready.publish("--replace").code == 0
    assert ready.hub.drafts() == []


@pytest.mark.usefixtures("published")
def test_a_lost_answer_to_the_second_half_of_the_switch_is_a_success(ready: Releasing) -> None:
    ready.another_build()
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, lose_answer=True, after=1, times=5))
    done = ready.publish("--replace")
    assert done.code == 0, done.err
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.drafts() == []


@pytest.mark.usefixtures("released")
def test_a_channel_off_its_tag_is_put_back_by_any_publish(ready: Releasing) -> None:
    held = ready.stored("latest-runtime")
    release = ready.hub.published("latest-runtime")
    assert release is not None
    mark = f"<!-- aiws-bundle: replaced of latest-runtime by {'a' * 16}; the next publish uses or removes this -->\n"
    release.draft, release.body = True, mark + "the text"
    assert ready.publish().code == 0
    assert ready.stored("latest-runtime") == held
    assert ready.release("latest-runtime").body == "the text"


def test_immutable_releases_are_noticed_without_the_right_to_ask(ready: Releasing) -> None:
    ready.hub.immutable, ready.hub.tells_settings = True, False
    done = ready.publish(*CHANNEL)
    assert done.code == 1
    assert "latest-runtime cannot move" in done.err
    assert [release.tag for release in ready.published()] == [ready.tag]
    assert ready.stored(ready.tag) == ready.files
    writes = len(ready.writes())
    assert ready.publish(*CHANNEL).code == 1
    assert len(ready.writes()) == writes


@pytest.mark.usefixtures("released")
def test_publishing_an_older_release_again_does_not_move_the_channel_back(ready: Releasing) -> None:
    files = {path.name: path.read_bytes() for path in ready.world.dist.iterdir()}
    ready.another_build()
    newer = "f" * 40
    ready.hub.commits.add(newer)
    words = ("publish", "dist", "--repo", REPO, "--tag", f"runtime-{newer[:12]}", "--commit", newer)
    assert ready.run(*words, *CHANNEL).code == 0
    held = ready.stored("latest-runtime")
    for name, content in files.items():
        (ready.world.dist / name).write_bytes(content)
    ready.epoch = FIRST
    writes = len(ready.writes())
    again = ready.publish(*CHANNEL)
    assert again.code == 0, again.err
    assert "left alone  latest-runtime" in again.out
    assert f"it follows runtime-{newer[:12]}" in again.out
    assert len(ready.writes()) == writes
    assert ready.stored("latest-runtime") == held
    assert ready.publish(*CHANNEL, "--replace").code == 0
    assert ready.stored("latest-runtime") != held


@pytest.mark.usefixtures("released")
def test_a_channel_that_is_put_back_does_not_become_the_latest_release(ready: Releasing) -> None:
    ready.another_build()
    commit = "f" * 40
    ready.hub.commits.add(commit)
    # Six PATCHes go through: publishing the release, taking the channel off its tag; then none that publishes it.
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=2, times=5))
    words = ("publish", "dist", "--repo", REPO, "--tag", f"runtime-{commit[:12]}", "--commit", commit)
    assert ready.run(*words, *CHANNEL).code == 4
    latest = ready.hub.latest()
    assert latest is not None
    assert latest.tag.startswith("runtime-")
    assert ready.hub.published("latest-runtime") is not None


def test_a_git_tag_that_is_seen_late_is_waited_for(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("api", "GET", "/git/ref/tags/", status=404, after=2, times=2))
    assert ready.publish().code == 0
    assert ready.stored(ready.tag) == ready.files


@pytest.mark.usefixtures("published")
def test_a_dry_run_tells_the_truth_about_a_release_off_its_tag(ready: Releasing) -> None:
    release = ready.hub.published(ready.tag)
    assert release is not None
    mark = f"<!-- aiws-bundle: replaced of {ready.tag} by {'a' * 16}; the next publish uses or removes this -->\n"
    release.draft, release.body = True, mark
    writes = len(ready.writes())
    planned = ready.publish("--dry-run")
    assert "unchanged" in planned.out
    assert "would first be put back" in planned.out
    assert len(ready.writes()) == writes
    assert "unchanged" in ready.publish().out
    assert ready.stored(ready.tag) == ready.files


@pytest.mark.parametrize("state", ["new", "same", "other", "incomplete"])
def test_a_dry_run_says_what_then_happens(ready: Releasing, state: str) -> None:
    words: tuple[str, ...] = ("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag, *CHANNEL)
    if state == "incomplete":
        kept = {name: content for name, content in ready.contents.items() if name != ARCHIVE}
        ready.hub.add_release(ready.tag, kept, commit=ready.hub.head)
    elif state != "new":
        assert ready.publish().code == 0
    if state == "other":
        ready.another_build()
        words = (*words, "--replace")
    planned, done = ready.run(*words, "--dry-run").json(), ready.run(*words).json()
    verbs = {"would publish": "published", "would replace": "replaced", "would complete": "completed"}
    for part in ("release", "channel"):
        assert verbs.get(planned[part]["state"], planned[part]["state"]) == done[part]["state"]
        assert planned[part]["uploaded"] == done[part]["uploaded"]
        assert planned[part]["uploaded_bytes"] == done[part]["uploaded_bytes"]


def test_unfinished_work_of_other_tags_is_told(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", "", status=502, times=-1))
    assert ready.publish().code == 4
    ready.hub.faults.clear()
    commit = "f" * 40
    ready.hub.commits.add(commit)
    words = ("publish", "dist", "--repo", REPO, "--tag", f"runtime-{commit[:12]}", "--commit", commit)
    done = ready.run(*words)
    assert done.code == 0
    assert f"a publish of {ready.tag} was not finished" in done.err


def test_all_that_is_wrong_is_told_even_if_words_are(ready: Releasing) -> None:
    done = ready.publish(
        "--targets", "debain", "--commit", "0" * 40, "--channel", "runtime-x", token=ready.hub.reader_token
    )
    for text in ("unknown target 'debain'", "names another commit", "cannot be called runtime-x", "may not write"):
        assert text in done.err
    assert ready.writes() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Fault("uploads", "POST", "", stall=20, times=-1),
        Fault("uploads", "POST", "", status=429, headers={"Retry-After": "40"}, times=-1),
    ],
)
def test_ctrl_c_ends_at_once_with_130_and_one_document(ready: Releasing, fault: Fault) -> None:
    ready.hub.faults.append(fault)
    argv = [sys.executable, "-m", "bundler", "--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag]
    env = ready.world.env(**ready.env())
    process = subprocess.Popen(
        argv, cwd=ready.world.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not any(seen.role == "uploads" for seen in list(ready.hub.seen)) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=15)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert json.loads(out)["error"]["exit_code"] == 130
    ready.hub.closing.set()
