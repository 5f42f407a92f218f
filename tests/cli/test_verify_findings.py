"""What `verify OWNER/REPO@TAG` must not overlook, and what it must not blame a release for."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bundler.sidecars import parts
from tests.cli.releasing import REPO, Releasing
from tests.cli.test_verify_release import ARCHIVE, IN_PARTS, downloads, in_parts, kept, replace_stored
from tests.github import Fault
from tests.world import Ran

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

PART = f"{ARCHIVE}.part-000"
LIST = f"{ARCHIVE}.parts"


def sums(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in sorted(files.items())).encode()


def verify(released: Releasing, tag: str, *words: str) -> Ran:
    return released.run("verify", f"{REPO}@{tag}", *words)


def archive(released: Releasing) -> bytes:
    return (released.world.dist / ARCHIVE).read_bytes()


def stored(released: Releasing, content: bytes) -> Path:
    """Where the store keeps these bytes."""
    sha256 = hashlib.sha256(content).hexdigest()
    return released.world.root / "cache" / "sha256" / sha256[:2] / sha256


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def relabel(released: Releasing, **changes: Any) -> None:
    """Publish a channel.json that says something else, with checksums that cover it."""
    held = released.release("latest-runtime").assets
    document = json.loads(held["channel.json"].path.read_text()) | changes
    files = {name: asset.path.read_bytes() for name, asset in held.items() if name != "SHA256SUMS"}
    files["channel.json"] = json.dumps(document).encode()
    replace_stored(released, "latest-runtime", "channel.json", files["channel.json"], tell=True)
    replace_stored(released, "latest-runtime", "SHA256SUMS", sums(files), tell=True)


def test_empty_checksums_are_a_fault(released: Releasing) -> None:
    released.hub.add_release("v1", {ARCHIVE: archive(released), "SHA256SUMS": b""})
    done = verify(released, "v1")
    assert done.code == 3
    assert "SHA256SUMS: lists nothing" in done.out
    assert f"{ARCHIVE}: surplus" in done.out


def test_a_release_without_an_archive(released: Releasing) -> None:
    files = {"notes.txt": b"x"}
    released.hub.add_release("v1", {**files, "SHA256SUMS": sums(files)})
    released.hub.add_release("v2", {"SHA256SUMS": b""})
    for tag in ("v1", "v2"):
        for words in ((), ("--digests-only",)):
            done = verify(released, tag, *words)
            assert done.code == 3
            assert "the release holds no archive" in done.out


@pytest.mark.parametrize("only", [(), ("--digests-only",)])
@pytest.mark.parametrize(
    ("files", "finding"),
    [
        ({LIST: f"{PART}\n".encode()}, f"{PART}: missing, so {ARCHIVE} cannot be put together"),
        ({PART: b"evil"}, f"{LIST}: missing, but parts of {ARCHIVE} are there"),
        ({ARCHIVE: b"", PART: b"evil", LIST: f"{PART}\n".encode()}, f"{ARCHIVE}: is there whole and in parts"),
        ({ARCHIVE: b"", LIST: b"../../etc/passwd\n"}, f"{LIST}: does not list {PART}"),
        ({LIST: b"../../etc/passwd\n", PART: b"evil"}, f"{LIST}: does not list {PART}"),
        ({LIST: f"{PART}\n".encode(), PART: b"a", PART.replace("000", "007"): b"b"}, "part-007: surplus"),
        ({LIST: b"x" * (parts.LARGEST + 1), PART: b"a"}, f"{LIST}: {parts.LARGEST + 1} bytes are too many"),
    ],
)
def test_parts_that_do_not_belong_together(
    released: Releasing, files: dict[str, bytes], finding: str, only: tuple[str, ...]
) -> None:
    whole = archive(released)
    files = {name: whole if name == ARCHIVE else content for name, content in files.items()}
    released.hub.add_release("v1", {**files, "SHA256SUMS": sums({**files, ARCHIVE: whole})})
    done = verify(released, "v1", *only)
    assert done.code == 3
    assert finding in done.out


def test_parts_of_something_that_is_not_listed_whole(released: Releasing) -> None:
    files = {LIST: f"{PART}\n".encode(), PART: archive(released)}
    released.hub.add_release("v1", {**files, "SHA256SUMS": sums(files)})
    done = verify(released, "v1", "--digests-only")
    assert done.code == 3
    assert f"{ARCHIVE}: in parts, but SHA256SUMS does not list it whole" in done.out


def test_parts_are_joined_anew_although_the_store_has_the_whole(released: Releasing) -> None:
    assert verify(released, released.tag).code == 0
    files = {LIST: f"{PART}\n".encode(), PART: b"evil"}
    released.hub.add_release("v1", {**files, "SHA256SUMS": sums({**files, ARCHIVE: archive(released)})})
    done = verify(released, "v1")
    assert done.code == 3
    assert f"{ARCHIVE}: its parts do not make it" in done.out


@pytest.mark.slow
def test_a_large_list_of_parts_takes_no_memory_and_is_not_downloaded(released: Releasing) -> None:
    number = released.hub.add_release("v1", {LIST: b"x", "SHA256SUMS": f"{'0' * 64}  {ARCHIVE}\n".encode()})
    asset = released.hub.kept[number].named(LIST)
    assert asset is not None
    with asset.path.open("wb") as file:
        file.truncate(300 << 20)
    asset.size, asset.tells_digest = 300 << 20, False
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, "verify", f"{REPO}@v1"],
        capture_output=True,
        text=True,
        cwd=released.world.root,
        env=os.environ | released.world.env(**released.env()),
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert f"{LIST}: {300 << 20} bytes are too many" in done.stdout
    assert int(done.stderr.split()[-1]) < 150_000
    assert asset.downloads == 0


_PEAK = """
import sys, resource
from bundler import cli
code = cli.run(sys.argv[1:])
sys.stdout.flush()
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"repository": "evil/repo"}, f"names another repository\n    expected {REPO}\n    actual   evil/repo"),
        ({"channel": "stable"}, "names another channel\n    expected latest-runtime\n    actual   stable"),
        ({"commit": "0" * 40}, f"channel.json says {'0' * 40}"),
        ({"assets": {}}, f"channel.json: {ARCHIVE} is not that of"),
        ({"assets": {}}, "channel.json: SHA256SUMS is not that of"),
        ({"assets": 7}, "channel.json: assets"),
    ],
)
def test_a_channel_that_lies(released: Releasing, changes: dict[str, object], finding: str) -> None:
    relabel(released, **changes)
    for tag in ("latest-runtime", released.tag):
        done = verify(released, tag, "--digests-only")
        assert done.code == 3
        assert finding in done.out, tag


