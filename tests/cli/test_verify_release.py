"""`verify OWNER/REPO@TAG` against a server that behaves like GitHub, with real bytes."""

from __future__ import annotations

import hashlib
import json

import pytest

from bundler.commands.publish import publish
from bundler.progress import Silent
from bundler.release.parts import Cut
from bundler.release.preflight import Publication
from bundler.session import Session
from tests.cli.releasing import REPO, Releasing
from tests.github import Fault
from tests.github.repository import Release

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"
IN_PARTS = "offline-ai-workspace-1"


def downloads(released: Releasing) -> int:
    return len([seen for seen in released.hub.seen if seen.role == "objects"])


def kept(released: Releasing, tag: str) -> Release:
    """A published release as the server keeps it."""
    release = released.hub.published(tag)
    assert release is not None
    return release


def replace_stored(released: Releasing, tag: str, name: str, content: bytes, *, tell: bool) -> None:
    """Change the bytes of a published asset behind everybody's back; `tell` lets GitHub know the new digest."""
    stored = kept(released, tag).named(name)
    assert stored is not None
    stored.path.write_bytes(content)
    stored.size = len(content)
    if tell:
        stored.sha256 = hashlib.sha256(content).hexdigest()


def test_a_release_that_is_whole(released: Releasing) -> None:
    done = released.run("verify", f"{REPO}@{released.tag}")
    assert done.code == 0, done.err + done.out
    assert f"ok      {ARCHIVE}: litellm[proxy]==1.0" in done.out
    assert f"ok      {REPO}@{released.tag}: {len(released.files)} assets, commit {released.hub.head}" in done.out
    assert f"latest-runtime: channel.json names {released.tag}" in done.out
    assert released.writes() == []


def test_a_second_verification_downloads_nothing(released: Releasing) -> None:
    assert released.run("verify", f"{REPO}@{released.tag}").code == 0
    before = downloads(released)
    assert before > 0
    assert released.run("verify", f"{REPO}@{released.tag}", f"{REPO}@latest-runtime").code == 0
    again = downloads(released) - before
    assert again == 0


def test_no_token_is_needed_where_the_repository_is_public(released: Releasing) -> None:
    done = released.run("verify", f"{REPO}@{released.tag}", token="")
    assert done.code == 0, done.err


def test_digests_only_downloads_no_archive(released: Releasing) -> None:
    done = released.run("verify", "--digests-only", f"{REPO}@{released.tag}")
    assert done.code == 0, done.err
    held = [asset for release in released.hub.kept.values() for asset in release.assets.values()]
    archives = [asset for asset in held if asset.name.endswith(".tar.gz")]
    assert [asset.name for asset in archives if asset.downloads] == []
    assert downloads(released) <= len(held) - len(
        archives
    )  # SHA256SUMS of both releases, channel.json, what stands beside archives
    assert released.run("verify", "--digests-only", "dist", f"{REPO}@{released.tag}").code == 0


def test_digests_only_cannot_tell_where_github_tells_none(released: Releasing) -> None:
    for release in released.hub.kept.values():
        for asset in release.assets.values():
            asset.tells_digest = False
    done = released.run("verify", "--digests-only", f"{REPO}@{released.tag}")
    assert done.code == 3
    assert "verify without --digests-only" in done.out
    assert released.run("verify", f"{REPO}@{released.tag}").code == 0


@pytest.mark.parametrize("tell", [True, False])
def test_an_asset_that_was_replaced_is_named_with_both_digests(released: Releasing, tell: bool) -> None:
    expected = released.stored(released.tag)[ARCHIVE]
    content = released.release(released.tag).assets[ARCHIVE].path.read_bytes()[:-1] + b"x"
    replace_stored(released, released.tag, ARCHIVE, content, tell=tell)
    done = released.run("verify", f"{REPO}@{released.tag}")
    assert done.code == 3
    assert ARCHIVE in done.out
    assert expected in done.out
    assert hashlib.sha256(content).hexdigest() in done.out


def test_missing_surplus_and_broken_assets_are_named(released: Releasing) -> None:
    release = kept(released, released.tag)
    by_name = {asset.name: asset for asset in release.assets.values()}
    released.hub.drop(release, by_name[ARCHIVE])
    released.hub.add_release("other", {"extra.tar.gz": b"x"})
    release.assets |= kept(released, "other").assets
    by_name["litellm-runtime-debian-13-amd64.tar.gz"].state = "starter"
    done = released.run("--json", "verify", "--digests-only", f"{REPO}@{released.tag}")
    assert done.code == 3
    findings = "\n".join(done.json()["releases"][0]["findings"])
    assert f"{ARCHIVE}: missing, but listed in SHA256SUMS" in findings
    assert "extra.tar.gz: surplus" in findings
    assert "litellm-runtime-debian-13-amd64.tar.gz: not uploaded whole" in findings


