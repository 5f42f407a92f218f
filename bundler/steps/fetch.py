"""Bring what the locks pin into the store: each distinct file once, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.index import Index
from bundler.adapters.store import Blob, Store
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.model.lock import Lock, LockedWheel
from bundler.model.recipe import Recipe


@dataclass(frozen=True)
class Wanted:
    """A pinned file, and where it is to be had: an address of its own, or the index that lists the wheel."""

    blob: Blob
    origin: LockedWheel | str

    def addresses(self, index: Callable[[], Index]) -> Iterator[str]:
        """Yield where the file may be, the quickest way first. Raises UnreachableError."""
        if isinstance(self.origin, str):
            yield self.origin
        else:
            yield from index().addresses(self.origin)


Fetch = Callable[[Wanted], Path]


def wanted_for(recipe: Recipe, lock: Lock) -> tuple[Wanted, ...]:
    """Everything that one archive is made of: the portable Python, if any, and the wheels."""
    wheels = [Wanted(Blob(w.filename, w.sha256, w.size), w) for w in lock.wheels]
    pin = recipe.python_pin
    if pin is None:
        return tuple(wheels)
    name = f"portable CPython {recipe.python.version} for {recipe.request.target.arch}"
    return (Wanted(Blob(name, pin.sha256, None), pin.address), *wheels)


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
                errors.append(_hinted(error, one))
            except BundleError as error:
                errors.append(error)
        if errors:
            raise _summary(errors, len(wanted))


def _hinted(error: UnreachableError, wanted: Wanted) -> UnreachableError:
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
