"""A body of advisories: what it tells of the packages that archives hold, and of which it tells nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TypeAlias

from packaging.version import InvalidVersion, Version

from bundler.model.advisory import Advisory, Affected, Package, comparable
from bundler.model.inventory import Inventory, Item, ItemKind

Key: TypeAlias = tuple[str, str]
_ECOSYSTEMS: Mapping[ItemKind, str] = {"wheel": "PyPI", "npm": "npm", "deb": "Debian"}
_OF_DEBIAN = "pkg:deb/debian/"


@dataclass(frozen=True)
class Issue:
    """What advisories that are aliases of each other say of one project.

    `ids` are theirs, then what else they are called by. `versions` are the affected ones that are held, each with the
    versions above it that are not affected. Where not `certain`, a version cannot be compared with what they say.
    """

    ecosystem: str
    name: str
    ids: tuple[str, ...]
    summary: str
    gravity: str
    versions: Mapping[str, tuple[str, ...]]
    certain: bool = True

    @property
    def packages(self) -> tuple[Package, ...]:
        """The versions that are held."""
        return tuple(Package(self.ecosystem, self.name, version) for version in self.versions)


@dataclass(frozen=True)
class Advisories:
    """Advisories as they were known on the day `made`; `source` says where they are from, for people.

    `asked` are the packages that it tells all of that was known; None: every package of the `ecosystems`.
    """

    made: date
    source: str
    records: tuple[Advisory, ...]
    asked: frozenset[Package] | None = None
    ecosystems: frozenset[str] = frozenset()

    @classmethod
    def of_records(cls, records: Sequence[Advisory], source: str) -> Advisories:
        """What a database's records say: they are as old as the newest of them. Raises ValueError if there is none."""
        if not records:
            raise ValueError("it holds no advisory")
        made = max(record.modified for record in records).date()
        ecosystems = frozenset(key[0] for record in records for key in map(_key, record.affected or ()))
        return cls(made, source, tuple(records), None, ecosystems)

    def covers(self, package: Package) -> bool:
        """Whether it would tell of a package."""
        return package.ecosystem in self.ecosystems if self.asked is None else package in self.asked

    def issues(self, packages: Set[Package]) -> tuple[Issue, ...]:
        """What it tells of packages, by project."""
        found: dict[Key, list[tuple[Advisory, Package, bool]]] = defaultdict(list)
        for package in sorted(packages):
            for record in self._by_key.get(package.key, ()):
                if (judged := record.judged(package)) is not False:
                    found[package.key].append((record, package, judged is True))
        return tuple(_issue(key, group) for key in sorted(found) for group in _grouped(found[key]))

    def subset(self, packages: Set[Package]) -> Advisories:
        """What is known of these packages alone, as of the same day and source."""
        asked = frozenset(package for package in packages if self.covers(package))
        records: dict[str, Advisory] = {}
        for package in sorted(asked):
            for record in self._by_key.get(package.key, ()):
                if record.judged(package) is not False:
                    records[record.id] = record
        return replace(
            self,
            records=tuple(_reduced(records[name], asked) for name in sorted(records)),
            asked=asked,
            ecosystems=frozenset(),
        )

    @cached_property
    def _by_key(self) -> Mapping[Key, Sequence[Advisory]]:
        found: dict[Key, list[Advisory]] = defaultdict(list)
        for record in self.records:
            if record.withdrawn is None:
                for key in dict.fromkeys(map(_key, record.affected or ())):
                    found[key].append(record)
        return found


def packages_of(inventory: Inventory) -> frozenset[Package]:
    """What advisories may tell of in an archive."""
    return frozenset(package for item in inventory.items if (package := package_of(item, inventory)))


def known_of(known: Advisories, inventories: Iterable[Inventory]) -> Callable[[Inventory], Iterator[tuple[Item, str]]]:
    """How to look up what is known of each of several inventories, which are compared: an item, and an issue's name.

    Of a project of which any version is not covered nothing is told: it would seem to be opened or closed.
    """
    held = {package for inventory in inventories for package in packages_of(inventory)}
    untold = {package.key for package in held if not known.covers(package)}

    def lookup(inventory: Inventory) -> Iterator[tuple[Item, str]]:
        for issue in known.issues({package for package in packages_of(inventory) if package.key not in untold}):
            for item in inventory.items:
                if package_of(item, inventory) in issue.packages:
                    yield item, min(issue.ids)  # of aliases always the same, whichever record is of the version

    return lookup


def package_of(item: Item, inventory: Inventory) -> Package | None:
    """An item as advisories name it; None if they have no name for such things.

    What is made here of a version that others released (`1.0+ours`) is that version; Debian's advisories are for one
    release of it.
    """
    ecosystem = _ECOSYSTEMS.get(item.kind)
    if ecosystem is None:
        return None
    version = item.version
    if ecosystem == "PyPI":
        try:
            version = Version(version).public
        except InvalidVersion:
            return None
    if ecosystem == "Debian":
        distro, _, rest = inventory.host.partition(" ")
        if distro != "debian" or not item.purl.startswith(_OF_DEBIAN):  # others' packages are not in its advisories
            return None
        ecosystem = f"Debian:{rest.partition(' ')[0]}"
    return Package(ecosystem, comparable(ecosystem, item.name), version)


def _key(affected: Affected) -> Key:
    return affected.key


def _grouped(
    found: Sequence[tuple[Advisory, Package, bool]],
) -> Iterator[Sequence[tuple[Advisory, Package, bool]]]:
    """Put together what is called by a name that another has too."""
    groups: list[tuple[set[str], list[tuple[Advisory, Package, bool]]]] = []
    for one in found:
        names, members = set(one[0].ids), [one]
        for group in [group for group in groups if not group[0].isdisjoint(names)]:
            names |= group[0]
            members = [*group[1], *members]
            groups.remove(group)
        groups.append((names, members))
    yield from (members for _, members in sorted(groups, key=lambda group: min(one[0].id for one in group[1])))


def _issue(key: Key, group: Iterable[tuple[Advisory, Package, bool]]) -> Issue:
    group = list(group)
    records = sorted({record.id: record for record, _, _ in group}.values(), key=lambda record: record.id)
    ids = [record.id for record in records]
    aliases = sorted({name for record in records for name in record.ids} - set(ids))
    versions: dict[str, tuple[str, ...]] = {}
    for record, package, _ in group:
        fixes = (text for affected in record.of(key) for text in affected.fixes(package))
        versions[package.version] = tuple(dict.fromkeys((*versions.get(package.version, ()), *fixes)))
    return Issue(
        ecosystem=key[0],
        name=key[1],
        ids=(*ids, *aliases),
        summary=next((record.summary for record in records if record.summary), ""),
        gravity=next((record.gravity for record in records if record.gravity), ""),
        versions=versions,
        certain=all(certain for _, _, certain in group),
    )


def _reduced(record: Advisory, asked: Set[Package]) -> Advisory:
    """What a record says of the packages that were asked for: no more than it takes to judge them again."""
    kept = []
    for one in record.affected or ():
        own = [package for package in asked if package.key == one.key]
        judged = {one.judged(package) for package in own}
        if None in judged:
            kept.append(one)
        elif True in judged:
            listed = tuple(text for text in one.versions if any(one.lists(text, package) for package in own))
            kept.append(replace(one, versions=listed))
    return replace(record, affected=tuple(kept))
