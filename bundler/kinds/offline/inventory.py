"""What an all-in-one package holds, item by item: the archives of its parts, what is in them, wheels and collections.

Two parts may carry the same version of a project as different files, each for its own Python. Then a package URL says
which file it is (`?file_name=`). What stands in a part's archive only has a path of two: `archive!/path in it`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.kinds.offline.manifest import Part
from bundler.kinds.offline.package import Package, PartFacts, camel
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.places import COMPONENTS
from bundler.model.bundle import PYTHON, WHEELS
from bundler.model.closure import Closure
from bundler.model.inventory import Inventory, Item, joined
from bundler.model.package_url import package_url

_CPYTHON = f"{PYTHON}/cpython-"
# Size in bytes and SHA-256 (hex) by path.
Sized = Mapping[str, tuple[int, str]]


def inventory_of(
    facts: Package,
    lock: OfflineLock,
    closures: Sequence[Sequence[Item]],
    parts: Mapping[str, Inventory],
    files: Sized,
) -> Inventory:
    """What a package holds.

    `closures` are the wheels of each of its closures, `parts` what the archives of its parts hold, by their names, as
    far as anybody says, `files` what stands in it.
    """
    whole = [part for part in facts.parts if part.archive]
    carried = [(part, parts[part.asset]) for part in whole if part.asset in parts]
    groups = [[_sized(item, files) for item in closure] for closure in closures]
    groups += [[_placed(item, part) for item in held.items] for part, held in carried]
    renamed = _renamed(groups)
    pinned = (item for _, one in lock.sections for item in one.items())
    inside = zip(carried, renamed[len(closures) :], strict=True)
    needed = {part.asset: _roots(held, group) for (part, held), group in inside}
    archives = [_archive(facts, part, parts.get(part.asset), files, needed.get(part.asset, ())) for part in whole]
    items = joined((*chain.from_iterable(renamed), *_pythons(files), *archives, *pinned))
    wanted = zip(facts.closures, renamed, strict=False)
    asked = {root for closure, group in wanted for root in _asked(closure.requirements, group)}
    return Inventory(
        component=facts.name,
        version=facts.package_version,
        host=facts.host,
        inputs=facts.inputs,
        roots=tuple(sorted({*asked, *_idle(items)})),
        items=items,
    )


def locked_inventory(
    component: str, host: str, lock: OfflineLock, parts: Sequence[tuple[Part, Inventory | None]]
) -> Inventory:
    """What a package will hold as far as the locks tell: its parts' archives have no digest before they are made."""
    groups = [held.items for _, held in parts if held]
    archives = [
        Item(package_url("generic", held.component, held.version), "archive", held.component, held.version)
        for part, held in parts
        if held and part.archive and not any(item.kind == "archive" for item in held.items)
    ]
    pinned = (item for _, one in lock.sections for item in one.items())
    items = joined((*chain.from_iterable(_renamed(groups)), *archives, *pinned))
    return Inventory(component, "", host, roots=_idle(items), items=items)


def _idle(items: Sequence[Item]) -> tuple[str, ...]:
    """Those that no other needs, by their purls."""
    return tuple(sorted({item.purl for item in items} - {purl for item in items for purl in item.needs}))


def wheels_of(held: Inventory | None, closure: Closure) -> list[Item]:
    """The wheels of a closure, of what a part holds: each with those of them that it needs."""
    paths = {f"{WHEELS}/{name}" for name in closure.wheels}
    wheels = [item for item in held.items if item.kind == "wheel" and item.path in paths] if held else []
    purls = {item.purl for item in wheels}
    return [replace(item, needs=tuple(purl for purl in item.needs if purl in purls)) for item in wheels]


def _sized(item: Item, files: Sized) -> Item:
    """A wheel with what its file in the package tells."""
    size, sha256 = files.get(item.path, (item.size, item.sha256))
    return replace(item, size=size, sha256=sha256)


def _placed(item: Item, part: PartFacts) -> Item:
    """An item of a part's archive with its place in the package."""
    if part.contents or not item.path:
        return item
    return replace(item, path=f"{COMPONENTS}/{part.asset}!/{item.path}")


def _archive(facts: Package, part: PartFacts, held: Inventory | None, files: Sized, needs: tuple[str, ...]) -> Item:
    """A part's archive itself, which needs what was asked for in it."""
    release = facts.component_releases.get(camel(part.component))
    path = f"{COMPONENTS}/{part.asset}"
    size, sha256 = files.get(path, (0, ""))
    named = (f"file_name={part.asset}",)
    if held or release is None:
        version = held.version if held else part.inputs[:12]
        purl = package_url("generic", part.component, version, "", named)
    else:
        version = release.tag
        owner, _, name = release.repo.partition("/")
        purl = package_url("github", name, version, owner, named)
    return Item(purl, "archive", part.component, version, path, size, sha256, needs=needs)


def _renamed(groups: Sequence[Sequence[Item]]) -> list[list[Item]]:
    """The same items; those of one purl that are different files say in it which they are."""
    digests: dict[str, set[str]] = {}
    for item in (item for group in groups for item in group):
        digests.setdefault(item.purl, set()).add(item.sha256)
    return [list(_told_apart(group, {purl for purl, told in digests.items() if len(told) > 1})) for group in groups]


def _told_apart(group: Iterable[Item], shared: set[str]) -> Iterator[Item]:
    group = list(group)
    names = {item.purl: _named(item) for item in group if item.purl in shared}
    for item in group:
        needs = tuple(sorted(names.get(purl, purl) for purl in item.needs))
        yield replace(item, purl=names.get(item.purl, item.purl), needs=needs)


def _named(item: Item) -> str:
    from packageurl import PackageURL  # loaded when something is named

    plain, name = PackageURL.from_string(item.purl), item.path.rpartition("/")[2]
    return PackageURL(plain.type, plain.namespace, plain.name, plain.version, {"file_name": name}).to_string()


def _roots(held: Inventory, group: Sequence[Item]) -> tuple[str, ...]:
    """What was asked for in an archive, as it is called in the package."""
    roots = {*held.roots}
    return tuple(sorted({new.purl for old, new in zip(held.items, group, strict=True) if old.purl in roots}))


def _pythons(files: Sized) -> Iterator[Item]:
    """Each portable CPython, by its folder; only a part's archive tells what it is taken from."""
    for path in sorted({"/".join(path.split("/", 3)[:3]) for path in files if path.startswith(_CPYTHON)}):
        version = path.removeprefix(_CPYTHON)
        yield Item(package_url("generic", "cpython", version), "python", "cpython", version, path)


def _asked(requirements: Iterable[str], group: Sequence[Item]) -> Iterator[str]:
    """The items that requirements ask for."""
    names = {canonicalize_name(Requirement(text).name) for text in requirements}
    return (item.purl for item in group if item.name in names)
