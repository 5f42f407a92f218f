"""What a package holds where two of its parts carry one version of a project as different files."""

from __future__ import annotations

from bundler.kinds.offline.inventory import locked_inventory
from bundler.kinds.offline.manifest import Part
from bundler.kinds.offline.package_lock import LockFacts, OfflineLock
from bundler.model.inventory import Inventory, Item

LOCK = OfflineLock(LockFacts("demo", "debian-12-amd64"))


def wheel(name: str, tag: str, *needs: str) -> Item:
    path = f"packages/pip/{name}-1-{tag}.whl"
    return Item(f"pkg:pypi/{name}@1", "wheel", name, "1", path, 1, path.encode().hex().ljust(64, "0")[:64], needs=needs)


def part(name: str, *items: Item) -> tuple[Part, Inventory]:
    return Part(name, archive=False, contents=True), Inventory(name, "1", "debian 12 amd64", items=items)


def test_a_package_url_says_which_of_two_files_it_is_and_each_needs_its_own() -> None:
    first = part("one", wheel("app", "py3-none-any", "pkg:pypi/lib@1"), wheel("lib", "cp311-x"))
    second = part("two", wheel("other", "py3-none-any", "pkg:pypi/lib@1"), wheel("lib", "cp313-x"))
    items = locked_inventory("demo", "debian 12 amd64", LOCK, [first, second]).by_purl
    lib = "pkg:pypi/lib@1?file_name=lib-1-{}-x.whl"
    assert sorted(items) == ["pkg:pypi/app@1", lib.format("cp311"), lib.format("cp313"), "pkg:pypi/other@1"]
    assert items["pkg:pypi/app@1"].needs == (lib.format("cp311"),)
    assert items["pkg:pypi/other@1"].needs == (lib.format("cp313"),)


def test_what_two_parts_share_is_one() -> None:
    both = [part(name, wheel("lib", "py3-none-any")) for name in ("one", "two")]
    assert len(locked_inventory("demo", "debian 12 amd64", LOCK, both).items) == 1
