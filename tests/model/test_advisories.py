from __future__ import annotations

from typing import Any

import pytest

from bundler.model.advisories import Advisories, packages_of
from bundler.model.advisory import Advisory, Package
from bundler.model.inventory import Inventory, Item
from tests.model.test_advisory import of, package, record


def known(*records: Advisory) -> Advisories:
    return Advisories.of_records(records, "here")


def advisory(name: str, *aliases: str, fixed: str = "2.0", **more: Any) -> Advisory:
    return record(of([{"introduced": "0"}, {"fixed": fixed}]), id=name, aliases=list(aliases), **more)


def test_advisories_that_are_aliases_are_one_issue() -> None:
    records = advisory("PYSEC-1", "CVE-1", fixed="2.1"), advisory("GHSA-1", "CVE-1", summary="s"), advisory("GHSA-2")
    first, second = known(*records).issues({package("1.0")})
    assert first.ids == ("GHSA-1", "PYSEC-1", "CVE-1") and first.summary == "s"
    assert first.versions == {"1.0": ("2.1", "2.0")}
    assert second.ids == ("GHSA-2",)


def test_aliases_are_followed_over_others() -> None:
    (one,) = known(advisory("A-1", "C-1"), advisory("B-1", "C-2"), advisory("D-1", "C-1", "C-2")).issues({package("1")})
    assert one.ids == ("A-1", "B-1", "D-1", "C-1", "C-2")


def test_a_withdrawn_advisory_does_not_count() -> None:
    assert known(advisory("A-1", withdrawn="2026-01-01T00:00:00Z")).issues({package("1.0")}) == ()


def test_what_cannot_be_judged_is_told_as_such() -> None:
    (one,) = known(record(of([{"introduced": "what"}]))).issues({package("1.0")})
    assert not one.certain


def test_they_are_as_old_as_the_newest_and_cover_what_they_are_of() -> None:
    found = known(
        advisory("A-1", modified="2026-01-01T23:59:00-01:00"), advisory("A-2", modified="2025-01-01T00:00:00Z")
    )
    assert str(found.made) == "2026-01-02"
    assert found.covers(package("1.0")) and not found.covers(Package("npm", "a", "1.0.0"))
    assert found.subset({package("1.0")}).covers(package("1.0"))
    assert not found.subset({package("1.0")}).covers(package("1.1"))
    with pytest.raises(ValueError, match="no advisory"):
        known()


def test_items_are_named_as_advisories_name_them() -> None:
    items = (
        Item("pkg:pypi/a@1.0%2Bours", "wheel", "A", "1.0+ours"),
        Item("pkg:npm/%40s/b@2.0.0", "npm", "@s/b", "2.0.0"),
        Item("pkg:deb/debian/c@3-1", "deb", "c", "3-1"),
        Item("pkg:deb/docker/d@3-1", "deb", "d", "3-1"),
        Item("pkg:generic/python@3.11", "python", "python", "3.11"),
    )
    python, npm, deb = Package("PyPI", "a", "1.0"), Package("npm", "@s/b", "2.0.0"), Package("Debian:12", "c", "3-1")
    assert packages_of(Inventory("x", "1", "debian 12 amd64", items=items)) == {python, npm, deb}
    assert packages_of(Inventory("x", "1", "ubuntu 24.04 amd64", items=items)) == {python, npm}
