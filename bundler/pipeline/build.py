"""`build`: from selectors to archives in the output folder, with the SHA256SUMS that covers them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.archive import SourceChangedError, Written, write_archive
from bundler.adapters.dist import Dist
from bundler.adapters.store import Store
from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, LockError, from_os, gravest
from bundler.model.bundle import Entry
from bundler.model.lock import Lock
from bundler.model.manifest import Manifests
from bundler.model.recipe import Recipe
from bundler.model.request import request_for
from bundler.model.target import Arch, select
from bundler.pipeline.settings import Settings, load_manifests, wheelhouse_names
from bundler.progress import megabytes
from bundler.steps.fetch import Fetch, Fetching, Wanted, distinct, from_store, wanted_for
from bundler.steps.pack import plan, prove_wheels, wheel_reader
from bundler.steps.python_tree import take_runtime

_PACKERS = 2


@dataclass(frozen=True)
class Outcome:
    """What became of one order: `state` is built, unchanged or failed; size in bytes."""

    target: str
    asset: str
    state: str
    size: int = 0
    sha256: str = ""
    packages: int = 0
    seconds: float = 0.0
    error: BundleError | None = None


@dataclass(frozen=True)
class BuildReport:
    """All outcomes of one run, in the order of the targets."""

    folder: Path
    outcomes: tuple[Outcome, ...]

    @property
    def exit_code(self) -> int:
        """0, or the code of the gravest failure."""
        return gravest([outcome.error for outcome in self.outcomes if outcome.error])


def build(
    settings: Settings,
    selectors: Sequence[str],
    components: tuple[str, ...],
    out: Path,
    *,
    offline: bool = False,
    force: bool = False,
) -> BuildReport:
    """Build every selected archive that is not finished yet. A target that fails does not stop the others.

    Raises UsageError, ManifestError or LockError before anything is written.
    """
    workspace = settings.workspace()
    manifests = load_manifests(workspace)
    recipes = _recipes(workspace, manifests, selectors, components, settings.epoch())
    dist = Dist(out, settings.cache_dir / "dist")
    with dist.opened(settings.progress):
        done = {} if force else {recipe.asset: o for recipe in recipes if (o := _finished(dist, recipe))}
        waiting = [recipe for recipe in recipes if recipe.asset not in done]
        if waiting:
            locks = _locks(waiting)
            done |= _make_all(settings, dist, waiting, locks, offline=offline)
    return BuildReport(out, tuple(done[recipe.asset] for recipe in recipes))


def _recipes(
    workspace: Workspace, manifests: Manifests, selectors: Sequence[str], components: tuple[str, ...], epoch: int
) -> list[Recipe]:
    """One recipe a component and target. Raises LockError naming every target that has no lock."""
    recipes, missing = [], []
    targets = select(manifests.targets, selectors)
    for component in wheelhouse_names(manifests, components):
        for target in targets:
            text = workspace.lock_text(target)
            if text is None:
                missing.append(target.name)
                continue
            request = request_for(manifests, component, target)
            asset = manifests.wheelhouses[component].asset_name(target)
            recipes.append(Recipe(request, asset, workspace.lock_path(target).name, text, manifests.python, epoch))
    if missing:
        raise LockError(f"not locked: {', '.join(missing)}", f"run `aiws-bundle lock {' '.join(missing)}`")
    return recipes


def _locks(recipes: Sequence[Recipe]) -> dict[str, Lock]:
    """Parse the lock of each recipe, by asset. Raises one LockError for all that are stale or malformed."""
    locks: dict[str, Lock] = {}
    errors: list[LockError] = []
    for recipe in recipes:
        try:
            locks[recipe.asset] = recipe.lock()
        except LockError as error:
            errors.append(error)
    if errors:
        raise LockError("\n".join(error.message for error in errors), "; ".join(error.hint for error in errors))
    return locks


def _finished(dist: Dist, recipe: Recipe) -> Outcome | None:
    """The outcome of an archive that is there already, made from the same inputs."""
    written = dist.current(recipe.asset, recipe.inputs())
    if written is None:
        return None
    return Outcome(recipe.request.target.name, recipe.asset, "unchanged", written.size, written.sha256)


def _make_all(
    settings: Settings, dist: Dist, recipes: Sequence[Recipe], locks: Mapping[str, Lock], *, offline: bool
) -> dict[str, Outcome]:
    """Fetch for all targets in their order, and pack each as soon as its files are there."""
    store = settings.store()
    needs = {recipe.asset: wanted_for(recipe, locks[recipe.asset]) for recipe in recipes}
    files = distinct(one for wanted in needs.values() for one in wanted)
    with ExitStack() as stack:
        fetch = from_store(store) if offline else stack.enter_context(_downloads(settings, store, files))
        fetchers = stack.enter_context(_pool(settings, settings.jobs, wait=False))
        packers = stack.enter_context(_pool(settings, _PACKERS, wait=True))
        spool = Path(stack.enter_context(_folder(settings.cache_dir / "tmp")))
        bench = _Bench(settings, dist, store, Fetching.start(files, fetch, fetchers), spool)
        making = {r.asset: packers.submit(bench.make, r, locks[r.asset], needs[r.asset]) for r in recipes}
        return {asset: future.result() for asset, future in making.items()}


class _Bench:
    """Where archives are put together, two at a time. What targets share is read once."""

    def __init__(self, settings: Settings, dist: Dist, store: Store, fetching: Fetching, spool: Path) -> None:
        self._settings, self._dist, self._store, self._fetching = settings, dist, store, fetching
        self._spool = spool
        self._read = wheel_reader(store.path)
        self._trees: dict[Arch, tuple[Entry, ...]] = {}
        self._unpacking, self._placing = threading.Lock(), threading.Lock()

    def make(self, recipe: Recipe, lock: Lock, wanted: Sequence[Wanted]) -> Outcome:
        """Make one archive and put it in place. What goes wrong is in the outcome."""
        target, progress = recipe.request.target.name, self._settings.progress
        try:
            self._fetching.wait(wanted)
            started = time.monotonic()
            written = self._pack(recipe, lock)
        except OSError as error:
            return Outcome(target, recipe.asset, "failed", error=from_os(error))
        except BundleError as error:
            if isinstance(error, SourceChangedError):
                self._store.discard(error.sha256)
            return Outcome(target, recipe.asset, "failed", error=error)
        seconds = time.monotonic() - started
        progress.say(f"built {recipe.asset} ({megabytes(written.size)}, {len(lock.wheels)} wheels)")
        return Outcome(target, recipe.asset, "built", written.size, written.sha256, len(lock.wheels), seconds)

    def _pack(self, recipe: Recipe, lock: Lock) -> Written:
        prove_wheels(lock.effective(recipe.request), lock, self._read)
        bundle = plan(recipe, lock, self._store.path, self._tree(recipe))
        with self._dist.replacing(recipe.asset) as file:
            written = write_archive(bundle, file, recipe.epoch, self._settings.cancelled.is_set)
        with self._placing:
            self._dist.place(recipe.asset, written, recipe.inputs())
        return written

    def _tree(self, recipe: Recipe) -> tuple[Entry, ...]:
        pin, arch = recipe.python_pin, recipe.request.target.arch
        if pin is None:
            return ()
        with self._unpacking:
            if arch not in self._trees:
                with (self._spool / f"python-{arch}").open("wb") as spool:
                    self._trees[arch] = take_runtime(self._store.path(pin.sha256), recipe.python, arch, spool)
            return self._trees[arch]


@contextmanager
def _downloads(settings: Settings, store: Store, files: Sequence[Wanted]) -> Iterator[Fetch]:
    """A fetch over the network, shown as one task."""
    size = sum(one.blob.size or 0 for one in files)
    missing = [one for one in files if not store.has(one.blob)]
    label = f"fetching {len(missing)} of {len(files)} files" if missing else f"taking {len(files)} files from the store"
    with settings.network() as network, settings.progress.task(label, size) as task:

        def fetch(wanted: Wanted) -> Path:
            return store.fetch(wanted.blob, wanted.addresses(lambda: network.index), network.http, task)

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
def _folder(parent: Path) -> Iterator[str]:
    """A temporary folder below `parent`."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        yield name
