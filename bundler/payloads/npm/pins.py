"""What a lock pins of npm packages: every package's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from pydantic import ConfigDict, Field, StringConstraints

from bundler.model.inventory import Item
from bundler.model.package_url import npm_url
from bundler.model.pin import OnRegistry, Pin
from bundler.payloads.npm.cache import content_path
from bundler.payloads.npm.choice import VERSION_PATTERN, PackageName, PackageSpec, name_and_version
from bundler.words import PlainPath, Sha256

PLACE = "packages/npm-cache/"
MOST_PACKAGES = 5_000
LARGEST_PACKAGE = 1 << 30

CONFIG = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"))
_Version: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{VERSION_PATTERN}$", max_length=200)]
_Platforms: TypeAlias = tuple[Annotated[str, StringConstraints(pattern="^!?[a-z0-9_-]{1,40}$")], ...]


@dataclass(frozen=True)
class LockedPackage:
    """One npm package, exactly. `path` is its file's address below the registry's; `roots` are those that need it.

    `integrity` is npm's own pin (Subresource Integrity, SHA-512). `shrinkwrap`: it brings a lock of its own.
    """

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
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

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: PackageName
    version: _Version
    roots: tuple[PackageName, ...]
    os: _Platforms = ()
    cpu: _Platforms = ()
    libc: _Platforms = ()


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

    def items(self) -> Iterator[Item]:
        """Each package; one that was asked for needs all that are there for it."""
        named = [(npm_url(one.name, one.version), one) for one in self.packages]
        needs: dict[str, set[str]] = {}
        for purl, one in named:
            for root in one.roots:
                needs.setdefault(root, set()).add(purl)
        for purl, one in named:
            own = needs.get(one.name, set()) - {purl} if f"{one.name}@{one.version}" in self.roots else ()
            yield Item(purl, "npm", one.name, one.version, one.place, one.size, one.sha256, needs=tuple(sorted(own)))

    def provides(self) -> frozenset[str]:
        """Nothing: each package has one name."""
        return frozenset()

    def sources(self) -> Mapping[str, tuple[str, str]]:
        """Nothing: it holds no repository."""
        return {}

    def versions(self) -> Mapping[str, str]:
        """The version of each package that was asked for, by its name."""
        return dict(map(name_and_version, self.roots))
