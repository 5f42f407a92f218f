"""Bring what the locks pin into the store: each distinct file once, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.index import Index
from bundler.adapters.store import Blob, Store
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.model.database import NpmPackage
from bundler.model.lock import Lock, LockedWheel
from bundler.model.recipe import Recipe


@dataclass(frozen=True)
class Wanted:
    """A pinned file, and where it is to be had: an address of its own, the package index, or the npm registry."""

    blob: Blob
    origin: LockedWheel | NpmPackage | str

    def addresses(self, index: Callable[[], Index], registry: Callable[[], str]) -> Iterator[str]:
        """Yield where the file may be, the quickest way first. Raises UnreachableError."""
        if isinstance(self.origin, str):
            yield self.origin
        elif isinstance(self.origin, NpmPackage):
            yield registry() + self.origin.path
        else:
            yield from index().addresses(self.origin)


Fetch = Callable[[Wanted], Path]


def wanted_for(recipe: Recipe, lock: Lock) -> tuple[Wanted, ...]:
    """Everything that one archive is made of: the portable Python, if any, the wheels, and what a database needs."""
    wanted = [Wanted(Blob(w.filename, w.sha256, w.size), w) for w in lock.wheels]
    if pin := recipe.python_pin:
        name = f"portable CPython {recipe.python.version} for {recipe.request.target.arch}"
        wanted.insert(0, Wanted(Blob(name, pin.sha256, None), pin.address))
    if pins := lock.facts.database:
        wanted += [Wanted(Blob(e.address.rpartition("/")[2], e.sha256, e.size), e.address) for e in pins.engines]
        wanted += [Wanted(Blob(f"npm package {p.name} {p.version}", p.sha256, p.size), p) for p in pins.npm]
    return tuple(wanted)


def distinct(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    """Each file once, in order."""
    return tuple({one.blob.sha256: one for one in wanted}.values())


def from_store(store: Store) -> Fetch:
    """A fetch that asks no network: what is not in the store cannot be had."""

    def fetch(wanted: Wanted) -> Path:
        if not store.has(wanted.blob):
            raise UnreachableError(f"{wanted.blob.name} is not in the store", "run once without --offline")
        return store.path(wanted.blob.sha256)

    return fetch


@dataclass(frozen=True)
class Fetching:
    """Downloads under way, by digest."""

    futures: dict[str, Future[Path]]

    @classmethod
    def start(cls, wanted: Sequence[Wanted], fetch: Fetch, pool: ThreadPoolExecutor) -> Fetching:
        """Begin to fetch, in order."""
        return cls({one.blob.sha256: pool.submit(fetch, one) for one in wanted})

    def wait(self, wanted: Sequence[Wanted]) -> None:
        """Wait until all of `wanted` is there. Raises one error that stands for all that failed."""
        errors: list[BundleError] = []
        for one in wanted:
            try:
                self.futures[one.blob.sha256].result()
            except UnreachableError as error:
                errors.append(hinted(error, one))
            except BundleError as error:
                errors.append(error)
        if errors:
            raise _summary(errors, len(wanted))


def hinted(error: UnreachableError, wanted: Wanted) -> UnreachableError:
    """Tell what helps when a pinned address is out of reach: its digest makes any copy as good."""
    if not isinstance(wanted.origin, str):
        return error
    folder, _, name = wanted.origin.rpartition("/")
    hint = f"put {name} into a folder and give --mirror {folder}/=file:///FOLDER/ (or a mirror nearby)"
    return UnreachableError(error.message, hint)


def _summary(errors: Sequence[BundleError], total: int) -> BundleError:
    """The gravest error in full, and how many there were."""
    first = max(errors, key=lambda error: isinstance(error, IntegrityError))
    if len(errors) == 1:
        return first
    return type(first)(f"{len(errors)} of {total} files could not be fetched; the first: {first.message}", first.hint)
