"""Fetch for all archives at once, and write each while its files come: never one after the other.

What is written is hidden until the archive's proof holds: only then is it renamed into its place.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from bundler.adapters.apart import Wanted, Work
from bundler.adapters.archive import Written
from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.dist import Dist
from bundler.adapters.durable import syncing
from bundler.adapters.own_folder import in_use
from bundler.adapters.regular import chunks
from bundler.adapters.store import Store
from bundler.bench import Bench
from bundler.errors import BundleError, IntegrityError, from_os
from bundler.fetch import Fetch, Fetching, blob_of, distinct, from_store
from bundler.kinds.kind import Job
from bundler.model.inventory import Inventory
from bundler.model.pin import Pin
from bundler.model.sidecar import NOTHING_TOLD, SidecarFacts, UnreadError
from bundler.progress import Silent, Task, Uncounted
from bundler.session import Network, Session, bring


class Goal(Protocol):
    """What is made: its file's name, and SHA-256 (hex) of all that decides its bytes."""

    @property
    def asset(self) -> str:
        """The archive's file name."""

    @property
    def inputs(self) -> str:
        """The digest of all that decides its bytes."""


_PACKERS = 2
# Files of so many bytes take longer than it takes to ask for them.
_LARGE = 4_000_000
_DAMAGED_HINT = "the damaged copy was removed from the store; run again to fetch it anew"


def make_all(
    session: Session,
    network: Network | None,
    dist: Dist,
    jobs: Sequence[tuple[Goal, Job]],
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, Written | BundleError]:
    """Fetch for all jobs in their order, and write each archive while its files come; what became of each.

    Without a network, everything must be in the store. `meanwhile` is done once the first files are asked for, before
    anything is written; if it raises, nothing is.
    """
    store = session.store()
    with ExitStack() as stack:
        spool = Path(stack.enter_context(_folder(session.cache_dir)))
        bench = Bench(session, network, store, spool)
        made = {sha256: make for _, job in jobs for sha256, make in job.makes(bench).items()}
        files = distinct(pin for _, job in jobs for pin in _large_first(job.pins()))
        fetched = [pin for pin in files if pin.sha256 not in made]
        stack.enter_context(session.progress.follow([order.asset for order, _ in jobs]))
        fetch = (
            stack.enter_context(_downloads(session, network, store, fetched, jobs)) if network else from_store(store)
        )
        fetchers = stack.enter_context(_pool(session, session.jobs, wait=False))
        line = _Line(bench, dist)
        stack.callback(line.at_rest)
        packers = stack.enter_context(_pool(session, _PACKERS, wait=True))
        bench.arriving = Fetching.start(files, _either(made, fetch), fetchers)
        meanwhile()
        packers.submit(_load)
        making = {order.asset: packers.submit(line.make, order, job) for order, job in jobs}
        return {asset: future.result() for asset, future in making.items()}


def _load() -> None:
    """Load what sidecars take, while something is waited for."""
    from bundler.sidecars.table import load

    load()


def _large_first(pins: Sequence[Pin]) -> Sequence[Pin]:
    """The order to fetch in: what takes long begins at once, all else comes as archives are written, by their names."""
    return sorted(pins, key=lambda pin: -(pin.size or 0) if (pin.size or 0) >= _LARGE else 0)


def _either(made: Mapping[str, Callable[[], Path]], fetch: Fetch) -> Fetch:
    """What is made here is made, all else fetched."""
    return lambda pin: made[pin.sha256]() if pin.sha256 in made else fetch(pin)


@dataclass(frozen=True)
class _Line:
    """Makes one archive after the other, two at a time, and puts each in its place."""

    bench: Bench
    dist: Dist
    placing: threading.Lock = field(default_factory=threading.Lock)
    busy: threading.Condition = field(default_factory=threading.Condition)
    making: set[str] = field(default_factory=set)

    def at_rest(self) -> None:
        """Wait until none is made any more: interrupted while it starts a thread, a pool does not know of that."""
        with self.busy:
            self.busy.wait_for(lambda: not self.making)

    @contextmanager
    def _at_work(self, asset: str) -> Iterator[None]:
        """Be waited for. Raises BundleError if nobody wants it any more."""
        with self.busy:
            if self.bench.session.cancelled.is_set():
                raise BundleError("interrupted")
            self.making.add(asset)
        try:
            yield
        finally:
            with self.busy:
                self.making.remove(asset)
                self.busy.notify_all()

    def make(self, order: Goal, job: Job) -> Written | BundleError:
        """Make one archive, or return what went wrong."""
        made, stage = self._made(order, job), self.bench.session.progress.stage
        if isinstance(made, BundleError):
            stage(order.asset, "failed", told=made.message)
        else:
            stage(order.asset, "done", made.size, job.told(made))
        return made

    def _made(self, order: Goal, job: Job) -> Written | BundleError:
        try:
            with self._at_work(order.asset):
                return self._placed(order, job)
        except OSError as error:
            return from_os(error)
        except BundleError as error:
            damaged = isinstance(error, IntegrityError) and self.bench.store.discard_damaged(map(blob_of, job.kept()))
            return IntegrityError(error.message, _DAMAGED_HINT) if damaged else error

    def _placed(self, order: Goal, job: Job) -> Written:
        from bundler.sidecars.table import beside  # large: loaded by now

        with self.dist.replacing(order.asset) as file:
            written = self._written(job, file)
            with syncing(file):
                facts = told_of(order.asset, written, self.dist.written_at(order.asset), job.inventory(self.bench))
                made = beside(order.asset, facts)
        with self.placing:
            self.dist.place(order.asset, written, order.inputs, made)
        return written

    def _written(self, job: Job, file: BinaryIO) -> Written:
        """Write and prove one archive. If files could not be had, the error tells of all of them."""
        try:
            return job.write(self.bench, file)
        except BundleError:
            self.bench.arriving.wait(job.pins())
            raise


