"""Prove an all-in-one package whole: its own list, each of its parts, its collections, and what its wheels close on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.read_archive import read_member
from bundler.errors import BundleError, IntegrityError
from bundler.kinds import file_list
from bundler.kinds.kind import Judge
from bundler.kinds.offline import package
from bundler.kinds.offline.exports import sourced_fault
from bundler.kinds.offline.inventory import inventory_of
from bundler.kinds.offline.package import ClosureFacts, Package, PartFacts
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.places import (
    COMPONENTS,
    FILE_LIST,
    LOCK,
    MANIFEST,
    MEMBERS,
    README,
    RECORDS,
    REQUIRED,
    TARGET_ENV,
)
from bundler.kinds.offline.required import Held, Required, findings, is_like, parse_required, written
from bundler.kinds.reading import Interest, read_contents
from bundler.model import bundle
from bundler.model.closure import Proof, Wheel, proof_of
from bundler.model.contents import Contents
from bundler.model.inventory import Inventory
from bundler.model.verdict import Finding, Verdict
from bundler.model.wheel_items import wheel_items
from bundler.payloads.collections import COLLECTIONS
from bundler.platforms import name_for
from bundler.sizes import size_text
from bundler.words import ARCHIVE

_MOST_FINDINGS = 1000
_LARGEST_COPY, _LARGEST_LIST = 128 << 20, 8 << 20
# What is an archive already does not shrink in another.
_FREE_GROWTH, _MOST_GROWTH = 4 << 20, 2
_RECORDED = ("tag", "sha256", "SHA256SUMS")
_TEXTS = frozenset(text for one in COLLECTIONS for text in one.TEXTS)


def is_text(path: str) -> bool:
    """Say whether a file of a package is judged by its bytes: a small one of metadata/, the README, a collection's."""
    return path.startswith("metadata/") or path == README or path in _TEXTS


@dataclass
class _Aside:
    """The archives of a package's parts, copied out while it is read, so that they can be judged by themselves."""

    folder: Path
    left: int
    file: BinaryIO | None = None

    def __call__(self, path: str) -> Callable[[bytes], object] | None:
        name = path.removeprefix(f"{COMPONENTS}/")
        if name == path or "/" in name or not name.endswith(ARCHIVE):
            return None
        self.close()
        self.file = (self.folder / name).open("xb")
        return self._write

    def _write(self, data: bytes) -> None:
        """Write to the last of them. Raises IntegrityError if they are larger than the package could be."""
        self.left -= len(data)
        if self.left < 0:
            raise IntegrityError(f"the archives in {COMPONENTS} are larger than the package itself")
        if self.file:
            self.file.write(data)

    def close(self) -> None:
        """Write it out."""
        if self.file:
            self.file.close()


def judge(path: Path, name: str, inner: Judge) -> Verdict:
    """Judge one package, called `name`; `inner` judges the archives in it. Raises OSError if it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-verify-") as folder:
        aside = _Aside(Path(folder), _FREE_GROWTH + _MOST_GROWTH * path.stat().st_size)
        try:
            contents = read_contents(path, name, Interest(is_text, copy=aside))
        except BundleError as error:
            return Verdict(name, (Finding(error.message),))
        finally:
            aside.close()
        try:
            facts = package.parse(contents.texts.get(MANIFEST, b""))
            lock = OfflineLock.inside(contents.texts.get(LOCK, b""))
            examination = _Examination(name, facts, lock, contents, Path(folder), inner)
            found = tuple(_told(examination.findings()))
            inventory = examination.inventory()
        except BundleError as error:
            return Verdict(name, (Finding(error.message),), tar_sha256=contents.tar_sha256)
    size = sum(file.size or 0 for file in contents.files.values())
    summary = (
        "" if found else f"{len(facts.parts)} parts, {len(contents.files)} files ({size_text(size)}), {facts.host}"
    )
    return Verdict(name, found, summary, contents.tar_sha256, contents.held, inventory, contents.sha256)


def _told(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings, of very many the first."""
    yield from islice(findings, _MOST_FINDINGS)
    if next(findings, None) is not None:
        yield Finding("… and more")


