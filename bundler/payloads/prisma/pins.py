"""What a lock pins for database support: the parts of the wheel that is made, and what it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.model.locked_wheel import LockedWheel
from bundler.model.paths import is_plain_name
from bundler.model.pin import OnRegistry, Pin
from bundler.model.target import Target
from bundler.model.wheel_name import made_version, parse_wheel_name
from bundler.payloads.prisma.choice import CLI, CLIENT, ENGINES, Database, EngineName, platform_of
from bundler.words import Address, Commit, PlainPath, Sha256

# Counts what aiws-bundle itself puts into the wheel: raise it whenever the patch, `offline.py`, the notice or the way
# in which the wheel is written change. A test holds this.
REVISION = 1

_CONFIG = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"))
_Size: TypeAlias = Annotated[int, Field(gt=0, lt=1 << 30)]
_Version: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,127}$")]
_License: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.+() -]{1,100}$")]
_Hint: TypeAlias = Annotated[str, StringConstraints(pattern=r"^packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}$")]


def _npm_place(path: str) -> str:
    if not path.startswith("node_modules/"):
        raise ValueError("npm installs below node_modules/")
    return path


def _client_name(filename: str) -> str:
    if not is_plain_name(filename) or parse_wheel_name(filename)[0] != CLIENT:  # ValueError
        raise ValueError(f"a wheel of {CLIENT} is expected")
    return filename


@dataclass(frozen=True)
class NpmPackage:
    """One npm package, exactly. `at` is where npm installs it; `path` is its file's address below the registry's.

    `integrity` is npm's own pin (Subresource Integrity, SHA-512); `license` is what its package.json says.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: Annotated[str, StringConstraints(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$", max_length=214)]
    version: _Version
    license: _License
    at: Annotated[PlainPath, AfterValidator(_npm_place)]
    path: PlainPath
    size: _Size
    sha256: Sha256
    integrity: Annotated[str, StringConstraints(pattern=r"^sha512-[A-Za-z0-9+/]{86}==$")]


@dataclass(frozen=True)
class LockedEngine:
    """One of Prisma's engines, exactly: its gzip file, and the program that this holds."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: EngineName
    address: Address
    size: _Size
    sha256: Sha256
    program_sha256: Sha256


@dataclass(frozen=True)
class LockedClient:
    """Prisma Client Python as its makers publish it: the wheel that ours is made of."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    version: _Version
    filename: Annotated[str, AfterValidator(_client_name)]
    size: _Size
    sha256: Sha256
    hint: _Hint | None = None

    @classmethod
    def of(cls, wheel: LockedWheel) -> LockedClient:
        """The same of a wheel that was resolved."""
        return cls(wheel.version, wheel.filename, wheel.size, wheel.sha256, wheel.hint)

    @property
    def wheel(self) -> LockedWheel:
        """The wheel as an index has it."""
        return LockedWheel(CLIENT, self.version, self.filename, self.size, self.sha256, self.hint)

    @property
    def made_version(self) -> str:
        """The version of what is made of it: its own, with a local label that says by whom."""
        return made_version(self.version, REVISION)


@dataclass(frozen=True)
class MadeWheel:
    """What is made of the parts, exactly, and by which revision of aiws-bundle's own share."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    revision: Annotated[int, Field(gt=0, lt=1000)]
    filename: Annotated[str, AfterValidator(_client_name)]
    size: _Size
    sha256: Sha256


@dataclass(frozen=True)
class Parts:
    """What database support is made of beside Prisma Client Python: the CLI's npm packages, and the engines."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    prisma_cli: _Version
    commit: Commit
    platform: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,64}$")]
    engines: tuple[LockedEngine, ...]
    npm: Annotated[tuple[NpmPackage, ...], Field(min_length=1)]
    node: bool

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

    def wheels(self) -> tuple[LockedWheel, ...]:
        """None yet."""
        return ()


@dataclass(frozen=True)
class LockedDatabase(Parts):
    """The `tool.aiws-bundle.database` table of a lock: the parts, and the wheel that they are made into."""

    client: LockedClient
    wheel: MadeWheel

    def wheels(self) -> tuple[LockedWheel]:
        """The one that is made."""
        return (self.made,)

    @property
    def made(self) -> LockedWheel:
        """The wheel as the lock lists it among all others."""
        version = made_version(self.client.version, self.wheel.revision)
        return LockedWheel(CLIENT, version, self.wheel.filename, self.wheel.size, self.wheel.sha256)

    def pins(self) -> tuple[Pin, ...]:
        """What is fetched: Prisma Client Python, the engines and the npm packages."""
        return (Pin.of_wheel(self.client.wheel), *super().pins())

    def serves(self, chosen: Database, target: Target) -> bool:
        """Say whether these pins are what `chosen` means on `target`, to this version of aiws-bundle."""
        platform = platform_of(target)
        pinned = (self.prisma_cli, self.commit, self.platform, *(engine.address for engine in self.engines))
        addresses = (chosen.engines.address_of(platform, name) for name in ENGINES)
        wanted = (chosen.prisma_cli, chosen.engines.commit, platform, *addresses)
        return (*pinned, self.node, self.wheel.revision) == (*wanted, chosen.node == "wheel", REVISION)
