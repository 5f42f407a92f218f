"""What a lock pins: each package file, where it comes from, and the index that is made of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, BinaryIO, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.adapters.deb import read_control
from bundler.errors import IntegrityError
from bundler.model.bundle import Entry, File, Slice, text_file
from bundler.model.contents import Contents
from bundler.model.deb822 import parse_stanza
from bundler.model.inventory import Item
from bundler.model.manifest_values import LOCK_CONFIG
from bundler.model.package_url import package_url
from bundler.model.paths import path_fault
from bundler.model.pin import InArchive, Pin
from bundler.model.verdict import Finding
from bundler.payloads.apt.choice import PACKAGE_PATTERN
from bundler.payloads.apt.distributions import ARCHIVES, DISTRIBUTIONS
from bundler.payloads.apt.index import digest_of, packages_gz, provided, stanza_of, stanzas_in
from bundler.payloads.payload import Made, PathOf
from bundler.words import Sha256

PACKAGES = "packages/apt"
METADATA = "metadata/apt"
INDEX = f"{PACKAGES}/Packages.gz"
_LARGEST = 8 << 30
# Whose a package is, by the archive that has it; of another archive it is that one's.
_VENDORS = {name: one.name for one in DISTRIBUTIONS.values() for name in (one.name, one.security, one.ports)}


def _plain_path(value: str) -> str:
    if fault := path_fault(value):
        raise ValueError(f"not a safe path: {fault}")
    return value


@dataclass(frozen=True)
class LockedDeb:
    """A package's file: which archive has it, at which path there, its size in bytes, its SHA-256 (hex).

    `control` is the SHA-256 (hex) of its stanza in the index that is made here; `provides` are names that it stands in
    for.
    """

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    name: Annotated[str, StringConstraints(pattern=rf"^{PACKAGE_PATTERN}$", max_length=100)]
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+:~-]*$", max_length=120)]
    arch: Annotated[str, StringConstraints(pattern=r"^(all|amd64|arm64)$")]
    archive: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    path: Annotated[str, StringConstraints(max_length=500), AfterValidator(_plain_path)]
    size: Annotated[int, Field(gt=0, lt=_LARGEST)]
    sha256: Sha256
    control: Sha256
    provides: tuple[Annotated[str, StringConstraints(pattern=rf"^{PACKAGE_PATTERN}$", max_length=100)], ...] = ()

    @property
    def filename(self) -> str:
        """The file's name as apt would cache it: a version's colon is written %3a."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"


@dataclass(frozen=True)
class LockedArchive:
    """An archive that is not a distribution's own, by its address."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    address: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+/(\S*/)?$", max_length=2000)]


@dataclass(frozen=True)
class LockedSet:
    """Packages that install together, by name."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    packages: tuple[Annotated[str, StringConstraints(pattern=rf"^{PACKAGE_PATTERN}$", max_length=100)], ...]


