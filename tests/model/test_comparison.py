"""Two sets of archives, compared: pure values in, pure values out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import UsageError
from bundler.model.comparison import Advisories, Comparison, compare
from bundler.model.holding import Holding
from bundler.model.inventory import Inventory, Item, ItemKind
from bundler.model.item_change import Event, ItemChange

A, B = "a" * 64, "b" * 64


def item(
    name: str,
    version: str,
    kind: ItemKind = "wheel",
    *,
    size: int = 1_000_000,
    sha256: str = "",
    publisher: str = "",
    licences: tuple[str, ...] = (),
    startup: tuple[str, ...] = (),
) -> Item:
    return Item(
        f"pkg:generic/{name}@{version}", kind, name, version,
        size=size, sha256=sha256 or (name + version).encode().hex().ljust(64, "0"), publisher=publisher,
        licences=licences, startup=startup,
    )  # fmt: skip


def holding(
    *items: Item, host: str = "debian 12 amd64", component: str = "demo", python: str = "3.11.2", size: int = 0
) -> Holding:
    return Holding(Inventory(component, "1", host, python, items=tuple(sorted(items))), size)


def told(found: Comparison) -> list[str]:
    (pair,) = found.pairs
    return list(map(str, pair.changes))


def test_what_came_went_and_took_its_place_is_told() -> None:
    old = holding(item("gone", "1"), item("same", "1"), item("up", "1.9"), item("down", "2"), item("again", "1"))
    new = holding(
        item("same", "1"), item("up", "1.10"), item("down", "1"), item("again", "1", sha256=B), item("came", "3")
    )
    assert told(compare([old], [new])) == [
        "again 1: rebuilt, other bytes under the same name",
        "+ came 3",
        "- gone 1",
        "down 2 -> 1 (older)",
        "up 1.9 -> 1.10",
    ]


def test_items_of_other_kinds_are_told_by_their_kinds_and_commits_are_neither_newer_nor_older() -> None:
    old = holding(item("x", "1"), item("x", "2.36-9+deb12u1", "deb"), item("roles", "a" * 40, "repository"))
    new = holding(item("x", "1"), item("x", "2.36-9+deb12u10", "deb"), item("roles", "b" * 40, "repository"))
    assert told(compare([old], [new])) == [
        "x (deb) 2.36-9+deb12u1 -> 2.36-9+deb12u10",
        f"roles (repository) {'a' * 12} -> {'b' * 12}",
    ]


def test_of_several_versions_of_one_item_the_newest_takes_the_place_of_the_newest() -> None:
    old = holding(item("p", "1.9", "npm"), item("p", "2", "npm"))
    new = holding(item("p", "2", "npm"), item("p", "1.10", "npm"), item("p", "1.2", "npm"))
    assert told(compare([old], [new])) == ["+ p (npm) 1.2", "p (npm) 1.9 -> 1.10"]


def test_another_file_is_told_only_where_both_digests_are_known() -> None:
    known, unknown = item("x", "1"), replace(item("x", "1"), sha256="")
    assert told(compare([holding(known)], [holding(unknown)])) == []
    assert told(compare([holding(unknown)], [holding(unknown)])) == []


def test_another_file_of_a_version_is_no_rebuilt_one() -> None:
    one = replace(item("x", "1"), path="packages/pip/x-1-cp311-cp311-linux_x86_64.whl")
    other = replace(item("x", "1", sha256=B), path="packages/pip/x-1-cp313-cp313-linux_x86_64.whl")
    assert told(compare([holding(one)], [holding(other)])) == ["x 1: another file of the same version"]
    both = [holding(one, other)], [holding(replace(one, sha256=A), other)]
    assert told(compare(*both)) == ["x 1: rebuilt, other bytes under the same name"]


def test_python_is_told_once() -> None:
    own = item("cpython", "3.13.5", "python")
    old, new = holding(python="3.11.2"), holding(python="3.13.5")
    assert told(compare([old], [new])) == ["Python 3.11.2 -> 3.13.5"]
    old, new = holding(replace(own, version="3.13.4"), python="3.13.4"), holding(own, python="3.13.5")
    assert told(compare([old], [new])) == ["cpython 3.13.4 -> 3.13.5"]


def test_publishers_and_licences_are_compared_where_both_sides_know_any() -> None:
    first = item("x", "1", publisher="GitHub a/x", licences=("MIT",)), item("y", "1", publisher="GitHub a/y")
    other = item("x", "1", publisher="GitHub evil/x", licences=("GPL-3.0-only",)), item("y", "1")
    assert told(compare([holding(*first)], [holding(*other)])) == [
        "x 1: publisher GitHub a/x -> GitHub evil/x",
        "y 1: publisher GitHub a/y -> unknown",
        "x 1: licence MIT -> GPL-3.0-only",
    ]
    assert told(compare([holding(*first)], [holding(item("x", "1"), item("y", "1"))])) == []


def test_what_python_runs_at_every_start_is_told_where_both_sides_were_read() -> None:
    plain, odd = item("x", "1", licences=("MIT",)), item("x", "2", licences=("MIT",), startup=("x.pth",))
    new = item("y", "1", licences=("MIT",), startup=("sitecustomize.py",))
    assert told(compare([holding(plain)], [holding(odd, new)]))[:2] == [
        "x 2: Python runs its x.pth at every start",
        "y 1: Python runs its sitecustomize.py at every start",
    ]
    assert "x 1: Python no longer runs its x.pth at every start" in told(compare([holding(odd)], [holding(plain)]))
    assert not any("every start" in line for line in told(compare([holding(item("x", "1"))], [holding(odd)])))


def test_advisories_are_opened_and_closed() -> None:
    old, new = holding(item("x", "1"), item("y", "1")), holding(item("x", "2"), item("y", "1"))
    known = Advisories(
        lambda inventory: ((one, "PYSEC-1") for one in inventory.items if one.version == "1" and one.name == "x"),
        lambda inventory: ((one, "PYSEC-2") for one in inventory.items if one.name == "y"),
    )
    assert told(compare([old], [new], known)) == ["y 1: PYSEC-2 is opened", "x 1: PYSEC-1 is closed", "x 1 -> 2"]


def test_where_the_megabytes_went_is_told_by_item_what_moved_most_first() -> None:
    hosts = "debian 12 amd64", "debian 13 amd64"
    big, small = item("big", "1", size=9_000_000), item("small", "1", size=2)
    old = [holding(small, item("gone", "1", size=5), host=host, size=50) for host in hosts]
    new = [holding(big, replace(small, size=4), host=hosts[0]), holding(big, replace(small, size=5), host=hosts[1])]
    found = compare(old, new)
    assert [(gain.name, gain.total, gain.least, gain.most, gain.archives) for gain in found.gains] == [
        ("big", 18_000_000, 9_000_000, 9_000_000, 2),
        ("gone", -10, -5, -5, 2),
        ("small", 5, 2, 3, 2),
    ]
    assert [gain.name for gain in found.pairs[0].gains] == ["big", "gone", "small"]
    first = found.pairs[0]
    assert (first.before.items, first.before.size, first.before.file) == (2, 7, 50)
    assert (first.after.items, first.after.size) == (2, 9_000_004)


def test_of_items_whose_size_is_not_known_no_gain_is_told() -> None:
    found = compare([holding(item("x", "1", size=0))], [holding(item("x", "2"))])
    assert found.gains == ()


def test_archives_are_paired_by_component_and_host_and_what_has_no_pair_is_named() -> None:
    one, two, three = (f"debian {number} amd64" for number in (11, 12, 13))
    old = [holding(host=one), holding(host=two)]
    new = [holding(item("x", "1"), host=two), holding(host=three)]
    found = compare(old, new)
    assert [pair.name for pair in found.pairs] == ["debian-12-amd64"]
    assert (found.only_old, found.only_new) == (("debian-11-amd64",), ("debian-13-amd64",))
    found = compare([*old, holding(component="other")], [*new, holding(component="other")])
    assert [pair.name for pair in found.pairs] == ["demo debian-12-amd64", "other debian-12-amd64"]


def test_one_archive_is_compared_with_one_of_another_host() -> None:
    found = compare([holding(host="debian 12 amd64")], [holding(host="debian 13 amd64")])
    assert found.pairs[0].name == "debian-12-amd64 -> debian-13-amd64"


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(UsageError, match="demo and other have no component in common"):
        compare([holding()], [holding(component="other")])
    with pytest.raises(UsageError, match="no target is on both sides"):
        compare([holding()], [holding(host="debian 13 amd64"), holding(host="debian 13 arm64")])
    with pytest.raises(UsageError, match="two archives are for the same, demo debian 12 amd64"):
        compare([holding(), holding()], [holding()])


ITEMS = st.builds(
    item,
    st.sampled_from("xyz"),
    st.sampled_from(["1", "1.0", "2.1", "1~2", "a" * 40, "b" * 40]),
    st.sampled_from(["wheel", "deb"]),
    size=st.integers(0, 9),
    sha256=st.sampled_from(["", A, B]),
    publisher=st.sampled_from(["", "p", "q"]),
    licences=st.sampled_from([(), ("MIT",), ("MIT", "BSD")]),
    startup=st.sampled_from([(), ("x.pth",), ("sitecustomize.py", "x.pth")]),
)
HOLDINGS = st.lists(
    st.builds(
        lambda items, host: holding(*items, host=host), st.lists(ITEMS, max_size=6), st.sampled_from(["h 1", "h 2"])
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one.inventory.host,
)
KNOWN = Advisories(*[lambda inventory: ((one, "A-1") for one in inventory.items if one.size == 1)] * 2)
MIRROR: dict[Event, Event] = {
    "added": "removed", "removed": "added", "up": "down", "down": "up", "opened": "closed", "closed": "opened",
}  # fmt: skip


@given(HOLDINGS)
def test_nothing_differs_from_itself(holdings: list[Holding]) -> None:
    found = compare(holdings, holdings, KNOWN)
    assert not found.differs
    assert (found.shared, found.gains) == ((), ())


@given(HOLDINGS, HOLDINGS)
def test_the_way_back_is_the_way_there_mirrored(old: list[Holding], new: list[Holding]) -> None:
    if len(old) > 1 or len(new) > 1:
        new = [replace(new[0], inventory=replace(new[0].inventory, host=old[0].inventory.host))]
    there, back = compare(old, new, KNOWN), compare(new, old, KNOWN)
    assert there.differs == back.differs
    assert (there.only_old, there.only_new) == (back.only_new, back.only_old)
    for one, other in zip(there.pairs, back.pairs, strict=True):
        assert (one.before, one.after) == (other.after, other.before)
        assert {turned(change) for change in one.changes} == {unversioned(change) for change in other.changes}
        assert [(g.name, g.total) for g in one.gains] == [(g.name, -g.total) for g in other.gains]


def turned(change: ItemChange) -> ItemChange:
    event = MIRROR.get(change.event, change.event)
    return unversioned(replace(change, event=event, before=change.after, after=change.before))


def unversioned(change: ItemChange) -> ItemChange:
    """A change of what is said of an item names the version of the new side."""
    return replace(change, version="")
