"""Bring what the locks pin into the store: each distinct file once, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from bundler.adapters.store import Blob, Store
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.model.pin import InArchive, OnRegistry, Pin

if TYPE_CHECKING:
    from bundler.adapters.index import Index

Fetch = Callable[[Pin], Path]


def blob_of(pin: Pin) -> Blob:
    """The pinned file as the store keeps it."""
    return Blob(pin.name, pin.sha256, pin.size)


def addresses_of(
    pin: Pin, index: Callable[[], Index], registry: Callable[[], str], archive: Callable[[str], str]
) -> Iterator[str]:
    """Yield where a pinned file may be, the quickest way first. Raises UnreachableError."""
    if isinstance(pin.origin, str):
        yield pin.origin
    elif isinstance(pin.origin, OnRegistry):
        yield registry() + pin.origin.path
    elif isinstance(pin.origin, InArchive):
        yield archive(pin.origin.archive) + quote(pin.origin.path)
    else:
        yield from index().addresses(pin.origin)


def distinct(pins: Iterable[Pin]) -> tuple[Pin, ...]:
    """Each file once, in order."""
    return tuple({one.sha256: one for one in pins}.values())


def from_store(store: Store) -> Fetch:
    """A fetch that asks no network: what is not in the store cannot be had."""

    def fetch(pin: Pin) -> Path:
        if path := store.take(blob_of(pin)):
            return path
        raise UnreachableError(f"{pin.name} is not in the store", "run once without --offline")

    return fetch


@dataclass(frozen=True)
class Fetching:
    """Downloads under way, by digest."""

    futures: dict[str, Future[Path]]

    @classmethod
    def start(cls, pins: Sequence[Pin], fetch: Fetch, pool: ThreadPoolExecutor) -> Fetching:
        """Begin to fetch, in order."""
        return cls({one.sha256: pool.submit(fetch, one) for one in pins})

    def there(self, sha256: str) -> None:
        """Wait until one is there, if it is fetched. Raises what went wrong with it."""
        if future := self.futures.get(sha256):
            future.result()

    def then(self, pins: Sequence[Pin], work: Callable[[], object]) -> None:
        """Call `work` as soon as all of `pins` are there, in the thread that brings the last; not if one cannot be had.

        It is work done ahead of time: what goes wrong with it is for those to tell who need it, and do it again.
        """
        awaited = [self.futures[sha256] for sha256 in {one.sha256 for one in pins} & self.futures.keys()]
        lock, left = threading.Lock(), len(awaited)

        def arrived(future: Future[Path]) -> None:
            nonlocal left
            if future.cancelled() or future.exception():
                return
            with lock:
                left -= 1
            if not left:
                with suppress(BundleError, OSError):
                    work()

        for future in awaited:
            future.add_done_callback(arrived)

    def all_there(self, pins: Sequence[Pin]) -> bool:
        """Whether none of `pins` is awaited any more."""
        return all(self.futures[one.sha256].done() for one in pins)

    def wait(self, pins: Sequence[Pin]) -> None:
        """Wait until all of `pins` are there. Raises one error that stands for all that failed."""
        errors: list[BundleError] = []
        for one in pins:
            try:
                self.futures[one.sha256].result()
            except UnreachableError as error:
                errors.append(hinted(error, one))
            except BundleError as error:
                errors.append(error)
        if errors:
            raise _summary(errors, len(pins))


def hinted(error: UnreachableError, pin: Pin) -> UnreachableError:
    """Tell what helps when a pinned address is out of reach: its digest makes any copy as good."""
    if isinstance(pin.origin, InArchive):
        hint = "archives keep the newest versions only: lock again, or name a mirror that keeps old ones"
        return UnreachableError(error.message, f"{hint} (AIWS_APT_MIRRORS={pin.origin.archive}=ADDRESS)")
    if not isinstance(pin.origin, str):
        return error
    folder, _, name = pin.origin.rpartition("/")
    hint = f"put {name} into a folder and give --mirror {folder}/=file:///FOLDER/ (or a mirror nearby)"
    return UnreachableError(error.message, hint)


def _summary(errors: Sequence[BundleError], total: int) -> BundleError:
    """The gravest error in full, and how many there were."""
    first = max(errors, key=lambda error: isinstance(error, IntegrityError))
    if len(errors) == 1:
        return first
    # Where nothing could be had, all targets say the same, and it is told once for all of them.
    none = len(errors) == total
    failed = "none of the files could be had" if none else f"{len(errors)} of {total} files could not be fetched"
    return type(first)(f"{failed}; the first: {first.message}", first.hint)
