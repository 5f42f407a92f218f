"""`verify OWNER/REPO@TAG` against a server that behaves like GitHub, with real bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.model.release import PART_SIZE
from bundler.pipeline.preflight import Order
from bundler.pipeline.publish import publish
from bundler.pipeline.settings import Settings
from bundler.progress import Silent
from tests.cli.releasing import REPO, Releasing, releasing
from tests.github import Fault
from tests.github.repository import Release
from tests.world import World

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"


@pytest.fixture
def ready(locked: World, tmp_path: Path) -> Iterator[Releasing]:
    """A repository with one release, and a channel that follows it."""
    with releasing(locked, tmp_path / "hub") as made:
        done = made.publish("--channel", "latest-runtime")
        assert done.code == 0, done.err
        made.hub.seen.clear()
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.adapters.http._backoff", lambda state: 0.0)


def downloads(ready: Releasing) -> int:
    return len([seen for seen in ready.hub.seen if seen.role == "objects"])


def kept(ready: Releasing, tag: str) -> Release:
    """A published release as the server keeps it."""
    release = ready.hub.published(tag)
    assert release is not None
    return release


def replace_stored(ready: Releasing, tag: str, name: str, content: bytes, *, tell: bool) -> None:
    """Change the bytes of a published asset behind everybody's back; `tell` lets GitHub know the new digest."""
    stored = kept(ready, tag).named(name)
    assert stored is not None
    stored.path.write_bytes(content)
    stored.size = len(content)
    if tell:
        stored.sha256 = hashlib.sha256(content).hexdigest()


def test_a_release_that_is_whole(ready: Releasing) -> None:
    done = ready.run("verify", f"{REPO}@{ready.tag}")
    assert done.code == 0, done.err + done.out
    assert f"ok      {ARCHIVE}: litellm[proxy]==1.0" in done.out
    assert f"ok      {REPO}@{ready.tag}: 5 assets, commit {ready.hub.head}" in done.out
    assert f"latest-runtime: channel.json names {ready.tag}" in done.out
    assert ready.writes() == []


def test_a_second_verification_downloads_nothing(ready: Releasing) -> None:
    assert ready.run("verify", f"{REPO}@{ready.tag}").code == 0
    before = downloads(ready)
    assert before > 0
    assert ready.run("verify", f"{REPO}@{ready.tag}", f"{REPO}@latest-runtime").code == 0
    again = downloads(ready) - before
    assert again == 0


def test_no_token_is_needed_where_the_repository_is_public(ready: Releasing) -> None:
    done = ready.run("verify", f"{REPO}@{ready.tag}", token="")
    assert done.code == 0, done.err


def test_digests_only_downloads_no_archive(ready: Releasing) -> None:
    done = ready.run("verify", "--digests-only", f"{REPO}@{ready.tag}")
    assert done.code == 0, done.err
    assert downloads(ready) <= 3  # SHA256SUMS of both releases, channel.json
    assert ready.run("verify", "--digests-only", "dist", f"{REPO}@{ready.tag}").code == 0


def test_digests_only_cannot_tell_where_github_tells_none(ready: Releasing) -> None:
    for release in ready.hub.kept.values():
        for asset in release.assets.values():
            asset.tells_digest = False
    done = ready.run("verify", "--digests-only", f"{REPO}@{ready.tag}")
    assert done.code == 3
    assert "verify without --digests-only" in done.out
    assert ready.run("verify", f"{REPO}@{ready.tag}").code == 0


@pytest.mark.parametrize("tell", [True, False])
def test_an_asset_that_was_replaced_is_named_with_both_digests(ready: Releasing, tell: bool) -> None:
    expected = ready.stored(ready.tag)[ARCHIVE]
    content = ready.release(ready.tag).assets[ARCHIVE].path.read_bytes()[:-1] + b"x"
    replace_stored(ready, ready.tag, ARCHIVE, content, tell=tell)
    done = ready.run("verify", f"{REPO}@{ready.tag}")
    assert done.code == 3
    assert ARCHIVE in done.out
    assert expected in done.out
    assert hashlib.sha256(content).hexdigest() in done.out


