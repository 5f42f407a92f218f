"""From the parts and collections of a package to its content: where each thing stands, and what tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bundler.adapters.archive import Written
from bundler.adapters.read_archive import read_member
from bundler.errors import IntegrityError
from bundler.kinds import file_list
from bundler.kinds.kind import Job, Order
from bundler.kinds.offline import package
from bundler.kinds.offline.manifest import Part
from bundler.kinds.offline.package import (
    ClosureFacts,
    Package,
    PackageTarget,
    PartFacts,
    ReleaseFacts,
    SourceFacts,
    camel,
    collections_of,
)
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.places import COMPONENTS, FILE_LIST, LOCK, MANIFEST, README, RECORDS, REQUIRED, TARGET_ENV
from bundler.kinds.offline.recipe import Recipe
from bundler.kinds.offline.required import required_on, written
from bundler.model.bundle import Bundle, Entry, File, Link, Slice, text_file
from bundler.model.closure import Closure
from bundler.words import ARCHIVE

if TYPE_CHECKING:
    from bundler.bench import Bench

_LARGEST_COPY = 128 << 20


# The components that a package carries: as its manifest says, and the one archive of each.
Parts: TypeAlias = Sequence[tuple[Part, Order, Job]]


def plan(recipe: Recipe, lock: OfflineLock, parts: Parts, closures: Sequence[Closure], bench: Bench) -> Bundle:
    """Return the package's content; `closures` are what its wheels are there for.

    Raises IntegrityError where two things have the same place.
    """
    entries = _distinct(_carried(recipe, lock, parts, bench))
    sized = {entry.path: (entry.size, entry.sha256) for entry in entries if isinstance(entry, File)}
    facts = _facts(recipe, lock, parts, closures, sized)
    members = (
        text_file(TARGET_ENV, package.target_env(facts)),
        text_file(README, package.readme(facts)),
        text_file(LOCK, lock.render().encode()),
        text_file(REQUIRED, written(required_on(recipe.manifest.required, recipe.host))),
        text_file(MANIFEST, package.render(facts)),
    )
    entries = _distinct((*members, *entries))
    digests = {entry.path: entry.sha256 for entry in entries if isinstance(entry, File)}
    return Bundle.of(recipe.asset.removesuffix(ARCHIVE), (*entries, text_file(FILE_LIST, file_list.render(digests))))


def _carried(recipe: Recipe, lock: OfflineLock, parts: Parts, bench: Bench) -> Iterator[Entry]:
    """What parts and collections put there."""
    for part, order, one in parts:
        if part.archive:
            path, written = bench.archive(order.asset, one)
            yield from _copies(part, order, path, recipe.host.arch)
            yield from _archive(part, order, path, written)
        if part.contents:
            for payload in one.payloads():
                yield from bench.entries(payload)
    for _, payload in lock.sections:
        yield from bench.entries(payload)


def _archive(part: Part, order: Order, path: Path, written: Written) -> Iterator[Entry]:
    """A part's archive, what tells of it, and the links that lead to it."""
    place, record = f"{COMPONENTS}/{order.asset}", f"{RECORDS}/{order.called}"
    yield File(place, written.size, written.sha256, Slice(str(path), 0, written.size))
    yield text_file(f"{record}.tag", f"{order.release[1]}\n".encode())
    yield text_file(f"{record}.sha256", f"{written.sha256}\n".encode())
    yield text_file(f"{record}.SHA256SUMS", file_list.render({order.asset: written.sha256}))
    for link in part.links:
        where = link.format(asset=order.asset)
        yield Link(where, "../" * where.count("/") + place)


def _copies(part: Part, order: Order, path: Path, arch: str) -> Iterator[Entry]:
    """Files of a part's archive that stand elsewhere too; what stands among programs is one."""
    for inner, place in part.copies.items():
        content = read_member(path, order.asset, inner, _LARGEST_COPY)
        if content is None:
            raise IntegrityError(f"{order.asset} holds no {inner}", "the manifest says that it stands elsewhere too")
        where = place.format(arch=arch)
        yield text_file(where, content, executable=where.startswith("packages/bin/"))


def _distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Each place once. Raises IntegrityError for two things that have the same place."""
    found: dict[str, Entry] = {}
    for entry in entries:
        other = found.setdefault(entry.path, entry)
        same = (
            (other.sha256, other.executable) == (entry.sha256, entry.executable)
            if isinstance(entry, File) and isinstance(other, File)
            else entry == other
        )
        if not same:
            raise IntegrityError(f"{entry.path}: two things would stand there", "give one of them another place")
    return list(found.values())


def _facts(
    recipe: Recipe,
    lock: OfflineLock,
    parts: Parts,
    closures: Sequence[Closure],
    sized: dict[str, tuple[int, str]],
) -> Package:
    manifest, host, versions = recipe.manifest, recipe.host, lock.versions()
    return Package(
        name=manifest.component,
        package_version=recipe.inputs[:12],
        target=PackageTarget(host.distro, host.version, host.arch),
        sources={
            camel(name): SourceFacts(repo, commit)
            for _, one in lock.sections
            for name, (repo, commit) in one.sources().items()
        },
        component_releases={camel(one.called): ReleaseFacts(*one.release) for part, one, _ in parts if part.archive},
        versions={name: _version(versions, held) for name, held in manifest.versions.items()},
        asset=recipe.asset,
        inputs=recipe.inputs,
        exports=dict(manifest.exports),
        redirects=dict(manifest.redirects),
        parts=tuple(_part(part, one) for part, one, _ in parts),
        closures=tuple(map(ClosureFacts.of, closures)),
        collections=collections_of(sized),
    )


def _part(part: Part, order: Order) -> PartFacts:
    return PartFacts(
        component=order.called,
        asset=order.asset,
        inputs=order.inputs,
        archive=part.archive,
        contents=part.contents,
        copies=dict(part.copies),
        links=part.links,
    )


def _version(versions: Mapping[str, Mapping[str, str]], held: str) -> str:
    """The version of a thing in a section; "" if it is not there."""
    section, _, name = held.partition("/")
    return versions.get(section, {}).get(name, "")
