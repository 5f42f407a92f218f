"""What a lock pins of npm packages: every package's file, and the cache's own files that are made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, BinaryIO, ClassVar, TypeAlias

from pydantic import ConfigDict, Field, StringConstraints

from bundler.model.bundle import Entry, File, Slice, text_file
from bundler.model.contents import Contents
from bundler.model.pin import OnRegistry, Pin
from bundler.model.verdict import Finding
from bundler.payloads.npm.cache import content_path
from bundler.payloads.npm.choice import VERSION_PATTERN, PackageName, PackageSpec, name_and_version
from bundler.payloads.payload import Made, PathOf, Workbench
from bundler.words import PlainPath, Sha256

PLACE = "packages/npm-cache/"
MOST_PACKAGES = 5_000
LARGEST_PACKAGE = 1 << 30

_CONFIG = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"))
_Version: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{VERSION_PATTERN}$", max_length=200)]
_Platforms: TypeAlias = tuple[Annotated[str, StringConstraints(pattern="^!?[a-z0-9_-]{1,40}$")], ...]


@dataclass(frozen=True)
class LockedPackage:
    """One npm package, exactly. `path` is its file's address below the registry's; `roots` are those that need it.

    `integrity` is npm's own pin (Subresource Integrity, SHA-512). `shrinkwrap`: it brings a lock of its own.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: PackageName
    version: _Version
    path: PlainPath
    integrity: Annotated[str, StringConstraints(pattern=r"^sha512-[A-Za-z0-9+/]{86}==$")]
    size: Annotated[int, Field(gt=0, le=LARGEST_PACKAGE)]
    sha256: Sha256
    roots: tuple[PackageName, ...]
    shrinkwrap: bool = False

    @property
    def place(self) -> str:
        """Where its file stands in the archive."""
        return PLACE + content_path(self.integrity)


@dataclass(frozen=True)
class LeftOut:
    """A version of an optional package that is not shipped: the platforms that it is for, as far as they are known.

    The cache says that it is not for this one, so that npm passes it over without asking anybody.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: PackageName
    version: _Version
    roots: tuple[PackageName, ...]
    os: _Platforms = ()
    cpu: _Platforms = ()
    libc: _Platforms = ()


@dataclass(frozen=True)
class Metadata:
    """The cache's own files, its index and what it says of each package: what they are made as, one file.

    `listing` is the SHA-256 (hex) of their list in the archive, which is as sha256sum(1) writes it, sorted by path.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    size: Annotated[int, Field(gt=0, lt=1 << 30)]
    sha256: Sha256
    listing: Sha256


@dataclass(frozen=True)
class Closure:
    """The packages that were asked for, and everything that they depend on, on one target."""

    roots: Annotated[tuple[PackageSpec, ...], Field(min_length=1)]
    packages: Annotated[tuple[LockedPackage, ...], Field(min_length=1, max_length=MOST_PACKAGES)]
    left_out: Annotated[tuple[LeftOut, ...], Field(max_length=MOST_PACKAGES)]

    def __post_init__(self) -> None:
        """Raise ValueError if a package is there twice, or a root is not among them."""
        shipped = {(one.name, one.version) for one in self.packages}
        others = {(one.name, one.version) for one in self.left_out}
        if len(shipped | others) != len(self.packages) + len(self.left_out):
            raise ValueError("a package is there twice")
        if absent := [spec for spec in self.roots if name_and_version(spec) not in shipped]:
            raise ValueError(f"{absent[0]} is not among the packages")

    def pins(self) -> Iterator[Pin]:
        """Each package's file."""
        for one in self.packages:
            yield Pin(f"npm package {one.name} {one.version}", one.sha256, one.size, OnRegistry(one.path))

    def versions(self) -> Mapping[str, str]:
        """The version of each package that was asked for, by its name."""
        return dict(map(name_and_version, self.roots))


@dataclass(frozen=True)
class LockedNpm(Closure):
    """An npm cache: the packages' files, and its own files, which are made of them."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    metadata: Metadata

    def made(self) -> tuple[Made, ...]:
        """The cache's own files, in one."""
        pin = Pin("the npm cache's index", self.metadata.sha256, self.metadata.size, "")
        return (Made(pin, partial(_write, self)),)

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Each package's file as it is in the store, and the cache's own files."""
        from bundler.payloads.npm.metadata import read_metadata  # loaded when an archive is made

        for one in {one.place: one for one in self.packages}.values():
            yield File(one.place, one.size, one.sha256, Slice(str(at(one.sha256)), 0, one.size))
        for path, content in read_metadata(at(self.metadata.sha256)).items():
            yield text_file(PLACE + path, content)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked files are there."""
        there = {path: contents.files[path] for path in contents.below(PLACE)}
        for one in self.packages:
            found = there.get(one.place)
            if found is None:
                yield Finding(f"missing: {one.place} ({one.name} {one.version})")
            elif (found.sha256, found.size) != (one.sha256, one.size):
                yield Finding(f"{one.place}: the lock inside says {one.sha256}, the file is {found.sha256}")
        for path in sorted(path for path, file in there.items() if file.executable or file.link is not None):
            yield Finding(f"{path}: a file of an npm cache is neither executable nor a link")
        own = there.keys() - {one.place for one in self.packages}
        if listing((path, str(there[path].sha256)) for path in own) != self.metadata.listing:
            yield Finding(
                f"{PLACE}: {len(own)} files are no package's; they are not the index and the packages' descriptions "
                "that the lock inside pins: one is missing, surplus or different"
            )


def listing(digests: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 (hex) of a list of files: their paths and digests."""
    lines = (f"{sha256}  {path}\n" for path, sha256 in sorted(digests))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _write(locked: LockedNpm, bench: Workbench, out: BinaryIO) -> None:
    from bundler.adapters.npm import default_registry
    from bundler.adapters.process import run
    from bundler.payloads.npm.metadata import write_metadata  # loaded when an archive is made

    write_metadata(locked, default_registry(bench.session.env, run), bench.at, out)