def test_missing_surplus_and_broken_assets_are_named(ready: Releasing) -> None:
    release = kept(ready, ready.tag)
    by_name = {asset.name: asset for asset in release.assets.values()}
    ready.hub.drop(release, by_name[ARCHIVE])
    ready.hub.add_release("other", {"extra.tar.gz": b"x"})
    release.assets |= kept(ready, "other").assets
    by_name["litellm-runtime-debian-13-amd64.tar.gz"].state = "starter"
    done = ready.run("--json", "verify", "--digests-only", f"{REPO}@{ready.tag}")
    assert done.code == 3
    findings = "\n".join(done.json()["releases"][0]["findings"])
    assert f"{ARCHIVE}\n    expected" in findings
    assert "actual   missing" in findings
    assert "extra.tar.gz: surplus" in findings
    assert "litellm-runtime-debian-13-amd64.tar.gz: not uploaded whole" in findings


def test_a_release_without_checksums(ready: Releasing) -> None:
    ready.hub.add_release("bare", {ARCHIVE: (ready.world.dist / ARCHIVE).read_bytes()})
    done = ready.run("verify", f"{REPO}@bare")
    assert done.code == 3
    assert "SHA256SUMS: missing" in done.out


def test_an_archive_that_does_not_close_or_is_damaged_inside(ready: Releasing) -> None:
    content = b"not an archive"
    sums = f"{hashlib.sha256(content).hexdigest()}  {ARCHIVE}\n".encode()
    ready.hub.add_release("bad", {ARCHIVE: content, "SHA256SUMS": sums})
    done = ready.run("verify", f"{REPO}@bad")
    assert done.code == 3
    assert f"NOT ok  {ARCHIVE}" in done.out


def test_latest_runtime_is_named_in_both_meanings(ready: Releasing) -> None:
    done = ready.run("--json", "verify", f"{REPO}@latest-runtime")
    assert done.code == 0, done.out
    (release,) = done.json()["releases"]
    assert release["tag"] == "latest-runtime"
    assert release["channel"] == {
        "name": "latest-runtime", "tag": ready.tag, "commit": ready.hub.head, "newest": ready.tag,
    }  # fmt: skip


def test_drift_between_channel_and_newest_release(ready: Releasing) -> None:
    commit = "f" * 40
    ready.hub.commits.add(commit)
    newer = f"runtime-{commit[:12]}"
    assert ready.run("publish", "dist", "--repo", REPO, "--tag", newer, "--commit", commit).code == 0
    done = ready.run("verify", f"{REPO}@latest-runtime")
    assert done.code == 3
    assert f"latest-runtime points at {ready.tag}, the newest release is {newer}" in done.out
    assert ready.run("verify", f"{REPO}@{newer}").code == 0


def test_drift_between_the_assets_of_channel_and_release(ready: Releasing) -> None:
    content = ready.release("latest-runtime").assets[ARCHIVE].path.read_bytes() + b"\0"
    replace_stored(ready, "latest-runtime", ARCHIVE, content, tell=True)
    for subject in ("latest-runtime", ready.tag):
        done = ready.run("verify", "--digests-only", f"{REPO}@{subject}")
        assert done.code == 3
        assert f"{ARCHIVE}: latest-runtime and {ready.tag} drift apart" in done.out


def test_without_a_channel_latest_runtime_is_the_newest_release(ready: Releasing) -> None:
    del ready.hub.kept[kept(ready, "latest-runtime").id]
    done = ready.run("verify", f"{REPO}@latest-runtime")
    assert done.code == 0, done.err
    assert f"ok      {REPO}@{ready.tag}" in done.out
    assert f"the newest release is {ready.tag}" in done.out


@pytest.mark.parametrize("subject", [f"{REPO}@runtime-none", "example/other@x"])
def test_a_release_that_is_not_there(ready: Releasing, subject: str) -> None:
    done = ready.run("verify", subject)
    assert done.code == 4
    assert "no published release" in done.err


def test_a_draft_does_not_count(ready: Releasing) -> None:
    ready.hub.add_release("draft", {"SHA256SUMS": b""}, draft=True)
    assert ready.run("verify", f"{REPO}@draft").code == 4


