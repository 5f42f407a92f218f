"""Releases as folders of their archives: only what both sides have, under their names, with the list that is signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.errors import IntegrityError, UnreachableError, UsageError
from bundler.model.sidecar import NOTHING_TOLD
from bundler.release.sides import sides
from tests.github import github
from tests.release.deltas import ARCHIVE, REPO, Releases, archive

pytestmark = pytest.mark.slow
MORE = "demo-debian-13-amd64.tar.gz"


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    with github(tmp_path / "hub", repo=REPO) as hub:
        yield Releases(hub, tmp_path)


def there(releases: Releases, old: str, new: str) -> tuple[dict[str, bytes], ...]:
    """What the two sides hold while they are there."""
    with sides(releases.session, old, new, NOTHING_TOLD, lambda: None) as found:
        return tuple(
            {one.name: one.read_bytes() for one in (path.iterdir() if path.is_dir() else [path])} for path in found
        )


def test_two_releases_are_folders_of_what_both_have(releases: Releases) -> None:
    releases.add(1, {ARCHIVE: archive(1)})
    releases.add(2, {ARCHIVE: archive(2), MORE: archive(3)})
    old, new = there(releases, *(f"{REPO}@{releases.tag(number)}" for number in (1, 2)))
    assert (old[ARCHIVE], new[ARCHIVE]) == (archive(1), archive(2))
    assert set(old) == set(new) == {ARCHIVE, "SHA256SUMS"}


def test_a_release_goes_with_a_file(releases: Releases) -> None:
    releases.add(2, {ARCHIVE: archive(2), MORE: archive(3)})
    old, new = there(releases, str(releases.old(1)), f"{REPO}@{releases.tag(2)}")
    assert old == {ARCHIVE: archive(1)}
    assert (set(new), new[ARCHIVE]) == ({ARCHIVE, "SHA256SUMS"}, archive(2))


def test_what_is_not_there_or_not_what_is_listed_is_an_error(releases: Releases) -> None:
    old, tag = str(releases.old(1)), releases.tag(2)
    with pytest.raises(UnreachableError):
        there(releases, old, f"{REPO}@{tag}")
    with pytest.raises(UsageError, match="is not there"):
        there(releases, old, str(releases.root / "nothing"))
    releases.add(2, {ARCHIVE: archive(2)}, listed={ARCHIVE: archive(3)})
    with pytest.raises(IntegrityError, match=ARCHIVE):
        there(releases, old, f"{REPO}@{tag}")