@dataclass(frozen=True)
class LockedIndex:
    """The index of the packages: its size in bytes and its SHA-256 (hex)."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    size: Annotated[int, Field(gt=0, lt=1 << 30)]
    sha256: Sha256


@dataclass(frozen=True)
class LockedPackages:
    """All that is pinned for one target, sorted."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    index: LockedIndex
    sets: tuple[LockedSet, ...]
    debs: tuple[LockedDeb, ...]
    archives: tuple[LockedArchive, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError if two packages have one file name, or one comes from an archive that nobody knows."""
        names = [deb.filename for deb in self.debs]
        if len(set(names)) != len(names):
            raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is there twice")
        known = ARCHIVES | {archive.name for archive in self.archives}
        if strange := [deb.archive for deb in self.debs if deb.archive not in known]:
            raise ValueError(f"no address is known of the archive {strange[0]}")

    def pins(self) -> Iterator[Pin]:
        """Each package."""
        addresses = {archive.name: archive.address for archive in self.archives}
        for deb in self.debs:
            address = addresses.get(deb.archive)
            origin = InArchive(deb.archive, deb.path) if address is None else f"{address}{_quoted(deb.path)}"
            yield Pin(deb.filename, deb.sha256, deb.size, origin)

    def made(self) -> tuple[Made, ...]:
        """Nothing: every package is fetched as it is."""
        return ()

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Each package as it is in the store, their index, and lists of both.

        Raises IntegrityError if a package's control file says something else than the lock.
        """
        for deb in self.debs:
            yield File(f"{PACKAGES}/{deb.filename}", deb.size, deb.sha256, Slice(str(at(deb.sha256)), 0, deb.size))
        content = packages_gz(_checked_stanza(deb, at) for deb in self.debs)
        if LockedIndex(len(content), hashlib.sha256(content).hexdigest()) != self.index:
            raise IntegrityError(f"{INDEX}: the packages make another index than was locked", "lock again")
        yield text_file(INDEX, content)
        for path, text in self._texts().items():
            yield text_file(path, text)

    def _texts(self) -> dict[str, bytes]:
        """The lists of files, and of each set's packages unless it is empty, by their paths."""
        lists = {"deb-files": [deb.filename for deb in self.debs]}
        lists |= {f"{one.name}-deb-packages": list(one.packages) for one in self.sets if one.packages}
        return {
            f"{METADATA}/{name}.txt": "".join(f"{line}\n" for line in lines).encode() for name, lines in lists.items()
        }

    def items(self) -> Iterator[Item]:
        """Each package."""
        for deb in self.debs:
            vendor, path = _VENDORS.get(deb.archive, deb.archive), f"{PACKAGES}/{deb.filename}"
            purl = package_url("deb", deb.name, deb.version, vendor, (f"arch={deb.arch}",))
            yield Item(purl, "deb", deb.name, deb.version, path, deb.size, deb.sha256)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked files are there, and the index is what it should be."""
        if (index := contents.texts.get(INDEX)) is not None:
            yield from self._of_index(index)
        names = {deb.name for deb in self.debs} | self.provides()
        for name in sorted({name for one in self.sets for name in one.packages} - names):
            yield Finding(f"{METADATA}: {name} is listed, and no package of the lock inside is it")
        wanted = {f"{PACKAGES}/{deb.filename}": (deb.size, deb.sha256) for deb in self.debs}
        wanted[INDEX] = (self.index.size, self.index.sha256)
        wanted |= {path: (len(text), hashlib.sha256(text).hexdigest()) for path, text in self._texts().items()}
        there = {path: contents.files[path] for place in (PACKAGES, METADATA) for path in contents.below(f"{place}/")}
        for path in sorted(wanted.keys() | there.keys()):
            if path not in there:
                yield Finding(f"missing: {path}")
            elif path not in wanted:
                yield Finding(f"surplus: {path}; the lock inside does not know it")
            elif there[path].link is not None or there[path].executable:
                yield Finding(f"{path}: is a link or executable, and should be a plain file")
            elif (there[path].size, there[path].sha256) != wanted[path]:
                yield Finding(f"{path}: the lock inside says {wanted[path][1]}, the file is {there[path].sha256}")

    def _of_index(self, content: bytes) -> Iterator[Finding]:
        """Whether the index has exactly the locked packages, each as the lock knows it."""
        try:
            told = stanzas_in(content)
            names = [parse_stanza(stanza).get("Filename", "") for stanza in told]
        except ValueError as error:
            yield Finding(f"{INDEX}: {error}")
            return
        if names != [f"./{deb.filename}" for deb in self.debs]:
            yield Finding(f"{INDEX}: names other files than the lock inside")
            return
        for deb, stanza in zip(self.debs, told, strict=True):
            fields = parse_stanza(stanza)
            if (fields.get("Size"), fields.get("SHA256"), provided(fields)) != (
                str(deb.size),
                deb.sha256,
                deb.provides,
            ):
                yield Finding(f"{INDEX}: tells of another {deb.filename} than the lock inside")
            elif digest_of(stanza) != deb.control:
                yield Finding(f"{INDEX}: says other things of {deb.filename} than the lock inside")

    def provides(self) -> frozenset[str]:
        """The names that its packages stand in for."""
        return frozenset(name for deb in self.debs for name in deb.provides)

    def sources(self) -> Mapping[str, tuple[str, str]]:
        """Nothing: it holds no repository."""
        return {}

    def versions(self) -> Mapping[str, str]:
        """The version of each package; several with commas between them."""
        found: dict[str, list[str]] = {}
        for deb in self.debs:
            found.setdefault(deb.name, []).append(deb.version)
        return {name: ", ".join(versions) for name, versions in found.items()}


def _checked_stanza(deb: LockedDeb, at: PathOf) -> str:
    """A package's stanza, from its own control file."""
    try:
        fields = parse_stanza(read_control(at(deb.sha256), deb.filename))
    except ValueError as error:
        raise IntegrityError(f"{deb.filename}: its control file makes no sense: {error}") from error
    said = tuple(fields.get(field, "") for field in ("Package", "Version", "Architecture"))
    if said != (deb.name, deb.version, deb.arch):
        shown = " ".join(said)[:300]
        raise IntegrityError(f"{deb.filename}: it is another package: {shown}", f"the archive {deb.archive} lies")
    stanza = stanza_of(fields, deb.filename, deb.size, deb.sha256)
    if digest_of(stanza) != deb.control or provided(fields) != deb.provides:
        raise IntegrityError(
            f"{deb.filename}: its control file says other things than the archive's index",
            f"the archive {deb.archive} lies, or the lock was edited: lock again",
        )
    return stanza


def _quoted(path: str) -> str:
    """A path as it stands in an address: + is more than itself to some servers."""
    return re.sub(r"[^A-Za-z0-9._~/-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), path)