def test_a_path_of_that_name_wins(ready: Releasing) -> None:
    folder = ready.world.root / "example" / f"litellm@{ready.tag}"
    folder.parent.mkdir()
    ready.world.dist.rename(folder)
    assert ready.run("verify", f"{REPO}@{ready.tag}").code == 0
    assert ready.hub.seen == []


def test_downloads_go_on_where_they_broke(ready: Releasing) -> None:
    ready.hub.faults.append(Fault("objects", "GET", "", drop_after=5_000, times=3))
    done = ready.run("verify", f"{REPO}@{ready.tag}")
    assert done.code == 0, done.err + done.out


def in_parts(ready: Releasing, part_size: int, tag: str) -> None:
    """Publish `dist/` as if the largest asset that GitHub takes were a small one."""
    settings = Settings(
        manifests=ready.world.root / "manifests",
        cache_dir=ready.world.root / "cache",
        env=ready.world.env(**ready.env()),
        progress=Silent(),
        jobs=4,
    )
    order = Order(REPO, tag, (), "", ready.hub.head, replace=False)
    publish(settings, ready.world.dist, order, part_size=part_size)


def test_large_assets_go_up_in_parts_and_are_joined_again(ready: Releasing) -> None:
    size = (ready.world.dist / ARCHIVE).stat().st_size
    in_parts(ready, size // 3 + 1, "v1")
    held = ready.release("v1").assets
    names = [f"{ARCHIVE}.part-000", f"{ARCHIVE}.part-001", f"{ARCHIVE}.part-002"]
    assert {*names, f"{ARCHIVE}.parts"} <= held.keys()
    assert ARCHIVE not in held
    assert held[f"{ARCHIVE}.parts"].path.read_text() == "".join(f"{name}\n" for name in names)
    assert b"".join(held[name].path.read_bytes() for name in names) == (ready.world.dist / ARCHIVE).read_bytes()
    assert [held[name].size for name in names[:2]] == [size // 3 + 1] * 2
    listed = held["SHA256SUMS"].path.read_text()
    assert listed.splitlines() == sorted(listed.splitlines(), key=lambda line: line[66:])
    assert all(f"  {name}\n" in listed for name in (*names, f"{ARCHIVE}.parts", ARCHIVE))
    done = ready.run("verify", f"{REPO}@v1")
    assert done.code == 0, done.err + done.out
    assert f"ok      {ARCHIVE}" in done.out
    before = ready.hub.uploaded_bytes
    in_parts(ready, size // 3 + 1, "v1")
    assert ready.hub.uploaded_bytes == before


def test_a_list_of_parts_that_lies_is_found(ready: Releasing) -> None:
    in_parts(ready, (ready.world.dist / ARCHIVE).stat().st_size // 2 + 1, "v1")
    text = f"{ARCHIVE}.part-000\n".encode()
    replace_stored(ready, "v1", f"{ARCHIVE}.parts", text, tell=True)
    sums = ready.release("v1").assets["SHA256SUMS"].path.read_text().splitlines()
    new = f"{hashlib.sha256(text).hexdigest()}  {ARCHIVE}.parts"
    lines = [new if line.endswith(f"  {ARCHIVE}.parts") else line for line in sums]
    replace_stored(ready, "v1", "SHA256SUMS", "".join(f"{line}\n" for line in lines).encode(), tell=True)
    done = ready.run("verify", f"{REPO}@v1")
    assert done.code == 3
    assert f"{ARCHIVE}: its parts do not make it" in done.out


def test_the_limit_is_the_contract_s() -> None:
    assert PART_SIZE == 1900 * 1024 * 1024


def test_json_of_a_release(ready: Releasing) -> None:
    document = ready.run("--json", "verify", f"{REPO}@{ready.tag}").json()
    assert document["ok"] is True
    (release,) = document["releases"]
    assert (release["repository"], release["tag"], release["commit"]) == (REPO, ready.tag, ready.hub.head)
    assert {asset["name"]: asset["sha256"] for asset in release["assets"]} == ready.files
    assert json.dumps(document).count(ready.hub.token) == 0
