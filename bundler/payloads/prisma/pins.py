"""What a lock pins for database support: the Prisma CLI's npm packages, and the engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.model.pin import OnRegistry, Pin
from bundler.model.target import Target
from bundler.payloads.prisma.choice import CLI, ENGINES, Database, EngineName, platform_of
from bundler.words import Address, Commit, PlainPath, Sha256

_CONFIG = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"))
_Size: TypeAlias = Annotated[int, Field(gt=0, lt=1 << 30)]
_Version: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,127}$")]


def _npm_place(path: str) -> str:
    if not path.startswith("node_modules/"):
        raise ValueError("npm installs below node_modules/")
    return path


@dataclass(frozen=True)
class NpmPackage:
    """One npm package, exactly. `at` is where npm installs it; `path` is its file's address below the registry's.

    `integrity` is npm's own pin (Subresource Integrity, SHA-512).
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: Annotated[str, StringConstraints(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$", max_length=214)]
    version: _Version
    at: Annotated[PlainPath, AfterValidator(_npm_place)]
    path: PlainPath
    size: _Size
    sha256: Sha256
    integrity: Annotated[str, StringConstraints(pattern=r"^sha512-[A-Za-z0-9+/]{86}==$")]


@dataclass(frozen=True)
class LockedEngine:
    """One of Prisma's engines, exactly: its gzip file."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: EngineName
    address: Address
    size: _Size
    sha256: Sha256


@dataclass(frozen=True)
class LockedDatabase:
    """The `tool.aiws-bundle.database` table of a lock: everything that database support adds but Node.js."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    prisma_cli: _Version
    commit: Commit
    platform: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,64}$")]
    engines: tuple[LockedEngine, ...]
    npm: Annotated[tuple[NpmPackage, ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        """Raise ValueError unless both engines are there, the CLI is, and no two packages share a place."""
        if tuple(engine.name for engine in self.engines) != ENGINES:
            raise ValueError(f"the engines are {' and '.join(ENGINES)}")
        places = {package.at: package for package in self.npm}
        if len(places) != len(self.npm):
            raise ValueError("two npm packages stand at the same place")
        cli = places.get(f"node_modules/{CLI}")
        if cli is None or (cli.name, cli.version) != (CLI, self.prisma_cli):
            raise ValueError(f"{CLI} {self.prisma_cli} is not among the npm packages")

    def pins(self) -> tuple[Pin, ...]:
        """What is fetched: the engines and the npm packages."""
        return (
            *(Pin(e.address.rpartition("/")[2], e.sha256, e.size, e.address) for e in self.engines),
            *(Pin(f"npm package {p.name} {p.version}", p.sha256, p.size, OnRegistry(p.path)) for p in self.npm),
        )

    def serves(self, chosen: Database, target: Target) -> bool:
        """Say whether these pins are what `chosen` means on `target`."""
        platform = platform_of(target)
        pinned = (self.prisma_cli, self.commit, self.platform, *(engine.address for engine in self.engines))
        addresses = (chosen.engines.address_of(platform, name) for name in ENGINES)
        return pinned == (chosen.prisma_cli, chosen.engines.commit, platform, *addresses)
