"""`publish` where no manifests are: what the archives tell of themselves is all that is published by, and looked at."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.releasing import REPO, Releasing, releasing
from tests.cli.test_components import AMD64 as CONSOLE
from tests.cli.test_components import archive
from tests.world import World

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"
UNCHECKED = (
    "not checked, as there are no manifests here: that no target is missing; that today's manifests and locks make "
    "these archives; that these versions are meant (litellm[proxy]==1.0)"
)


@pytest.fixture
def alone(locked: World, tmp_path: Path, impatient: None) -> Iterator[Releasing]:
    """A filled dist/ without manifests, and a repository that has no release yet."""
    with releasing(locked, tmp_path / "hub") as made:
        shutil.rmtree(locked.root / "manifests")
        yield made


def hold(alone: Releasing, **files: bytes) -> None:
    """Put files into dist/, and list all that it holds anew."""
    for name, content in files.items():
        (alone.world.dist / name).write_bytes(content)
    paths = sorted(path for path in alone.world.dist.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (alone.world.dist / "SHA256SUMS").write_text("".join(lines))


def test_the_archives_tell_what_is_published(alone: Releasing) -> None:
    done = alone.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    assert alone.stored(alone.tag) == alone.files
    assert "not rehearsed: debian-12-amd64, debian-13-amd64" in done.out
    assert [line for line in done.out.splitlines() if "not checked" in line] == [UNCHECKED]
    again = alone.run("--json", "publish", "dist", "--repo", REPO, "--tag", alone.tag).json()
    assert again["release"]["state"] == "unchanged"
    assert again["unchecked"][0] == "that no target is missing"


def test_with_manifests_nothing_is_left_unchecked(ready: Releasing) -> None:
    done = ready.run("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag, "--dry-run")
    assert done.json()["unchecked"] == []
    assert "not checked" not in ready.publish("--dry-run").out


def test_what_archives_and_folder_show_is_still_refused(alone: Releasing) -> None:
    with (alone.world.dist / ARCHIVE).open("ab") as file:
        file.write(b"x")
    done = alone.publish()
    assert done.code == 3
    assert f"{ARCHIVE}: SHA-256 differs from SHA256SUMS" in done.err
    hold(alone)
    assert alone.publish().code == 3
    assert alone.writes() == []


def test_targets_take_manifests(alone: Releasing) -> None:
    done = alone.publish("--targets", "debian-12")
    assert done.code == 2
    assert "--targets means targets of manifests, and there are none here" in done.err
    assert alone.writes() == []


def test_manifests_that_were_named_have_to_be_there(alone: Releasing) -> None:
    done = alone.run("--manifests", "nowhere", "publish", "dist", "--repo", REPO, "--tag", alone.tag)
    assert done.code == 2
    assert "nowhere is not there" in done.err


@pytest.mark.parametrize("name", ["litellm-runtime-debian-13-amd64x.tar.gz", "other-debian-12-amd64.tar.gz"])
def test_an_archive_that_is_called_as_another_is_refused(alone: Releasing, name: str) -> None:
    (alone.world.dist / ARCHIVE).rename(alone.world.dist / name)
    hold(alone)
    done = alone.publish()
    assert done.code == 3
    assert f"{name}: is not called as what it says it is, litellm for debian 12 amd64" in done.err
    assert alone.writes() == []


def test_two_archives_for_one_target_are_refused(alone: Releasing) -> None:
    other = "litellm-other-debian-12-amd64.tar.gz"
    hold(alone, **{other: (alone.world.dist / ARCHIVE).read_bytes()})
    done = alone.publish()
    assert done.code == 2
    assert f"{other} and {ARCHIVE} are for the same" in done.err


def test_what_is_no_archive_of_ours_is_refused(alone: Releasing) -> None:
    hold(alone, **{"stray.tar.gz": b"x"})
    done = alone.publish()
    assert done.code == 3
    assert "stray.tar.gz: is not called as what it says it is, nothing" in done.err


def test_what_other_repositories_release_is_left_out(alone: Releasing) -> None:
    hold(alone, **{CONSOLE: archive("linux-amd64")})
    done = alone.publish()
    assert done.code == 0, done.err
    assert CONSOLE in done.out
    assert CONSOLE not in alone.stored(alone.tag)
    for path in alone.world.dist.glob("litellm*"):
        path.unlink()
    hold(alone)
    refused = alone.publish("--dry-run")
    assert refused.code == 2
    assert "dist holds archives that others release, and none of its own" in refused.err
