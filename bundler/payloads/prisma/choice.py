"""What a manifest chooses of Prisma: its `database:` section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, StringConstraints

from bundler.model.manifest_values import MANIFEST_CONFIG, engine_address
from bundler.words import Address, Commit, PlainPath


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
