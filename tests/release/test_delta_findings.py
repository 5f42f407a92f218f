"""What `verify` finds wrong with deltas: in folders, alone, and on releases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bundler.model.sidecar import NOTHING_TOLD
from bundler.progress import Silent
from bundler.release.folder import look, verify_each
from bundler.release.verify import verify_release
from bundler.sidecars import sums
from tests.github import github
from tests.release.deltas import ARCHIVE, REPO, Releases, archive, delta, named, sha256

OLD, NEW, OTHER = archive(1), archive(2), archive(3)
NAME = named(OLD)


def folder(path: Path, files: Mapping[str, bytes], listed: Mapping[str, bytes] | None = None) -> Path:
    """A folder with files and the SHA256SUMS over them, or over what else is `listed`."""
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    lines = sums.compose({name: sha256(content) for name, content in {**files, **(listed or {})}.items()})
    (path / sums.NAME).write_text(lines, encoding="utf-8")
    return path


def found(path: Path, old: bytes | None = None) -> list[str]:
    """What is found of a folder, or a delta, while an `old` archive was read, too."""
    digests = {}
    if old is not None:
        digests[path.parent / "old.tar.gz"] = sha256(old)
        (path.parent / "old.tar.gz").write_bytes(old)
    return [one.message for one in look(path, NOTHING_TOLD, digests).findings if NAME in one.message]


def test_a_delta_that_makes_what_is_listed_is_fine(tmp_path: Path) -> None:
    assert found(folder(tmp_path / "d", {ARCHIVE: NEW, NAME: delta(OLD, NEW)}), OLD) == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (delta(OLD, OTHER), f"it does not make the {ARCHIVE} that SHA256SUMS lists"),
        (delta(OTHER, NEW), "which is not what its name says"),
        (delta(OLD, NEW, "x.tar.gz"), "which is not what its name says"),
        (delta(OLD, NEW)[:-1], "it is cut short"),
        (b"no delta", "it is no delta"),
    ],
)
def test_a_delta_that_leads_elsewhere_is_a_finding(tmp_path: Path, content: bytes, fault: str) -> None:
    (told,) = found(folder(tmp_path / "d", {ARCHIVE: NEW, NAME: content}))
    assert fault in told
    assert f"d/{NAME}" in told


def test_a_delta_to_what_is_not_listed_is_a_finding(tmp_path: Path) -> None:
    (told,) = found(folder(tmp_path / "d", {NAME: delta(OLD, NEW), "other.tar.gz": OTHER}))
    assert f"does not list {ARCHIVE}" in told


def test_one_that_makes_something_else_is_found_where_the_old_archive_is_at_hand(tmp_path: Path) -> None:
    liar = delta(OLD, OTHER, said=NEW)
    path = folder(tmp_path / "d", {ARCHIVE: NEW, NAME: liar})
    assert found(path) == []
    (told,) = found(path, OLD)
    assert f"what it makes is not {ARCHIVE}" in told


def test_a_delta_alone_is_compared_with_the_list_beside_it(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", {NAME: delta(OLD, NEW)}, {ARCHIVE: NEW}) / NAME
    report = verify_each([path], Silent())
    assert report.exit_code == 0
    assert any(
        f"a delta to {ARCHIVE} from the archive with SHA-256 {sha256(OLD)}" in one.message
        for one in report.folder_findings
    )
    other = folder(tmp_path / "e", {NAME: delta(OLD, NEW)}, {ARCHIVE: OTHER}) / NAME
    assert verify_each([other], Silent()).exit_code == 3
    (other.parent / NAME).write_bytes(delta(OLD, OTHER))
    assert verify_each([other], Silent()).exit_code == 3, "its own digest is listed, too"


@pytest.mark.slow
def test_a_release_with_a_delta_that_leads_elsewhere_is_not_proven(tmp_path: Path) -> None:
    with github(tmp_path / "hub", repo=REPO) as hub:
        releases = Releases(hub, tmp_path)
        releases.add(1, {ARCHIVE: NEW, NAME: delta(OLD, OTHER)})
        releases.add(2, {ARCHIVE: NEW, NAME: delta(OLD, NEW)})
        for number, expected in ((1, 1), (2, 0)):
            report = verify_release(releases.session, REPO, releases.tag(number), digests_only=False)
            assert len([one for one in report.findings if NAME in one.message]) == expected


@pytest.mark.slow
def test_a_releases_deltas_are_applied_from_archives_that_the_store_has(tmp_path: Path) -> None:
    with github(tmp_path / "hub", repo=REPO) as hub:
        releases = Releases(hub, tmp_path)
        releases.add(1, {ARCHIVE: OLD})
        releases.add(2, {ARCHIVE: NEW, NAME: delta(OLD, OTHER, said=NEW)})
        for number, apply, expected in ((2, True, 0), (1, True, 0), (2, False, 0), (2, True, 1)):
            report = verify_release(releases.session, REPO, releases.tag(number), digests_only=False, apply=apply)
            assert len([one for one in report.findings if NAME in one.message]) == expected
