"""The way from an archive to the one of a release: the fewest bytes, each step checked, and servers that lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.errors import BundleError, IntegrityError, UnreachableError, UsageError
from bundler.model.sidecar import NOTHING_TOLD
from bundler.release.way import MOST_RELEASES, Reader, Way
from bundler.transfer.applied import write_applied
from bundler.transfer.form import Wanted
from bundler.transfer.machine import Write
from tests.github import Fault, github
from tests.release.deltas import ARCHIVE, REPO, Releases, archive, delta, named, sha256

# A server each, and waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    monkeypatch.setattr("bundler.adapters.retry._backoff", lambda state: 0.0)
    with github(tmp_path / "hub", repo=REPO) as hub:
        yield Releases(hub, tmp_path)


def read(releases: Releases, old: Path, tag: str, *, dry_run: bool = False) -> Way:
    """Go the way to a tag, into the folder `out`."""
    session = releases.session
    with session.github(REPO) as hub:
        reader = Reader.of(session, hub, old, tag, NOTHING_TOLD)
        return reader.way() if dry_run else reader.go(releases.root / "out")


def made(releases: Releases) -> dict[str, bytes]:
    out = releases.root / "out"
    return {path.name: path.read_bytes() for path in out.iterdir()} if out.exists() else {}


def test_a_delta_is_downloaded_in_the_archives_place(releases: Releases) -> None:
    releases.chain(1, 2)
    way = read(releases, releases.old(1), releases.tag(2))
    assert made(releases) == {ARCHIVE: archive(2)}
    assert [step.name for step in way.steps] == releases.downloads() == [named(archive(1))]
    assert way.downloaded == len(delta(archive(1), archive(2)))
    assert way.saved == len(archive(2)) - way.downloaded > 0


def growing(releases: Releases, many: int) -> list[bytes]:
    """Releases whose archives add to the one before them, so that all deltas together are smaller than the last one."""
    contents = [archive(1) + b"".join(bytes([part]) * 100 for part in range(number)) for number in range(many)]
    for number, content in enumerate(contents):
        before = contents[number - 1]
        releases.add(number, {ARCHIVE: content, **({named(before): delta(before, content)} if number else {})})
    return contents


def test_a_chain_leads_over_releases_between(releases: Releases) -> None:
    contents = growing(releases, 4)
    old = releases.old(1)
    way = read(releases, old, releases.tag(3))
    assert [step.tag for step in way.steps] == [releases.tag(number) for number in (1, 2, 3)]
    assert made(releases) == {ARCHIVE: contents[3]}
    assert old.read_bytes() == contents[0]
    assert releases.said == []


def test_the_archive_itself_is_taken_where_that_is_fewer_bytes(releases: Releases) -> None:
    releases.add(1, {ARCHIVE: archive(1)})
    releases.add(
        2, {ARCHIVE: archive(2), named(archive(1)): delta(archive(1), archive(2), said=archive(2), more=30_000)}
    )
    way = read(releases, releases.old(1), releases.tag(2))
    assert ([step.name for step in way.steps], way.saved) == ([ARCHIVE], 0)
    assert made(releases) == {ARCHIVE: archive(2)}


def test_what_the_store_has_costs_nothing(releases: Releases) -> None:
    releases.chain(1, 2)
    read(releases, releases.old(3), releases.tag(2))
    (releases.root / "out" / ARCHIVE).unlink()
    before = releases.downloads()
    way = read(releases, releases.old(1), releases.tag(2))
    assert (way.downloaded, releases.downloads()) == (0, before)
    assert made(releases) == {ARCHIVE: archive(2)}


def test_what_went_bad_in_the_store_is_fetched_once_more(releases: Releases) -> None:
    releases.chain(1, 2)
    read(releases, releases.old(1), releases.tag(2))
    (releases.root / "out" / ARCHIVE).unlink()
    kept = releases.session.store().path(sha256(delta(archive(1), archive(2))))
    kept.write_bytes(bytes(kept.stat().st_size))
    read(releases, releases.old(1), releases.tag(2))
    assert made(releases) == {ARCHIVE: archive(2)}


def test_nothing_is_done_where_the_archive_is_at_hand(releases: Releases) -> None:
    releases.chain(1, 2)
    way = read(releases, releases.old(2), releases.tag(2), dry_run=True)
    assert (way.steps, way.downloaded, releases.downloads()) == ((), 0, [])


def test_no_release_of_before_the_one_at_hand_is_looked_at_and_not_too_many(releases: Releases) -> None:
    releases.chain(*range(1, MOST_RELEASES + 6))
    last = releases.tag(MOST_RELEASES + 5)
    asked = len(releases.hub.seen)
    read(releases, releases.old(MOST_RELEASES + 4), last, dry_run=True)
    near = len(releases.hub.seen) - asked
    assert releases.said == []
    read(releases, releases.old(0), last, dry_run=True)
    assert near <= 9
    assert len(releases.hub.seen) - asked - near <= 3 * MOST_RELEASES + 9


def test_a_channel_leads_to_the_release_that_it_follows(releases: Releases) -> None:
    releases.chain(1, 2)
    way = read(releases, releases.old(1), "latest-runtime")
    assert (way.tag, made(releases)) == (releases.tag(2), {ARCHIVE: archive(2)})


def refused(releases: Releases, error: type[BundleError], *words: str) -> None:
    """The way to release 2 fails, and nothing is left but the old archive."""
    old = releases.old(1)
    with pytest.raises(error) as caught:
        read(releases, old, releases.tag(2))
    assert all(word in caught.value.message for word in words), caught.value.message
    assert made(releases) == {}
    assert old.read_bytes() == archive(1)


def test_a_delta_that_leads_elsewhere_than_its_name_says_is_refused(releases: Releases) -> None:
    releases.add(1, {ARCHIVE: archive(1)})
    releases.add(2, {ARCHIVE: archive(2), named(archive(1)): delta(archive(1), archive(3))})
    refused(releases, IntegrityError, "does not lead from this archive", sha256(archive(3)))


def test_a_delta_from_another_archive_than_its_name_says_is_refused(releases: Releases) -> None:
    releases.add(1, {ARCHIVE: archive(1)})
    releases.add(2, {ARCHIVE: archive(2), named(archive(1)): delta(archive(3), archive(2))})
    refused(releases, IntegrityError, "does not lead from this archive", sha256(archive(3)))


@pytest.mark.parametrize("digests", [True, False])
def test_an_asset_that_was_replaced_is_refused(releases: Releases, digests: bool) -> None:
    releases.add(1, {ARCHIVE: archive(1)})
    own, other = delta(archive(1), archive(2)), delta(archive(1), archive(3))
    releases.add(2, {ARCHIVE: archive(2), named(archive(1)): other}, listed={named(archive(1)): own})
    releases.hub.digests = digests
    refused(releases, IntegrityError, named(archive(1)), sha256(own))


def test_bytes_that_change_on_the_way_are_refused(releases: Releases) -> None:
    releases.chain(1, 2)
    releases.hub.faults.append(Fault("objects", "GET", corrupt=True, after=2, times=-1))
    refused(releases, IntegrityError)


def test_an_interrupted_download_goes_on_where_it_was(releases: Releases) -> None:
    releases.chain(1, 2)
    for asset in releases.hub.releases()[0].assets.values():
        assert asset.size
    releases.hub.faults.append(Fault("objects", "GET", drop_after=9000, times=2))
    read(releases, releases.old(1), releases.tag(2))
    assert made(releases) == {ARCHIVE: archive(2)}


def test_a_delta_that_does_not_do_what_it_says_is_told_and_another_way_taken(releases: Releases) -> None:
    releases.add(1, {ARCHIVE: archive(1)})
    liar = delta(archive(1), archive(3), said=archive(2))
    releases.add(2, {ARCHIVE: archive(2), named(archive(1)): liar})
    way = read(releases, releases.old(1), releases.tag(2))
    assert [step.name for step in way.steps] == [ARCHIVE]
    assert made(releases) == {ARCHIVE: archive(2)}
    assert [text for text in releases.said if text.startswith("note: another way is taken: ")]


def test_nothing_is_overwritten(releases: Releases) -> None:
    releases.chain(1, 2)
    (releases.root / "out").mkdir()
    (releases.root / "out" / ARCHIVE).write_bytes(b"mine")
    with pytest.raises(UsageError, match="there already"):
        read(releases, releases.old(1), releases.tag(2))
    assert (made(releases), releases.downloads()) == ({ARCHIVE: b"mine"}, [])


def test_a_release_that_is_not_there_or_has_no_such_archive_is_an_error(releases: Releases) -> None:
    releases.chain(1, 2)
    with pytest.raises(UnreachableError, match="no published release"):
        read(releases, releases.old(1), "runtime-ffffffffffff")
    with pytest.raises(UsageError, match="no archive in the place of"):
        read(releases, releases.old(1, "other.tar.gz"), releases.tag(2))


def test_archives_in_parts_are_joined_and_made(releases: Releases) -> None:
    def parted(number: int) -> dict[str, bytes]:
        halves = archive(number)[:15_000], archive(number)[15_000:]
        names = [f"{ARCHIVE}.part-{part:03}" for part in range(2)]
        return {**dict(zip(names, halves, strict=True)), f"{ARCHIVE}.parts": "".join(f"{n}\n" for n in names).encode()}

    releases.add(1, {ARCHIVE: archive(1)})
    more = {named(archive(1)): delta(archive(1), archive(2))}
    releases.add(2, {**parted(2), **more}, listed={ARCHIVE: archive(2)})
    way = read(releases, releases.old(1), releases.tag(2))
    assert (way.size, [step.name for step in way.steps]) == (len(archive(2)), [*more])
    (releases.root / "out" / ARCHIVE).unlink()
    read(releases, releases.old(3), releases.tag(2))
    assert made(releases) == {ARCHIVE: archive(2)}


def asset_path(releases: Releases, number: int, name: str) -> Path:
    """Where the server keeps an asset."""
    (view,) = (one for one in releases.hub.releases() if one.tag == releases.tag(number))
    return view.assets[name].path


def test_a_delta_that_cannot_be_had_is_told_and_the_archive_taken(releases: Releases) -> None:
    """Deleted between the look at the release and the download, or kept back by a proxy: no other delta is tried."""
    contents = growing(releases, 4)
    (gone,) = (one.assets for one in releases.hub.releases() if one.tag == releases.tag(2))
    lost = str(gone[named(contents[1])].id)
    releases.hub.faults.append(Fault(path=f"/releases/assets/{lost}$", status=404, times=-1))
    way = read(releases, releases.old(1), releases.tag(3))
    assert [step.name for step in way.steps] == [ARCHIVE]
    assert made(releases) == {ARCHIVE: contents[3]}
    assert releases.downloads() == [named(contents[0]), named(contents[1]), ARCHIVE]
    (said,) = releases.said
    assert said.startswith("note: the archive itself is taken: ")
    assert "404" in said


def test_nothing_is_made_where_neither_deltas_nor_the_archive_can_be_had(releases: Releases) -> None:
    releases.chain(1, 2)
    releases.hub.faults.append(Fault("objects", "GET", status=503, after=2, times=-1))
    refused(releases, UnreachableError)


@pytest.mark.parametrize("size", [20, 30_000, 50_000_000], ids=["cut", "more", "much more"])
def test_a_delta_of_another_length_than_is_told_is_refused_or_left(releases: Releases, size: int) -> None:
    releases.chain(1, 2)
    path = asset_path(releases, 2, named(archive(1)))
    content = path.read_bytes()
    path.write_bytes(content[:size] + bytes(max(0, size - len(content))))
    try:
        read(releases, releases.old(1), releases.tag(2))
    except IntegrityError:
        assert made(releases) == {}
    else:
        assert made(releases) == {ARCHIVE: archive(2)}
        assert len(releases.said) == 1
    partial = list((releases.root / "cache" / "partial").glob("*"))
    assert sum(one.stat().st_size for one in partial) < 100_000, "what is more than was told is not kept"


def test_deltas_in_a_circle_lead_out_of_it(releases: Releases) -> None:
    releases.add(1, {ARCHIVE: archive(1), named(archive(2)): delta(archive(2), archive(1))})
    releases.add(2, {ARCHIVE: archive(2), named(archive(1)): delta(archive(1), archive(2))})
    releases.add(3, {ARCHIVE: archive(3)})
    assert [step.name for step in read(releases, releases.old(1), releases.tag(3)).steps] == [ARCHIVE]
    assert made(releases) == {ARCHIVE: archive(3)}


def test_the_archive_is_taken_where_all_steps_together_are_more(releases: Releases) -> None:
    releases.chain(1, 2, 3)
    deltas = len(delta(archive(1), archive(2))) + len(delta(archive(2), archive(3)))
    assert len(archive(3)) < deltas < 2 * len(archive(3))
    way = read(releases, releases.old(1), releases.tag(3))
    assert [step.name for step in way.steps] == [ARCHIVE]
    assert releases.downloads() == [ARCHIVE]


def test_of_a_way_no_more_than_two_files_are_kept_at_a_time(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = growing(releases, 6)
    most = 0

    def applied(old: Path, delta: Path, name: str, out: Write) -> Wanted:
        nonlocal most
        most = max(most, len(list(releases.root.glob("cache/tmp/*/*"))))
        return write_applied(old, delta, name, out)

    monkeypatch.setattr("bundler.release.way.write_applied", applied)
    assert len(read(releases, releases.old(1), releases.tag(5)).steps) == 5
    assert made(releases) == {ARCHIVE: contents[5]}
    assert most == 2