@pytest.mark.parametrize("name", [ARCHIVE, "SHA256SUMS", "ghost.tar.gz"])
def test_a_channel_that_lies_about_one_asset(released: Releasing, name: str) -> None:
    said = json.loads(released.release("latest-runtime").assets["channel.json"].path.read_text())["assets"]
    relabel(released, assets=said | {name: {**said.get(name, {"sha256": "0" * 64}), "size": 7}})
    for tag in ("latest-runtime", released.tag):
        done = verify(released, tag, "--digests-only")
        assert done.code == 3
        assert f"channel.json: {name} is not that of {released.tag}" in done.out
        assert "7 bytes" in done.out


def test_a_repository_is_the_same_in_other_case(released: Releasing) -> None:
    relabel(released, repository=REPO.upper())
    assert verify(released, "latest-runtime", "--digests-only").code == 0


def test_a_channel_of_another_name(released: Releasing) -> None:
    assert released.publish("--channel", "stable").code == 0
    commit = "f" * 40
    released.hub.commits.add(commit)
    newer = f"runtime-{commit[:12]}"
    assert released.run("publish", "dist", "--repo", REPO, "--tag", newer, "--commit", commit).code == 0
    done = released.run("--json", "verify", f"{REPO}@stable")
    assert done.code == 0, done.out
    assert done.json()["releases"][0]["channel"] == {
        "name": "stable", "tag": released.tag, "commit": released.hub.head, "newest": None,
    }  # fmt: skip
    replace_stored(released, "stable", ARCHIVE, archive(released) + b"\0", tell=True)
    done = verify(released, "stable", "--digests-only")
    assert done.code == 3
    assert f"{ARCHIVE}: stable and {released.tag} drift apart" in done.out


def test_a_runtime_release_whose_git_tag_is_elsewhere_or_gone(released: Releasing) -> None:
    tag = "runtime-0123456789ab"
    files = {ARCHIVE: archive(released)}
    released.hub.add_release(tag, {**files, "SHA256SUMS": sums(files)}, commit="e" * 40)
    done = verify(released, tag)
    assert done.code == 3
    assert f"expected 0123456789ab…\n    actual   {'e' * 40}" in done.out
    del released.hub.tags[tag]
    done = verify(released, tag)
    assert done.code == 3
    assert "actual   missing" in done.out


