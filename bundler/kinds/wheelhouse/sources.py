"""A component's own wheel, built from source: locked once a run, built once and kept in the store under its digest."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.own_folder import in_use
from bundler.adapters.pip_compile import PipCompile
from bundler.adapters.process import run
from bundler.adapters.store import Blob
from bundler.errors import BundleError, LockError, UnreachableError
from bundler.fetch import blob_of
from bundler.kinds.wheelhouse.build_lock import BuildLock
from bundler.kinds.wheelhouse.build_state import read_build_lock
from bundler.kinds.wheelhouse.build_wheel import Means, build_wheel, identity, lock_build
from bundler.kinds.wheelhouse.manifest import SourceArchive
from bundler.kinds.wheelhouse.request import Request, build_lock_name
from bundler.model.known_bad import KnownBad, bad_among
from bundler.model.locked_wheel import LockedWheel
from bundler.model.pin import Pin
from bundler.session import Network, Session, fetch_one


class Sources:
    """Locks and builds the wheels of components from their sources. Threads may share it; one builds at a time.

    With `renew`, build requirements are resolved anew. Without a network, everything must be in the store.
    """

    def __init__(self, session: Session, network: Network | None, *, renew: bool = False) -> None:
        self._session, self._network, self._renew = session, network, renew
        self._workspace, self._store = session.workspace(), session.store()
        self._locked: dict[str, BuildLock | BundleError] = {}
        self._unwritten: dict[str, str] = {}
        self._one_at_a_time = threading.Lock()

    def lock(self, request: Request) -> tuple[LockedWheel, Path] | None:
        """Return the wheel built for `request`, and where it is; a build lock that changed waits for `write`.

        None if the wheel comes from the index. Raises LockError, IntegrityError, UnreachableError.
        """
        if request.source is None:
            return None
        with self._one_at_a_time:
            if request.component not in self._locked:
                try:
                    self._locked[request.component] = self._lock(request, request.source)
                except BundleError as error:  # the next target would fail as this one did
                    self._locked[request.component] = error
            lock = self._locked[request.component]
            if isinstance(lock, BundleError):
                raise lock
            identity(lock.facts.wheel.filename, request.requirement, request.component)
            return lock.built(), self._store.path(lock.facts.wheel.sha256)

    def changed(self, component: str) -> bool:
        """Say whether a component's build lock changed and is not written yet."""
        return component in self._unwritten

    def write(self, component: str) -> None:
        """Write a component's build lock, once every target that shares it is resolved."""
        self._workspace.write_lock(build_lock_name(component), self._unwritten.pop(component))

    def make(self, wheel: LockedWheel, request: Request) -> Path:
        """Return where the wheel that a lock for `request` has built is, building it if the store has it not."""
        blob = Blob(wheel.filename, wheel.sha256, wheel.size)
        with self._one_at_a_time:
            if not self._store.take(blob):
                lock = read_build_lock(self._workspace, request)
                if lock is None or request.source is None or lock.built() != wheel:
                    raise LockError(f"{wheel.filename} is not the wheel that the build lock makes", request.again())
                self._build(lock, request, request.source)
        return self._store.path(wheel.sha256)

    def _lock(self, request: Request, source: SourceArchive) -> BuildLock:
        try:
            before = read_build_lock(self._workspace, request)
        except LockError:
            before = None
        if before and not self._renew:
            made = before.facts.wheel
            identity(made.filename, request.requirement, request.component)
            if not self._store.take(Blob(made.filename, made.sha256, made.size)):
                self._build(before, request, source)
            return before
        if self._network is None:
            raise UnreachableError(f"{request.component}: build requirements cannot be locked without a network")
        self._session.progress.say(f"building {request.component} from its source to lock it")
        compiler = PipCompile(run, self._session.env, self._network.index_address)
        archive = self._archive(request, source)
        with self._scratch() as scratch:
            made_file = scratch / "made"
            lock = lock_build(
                request.component, request.requirement, source, archive, made_file,
                self._means(scratch, request), compiler, self._network.index,
            )  # fmt: skip
            self._keep(lock, made_file)
        if lock != before:
            self._unwritten[request.component] = lock.render()
        return lock

    def _build(self, lock: BuildLock, request: Request, source: SourceArchive) -> None:
        self._session.progress.say(f"building {lock.facts.wheel.filename} from its source")
        archive = self._archive(request, source)
        with self._scratch() as scratch:
            made = scratch / "made"
            build_wheel(lock, request.requirement, archive, made, self._means(scratch, request))
            self._keep(lock, made)

    def _means(self, scratch: Path, request: Request) -> Means:
        return Means(partial(self._wheel, dict(request.known_bad)), scratch, self._session.cancelled.is_set)

    def _keep(self, lock: BuildLock, made: Path) -> None:
        wheel = lock.facts.wheel
        self._store.join(Blob(wheel.filename, wheel.sha256, wheel.size), [made])

    def _archive(self, request: Request, source: SourceArchive) -> Path:
        name = f"source of {request.component} at {source.commit[:12]}"
        return self._fetch(Pin(name, source.sha256, None, source.address))

    def _wheel(self, known_bad: KnownBad, wheel: LockedWheel) -> Path:
        """Where a wheel to build with is. Raises LockError, before it is fetched, if it is known to be bad."""
        if bad := bad_among(wheel.held, known_bad):
            raise LockError(bad, "have the source ask for another version of what it is built with")
        return self._fetch(Pin.of_wheel(wheel))

    def _fetch(self, pin: Pin) -> Path:
        """Fetch a file into the store, or take it from there once it is known to be whole."""
        self._store.discard_damaged([blob_of(pin)])
        return fetch_one(pin, self._store, self._network)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with in_use(self._session.cache_dir, TEMPORARY) as place, tempfile.TemporaryDirectory(dir=place) as folder:
            yield Path(folder)
