"""Where archives are put together: what the jobs of one run share, each thing made once."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar, cast

from bundler.adapters.store import Store
from bundler.fetch import blob_of
from bundler.model.bundle import Entry
from bundler.model.pin import Pin
from bundler.payloads.payload import Made, Payload
from bundler.progress import Task
from bundler.session import Network, Session, fetch_one

if TYPE_CHECKING:
    from bundler.adapters.archive import Written

T = TypeVar("T")


class Writes(Protocol):
    """What writes an archive."""

    def write(self, bench: Bench, file: BinaryIO) -> Written:
        """Write it. Raises BundleError."""


class Arriving(Protocol):
    """Files on their way into the store."""

    def wait(self, pins: Sequence[Pin]) -> None:
        """Wait until all of `pins` are there. Raises one BundleError that stands for all that failed."""

    def there(self, sha256: str) -> None:
        """Wait until one is there. Raises BundleError if it cannot be had."""

    def then(self, pins: Sequence[Pin], work: Callable[[], object]) -> None:
        """Have `work` done ahead of time, as soon as all of `pins` are there."""

    def all_there(self, pins: Sequence[Pin]) -> bool:
        """Whether none of `pins` is awaited any more."""


class Arrived:
    """Nothing is on its way."""

    def wait(self, pins: Sequence[Pin]) -> None:
        """Do not wait."""

    def there(self, sha256: str) -> None:
        """Do not wait."""

    def then(self, pins: Sequence[Pin], work: Callable[[], object]) -> None:
        """Do nothing ahead of time: it is done when it is needed."""

    def all_there(self, pins: Sequence[Pin]) -> bool:
        """All are there."""
        return True


class Bench:
    """The store, a folder for what is unpacked, the network if there is one, and what was made already.

    `arriving` is what comes into the store meanwhile; nobody may wait for it inside of `once`.
    """

    arriving: Arriving = Arrived()

    def __init__(self, session: Session, network: Network | None, store: Store, spool: Path) -> None:
        self.session, self.network, self.store, self._spool = session, network, store, spool
        self._made: dict[Hashable, object] = {}
        self._one_at_a_time = threading.RLock()

    def at(self, sha256: str) -> Path:
        """Where a file of the store is."""
        return self.store.path(sha256)

    def ask(self, sha256: str, work: Callable[[Path], T]) -> T:
        """What `work` makes of a file of the store: where it was brought, or else here. Raises what it does."""
        downloads = self.session.downloads
        made = downloads.made(sha256, work) if downloads else None
        return work(self.at(sha256)) if made is None else cast("T", made)

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

    def makers(self, payloads: Sequence[Payload]) -> dict[str, Callable[[], Path]]:
        """What makes each file that payloads make of their pins, by its SHA-256 (hex)."""
        pairs = [(payload, made) for payload in payloads for made in payload.made()]
        return {made.pin.sha256: partial(self.make, payload, made) for payload, made in pairs}

    def archive(self, name: str, job: Writes) -> tuple[Path, Written]:
        """Where an archive lies that goes into others, called `name`; it is written once. Raises BundleError."""

        def write() -> tuple[Path, Written]:
            path = self._spool / name
            with path.open("wb") as file:
                return path, job.write(self, file)

        return self.once(name, write)

    def packing(self, name: str, size: int, pins: Sequence[Pin]) -> Task:
        """Counts what is packed of `size` bytes; shown once all `pins` are there, until then it tells what comes."""
        return _Packing(
            partial(self.session.progress.stage, name, "packing", size), partial(self.arriving.all_there, pins)
        )

    def entries(self, payload: Payload) -> tuple[Entry, ...]:
        """What a payload puts into archives; what they share is unpacked once."""

        def unpacked() -> tuple[Entry, ...]:
            with (self._spool / str(len(self._made))).open("wb") as spool:
                return tuple(payload.entries(self.at, spool))

        return self.once(payload, unpacked)


class _Packing:
    """Work that is shown from when nothing is awaited any more."""

    def __init__(self, show: Callable[[], Task], due: Callable[[], bool]) -> None:
        self._show, self._due = show, due
        self._done, self._task = 0, None if not due() else show()

    def advance(self, amount: int) -> None:
        """Count, and tell all that is done once it is shown."""
        self._done += amount
        if self._task:
            self._task.advance(amount)
        elif self._due():
            self._task = self._show()
            self._task.advance(self._done)