@dataclass(frozen=True)
class _Examination:
    """What was read of a package, and where its parts' archives are."""

    name: str
    facts: Package
    lock: OfflineLock
    contents: Contents
    folder: Path
    inner: Judge

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong."""
        yield from map(Finding, chain(self._named(), self.contents.unreadable, self._members(), self._listed()))
        yield from self._parts()
        yield from map(Finding, self._placed())
        yield from self._collections()
        yield from self._closed()
        yield from self._lacking()

    def inventory(self) -> Inventory:
        """What it holds."""
        files = {path: (file.size or 0, file.sha256) for path, file in self.contents.files.items() if file.sha256}
        closures = [tuple(wheel_items(own, proof.edges)) for _, own, proof in self._proofs]
        parts = {asset: verdict.inventory for asset, verdict in self._inner.items() if verdict.inventory}
        return inventory_of(self.facts, self.lock, closures, parts, files)

    @cached_property
    def _inner(self) -> Mapping[str, Verdict]:
        """The verdict on each part's archive that is there."""
        assets = [part.asset for part in self.facts.parts if part.archive]
        there = {asset: self.folder / asset for asset in assets if (self.folder / asset).is_file()}
        return {asset: self.inner(path, asset) for asset, path in there.items()}

    @cached_property
    def _proofs(self) -> Sequence[tuple[ClosureFacts, Sequence[Wheel], Proof]]:
        """Each closure, the wheels of it that are there, and what came of its proof."""
        wheels = {wheel.filename: wheel for wheel in self.contents.wheels}
        found = [(one, [wheels[name] for name in one.wheels if name in wheels]) for one in self.facts.closures]
        return [(one, own, proof_of(one.requirements, own, one.interpreter)) for one, own in found]

    @cached_property
    def _required(self) -> tuple[Required, ...]:
        return parse_required(self.contents.texts.get(REQUIRED, b""))

    def _lacking(self) -> Iterator[Finding]:
        """What consumers would stop without."""
        packages = self.lock.versions().get("apt", {}).keys() | {
            n for _, one in self.lock.sections for n in one.provides()
        }
        yield from findings(self._required, Held(self.contents.files, self.contents.texts, packages))

    def _named(self) -> Iterator[str]:
        if self.facts.asset != self.name:
            yield f"the file's name is not its own\n    expected {self.facts.asset}\n    actual   {self.name}"
        if self.contents.top != self.facts.asset.removesuffix(ARCHIVE):
            yield f"the top folder is {self.contents.top}, not {self.facts.asset.removesuffix(ARCHIVE)}"
        host = self.facts.target.name
        if not self.facts.asset.endswith(f"-{host}{ARCHIVE}") or self.lock.facts.target != host:
            yield f"{MANIFEST}, {LOCK} and the name tell of different hosts: {host}, {self.lock.facts.target}"

    def _members(self) -> Iterator[str]:
        """Compare the metadata with what the facts and the lock make of it."""
        texts = {
            MANIFEST: package.render(self.facts),
            TARGET_ENV: package.target_env(self.facts),
            README: package.readme(self.facts),
            LOCK: self.lock.render().encode(),
            REQUIRED: written(self._required),
        }
        for path, content in texts.items():
            if path not in self.contents.texts:
                yield f"missing: {path}"
            elif self.contents.texts[path] != content:
                yield f"{path}: is not as aiws-bundle writes it for such a package"

    def _listed(self) -> Iterator[str]:
        """Compare the files with the package's own list, and each folder with its digest."""
        files = self.contents.files
        digests = {p: f.sha256 for p, f in files.items() if f.sha256 and p != FILE_LIST}
        if self.contents.texts.get(FILE_LIST) != file_list.render(digests):
            listed = file_list.parse(self.contents.texts.get(FILE_LIST, b""))
            different = (
                path for path in sorted(listed.keys() | digests.keys()) if listed.get(path) != digests.get(path)
            )
            for path in different:
                yield f"{path}: {FILE_LIST} says {listed.get(path)}, the file is {digests.get(path)}"
            if listed == digests:
                yield f"{FILE_LIST}: is not as aiws-bundle writes it"
        sized = {p: (f.size or 0, f.sha256) for p, f in files.items() if f.sha256}
        for folder, found in package.collections_of(sized).items():
            if self.facts.collections.get(folder) != found:
                yield f"{folder}: {MANIFEST} tells of other files"
        for folder in self.facts.collections.keys() - package.collections_of(sized).keys():
            yield f"missing: {folder}, of which {MANIFEST} tells"

    def _parts(self) -> Iterator[Finding]:
        """Judge each part's archive, and compare what stands elsewhere with it."""
        for part in self.facts.parts:
            if not part.archive:
                continue
            if not self._is_for_host(part):
                yield Finding(f"{COMPONENTS}/{part.asset}: is not for {self.facts.host}")
            archive = self.folder / part.asset
            if not archive.is_file():
                yield Finding(f"missing: {COMPONENTS}/{part.asset}")
                continue
            for finding in self._inner[part.asset].findings:
                yield Finding(f"{COMPONENTS}/{part.asset}: {finding.message}", finding.grade)
            yield from map(Finding, chain(self._recorded(part), self._copied(part, archive), self._linked(part)))
            if part.contents:
                yield from map(Finding, self._same(part, archive))

    def _is_for_host(self, part: PartFacts) -> bool:
        """Say whether an archive's name is one for the package's host; that it is what it is called, `inner` proves."""
        target = self.facts.target
        hosts = (target.name, name_for(target.distro, target.arch))
        return part.asset.endswith(tuple(f"-{host}{ARCHIVE}" for host in hosts))

    def _recorded(self, part: PartFacts) -> Iterator[str]:
        """Compare what metadata/components tells of a part with its archive."""
        sha256 = self.contents.files[f"{COMPONENTS}/{part.asset}"].sha256 or ""
        release = self.facts.component_releases.get(package.camel(part.component))
        texts = (f"{release.tag}\n" if release else "", f"{sha256}\n", file_list.render({part.asset: sha256}).decode())
        for word, text in zip(_RECORDED, texts, strict=True):
            path = f"{RECORDS}/{part.component}.{word}"
            if self.contents.texts.get(path) != text.encode():
                yield f"{path}: does not tell of {part.asset} as it is"

    def _copied(self, part: PartFacts, archive: Path) -> Iterator[str]:
        for inner, place in part.copies.items():
            path = place.format(arch=self.facts.target.arch)
            content, there = read_member(archive, part.asset, inner, _LARGEST_COPY), self.contents.files.get(path)
            if content is None or there is None or there.sha256 != hashlib.sha256(content).hexdigest():
                yield f"{path}: is not {inner} of {part.asset}"
            elif there.executable != path.startswith("packages/bin/"):
                yield f"{path}: it is {'' if there.executable else 'not '}executable"
            elif path.endswith(".env") and (fault := sourced_fault(content, part.component)):
                yield f"{path}: {fault}"

    def _linked(self, part: PartFacts) -> Iterator[str]:
        for link in part.links:
            path = link.format(asset=part.asset)
            there = self.contents.files.get(path)
            if there is None or there.link != "../" * path.count("/") + f"{COMPONENTS}/{part.asset}":
                yield f"{path}: does not lead to {part.asset}"

    def _same(self, part: PartFacts, archive: Path) -> Iterator[str]:
        """Compare what a part's archive lists below packages/ with what stands there."""
        listed = file_list.parse(read_member(archive, part.asset, bundle.FILE_LIST, _LARGEST_LIST) or b"")
        for path, sha256 in listed.items():
            there = self.contents.files.get(path)
            if path.startswith("packages/") and (there is None or there.sha256 != sha256):
                yield f"{path}: is not that of {part.asset}"

    def _own(self) -> set[str]:
        """The places of members, of parts' archives and of what stands of them elsewhere."""
        own = set(MEMBERS)
        for part in self.facts.parts:
            if part.archive:
                own |= {f"{COMPONENTS}/{part.asset}", *(f"{RECORDS}/{part.component}.{word}" for word in _RECORDED)}
                own |= {link.format(asset=part.asset) for link in part.links}
            own |= {place.format(arch=self.facts.target.arch) for place in part.copies.values()}
        return own

    def _packages(self) -> set[str]:
        """The places of what parts consist of."""
        if not any(part.contents for part in self.facts.parts):
            return set()
        return {*self.contents.below(f"{bundle.WHEELS}/"), *self.contents.below(f"{bundle.PYTHON}/")}

    def _placed(self) -> Iterator[str]:
        """Name what stands where nothing of the package has its place."""
        own, packages, held = self._own(), self._packages(), dict(self.lock.sections)
        places = [place for one in COLLECTIONS if one.COLLECTION in held for place in one.PLACES]
        links = {link.format(asset=part.asset) for part in self.facts.parts for link in part.links}
        linked = [place for one in COLLECTIONS if one.COLLECTION in held for place in one.LINKS]
        programs = [place for one in COLLECTIONS if one.COLLECTION in held for place in one.PROGRAMS]
        for path, file in self.contents.files.items():
            if path not in own and path not in packages and not _within(path, places):
                yield f"surplus: {path} has no place in such a package"
            python = path.startswith(f"{bundle.PYTHON}/")
            if file.link is not None and not (path in links or python or _within(path, linked)):
                yield f"surplus: {path} is a link"
            if file.executable and not (python or path.startswith("packages/bin/") or _within(path, programs)):
                yield f"{path}: it is executable"

    def _collections(self) -> Iterator[Finding]:
        """What collections find of themselves, of what is not a part's."""
        own = self._own() | self._packages()
        rest = {path: file for path, file in self.contents.files.items() if path not in own}
        contents = replace(self.contents, files=rest)
        for _, one in self.lock.sections:
            yield from one.findings(contents)

    def _closed(self) -> Iterator[Finding]:
        """Prove each closure with its wheels, and that every wheel is in one."""
        there = {wheel.filename for wheel in self.contents.wheels}
        for closure, _, proof in self._proofs:
            for filename in closure.wheels:
                if filename not in there:
                    yield Finding(f"missing: {bundle.WHEELS}/{filename}")
            for message in proof.findings:
                yield Finding(message, "closure")
        named = {filename for closure in self.facts.closures for filename in closure.wheels}
        for filename in sorted(there - named):
            yield Finding(f"surplus: {bundle.WHEELS}/{filename}, which no requirement leads to", "closure")


def _within(path: str, places: list[str]) -> bool:
    """Say whether a path is one of `places`, or below one that ends with a slash; a `*` stands for a part of a name."""
    return any(path.startswith(place) if place.endswith("/") else is_like(path, place) for place in places)
