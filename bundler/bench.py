"""Where archives are put together: what the jobs of one run share, each thing made once."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar, cast

from bundler.adapters.store import Store
from bundler.fetch import blob_of
from bundler.model.bundle import Entry
from bundler.payloads.payload import Made, Payload
from bundler.session import Network, Session, fetch_one

if TYPE_CHECKING:
    from bundler.adapters.archive import Written

T = TypeVar("T")


class Writes(Protocol):
    """What writes an archive."""

    def write(self, bench: Bench, file: BinaryIO) -> Written:
        """Write it. Raises BundleError."""


class Bench:
    """The store, a folder for what is unpacked, the network if there is one, and what was made already."""

    def __init__(self, session: Session, network: Network | None, store: Store, spool: Path) -> None:
        self.session, self.network, self.store, self._spool = session, network, store, spool
        self._made: dict[Hashable, object] = {}
        self._one_at_a_time = threading.RLock()

    def at(self, sha256: str) -> Path:
        """Where a file of the store is."""
        return self.store.path(sha256)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns: it is called the first time that anybody asks with this key, by one thread at a time."""
        with self._one_at_a_time:
            if key not in self._made:
                self._made[key] = make()
            return cast("T", self._made[key])

    def make(self, payload: Payload, made: Made) -> Path:
        """Where the file that is made of a payload's pins is in the store; it is made if it is not there.

        Raises IntegrityError if it becomes another one than the lock pins, UnreachableError, LockError.
        """
        blob = blob_of(made.pin)
        if path := self.store.take(blob):
            return path
        for pin in payload.pins():
            fetch_one(pin, self.store, self.network)
        with tempfile.TemporaryDirectory(dir=self._spool) as folder:
            path = Path(folder, "made")
            with path.open("wb") as file:
                made.write(self, file)
            return self.store.join(blob, [path])

    def archive(self, name: str, job: Writes) -> tuple[Path, Written]:
        """Where an archive lies that goes into others, called `name`; it is written once. Raises BundleError."""

        def write() -> tuple[Path, Written]:
            path = self._spool / name
            with path.open("wb") as file:
                return path, job.write(self, file)

        return self.once(name, write)

    def entries(self, payload: Payload) -> tuple[Entry, ...]:
        """What a payload puts into archives; what they share is unpacked once."""

        def unpacked() -> tuple[Entry, ...]:
            with (self._spool / str(len(self._made))).open("wb") as spool:
                return tuple(payload.entries(self.at, spool))

        return self.once(payload, unpacked)
