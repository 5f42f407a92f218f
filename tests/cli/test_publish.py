"""`publish` against a server that behaves like GitHub, with real bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.releasing import FIRST, REPO, Releasing, releasing
from tests.github import Fault
from tests.world import World

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

OFFLINE = "offline-ai-workspace-7"
NO_TAGS = (
    "v1",
    "runtime-latest",
    "runtime-3ad385a8a46",
    "offline-ai-workspace-07",
    "offline-ai-workspace-",
    f"draft-{OFFLINE}",
)
UPLOAD = r"/releases/\d+/assets\?"
PATCH_RELEASE = r"/releases/\d+$"


def test_a_release_appears_whole_and_at_its_commit(ready: Releasing) -> None:
    done = ready.publish()
    assert done.code == 0, done.err
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.tags[ready.tag] == ready.hub.head
    assert ready.hub.drafts() == []
    assert f"published  {ready.tag} at commit {ready.hub.head}" in done.out


def test_it_is_published_after_everything_is_there(ready: Releasing) -> None:
    assert ready.publish().code == 0
    order = [seen.method for seen in ready.writes()]
    assert order == ["POST"] * (len(order) - 1) + ["PATCH"]


def test_a_second_run_uploads_nothing_and_changes_nothing(ready: Releasing) -> None:
    assert ready.publish().code == 0
    before, uploaded = len(ready.writes()), ready.hub.uploaded_bytes
    done = ready.run("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag)
    assert done.code == 0, done.err
    assert len(ready.writes()) == before
    assert ready.hub.uploaded_bytes == uploaded
    assert done.json()["release"]["state"] == "unchanged"
    assert done.json()["release"]["uploaded_bytes"] == 0
    assert done.json()["release"]["kept"] == sorted(ready.files)


def test_a_failed_run_publishes_nothing_and_the_next_one_uploads_only_what_is_missing(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", r"debian-13-amd64", status=502, times=-1))
    done = ready.publish()
    assert done.code == 4
    assert "debian-13-amd64" in done.err
    assert "run again" in done.err
    assert ready.published() == []
    there = {name for draft in ready.hub.drafts() for name, a in draft.assets.items() if a.state == "uploaded"}
    assert len(there) >= 1
    ready.hub.faults.clear()
    again = ready.run("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag).json()["release"]
    assert set(again["kept"]) == there
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.drafts() == []


def test_the_wreck_of_a_broken_upload_is_removed_before_the_retry(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", UPLOAD, drop_after=100, times=3))
    done = ready.publish()
    assert done.code == 0, done.err
    assert ready.stored(ready.tag) == ready.files


def test_a_lost_answer_does_not_upload_twice(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", UPLOAD, lose_answer=True, times=2))
    assert ready.publish().code == 0
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.uploaded_bytes == sum(map(len, ready.contents.values()))


def test_a_lost_answer_to_the_new_draft_leaves_no_second_one(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("api", "POST", r"/releases$", lose_answer=True, times=1))
    assert ready.publish().code == 0
    assert ready.hub.drafts() == []
    assert len(ready.published()) == 1


def test_what_was_stored_wrongly_is_sent_again(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", UPLOAD, corrupt=True, times=2))
    assert ready.publish().code == 0
    assert ready.stored(ready.tag) == ready.files


def test_what_is_always_stored_wrongly_is_not_published(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", "debian-12-amd64", corrupt=True, times=-1))
    done = ready.publish()
    assert done.code == 3
    assert "expected" in done.err
    assert "actual" in done.err
    assert ready.published() == []


def test_a_name_that_github_changes_is_not_published(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("uploads", "POST", "debian-12-amd64", rename="other.tar.gz", times=1))
    done = ready.publish()
    assert done.code == 3
    assert "stores it as other.tar.gz" in done.err
    assert ready.published() == []


def test_without_digests_the_stored_bytes_are_compared(ready: Releasing) -> None:
    ready.hub.digests = False
    ready.hub.faults.append(Fault("uploads", "POST", "debian-12-amd64", corrupt=True, times=1))
    first = ready.publish()
    assert first.code == 3
    assert ready.published() == []
    again = ready.publish()
    assert again.code == 0, again.err
    assert ready.stored(ready.tag) == ready.files
    uploaded = ready.hub.uploaded_bytes
    assert ready.publish().code == 0
    assert ready.hub.uploaded_bytes == uploaded


@pytest.mark.slow
def test_rate_limits_are_waited_for(ready: Releasing) -> None:
    limited = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
    ready.hub.faults += [
        Fault("uploads", "POST", UPLOAD, status=403, headers={"Retry-After": "1"}, body=limited, times=1),
        Fault("api", "PATCH", PATCH_RELEASE, status=429, headers={"Retry-After": "0"}, times=1),
    ]
    done = ready.publish()
    assert done.code == 0, done.err
    assert "GitHub asks to wait 1 s" in done.err
    assert ready.stored(ready.tag) == ready.files


def test_a_rate_limit_of_hours_ends_the_run(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("api", "POST", r"/releases$", status=403, headers={"Retry-After": "7200"}, times=-1))
    done = ready.publish()
    assert done.code == 4
    assert "come back in 7200 s" in done.err


@pytest.mark.usefixtures("published")
def test_other_bytes_under_a_published_tag_are_refused(ready: Releasing) -> None:
    before = ready.stored(ready.tag)
    ready.another_build()
    writes = len(ready.writes())
    done = ready.publish()
    assert done.code == 3
    assert "--replace" in done.err
    assert before["SHA256SUMS"] in done.err
    assert ready.stored(ready.tag) == before
    assert len(ready.writes()) == writes


@pytest.mark.usefixtures("published")
def test_replace_switches_to_the_new_set_at_once(ready: Releasing) -> None:
    old = ready.release(ready.tag)
    ready.another_build()
    assert ready.publish("--replace").code == 0
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.drafts() == []
    assert len(ready.published()) == 1
    assert ready.release(ready.tag).id != old.id


@pytest.mark.usefixtures("published")
def test_when_the_switch_fails_the_old_release_is_back(ready: Releasing) -> None:
    before = ready.stored(ready.tag)
    body = ready.release(ready.tag).body
    ready.another_build()
    # The first PATCH takes the old release off the tag; the next five are tries to publish the new one.
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=1, times=5))
    done = ready.publish("--replace")
    assert done.code == 4
    assert ready.stored(ready.tag) == before
    assert ready.release(ready.tag).body == body
    again = ready.publish("--replace")
    assert again.code == 0, again.err
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.drafts() == []


@pytest.mark.usefixtures("published")
def test_a_run_that_ended_in_the_switch_is_put_right_by_the_next_one(ready: Releasing) -> None:
    before = ready.stored(ready.tag)
    ready.another_build()
    # Neither publishing the new one nor putting back the old one works: as if killed in between.
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=1, times=-1))
    assert ready.publish("--replace").code == 4
    assert ready.published() == []
    ready.hub.faults.clear()
    done = ready.publish()  # even without --replace: what replaces it was complete
    assert done.code == 0, done.err
    assert ready.stored(ready.tag) == ready.files != before
    assert ready.hub.drafts() == []


@pytest.mark.usefixtures("published")
def test_a_release_whose_replacement_was_lost_is_put_back(ready: Releasing) -> None:
    before = ready.stored(ready.tag)
    ready.another_build()
    ready.hub.faults.append(Fault("api", "PATCH", PATCH_RELEASE, status=500, after=1, times=-1))
    assert ready.publish("--replace").code == 4
    ready.hub.faults.clear()
    for path in ready.world.dist.iterdir():
        path.unlink()
    ready.epoch = FIRST
    assert ready.world.run("build", "all").code == 0
    done = ready.publish()
    assert done.code == 0, done.err
    assert ready.stored(ready.tag) == before == ready.files
    assert ready.hub.drafts() == []


def test_a_published_release_that_lacks_an_asset_is_completed(ready: Releasing) -> None:
    kept = {name: content for name, content in ready.contents.items() if name != ARCHIVE}
    ready.hub.add_release(ready.tag, kept, commit=ready.hub.head)
    done = ready.run("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag)
    assert done.code == 0, done.err
    assert done.json()["release"]["state"] == "completed"
    assert done.json()["release"]["uploaded"] == [ARCHIVE]
    assert ready.stored(ready.tag) == ready.files


def test_drafts_of_other_people_are_left_alone(ready: Releasing) -> None:
    ready.hub.add_release(ready.tag, {"notes.txt": b"mine"}, draft=True, body="my own draft")
    assert ready.publish().code == 0
    assert [draft.body for draft in ready.hub.drafts()] == ["my own draft"]
    assert ready.stored(ready.tag) == ready.files


def test_a_channel_follows(ready: Releasing) -> None:
    done = ready.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    held = ready.stored("latest-runtime")
    archives = {name: sha256 for name, sha256 in ready.files.items() if name != "SHA256SUMS"}
    assert {n: held[n] for n in archives} == archives
    assert set(held) - set(archives) == {"SHA256SUMS", "channel.json"}
    release = ready.release("latest-runtime")
    channel = json.loads(release.assets["channel.json"].path.read_bytes())
    assert (channel["tag"], channel["commit"]) == (ready.tag, ready.hub.head)
    assert {name: asset["sha256"] for name, asset in channel["assets"].items()} == ready.files
    sums = release.assets["SHA256SUMS"].path.read_text()
    assert f"{held['channel.json']}  channel.json\n" in sums
    assert ready.hub.tags["latest-runtime"] == ready.hub.head


@pytest.mark.usefixtures("released")
def test_a_channel_that_is_there_moves_with_its_tag(ready: Releasing) -> None:
    ready.another_build()
    commit = "f" * 40
    ready.hub.commits.add(commit)
    words = ("publish", "dist", "--repo", REPO, "--tag", f"runtime-{commit[:12]}", "--commit", commit)
    done = ready.run(*words, "--channel", "latest-runtime")
    assert done.code == 0, done.err
    assert ready.hub.tags["latest-runtime"] == commit
    channel = json.loads(ready.release("latest-runtime").assets["channel.json"].path.read_bytes())
    assert channel["tag"] == f"runtime-{commit[:12]}"
    assert len(ready.published()) == 3
    assert ready.hub.drafts() == []
    uploaded, writes = ready.hub.uploaded_bytes, len(ready.writes())
    assert ready.run(*words, "--channel", "latest-runtime").code == 0
    assert (ready.hub.uploaded_bytes, len(ready.writes())) == (uploaded, writes)


def test_where_releases_are_immutable_only_the_channel_cannot_work(ready: Releasing) -> None:
    ready.hub.immutable = True
    refused = ready.publish("--channel", "latest-runtime")
    assert refused.code == 1
    assert "latest-runtime cannot move" in refused.err
    assert "leave --channel out" in refused.err
    assert "channel.json on a branch" in refused.err
    assert "never delete an immutable latest-runtime" in refused.err
    assert ready.writes() == []
    assert ready.publish().code == 0
    assert ready.stored(ready.tag) == ready.files
    assert ready.publish().code == 0
    ready.another_build()
    assert "immutable" in ready.publish("--replace").err


def test_an_immutable_channel_is_given_up_for_another_name(ready: Releasing) -> None:
    """What was published while releases were immutable stays so; deleted, GitHub would reserve its name for ever."""
    ready.hub.add_release("latest-runtime", {"channel.json": b"{}"}, immutable=True)
    refused = ready.publish("--channel", "latest-runtime")
    assert refused.code == 1
    assert "latest-runtime is immutable, so it cannot move" in refused.err
    assert "give another name with --channel" in refused.err
    assert "never delete an immutable latest-runtime" in refused.err
    assert ready.writes() == []
    assert ready.publish("--channel", "newest").code == 0
    assert "channel.json" in ready.stored("newest")


@pytest.mark.parametrize("channel", ["runtime-latest", "TAG", "offline-ai-workspace-latest"])
def test_a_channel_may_not_look_like_a_release(ready: Releasing, channel: str) -> None:
    done = ready.publish("--channel", ready.tag if channel == "TAG" else channel)
    assert done.code == 2
    assert "cannot be called" in done.err


ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"


def test_archives_of_other_locks_or_another_time_are_refused_and_named(ready: Releasing) -> None:
    ready.epoch = "1000000000"
    done = ready.publish()
    assert done.code == 3
    assert f"not made of the manifests and locks here: {ARCHIVE}, " in done.err
    ready.epoch = FIRST

    assert ready.world.run("lock", "debian-12-amd64", "--set", "litellm=1.1").code == 0
    done = ready.publish()
    assert done.code == 3
    assert f"not made of the manifests and locks here: {ARCHIVE}" in done.err
    assert "debian-13" not in done.err.partition("not made of")[2]
    assert "run `aiws-bundle build debian-12-amd64 --component litellm`" in done.err
    assert ready.writes() == []


def test_archives_of_mixed_versions_are_refused_and_named(ready: Releasing) -> None:
    assert ready.world.run("lock", "debian-12-amd64", "--set", "litellm=1.1").code == 0
    assert ready.world.run("build", "all").code == 0
    done = ready.publish()
    assert done.code == 3
    assert "mixed versions, where the manifests say litellm[proxy]==1.0 for all" in done.err
    assert f"litellm[proxy]==1.1: {ARCHIVE}\n" in done.err
    assert "litellm[proxy]==1.0: litellm-runtime-debian-13-amd64.tar.gz" in done.err
    assert ready.writes() == []
    assert ready.publish("--targets", "debian-12-amd64").code == 0


def test_a_target_whose_lock_is_gone_is_named(ready: Releasing) -> None:
    for path in (ready.world.root / "manifests" / "locks").glob("*debian-12-amd64*"):
        path.unlink()
    done = ready.publish()
    assert done.code == 2
    assert "not locked: debian-12-amd64" in done.err


def rehearsal(ready: Releasing, name: str, **more: object) -> str:
    """What `--json rehearse` prints of an archive of dist/."""
    steps = [{"name": "install", "seconds": 1.0, "ok": more.get("ok", True), "attempts": []}]
    document = {"archive": f"dist/{name}", "root": "/", "ok": True, "versions": {}, "steps": steps, **more}
    (ready.world.root / f"{name}.json").write_text(json.dumps(document))
    return f"{name}.json"


def test_rehearsals_are_evidence_and_targets_without_one_are_told(ready: Releasing) -> None:
    done = ready.publish("--dry-run")
    assert "not rehearsed: debian-12-amd64, debian-13-amd64" in done.out
    names = [name for name in sorted(ready.files) if name.endswith(".tar.gz")]
    words = [word for name in names for word in ("--rehearsal", rehearsal(ready, name))]
    done = ready.publish("--dry-run", *words[:2])
    assert "not rehearsed: debian-13-amd64\n" in done.out
    done = ready.run("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag, *words)
    assert done.code == 0, done.err
    assert done.json()["unrehearsed"] == []


def test_a_rehearsal_that_failed_refuses(ready: Releasing) -> None:
    done = ready.publish("--rehearsal", rehearsal(ready, ARCHIVE, ok=False))
    assert done.code == 1
    assert f"{ARCHIVE}: its rehearsal failed: install" in done.err
    other = ready.publish("--targets", "debian-13", "--rehearsal", f"{ARCHIVE}.json", "--dry-run")
    assert other.code == 0, other.err
    (ready.world.root / "none.json").write_text('{"error": {"message": "no sandbox", "exit_code": 1}}')
    done = ready.publish("--rehearsal", "none.json")
    assert done.code == 1
    assert "none.json: a rehearsal without a result: no sandbox" in done.err
    done = ready.publish("--rehearsal", rehearsal(ready, ARCHIVE, sha256="0" * 64))
    assert done.code == 3
    assert f"{ARCHIVE}: what was rehearsed is another archive" in done.err
    assert ready.publish("--rehearsal", "nowhere.json").code == 2
    assert ready.writes() == []


def test_every_problem_is_named_at_once_and_nothing_is_changed(ready: Releasing) -> None:
    (ready.world.dist / "litellm-runtime-debian-12-amd64.tar.gz").unlink()
    with (ready.world.dist / "litellm-runtime-debian-13-amd64.tar.gz").open("ab") as file:
        file.write(b"x")
    ready.hub.tags[ready.tag] = "e" * 40
    done = ready.publish(token=ready.hub.reader_token)
    assert done.code == 3
    for words in ("debian-12-amd64.tar.gz", "debian-13-amd64.tar.gz", "at " + "e" * 40, "may not write"):
        assert words in done.err
    assert ready.writes() == []


def test_without_a_token_nothing_is_tried(ready: Releasing) -> None:
    done = ready.publish(token="")
    assert done.code == 2
    assert "GH_TOKEN or GITHUB_TOKEN" in done.err
    assert ready.writes() == []


def test_a_server_that_is_not_there_is_told_once(ready: Releasing) -> None:
    nowhere = "http://127.0.0.1:9/api/v3"
    words = ("publish", "dist", "--repo", REPO, "--tag", ready.tag, "--dry-run")
    done = ready.world.run(*words, GITHUB_API_URL=nowhere, GH_TOKEN="a-token", GITHUB_TOKEN="")
    assert done.code == 4
    assert done.err.count(f"  - {nowhere}/") == 1


def test_a_missing_target_is_refused_unless_others_are_asked_for(ready: Releasing) -> None:
    for path in ready.world.dist.iterdir():
        path.unlink()
    assert ready.world.run("build", "debian-12").code == 0
    refused = ready.publish()
    assert refused.code == 2
    told = "dist has no archive for debian-13-amd64 (run `aiws-bundle build debian-13-amd64`, or name what there is "
    assert told in refused.err
    assert ready.publish("--targets", "debian-12").code == 0
    assert ready.stored(ready.tag) == ready.files


@pytest.mark.parametrize("folder", ["empty", "nowhere"])
def test_a_folder_without_archives_is_told_with_what_to_run(ready: Releasing, folder: str) -> None:
    (ready.world.root / "empty").mkdir()
    done = ready.run("publish", folder, "--repo", REPO, "--tag", ready.tag)
    assert done.code == 2
    assert ("empty holds no archive" if folder == "empty" else "nowhere is not a folder") in done.err
    assert f"aiws-bundle build all --out {folder}" in done.err
    assert "GitHub does not store" not in done.err
    assert "is missing" not in done.err
    assert ready.writes() == []


def test_what_is_not_asked_for_is_left_out_and_not_in_the_checksums(ready: Releasing) -> None:
    done = ready.publish("--targets", "debian-12")
    assert done.code == 0, done.err
    assert "left out, not among --targets: litellm-runtime-debian-13-amd64.tar.gz" in done.out
    release = ready.release(ready.tag)
    assert set(release.assets) == {name for name in ready.files if "debian-13" not in name}
    assert "debian-13" not in release.assets["SHA256SUMS"].path.read_text()


def test_only_what_belongs_to_a_release_is_published(ready: Releasing) -> None:
    name = "litellm-runtime-debian-12-amd64.tar.gz.sig"
    files = ready.files
    for path in (name, "SHA256SUMS.sig", "notes.txt"):
        (ready.world.dist / path).write_text("x")
    assert ready.world.run("build", "all").code == 0
    assert name in (ready.world.dist / "SHA256SUMS").read_text()
    done = ready.publish()
    assert done.code == 0, done.err
    assert ready.stored(ready.tag) == files
    assert f"left out, as no release holds it: {name}" in done.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--tag", "runtime-000000000000", "--commit", "f" * 40], 2, "names another commit"),
        (["--tag", OFFLINE], 2, f"which commit is {OFFLINE}?"),
        (["--tag", OFFLINE, "--commit", "abcdefa"], 4, "has no commit abcdefa"),
        (["--tag", OFFLINE, "--commit", "main"], 2, "'main' is not a commit"),
        (["--tag", OFFLINE, "--channel", "latest-runtime"], 2, "latest-runtime follows runtime-* alone"),
        *((["--tag", tag], 2, f"{tag} is no release's tag") for tag in NO_TAGS),
        (["--tag", "latest-runtime"], 2, "is a channel, not a release"),
        (["--tag", "v 1"], 2, "not a tag"),
        (["--tag", OFFLINE, "--targets", "debain"], 2, "unknown target"),
    ],
)
def test_what_cannot_be_meant(ready: Releasing, words: list[str], code: int, message: str) -> None:
    done = ready.run("publish", "dist", "--repo", REPO, *words)
    assert done.code == code
    assert message in done.err
    assert ready.writes() == []


def test_the_commit_may_come_from_the_workflow(ready: Releasing) -> None:
    env = {**ready.env(), "GITHUB_REPOSITORY": REPO, "GITHUB_SHA": ready.hub.head}
    done = ready.world.run("publish", "dist", "--repo", REPO, "--tag", OFFLINE, **env)
    assert done.code == 0, done.err
    assert ready.hub.tags[OFFLINE] == ready.hub.head


def test_a_tag_that_is_there_at_the_commit_is_used(ready: Releasing) -> None:
    ready.hub.tags[ready.tag] = ready.hub.head
    ready.hub.annotated.add(ready.tag)
    assert ready.publish().code == 0
    assert ready.stored(ready.tag) == ready.files


def test_an_unknown_commit_is_refused_before_anything_is_changed(ready: Releasing) -> None:
    done = ready.run("publish", "dist", "--repo", REPO, "--tag", OFFLINE, "--commit", "f" * 40)
    assert done.code == 4
    assert "has no commit " + "f" * 40 in done.err
    assert ready.writes() == []


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(ready: Releasing) -> None:
    done = ready.publish("--dry-run", "--channel", "latest-runtime")
    assert done.code == 0, done.err
    assert f"would publish  {ready.tag} at commit {ready.hub.head}" in done.out
    assert "litellm-runtime-debian-12-amd64.tar.gz" in done.out
    assert "channel.json" in done.out
    assert ready.writes() == []


def test_a_repository_that_is_not_there(ready: Releasing) -> None:
    done = ready.run("publish", "dist", "--repo", "example/other", "--tag", ready.tag, "--commit", ready.hub.head)
    assert done.code == 4
    assert ready.published() == []


def test_many_pages_of_releases_and_assets(ready: Releasing) -> None:
    ready.hub.per_page_limit = 2
    for number in range(5):
        ready.hub.add_release(f"v{number}", {"x": b"x"})
    ready.hub.faults.append(Fault("uploads", "POST", "debian-13-amd64", status=502, times=-1))
    assert ready.publish().code == 4
    ready.hub.faults.clear()
    assert ready.publish().code == 0
    assert ready.stored(ready.tag) == ready.files
    assert ready.hub.drafts() == []


def test_the_token_goes_to_the_api_and_its_uploads_only_and_is_never_shown(ready: Releasing) -> None:
    ready.hub.digests = False  # so that assets are downloaded too
    done = ready.publish("-v")
    assert done.code == 0, done.err
    carrying = {seen.role for seen in ready.hub.seen if "authorization" in seen.headers}
    assert carrying == {"api", "uploads"}
    assert {"objects"} <= {seen.role for seen in ready.hub.seen}
    assert ready.hub.token not in done.out + done.err


def test_github_enterprise(locked: World, tmp_path: Path) -> None:
    with releasing(locked, tmp_path / "hub", enterprise=True) as ready:
        assert "/api/v3" in ready.hub.api
        done = ready.publish("--channel", "latest-runtime")
        assert done.code == 0, done.err
        assert ready.stored(ready.tag) == ready.files