def test_a_release_without_checksums(released: Releasing) -> None:
    released.hub.add_release("bare", {ARCHIVE: (released.world.dist / ARCHIVE).read_bytes()})
    done = released.run("verify", f"{REPO}@bare")
    assert done.code == 3
    assert "SHA256SUMS: missing" in done.out


def test_an_archive_that_does_not_close_or_is_damaged_inside(released: Releasing) -> None:
    content = b"not an archive"
    sums = f"{hashlib.sha256(content).hexdigest()}  {ARCHIVE}\n".encode()
    released.hub.add_release("bad", {ARCHIVE: content, "SHA256SUMS": sums})
    done = released.run("verify", f"{REPO}@bad")
    assert done.code == 3
    assert f"NOT ok  {ARCHIVE}" in done.out


def test_latest_runtime_is_named_in_both_meanings(released: Releasing) -> None:
    done = released.run("--json", "verify", f"{REPO}@latest-runtime")
    assert done.code == 0, done.out
    (release,) = done.json()["releases"]
    assert release["tag"] == "latest-runtime"
    assert release["channel"] == {
        "name": "latest-runtime", "tag": released.tag, "commit": released.hub.head, "newest": released.tag,
    }  # fmt: skip


def test_drift_between_channel_and_newest_release(released: Releasing) -> None:
    commit = "f" * 40
    released.hub.commits.add(commit)
    newer = f"runtime-{commit[:12]}"
    assert released.run("publish", "dist", "--repo", REPO, "--tag", newer, "--commit", commit).code == 0
    done = released.run("verify", f"{REPO}@latest-runtime")
    assert done.code == 3
    assert f"latest-runtime points at {released.tag}, the newest release is {newer}" in done.out
    assert released.run("verify", f"{REPO}@{newer}").code == 0


def test_drift_between_the_assets_of_channel_and_release(released: Releasing) -> None:
    content = released.release("latest-runtime").assets[ARCHIVE].path.read_bytes() + b"\0"
    replace_stored(released, "latest-runtime", ARCHIVE, content, tell=True)
    for subject in ("latest-runtime", released.tag):
        done = released.run("verify", "--digests-only", f"{REPO}@{subject}")
        assert done.code == 3
        assert f"{ARCHIVE}: latest-runtime and {released.tag} drift apart" in done.out


def test_without_a_channel_latest_runtime_is_the_newest_release(released: Releasing) -> None:
    del released.hub.kept[kept(released, "latest-runtime").id]
    done = released.run("verify", f"{REPO}@latest-runtime")
    assert done.code == 0, done.err
    assert f"ok      {REPO}@{released.tag}" in done.out
    assert f"the newest release is {released.tag}" in done.out


@pytest.mark.parametrize("subject", [f"{REPO}@runtime-none", "example/other@x"])
def test_a_release_that_is_not_there(released: Releasing, subject: str) -> None:
    done = released.run("verify", subject)
    assert done.code == 4
    assert "no published release" in done.err


def test_a_draft_does_not_count(released: Releasing) -> None:
    released.hub.add_release("draft", {"SHA256SUMS": b""}, draft=True)
    assert released.run("verify", f"{REPO}@draft").code == 4


def test_a_path_of_that_name_wins(released: Releasing) -> None:
    folder = released.world.root / "example" / f"litellm@{released.tag}"
    folder.parent.mkdir()
    released.world.dist.rename(folder)
    assert released.run("verify", f"{REPO}@{released.tag}").code == 0
    assert released.hub.seen == []


def test_downloads_go_on_where_they_broke(released: Releasing) -> None:
    released.hub.faults.append(Fault("objects", "GET", "", drop_after=5_000, times=3))
    done = released.run("verify", f"{REPO}@{released.tag}")
    assert done.code == 0, done.err + done.out


def in_parts(released: Releasing, part_size: int, tag: str) -> None:
    """Publish `dist/` as if the largest asset that GitHub takes were a small one."""
    settings = Session(
        manifests=released.world.root / "manifests",
        cache_dir=released.world.root / "cache",
        env=released.world.env(**released.env()),
        progress=Silent(),
        jobs=4,
    )
    order = Publication(REPO, tag, (), "", released.hub.head, replace=False)
    publish(settings, released.world.dist, order, cut=Cut(part_size, part_size))


