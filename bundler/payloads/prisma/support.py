"""The payload: what lets a host use a database, as a lock pins it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bundler.model.bundle import Entry, text_file
from bundler.model.contents import Contents
from bundler.model.pin import Pin
from bundler.model.verdict import Finding
from bundler.payloads.payload import PathOf
from bundler.payloads.prisma import database_env
from bundler.payloads.prisma.findings import findings
from bundler.payloads.prisma.pins import LockedDatabase
from bundler.payloads.prisma.places import DATABASE_ENV


@dataclass(frozen=True)
class DatabaseSupport:
    """The Prisma CLI, its engines, and the variables that lead to them."""

    locked: LockedDatabase

    def pins(self) -> tuple[Pin, ...]:
        """The engines and the npm packages."""
        return self.locked.pins()

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """The variables, the CLI as npm would install it, and the engines. Raises IntegrityError."""
        from bundler.payloads.prisma.tree import take_prisma  # large: loaded when an archive is made

        yield text_file(DATABASE_ENV, database_env.render())
        yield from take_prisma(self.locked, at, spool)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether the CLI and the engines are there, whole, and nothing else beside them."""
        return findings(self.locked, contents)
