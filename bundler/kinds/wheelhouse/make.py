"""The work of `build`: fetch for all archives at once, prove and pack each as soon as its files are there."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bundler.adapters.archive import Written, write_archive
from bundler.adapters.dist import Dist
from bundler.adapters.own_folder import private_folder
from bundler.adapters.store import Store
from bundler.errors import BundleError, IntegrityError, from_os
from bundler.fetch import Fetch, Fetching, addresses_of, blob_of, distinct, from_store
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.pack import parts_of, plan, prove_wheels, wheel_reader
from bundler.kinds.wheelhouse.recipe import Recipe
from bundler.model.bundle import Entry
from bundler.model.locked_wheel import LockedWheel
from bundler.model.pin import Pin
from bundler.payloads import payloads_of
from bundler.payloads.payload import Payload
from bundler.progress import megabytes
from bundler.session import Network, Settings

_PACKERS = 2
_DAMAGED_HINT = "the damaged copy was removed from the store; run again to fetch it anew"


def pins_of(recipe: Recipe, lock: Lock) -> tuple[Pin, ...]:
    """Everything that one archive is made of."""
    return tuple(pin for payload in payloads_of(parts_of(recipe, lock)) for pin in payload.pins())


def make_all(
    settings: Settings, network: Network | None, dist: Dist, recipes: Sequence[Recipe], locks: Mapping[str, Lock]
) -> dict[str, Written | BundleError]:
    """Fetch for all targets in their order, and pack each as soon as its files are there; what became of each asset.

    Without a network, everything must be in the store.
    """
    store = settings.store()
    needs = {recipe.asset: pins_of(recipe, locks[recipe.asset]) for recipe in recipes}
    files = distinct(one for wanted in needs.values() for one in wanted)
    with ExitStack() as stack:
        fetch = stack.enter_context(_downloads(settings, network, store, files)) if network else from_store(store)
        fetch = _building(settings, network, recipes, locks, fetch)
        fetchers = stack.enter_context(_pool(settings, settings.jobs, wait=False))
        packers = stack.enter_context(_pool(settings, _PACKERS, wait=True))
        spool = Path(stack.enter_context(_folder(settings.cache_dir)))
        bench = _Bench(settings, dist, store, Fetching.start(files, fetch, fetchers), spool)
        making = {r.asset: packers.submit(bench.make, r, locks[r.asset], needs[r.asset]) for r in recipes}
        return {asset: future.result() for asset, future in making.items()}


class _Bench:
    """Where archives are put together, two at a time. What targets share is read once."""

    def __init__(self, settings: Settings, dist: Dist, store: Store, fetching: Fetching, spool: Path) -> None:
        self._settings, self._dist, self._store, self._fetching = settings, dist, store, fetching
        self._spool = spool
        self._read = wheel_reader(store.path)
        self._entries: dict[Payload, tuple[Entry, ...]] = {}
        self._unpacking, self._placing = threading.Lock(), threading.Lock()

    def make(self, recipe: Recipe, lock: Lock, wanted: Sequence[Pin]) -> Written | BundleError:
        """Make one archive and put it in place, or return what went wrong."""
        try:
            self._fetching.wait(wanted)
            written = self._pack(recipe, lock)
        except OSError as error:
            return from_os(error)
        except BundleError as error:
            damaged = isinstance(error, IntegrityError) and self._store.discard_damaged(blob_of(one) for one in wanted)
            return IntegrityError(error.message, _DAMAGED_HINT) if damaged else error
        size = megabytes(written.size)
        self._settings.progress.say(f"built {recipe.asset} ({size}, {len(lock.wheels)} wheels)")
        return written

    def _pack(self, recipe: Recipe, lock: Lock) -> Written:
        prove_wheels(lock.effective(recipe.request), lock, self._read)
        carried = [e for payload in payloads_of(parts_of(recipe, lock)) for e in self._entries_of(payload)]
        bundle = plan(recipe, lock, carried)
        with self._dist.replacing(recipe.asset) as file:
            written = write_archive(bundle, file, recipe.epoch, self._settings.cancelled.is_set)
        with self._placing:
            self._dist.place(recipe.asset, written, recipe.inputs())
        return written

    def _entries_of(self, payload: Payload) -> tuple[Entry, ...]:
        """What a payload puts into archives; what targets share is unpacked once."""
        with self._unpacking:
            if payload not in self._entries:
                with (self._spool / str(len(self._entries))).open("wb") as spool:
                    self._entries[payload] = tuple(payload.entries(self._store.path, spool))
            return self._entries[payload]


def _building(
    settings: Settings, network: Network | None, recipes: Sequence[Recipe], locks: Mapping[str, Lock], fetch: Fetch
) -> Fetch:
    """`fetch`, except for wheels that are built from source."""
    requests = {wheel: recipe.request for recipe in recipes if (wheel := locks[recipe.asset].built)}
    if not requests:
        return fetch
    from bundler.kinds.wheelhouse.sources import Sources  # large: loaded when asked for

    sources = Sources(settings, network)

    def make(pin: Pin) -> Path:
        wheel = pin.origin
        if isinstance(wheel, LockedWheel) and wheel in requests:
            return sources.make(wheel, requests[wheel])
        return fetch(pin)

    return make


@contextmanager
def _downloads(settings: Settings, network: Network, store: Store, files: Sequence[Pin]) -> Iterator[Fetch]:
    """A fetch over the network, shown as one task."""
    files = [one for one in files if not (isinstance(one.origin, LockedWheel) and one.origin.source)]
    size = sum(one.size or 0 for one in files)
    missing = [one for one in files if not store.has(blob_of(one))]
    label = f"fetching {len(missing)} of {len(files)} files" if missing else f"taking {len(files)} files from the store"
    with settings.progress.task(label, size) as task:

        def fetch(pin: Pin) -> Path:
            addresses = addresses_of(pin, lambda: network.index, lambda: network.registry)
            return store.fetch(blob_of(pin), addresses, network.http, task)

        yield fetch


@contextmanager
def _pool(settings: Settings, threads: int, *, wait: bool) -> Iterator[ThreadPoolExecutor]:
    """Threads that are told to stop when the context ends early; with `wait`, until they have cleaned up."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    except BaseException:
        settings.cancelled.set()
        pool.shutdown(wait=wait, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _folder(cache_dir: Path) -> Iterator[str]:
    """A temporary folder in the cache."""
    with tempfile.TemporaryDirectory(dir=private_folder(cache_dir, "tmp")) as name:
        yield name
