"""One archive that another repository releases: brought into the output folder as it is, checked before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.kinds.prebuilt.asset_lock import AssetLock, LockedAsset
from bundler.kinds.prebuilt.state import lock_name
from bundler.model.closure import Closure
from bundler.model.pin import Pin

if TYPE_CHECKING:
    from bundler.adapters.apart import Work
    from bundler.adapters.archive import Written
    from bundler.bench import Bench
    from bundler.payloads.payload import Payload

_CHUNK = 1 << 20


@dataclass(frozen=True)
class PrebuiltOrder:
    """One archive, for one platform; it is its own job. `component` is the manifest's file stem."""

    component: str
    lock: AssetLock
    archive: LockedAsset

    @property
    def target(self) -> str:
        """Nothing: it serves every target of its platform."""
        return ""

    @property
    def label(self) -> str:
        """The component and the platform."""
        return f"{self.component} {self.archive.platform}"

    @property
    def called(self) -> str:
        """The component's name."""
        return self.lock.component

    @property
    def release(self) -> tuple[str, str]:
        """What the lock pins."""
        return self.lock.repository, self.lock.tag

    @property
    def asset(self) -> str:
        """The archive's file name."""
        return self.archive.name

    @property
    def inputs(self) -> str:
        """The archive's own SHA-256 (hex): nothing else decides its bytes."""
        return self.archive.sha256

    @property
    def files(self) -> tuple[str, ...]:
        """Its manifest and its lock."""
        return f"{self.component}.yaml", f"locks/{lock_name(self.component)}"

    @property
    def requirement(self) -> str:
        """Nothing: its release is chosen, not what is in it."""
        return ""

    @property
    def lacking(self) -> tuple[tuple[str, str], ...]:
        """Nothing is missing in it."""
        return ()

    def job(self) -> PrebuiltOrder:
        """Itself: its lock was read."""
        return self

    def pins(self) -> Sequence[Pin]:
        """The archive, or its parts in their order."""
        return [Pin(file.name, file.sha256, file.size, file.address) for file in self.archive.files]

    def kept(self) -> Sequence[Pin]:
        """The same, and what parts are joined to."""
        return [*self.pins(), Pin(self.asset, self.archive.sha256, self.archive.size, "")]

    def works(self) -> Mapping[str, Work]:
        """Nothing: `verify` looks inside."""
        return {}

    def makes(self, bench: Bench) -> Mapping[str, Callable[[], Path]]:
        """Nothing is made here."""
        return {}

    def payloads(self) -> Sequence[Payload]:
        """Nothing: what is in it is its maker's."""
        return ()

    def closures(self) -> Sequence[Closure]:
        """Nothing: it carries all that it needs."""
        return ()

    def prove(self, bench: Bench) -> None:
        """Nothing: `verify` looks inside."""

    def write(self, bench: Bench, file: BinaryIO) -> Written:
        """Copy the archive, hashing what is copied. Raises IntegrityError if it is not what it should be."""
        from bundler.adapters.archive import Written
        from bundler.kinds.prebuilt.join import archive_of  # large: loaded when an archive is brought

        bench.arriving.wait(self.pins())
        digest, size = hashlib.sha256(), 0
        task = bench.session.progress.stage(self.asset, "packing", self.archive.size)
        with open_regular(archive_of(bench.store, self.lock, self.archive)) as source:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
                size += len(chunk)
                task.advance(len(chunk))
        if digest.hexdigest() != self.archive.sha256:
            raise IntegrityError(
                f"{self.asset}: the copy in the store differs\n"
                f"  expected {self.archive.sha256}\n  actual   {digest.hexdigest()}"
            )
        return Written(size, self.archive.sha256)

    def inventory(self, bench: Bench) -> None:
        """Nothing: what is in it, its maker says."""

    def told(self, written: Written) -> str:
        """Where it came from."""
        return f"brought {self.asset} from {self.lock.repository}@{self.lock.tag}"