def test_large_assets_go_up_in_parts_and_are_joined_again(released: Releasing) -> None:
    size = (released.world.dist / ARCHIVE).stat().st_size
    in_parts(released, size // 3 + 1, IN_PARTS)
    held = released.release(IN_PARTS).assets
    names = [f"{ARCHIVE}.part-000", f"{ARCHIVE}.part-001", f"{ARCHIVE}.part-002"]
    assert {*names, f"{ARCHIVE}.parts"} <= held.keys()
    assert ARCHIVE not in held
    assert held[f"{ARCHIVE}.parts"].path.read_text() == "".join(f"{name}\n" for name in names)
    assert b"".join(held[name].path.read_bytes() for name in names) == (released.world.dist / ARCHIVE).read_bytes()
    assert [held[name].size for name in names[:2]] == [size // 3 + 1] * 2
    listed = held["SHA256SUMS"].path.read_text()
    assert listed.splitlines() == sorted(listed.splitlines(), key=lambda line: line[66:])
    assert all(f"  {name}\n" in listed for name in (*names, f"{ARCHIVE}.parts", ARCHIVE))
    done = released.run("verify", f"{REPO}@{IN_PARTS}")
    assert done.code == 0, done.err + done.out
    assert f"ok      {ARCHIVE}" in done.out
    before = released.hub.uploaded_bytes
    in_parts(released, size // 3 + 1, IN_PARTS)
    assert released.hub.uploaded_bytes == before


def test_a_list_of_parts_that_lies_is_found(released: Releasing) -> None:
    in_parts(released, (released.world.dist / ARCHIVE).stat().st_size // 2 + 1, IN_PARTS)
    text = f"{ARCHIVE}.part-000\n".encode()
    replace_stored(released, IN_PARTS, f"{ARCHIVE}.parts", text, tell=True)
    sums = released.release(IN_PARTS).assets["SHA256SUMS"].path.read_text().splitlines()
    new = f"{hashlib.sha256(text).hexdigest()}  {ARCHIVE}.parts"
    lines = [new if line.endswith(f"  {ARCHIVE}.parts") else line for line in sums]
    replace_stored(released, IN_PARTS, "SHA256SUMS", "".join(f"{line}\n" for line in lines).encode(), tell=True)
    done = released.run("verify", f"{REPO}@{IN_PARTS}")
    assert done.code == 3
    assert f"{ARCHIVE}: its parts do not make it" in done.out


def test_one_download_with_the_checksums_of_all(released: Releasing) -> None:
    """As `sha256sum --ignore-missing` has it, here of a release in parts: what is there is right, and something is."""
    in_parts(released, (released.world.dist / ARCHIVE).stat().st_size // 2 + 1, IN_PARTS)
    folder = released.world.root / "downloaded"
    folder.mkdir()
    held = released.release(IN_PARTS).assets
    (folder / "SHA256SUMS").write_bytes(held["SHA256SUMS"].path.read_bytes())
    none = released.run("verify", "--ignore-missing", "downloaded")
    assert none.code == 2
    assert "holds no file that its SHA256SUMS lists" in none.err

    (folder / ARCHIVE).write_bytes((released.world.dist / ARCHIVE).read_bytes())
    assert released.run("verify", "downloaded").code == 3
    done = released.run("verify", "--ignore-missing", "downloaded")
    assert done.code == 0, done.out
    assert f"ok      downloaded/{ARCHIVE}" in done.out
    part = held[f"{ARCHIVE}.part-000"]
    (folder / part.name).write_bytes(part.path.read_bytes())
    (folder / f"{ARCHIVE}.parts").write_bytes(held[f"{ARCHIVE}.parts"].path.read_bytes())
    assert released.run("verify", "--ignore-missing", "downloaded").code == 0

    (folder / part.name).write_bytes(b"x")
    assert f"{part.name}: SHA-256 differs" in released.run("verify", "--ignore-missing", "downloaded").out
    (folder / part.name).unlink()
    (folder / "stray.tar.gz").write_bytes((folder / ARCHIVE).read_bytes())
    assert "stray.tar.gz: surplus" in released.run("verify", "--ignore-missing", "downloaded").out


def test_json_of_a_release(released: Releasing) -> None:
    document = released.run("--json", "verify", f"{REPO}@{released.tag}").json()
    assert document["ok"] is True
    (release,) = document["releases"]
    assert (release["repository"], release["tag"], release["commit"]) == (REPO, released.tag, released.hub.head)
    assert {asset["name"]: asset["sha256"] for asset in release["assets"]} == released.files
    assert json.dumps(document).count(released.hub.token) == 0
