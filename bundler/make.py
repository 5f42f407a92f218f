"""Fetch for all archives at once, and make each as soon as its files are there: never one after the other."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bundler.adapters.archive import Written
from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.dist import Dist
from bundler.adapters.own_folder import in_use
from bundler.adapters.store import Store
from bundler.bench import Bench
from bundler.errors import BundleError, IntegrityError, from_os
from bundler.fetch import Fetch, Fetching, addresses_of, blob_of, distinct, from_store
from bundler.kinds.kind import Job, Order
from bundler.model.pin import Pin
from bundler.progress import Silent, Uncounted
from bundler.session import Network, Session

_PACKERS = 2
_DAMAGED_HINT = "the damaged copy was removed from the store; run again to fetch it anew"


def make_all(
    session: Session, network: Network | None, dist: Dist, jobs: Sequence[tuple[Order, Job]]
) -> dict[str, Written | BundleError]:
    """Fetch for all jobs in their order, and make each archive as soon as its files are there; what became of each.

    Without a network, everything must be in the store.
    """
    store = session.store()
    with ExitStack() as stack:
        spool = Path(stack.enter_context(_folder(session.cache_dir)))
        bench = Bench(session, network, store, spool)
        made = {sha256: make for _, job in jobs for sha256, make in job.makes(bench).items()}
        files = distinct(pin for _, job in jobs for pin in job.pins())
        fetched = [pin for pin in files if pin.sha256 not in made]
        fetch = stack.enter_context(_downloads(session, network, store, fetched)) if network else from_store(store)
        fetchers = stack.enter_context(_pool(session, session.jobs, wait=False))
        packers = stack.enter_context(_pool(session, _PACKERS, wait=True))
        line = _Line(bench, dist, Fetching.start(files, _either(made, fetch), fetchers))
        making = {order.asset: packers.submit(line.make, order, job) for order, job in jobs}
        return {asset: future.result() for asset, future in making.items()}


def _either(made: Mapping[str, Callable[[], Path]], fetch: Fetch) -> Fetch:
    """What is made here is made, all else fetched."""
    return lambda pin: made[pin.sha256]() if pin.sha256 in made else fetch(pin)


@dataclass(frozen=True)
class _Line:
    """Makes one archive after the other, two at a time, and puts each in its place."""

    bench: Bench
    dist: Dist
    fetching: Fetching
    placing: threading.Lock = field(default_factory=threading.Lock)

    def make(self, order: Order, job: Job) -> Written | BundleError:
        """Make one archive, or return what went wrong."""
        try:
            self.fetching.wait(job.pins())
            with self.dist.replacing(order.asset) as file:
                written = job.write(self.bench, file)
            with self.placing:
                self.dist.place(order.asset, written, order.inputs)
        except OSError as error:
            return from_os(error)
        except BundleError as error:
            damaged = isinstance(error, IntegrityError) and self.bench.store.discard_damaged(map(blob_of, job.kept()))
            return IntegrityError(error.message, _DAMAGED_HINT) if damaged else error
        self.bench.session.progress.say(job.told(written))
        return written


@contextmanager
def _downloads(session: Session, network: Network, store: Store, files: Sequence[Pin]) -> Iterator[Fetch]:
    """A fetch over the network; what the store lacks is shown as one task."""
    missing = {one.sha256: one.size or 0 for one in files if not store.has(blob_of(one))}
    progress = session.progress if missing else Silent()
    with progress.task(f"fetching {len(missing)} of {len(files)} files", sum(missing.values())) as task:

        def fetch(pin: Pin) -> Path:
            addresses = addresses_of(pin, lambda: network.index, lambda: network.registry, network.archive)
            counted = task if pin.sha256 in missing else Uncounted()
            return store.fetch(blob_of(pin), addresses, network.http, counted)

        yield fetch


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
