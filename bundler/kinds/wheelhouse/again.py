"""A wheelhouse's archive made anew of nothing but what it says of itself.

Wheels are fetched by the digests of the lock inside, and every list is made again. What no list decides, install.sh and
runtime.env, is taken from the archive: that they are what a manifest asked for, only that manifest shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.errors import UsageError
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.members import archive_manifest
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.model.bundle import INSTALLER, LOCK, MANIFEST, RUNTIME_ENV
from bundler.model.closure import Closure
from bundler.model.contents import Head
from bundler.model.pin import Pin

if TYPE_CHECKING:
    from bundler.adapters.apart import Work
    from bundler.adapters.archive import Written
    from bundler.bench import Bench
    from bundler.payloads.payload import Payload


@dataclass(frozen=True)
class RecordedJob:
    """The work of making an archive anew. `script` is its install.sh, `variables` its runtime.env."""

    name: str
    facts: ArchiveManifest
    lock: Lock
    script: bytes
    variables: bytes
    epoch: int

    @classmethod
    def of(cls, name: str, head: Head) -> RecordedJob:
        """The job of an archive that begins so.

        Raises IntegrityError, LockError; UsageError for what an archive does not tell, and for addresses that nothing
        but the archive names: they are not asked.
        """
        facts = archive_manifest.parse(head.texts.get(MANIFEST, b""))
        lock = Lock.inside(head.texts.get(LOCK, b""))
        script, variables = head.texts.get(INSTALLER, b""), head.texts.get(RUNTIME_ENV, b"")
        job = cls(name, facts, lock, script, variables, head.epoch)
        if facts.python.source == "portable":
            raise UsageError(f"{name}: it carries a portable CPython, and only python.yaml tells of which files")
        if lock.source:
            raise UsageError(f"{name}: a wheel of it was built from source, and only its manifest tells where that is")
        if any(isinstance(pin.origin, str) for pin in job.pins()):
            raise UsageError(f"{name}: its lock names addresses of its own; they are asked if a lock at hand does too")
        return job

    @cached_property
    def _payloads(self) -> Sequence[Payload]:
        from bundler.payloads import payloads_of

        return payloads_of(self.lock.parts(self.facts.python_part))

    def pins(self) -> Sequence[Pin]:
        """What its payloads are fetched from."""
        return [pin for payload in self._payloads for pin in payload.pins()]

    def kept(self) -> Sequence[Pin]:
        """The same."""
        return self.pins()

    def works(self) -> Mapping[str, Work]:
        """Nothing: `verify` reads what is in it."""
        return {}

    def makes(self, bench: Bench) -> Mapping[str, Callable[[], Path]]:
        """What payloads make of their pins."""
        return bench.makers(self._payloads)

    def payloads(self) -> Sequence[Payload]:
        """Its wheels, and what else the lock inside pins."""
        return self._payloads

    def closures(self) -> Sequence[Closure]:
        """Nothing: `verify` proves the archive."""
        return ()

    def prove(self, bench: Bench) -> None:
        """Nothing: `verify` proves the archive."""

    def inventory(self, bench: Bench) -> None:
        """Nothing: `verify` tells it."""

    def write(self, bench: Bench, file: BinaryIO) -> Written:
        """Write the archive. Raises IntegrityError."""
        from bundler.adapters.archive import write_archive
        from bundler.kinds.wheelhouse.pack import laid_out

        bench.arriving.wait(self.pins())
        carried = [entry for payload in self._payloads for entry in bench.entries(payload)]
        bundle = laid_out(self.facts, self.lock, self.script, self.variables, carried)
        return write_archive(bundle, file, self.epoch, bench.session.cancelled.is_set)

    def told(self, written: Written) -> str:
        """What was rebuilt."""
        return f"rebuilt {self.name} of its own records"