def told_of(asset: str, written: Written, path: Path, inventory: Inventory | None) -> SidecarFacts:
    """What the sidecars of one archive are told: the file itself, and what it holds."""

    def read(name: str) -> Iterator[bytes]:
        if name != asset:
            raise UnreadError(name)
        return chunks(path)

    held = {asset: inventory} if inventory else {}
    return replace(NOTHING_TOLD, files={asset: (written.size, written.sha256)}, read=read, inventories=held)


@dataclass(frozen=True)
class _Together:
    """What counts for several."""

    tasks: Sequence[Task]

    def advance(self, amount: int) -> None:
        """Count for all of them."""
        for task in self.tasks:
            task.advance(amount)


@contextmanager
def _downloads(
    session: Session, network: Network, store: Store, files: Sequence[Pin], jobs: Sequence[tuple[Goal, Job]]
) -> Iterator[Fetch]:
    """A fetch over the network; what the store lacks is shown as one task, and for each job that waits for it."""
    missing = {one.sha256: one.size or 0 for one in files if not store.has(blob_of(one))}
    progress = session.progress if missing else Silent()
    waiting: dict[str, list[Task]] = {sha256: [] for sha256 in missing}
    for order, job in jobs:
        lacking = {pin.sha256 for pin in job.pins()} & missing.keys()
        if lacking:
            own = progress.stage(order.asset, "fetching", sum(missing[sha256] for sha256 in lacking))
            for sha256 in lacking:
                waiting[sha256].append(own)
    with progress.task(f"fetching {len(missing)} of {len(files)} files", sum(missing.values())) as task:

        def counted(pin: Pin) -> Task:
            return _Together((task, *waiting[pin.sha256])) if pin.sha256 in missing else Uncounted()

        apart = session.downloads

        def fetch(pin: Pin) -> Path:
            if apart and apart.brought(pin.sha256, session.cancelled.is_set):
                return store.path(pin.sha256)
            if session.cancelled.is_set():
                raise BundleError("interrupted")
            return bring(pin, store, network, counted(pin))

        try:
            if apart and missing:
                works, ranks = _works(jobs), _ranks(jobs)
                absent = [pin for pin in files if pin.sha256 in missing]
                apart.begin([Wanted(p, ranks[p.sha256], works.get(p.sha256, set()), counted(p)) for p in absent])
            yield fetch
        finally:
            if apart:
                apart.count_no_more()


def _ranks(jobs: Sequence[tuple[Goal, Job]]) -> Mapping[str, int]:
    """How soon each file is needed, by its SHA-256 (hex): archives are written in their order."""
    return {pin.sha256: rank for rank, pin in enumerate(distinct(pin for _, job in jobs for pin in job.pins()))}


def _works(jobs: Sequence[tuple[Goal, Job]]) -> Mapping[str, set[Work]]:
    """What jobs make of single files, each once, by the SHA-256 (hex) of those."""
    found: dict[str, set[Work]] = {}
    for _, job in jobs:
        for sha256, work in job.works().items():
            found.setdefault(sha256, set()).add(work)
    return found


@contextmanager
def _pool(session: Session, threads: int, *, wait: bool) -> Iterator[ThreadPoolExecutor]:
    """Threads that are told to stop when the context ends early; with `wait`, until they have cleaned up."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    except BaseException:
        session.cancelled.set()
        pool.shutdown(wait=wait, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _folder(cache_dir: Path) -> Iterator[str]:
    """A temporary folder in the cache, which nobody sweeps meanwhile."""
    with in_use(cache_dir, TEMPORARY) as folder, tempfile.TemporaryDirectory(dir=folder) as name:
        yield name
