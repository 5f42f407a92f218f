"""What a payload is: one part of an archive, from its pins to what must be found of it.

A payload is a frozen value. The module that it stands in is its entry of the table (`payloads.PAYLOADS`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bundler.model.bundle import Entry
from bundler.model.contents import Contents
from bundler.model.inventory import Item
from bundler.model.locked_wheel import LockedWheel
from bundler.model.pin import Pin
from bundler.model.portable_python import PythonPin
from bundler.model.target import Target
from bundler.model.verdict import Finding
from bundler.session import Network, Session

# What runs words of a POSIX shell on the host that is rehearsed on, and returns what they print.
RunShell = Callable[[str], str]
# Where a file of the store is, by its SHA-256 (hex).
PathOf = Callable[[str], Path]


class Workbench(Protocol):
    """Where a file is made: what the run was told, the network if there is one, and the store."""

    @property
    def session(self) -> Session:
        """The options and environment."""

    @property
    def network(self) -> Network | None:
        """The network; None if none is to be asked."""

    def at(self, sha256: str) -> Path:
        """Where a file of the store is."""


@dataclass(frozen=True)
class Made:
    """A file that no address has: it is made of a payload's pins, or asked for otherwise than by an address.

    What it must become, and what writes it, which raises BundleError.
    """

    pin: Pin
    write: Callable[[Workbench, BinaryIO], None]


class Payload(Hashable, Protocol):
    """One part of an archive: a frozen value."""

    def pins(self) -> Iterable[Pin]:
        """What is fetched for it."""

    def made(self) -> Iterable[Made]:
        """What is made of it before anything is put into the archive."""

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterable[Entry]:
        """What it puts into the archive. Bytes that it unpacks go to the file `spool`. Raises IntegrityError."""

    def items(self) -> Iterable[Item]:
        """What it puts there, as far as its pins tell; two that are of one purl are one."""

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """What is wrong with its part of an archive that was read."""


class Pinned(Protocol):
    """What a lock pins for a section, in a table of its own. A frozen value that pydantic validates."""

    def pins(self) -> Iterable[Pin]:
        """The files."""

    def wheels(self) -> Iterable[LockedWheel]:
        """The wheels that are made of them, which the lock lists among all others."""


@dataclass(frozen=True)
class PythonPart:
    """The Python of an archive: the target's own, or a portable one that it carries.

    `pin` is known where one is to be fetched; `leave_out` are gitignore patterns of what is not taken from it.
    `sha256` is the digest of what a portable one is taken from, as far as it is known.
    """

    version: str
    platform: str
    portable: bool
    pin: PythonPin | None = None
    leave_out: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True)
class Parts:
    """What an archive consists of, as the manifests and its lock say, or as itself says: `sections` by their name."""

    wheels: tuple[LockedWheel, ...]
    python: PythonPart
    sections: Mapping[str, Pinned]


class PayloadModule(Protocol):
    """An entry of the table: how a payload of one kind comes about, and where in an archive it has its place."""

    @property
    def SECTION(self) -> str:
        """The key of manifests, locks and manifest.json that tells of it; "" if every archive has it."""

    @property
    def PLACES(self) -> tuple[str, ...]:
        """Where its files stand: folders, which end with a slash, and files. No other payload's are there."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """Those of its folders whose files may be executable."""

    @property
    def LINKS(self) -> tuple[str, ...]:
        """Those of its folders that may hold links, which lead nowhere else."""

    @property
    def TEXTS(self) -> tuple[str, ...]:
        """Its small files that are judged by their bytes."""

    @property
    def NOTED(self) -> Mapping[re.Pattern[str], Callable[[bytes], object]]:
        """Files that say something of themselves: what to make of the bytes (of at most 1 MiB), by their paths."""

    def of(self, parts: Parts) -> Payload | None:
        """The payload of an archive, if it has it."""


class Choice(Protocol):
    """A section of a manifest that asks for a payload. A frozen value."""

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What keeps it from being had on all of `targets`."""

    def decides(self, target: Target) -> object:
        """What a lock that was made for it depends on, fit for JSON."""

    def requirements(self) -> tuple[str, ...]:
        """What is installed beside the component once the payload is locked."""

    def lacking(self, target: Target) -> str:
        """Why an archive is without the payload, if it is not locked."""


class Facts(Protocol):
    """What manifest.json says of a section's payload. A frozen value that pydantic validates."""

    def words(self) -> dict[str, str | bool]:
        """The object of manifest.json."""

    def summary(self) -> str:
        """The same in one line, for people."""

    def lacking(self) -> str:
        """Why the archive is without the payload, though its manifest asked for it; "" if it is not."""


class Locker(Protocol):
    """What locks the payloads of one section, in one run. Threads may share it."""

    def lock(self, choice: Choice, target: Target, old: Pinned | None, *, keep: bool) -> tuple[Pinned | None, str]:
        """Return the pins, those of `old` if they may be kept, or None and why there are none. Raises BundleError."""

    def settle(
        self, pinned: Pinned, target: Target, wheels: Sequence[LockedWheel]
    ) -> tuple[Pinned, Sequence[LockedWheel]]:
        """Return the pins and the locked wheels, with what the payload makes in the place of what an index has.

        Raises BundleError.
        """


class SectionModule(PayloadModule, Protocol):
    """An entry of the table that a manifest asks for in a section of its own."""

    @property
    def CHOICE(self) -> type[Choice]:
        """The class that the manifest's section is validated with."""

    @property
    def PINS(self) -> type[Pinned]:
        """The class that the lock's table is validated with."""

    @property
    def FACTS(self) -> type[Facts]:
        """The class that manifest.json's object is validated with."""

    @property
    def HELPERS(self) -> tuple[str, ...]:
        """Requirements that are for this payload alone: consumers' installers do not ask for them by name."""

    @property
    def VARIABLES(self) -> Mapping[str, str]:
        """Names that runtime.env may export for it, with the pattern of their values."""

    def serves(self, pinned: Pinned, choice: Choice, target: Target) -> bool:
        """Say whether pinned files are what a choice means on a target."""

    def locker(self, session: Session, network: Network) -> Locker:
        """What locks it, for one run."""

    def facts(self, choice: Choice | None, pinned: Pinned | None, target: Target) -> Facts | None:
        """What manifest.json says of it; None: nothing."""

    def disagreements(
        self, facts: Facts | None, pinned: Pinned | None, requirements: Sequence[str]
    ) -> Iterator[Finding]:
        """Where an archive's manifest.json, lock and requirements disagree on it."""

    def setup(self) -> str:
        """What install.sh runs for it, once the packages are installed: lines of POSIX shell."""

    def script_variables(self, choice: Choice | None) -> Mapping[str, str]:
        """The variables that `setup` reads: names and plain values."""

    def script_variables_in(self, script: bytes, facts: Facts | None) -> Mapping[str, str]:
        """The same, of the install.sh that an archive carries."""

    def rehearsal(self, facts: Facts | None, run: RunShell) -> Iterator[tuple[str, Callable[[], str]]]:
        """The steps that show it working once the archive is installed: a name, and what takes the step.

        They are taken twice: with what install.sh's file exports, and as the consumers' user, with nothing of it.
        """

    def hindrance(self, facts: Facts | None, run: RunShell) -> str:
        """Why the component cannot be run with it for real once the archive is installed; "" if it can."""
