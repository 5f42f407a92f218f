"""What an archive holds, item by item: what its SBOM lists, an audit looks up, and two archives are compared by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal, TypeAlias

# A wheel, an interpreter, a program that stands alone, an npm or a Debian package, a repository's commit, a container
# image, another archive of ours, any other file.
ItemKind: TypeAlias = Literal["wheel", "python", "program", "npm", "deb", "repository", "image", "archive", "file"]


@dataclass(frozen=True, order=True)
class Item:
    """One thing in an archive. `purl` (package URL, ECMA-427) tells it from all others in the same archive.

    `path` is where it stands below the top folder, `size` is in bytes, `sha256` (hex) is of the file, "" if it is many.
    `licences` are SPDX expressions, or names where its makers tell none. `needs` are the purls of what it asks for.
    `sboms` are SBOMs that it carries itself (PEP 770): paths inside it. `publisher` is who the index says published it.
    `startup` are files in it that Python runs whenever it starts: paths inside it, where its bytes were read.
    """

    purl: str
    kind: ItemKind
    name: str
    version: str
    path: str = ""
    size: int = 0
    sha256: str = ""
    licences: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    sboms: tuple[str, ...] = ()
    publisher: str = ""
    startup: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inventory:
    """All items of one archive, sorted. `roots` are the purls of what was asked for, not brought by something else.

    `host` is what the archive is for (`debian 12 amd64`), `python` the version that its wheels are for, and `inputs`
    the digest of all that decided its bytes.
    """

    component: str
    version: str
    host: str
    python: str = ""
    inputs: str = ""
    roots: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()

    @cached_property
    def by_purl(self) -> dict[str, Item]:
        """Each item by its purl."""
        return {item.purl: item for item in self.items}

    @cached_property
    def by_name(self) -> dict[tuple[ItemKind, str], list[Item]]:
        """The items of each kind and name: there may be several versions, and several files of each."""
        found: dict[tuple[ItemKind, str], list[Item]] = {}
        for item in self.items:
            found.setdefault((item.kind, item.name), []).append(item)
        return found


def joined(items: Iterable[Item]) -> tuple[Item, ...]:
    """The items sorted, those of one purl as one: it needs what any of them needs, all else is as first told."""
    found: dict[str, Item] = {}
    for item in items:
        other = found.get(item.purl)
        found[item.purl] = item if other is None else _both(other, item)
    return tuple(sorted(found.values()))


def _both(first: Item, second: Item) -> Item:
    told = {one.name: getattr(second, one.name) for one in fields(Item) if not getattr(first, one.name)}
    return replace(first, **{**told, "needs": tuple(sorted({*first.needs, *second.needs}))})