def test_an_archive_under_another_component_s_name(released: Releasing) -> None:
    name = ARCHIVE.replace("litellm-", "xworkspace-console-")
    files = {name: archive(released)}
    released.hub.add_release("v1", {**files, "SHA256SUMS": sums(files)})
    assert verify(released, "v1").code == 3
    (released.world.dist / ARCHIVE).rename(released.world.root / name)
    done = released.run("verify", name)
    assert done.code == 3
    assert f"expected litellm-…-debian-12-amd64.tar.gz\n    actual   {name}" in done.out


def test_a_listed_asset_that_was_not_uploaded_whole(released: Releasing) -> None:
    asset = kept(released, released.tag).named(ARCHIVE)
    assert asset is not None
    asset.state = "starter"
    done = verify(released, released.tag)
    assert done.code == 3, done.err
    assert f"{ARCHIVE}: not uploaded whole (state starter)" in done.out
    assert "ok      litellm-runtime-debian-13-amd64.tar.gz" in done.out


@pytest.mark.parametrize("name", [ARCHIVE, "SHA256SUMS"])
def test_an_asset_that_github_does_not_serve(released: Releasing, name: str) -> None:
    asset = kept(released, released.tag).named(name)
    assert asset is not None
    released.hub.faults.append(Fault("api", "GET", rf"/releases/assets/{asset.id}$", status=404, times=-1))
    done = verify(released, released.tag)
    assert done.code == 3, done.err
    assert f"{name}\n    expected {asset.sha256}, {asset.size} bytes\n    actual   missing" in done.out
    assert (name == "SHA256SUMS") != ("ok      litellm-runtime-debian-13-amd64.tar.gz" in done.out)


def test_one_subject_that_fails_leaves_the_others_their_results(released: Releasing) -> None:
    subjects = (f"{REPO}@nope", "nowhere", f"{REPO}@{released.tag}", "dist")
    done = released.run("verify", *subjects)
    assert done.code == 2
    assert f"ok      {REPO}@{released.tag}" in done.out
    assert f"ok      dist/{ARCHIVE}" in done.out
    assert "has no published release nope" in done.err
    assert "nowhere is not there" in done.err
    document = released.run("--json", "verify", *subjects).json()
    assert document["ok"] is False
    assert [error["exit_code"] for error in document["errors"]] == [2]
    failed, whole = document["releases"]
    assert (failed["tag"], failed["ok"], failed["error"]["exit_code"]) == ("nope", False, 4)
    assert (whole["ok"], whole["error"]) == (True, None)


def test_the_gravest_decides_the_exit_code(released: Releasing) -> None:
    released.hub.add_release("v1", {"SHA256SUMS": b""})
    assert released.run("verify", f"{REPO}@nope", f"{REPO}@v1").code == 3


def test_a_release_that_fails_on_the_way_does_not_stop_the_next(released: Releasing) -> None:
    released.hub.add_release("v1", {ARCHIVE: b"other", "SHA256SUMS": sums({ARCHIVE: b"other"})})
    asset = kept(released, "v1").named(ARCHIVE)
    assert asset is not None
    released.hub.faults.append(Fault("api", "GET", rf"/releases/assets/{asset.id}$", status=500, times=-1))
    done = released.run("verify", f"{REPO}@v1", f"{REPO}@{released.tag}")
    assert done.code == 4
    assert f"ok      {REPO}@{released.tag}" in done.out


def test_a_damaged_store_is_not_the_release_s_fault(released: Releasing) -> None:
    assert verify(released, released.tag).code == 0
    before = downloads(released)
    names = (ARCHIVE, "SHA256SUMS")
    for name in names:
        damage(stored(released, released.release(released.tag).assets[name].path.read_bytes()))
    done = verify(released, released.tag)
    assert done.code == 0, done.out
    assert downloads(released) - before == len(names)
    assert verify(released, released.tag).code == 0
    assert downloads(released) - before == len(names)


@pytest.mark.parametrize("name", [ARCHIVE, PART, LIST])
def test_a_damaged_store_is_not_the_fault_of_parts(released: Releasing, name: str) -> None:
    in_parts(released, len(archive(released)) // 2 + 1, IN_PARTS)
    assert verify(released, IN_PARTS).code == 0
    content = archive(released) if name == ARCHIVE else released.release(IN_PARTS).assets[name].path.read_bytes()
    damage(stored(released, content))
    done = verify(released, IN_PARTS)
    assert done.code == 0, done.out


def test_a_damaged_archive_stays_a_finding(released: Releasing) -> None:
    content = archive(released)[:-9]
    released.hub.add_release("v1", {ARCHIVE: content, "SHA256SUMS": sums({ARCHIVE: content})})
    for _ in range(2):
        assert verify(released, "v1").code == 3
