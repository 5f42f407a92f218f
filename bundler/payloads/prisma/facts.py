"""What an archive's manifest.json says of database support."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, StringConstraints

from bundler.words import PlainPath

NOT_ASKED = "the component's manifest asks for none"


@dataclass(frozen=True)
class DatabaseFacts:
    """Whether the archive supports a database, and why not; else the wheel that does, and what is in it.

    `generate` is the schema to generate a client from, below site-packages.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=False)
    supported: bool
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    wheel: str = ""
    prisma_cli: str = ""
    engines: str = ""
    platform: str = ""
    node: Literal["wheel", "host", ""] = ""
    generate: PlainPath | Literal[""] = ""

    def words(self) -> dict[str, str | bool]:
        """The object of manifest.json."""
        return {name: value for name, value in asdict(self).items() if value != ""}

    def lacking(self) -> str:
        """Why it supports none, though one was asked for; "" if it does, or none was."""
        return "" if self.supported or self.reason == NOT_ASKED else self.reason or "it does not say why"

    def summary(self) -> str:
        """The same in one line, for people."""
        if not self.supported:
            return f"not supported: {self.reason}"
        node = "a wheel" if self.node == "wheel" else "the host"
        return f"Prisma {self.prisma_cli}, engines for {self.platform}, Node.js from {node}"
