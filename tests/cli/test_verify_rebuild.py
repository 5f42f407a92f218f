"""`verify --rebuild`: the same bytes from anywhere, and a difference told as what it is."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.errors import IntegrityError, UsageError
from bundler.release.rebuild import Rebuilt, refuse_others
from tests.archives import Entries, content_of, on_disk, repack
from tests.cli.releasing import REPO, Releasing
from tests.release.test_differences import NAME, members_of, nothing, order, place, write
from tests.world import Ran, World

pytestmark = pytest.mark.slow


@pytest.fixture
def built(locked: World, dist_of: Callable[[str], Path]) -> World:
    """A world with one archive, made elsewhere, and nothing in the cache."""
    locked.dist.mkdir()
    shutil.copy(dist_of("debian-12-amd64") / NAME, locked.dist)
    return locked


def rebuild(world: World, *words: str, **env: str) -> Ran:
    return world.run("--json", "verify", f"dist/{NAME}", "--rebuild", *words, **env)


def only(done: Ran) -> dict[str, object]:
    (one,) = done.json()["rebuilt"]
    assert isinstance(one, dict)
    return one


def test_the_same_bytes_come_out_with_another_cache_time_zone_mask_and_place(built: World, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        done = rebuild(built, AIWS_CACHE_DIR=str(tmp_path / "other" / "place"), TZ="Asia/Kathmandu", LC_ALL="C")
    finally:
        os.umask(before)
    assert done.code == 0, done.err
    assert (only(done)["ok"], only(done)["basis"]) == (True, "manifests")
    assert done.json()["ok"] is True
    left = [path.name for path in (tmp_path / "other" / "place" / "tmp").iterdir() if path.is_dir()]
    assert left == [], "what was made anew is removed"


def test_the_time_of_the_files_is_the_archive_s(built: World) -> None:
    assert built.run("build", "debian-12-amd64", SOURCE_DATE_EPOCH="1000000000").code == 0
    assert only(rebuild(built))["ok"] is True


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (order, "the order of its members differs"),
        (nothing, "the tar inside is the same; only its gzip compression differs"),
    ],
)
def test_a_difference_is_told_as_what_it_is(built: World, change: Callable[..., None], told: str) -> None:
    path = built.dist / NAME
    members = members_of(path)
    change(members)
    write(path, members)
    done = rebuild(built)
    assert done.code == 3
    findings = only(done)["findings"]
    assert isinstance(findings, list) and len(findings) == 1 and findings[0].startswith(told)
    people = built.run("verify", f"dist/{NAME}", "--rebuild")
    assert people.code == 3 and "made anew of the manifests and locks here, it differs" in people.out


def test_a_gzip_header_alone_is_told(built: World) -> None:
    path = built.dist / NAME
    content = bytearray(path.read_bytes())
    content[9] = 3  # the operating system that it was written on
    path.write_bytes(content)
    assert gzip.decompress(content)
    assert only(rebuild(built))["findings"] == ["the tar inside is the same; only its gzip compression differs"]


def test_an_archive_that_lists_what_was_put_into_it_is_found(built: World) -> None:
    """Its own lists agree, and a verification of the archive alone sees nothing."""

    def change(entries: Entries) -> None:
        path = "metadata/runtime.env"
        more = content_of(entries[path]) + b"export LITELLM_OTHER=1\n"
        entries[path] = on_disk(built.root / "contents", path, more)

    repack(built.dist / NAME, change, listed=True)
    done = rebuild(built)
    assert done.code == 3
    assert done.json()["archives"][0]["ok"] is True
    findings = only(done)["findings"]
    assert isinstance(findings, list)
    paths = {finding.partition(":")[0].partition("/")[2] for finding in findings}
    assert paths == {"manifest.json", "metadata/files.sha256", "metadata/runtime.env"}


def test_manifests_that_make_another_archive_are_told_from_a_difference(built: World) -> None:
    text = (built.root / "manifests/litellm.yaml").read_text()
    built.write("litellm.yaml", text + "environment:\n  LITELLM_X: '1'\n" if "environment:" not in text else text)
    done = rebuild(built)
    assert done.code == 2, done.out
    error = only(done)["error"]
    assert isinstance(error, dict)
    assert "make another archive" in error["message"] and "check out" in error["hint"]


def test_without_manifests_it_is_made_of_what_it_says_of_itself(built: World) -> None:
    shutil.rmtree(built.root / "manifests")
    done = rebuild(built)
    assert done.code == 0, done.err
    assert (only(done)["ok"], only(done)["basis"]) == (True, "records")
    people = built.run("verify", f"dist/{NAME}", "--rebuild")
    assert "note    " in people.out and "does not show who chose it" in people.out


def test_a_small_archive_does_not_have_much_fetched(built: World) -> None:
    members = members_of(built.dist / NAME)
    index = place(members, "pylock.toml")
    info, old = members[index]
    lock = old.replace(b"size = 34112", b"size = 2000000000")
    info.size = len(lock)
    members[index] = (info, lock)
    write(built.dist / NAME, members)
    (built.root / "manifests").rename(built.root / "gone")
    built.index.requests.clear()
    done = rebuild(built)
    assert (done.code, "its lock names 2000010661 bytes of wheels" in done.err) == (3, True), done.err
    assert built.index.requests == []


def test_an_archive_that_was_put_in_place_of_the_verified_one_is_told(
    built: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(path: Path) -> str:
        members = members_of(path)
        write(path, members)
        return ""

    monkeypatch.setattr("bundler.release.provenance.commit_beside", swapped)
    done = rebuild(built)
    assert (done.code, f"{NAME} changed while it was verified" in done.err) == (1, True), done.err


def test_a_long_name_stops_no_other(built: World) -> None:
    shutil.copy(built.dist / NAME, built.dist / f"{'l' * 248}.tar.gz")
    (built.root / "manifests").rename(built.root / "gone")
    done = built.run("--json", "verify", "dist", "--rebuild", "--ignore-missing")
    assert [one["ok"] for one in done.json()["rebuilt"]] == [True, True], done.err


def test_the_archives_of_a_release_are_made_anew(released: Releasing) -> None:
    words = ("--json", "verify", f"{REPO}@{released.tag}", "--rebuild")
    done = released.run(*words)
    assert done.code == 0, done.err
    archives = {name for name in released.files if name.endswith(".tar.gz")}
    rebuilt = done.json()["rebuilt"]
    assert {one["name"]: (one["ok"], one["basis"]) for one in rebuilt} == dict.fromkeys(archives, (True, "manifests"))
    path = released.world.root / "manifests/litellm.yaml"
    path.write_text(path.read_text() + "environment:\n  LITELLM_X: '1'\n")
    done = released.run(*words)
    assert done.code == 2
    errors = [one["error"] for one in done.json()["rebuilt"]]
    assert errors and all(f"check out commit {released.hub.head}" in error["hint"] for error in errors)


def test_without_an_archive_there_is_nothing_to_make(built: World) -> None:
    done = built.run("verify", "o/r@runtime-1", "--rebuild", "--digests-only")
    assert done.code == 2 and "--rebuild" in done.err


def test_who_signs_what_was_made_anew_refuses_everything_else() -> None:
    good = Rebuilt("a.tar.gz", "0" * 64)
    refuse_others([good, good])
    with pytest.raises(IntegrityError, match=r"b\.tar\.gz"):
        refuse_others([good, Rebuilt("b.tar.gz", findings=("x",))])
    with pytest.raises(UsageError, match=r"b\.tar\.gz"):
        refuse_others([good, Rebuilt("b.tar.gz", basis="records")])
    with pytest.raises(UsageError, match="none"):
        refuse_others([good, Rebuilt("b.tar.gz", error=UsageError("none"))])
