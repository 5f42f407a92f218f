"""The payload: what lets a host use a database, as a lock pins it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from bundler.model.bundle import Entry
from bundler.model.contents import Contents
from bundler.model.inventory import Item
from bundler.model.pin import Pin
from bundler.model.verdict import Finding
from bundler.payloads.payload import Made, PathOf, Workbench
from bundler.payloads.prisma.items import items_of
from bundler.payloads.prisma.pins import LockedDatabase


@dataclass(frozen=True)
class DatabaseSupport:
    """One wheel, which stands among all others, and what it is made of."""

    locked: LockedDatabase

    def pins(self) -> tuple[Pin, ...]:
        """Prisma Client Python, the engines and the npm packages."""
        return self.locked.pins()

    def made(self) -> tuple[Made, ...]:
        """The wheel."""
        return (Made(Pin.of_wheel(self.locked.made), partial(_write, self.locked)),)

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Nothing: the wheel is packed with all others."""
        return iter(())

    def items(self) -> Iterator[Item]:
        """The wheel, and what it is made of."""
        return items_of(self.locked)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether the wheel is what its parts make."""
        from bundler.payloads.prisma.findings import findings  # large: loaded when an archive is judged

        return findings(self.locked, contents)


def _write(locked: LockedDatabase, bench: Workbench, out: BinaryIO) -> None:
    from bundler.payloads.prisma.wheel import write_wheel  # large: loaded when a wheel is made

    write_wheel(locked, locked.client, locked.wheel.filename, bench.at, out)
