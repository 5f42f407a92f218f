"""The store: downloaded files by SHA-256. A file appears in it only complete and verified."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from filelock import Timeout

from bundler.adapters.credentials import redact
from bundler.adapters.digest import sha256_of
from bundler.adapters.durable import sync_folder
from bundler.adapters.own_folder import check_private, is_plain, open_own, own_lock, private_folder
from bundler.adapters.regular import open_regular
from bundler.adapters.retry import RangeRefusedError, TransientError, retrying
from bundler.adapters.turns import held, waiting
from bundler.errors import IntegrityError, UnreachableError
from bundler.progress import Task

if TYPE_CHECKING:
    from bundler.adapters.http import Body

_LARGEST_UNSIZED = 1 << 30
_COPY_SIZE = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A file by what it is: its SHA-256, its size if known, and the name that messages use."""

    name: str
    sha256: str
    size: int | None


@dataclass(frozen=True)
class Pruned:
    """What was removed, in files and bytes, and what stays: the size of each whole file in bytes, by its SHA-256."""

    files: int
    size: int
    kept: Mapping[str, int]


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class Source(Protocol):
    """Where bytes come from."""

    def stream(self, address: str, start: int = 0) -> AbstractContextManager[Body]:
        """Open one try at `address` from byte `start`, as `Http.stream` does."""


class Store:
    """A folder of verified files, shared by any number of processes."""

    def __init__(self, root: Path, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.root = root
        self._cancelled = cancelled

    def path(self, sha256: str) -> Path:
        """Where the file with this digest is, or would be."""
        return self.root / "sha256" / sha256[:2] / sha256

    def has(self, blob: Blob) -> bool:
        """Say whether the file is there, in full size."""
        path = self.path(blob.sha256)
        try:
            return is_plain(path) and blob.size in (None, path.stat().st_size)
        except OSError:
            return False

    def take(self, blob: Blob) -> Path | None:
        """Return the file's path if it is there, in full size; its time of change becomes that of its last use."""
        if not self.has(blob):
            return None
        path = self.path(blob.sha256)
        with suppress(OSError):  # a store that may only be read serves as well
            os.utime(path)
        return path

    def discard(self, sha256: str) -> None:
        """Drop a file."""
        self.path(sha256).unlink(missing_ok=True)

    def discard_damaged(self, blobs: Iterable[Blob]) -> bool:
        """Drop those files whose bytes are no longer what they were, for example on a bad disk; say whether any was."""
        paths = [self.path(blob.sha256) for blob in blobs]
        damaged = [path for path in paths if path.is_file() and sha256_of(path) != path.name]
        for path in damaged:
            self.discard(path.name)
        return bool(damaged)

    def fetch(self, blob: Blob, addresses: Iterator[str], http: Source, task: Task) -> Path:
        """Return the file's path, downloading it from the first of `addresses` that has it.

        Raises IntegrityError if the bytes are not what `blob` says, UnreachableError if no address has them.
        """
        if taken := self.take(blob):
            task.advance(taken.stat().st_size)
            return taken
        final = self.path(blob.sha256)
        partial = private_folder(self.root, "partial") / blob.sha256
        with held(own_lock(partial.with_suffix(".lock"))):
            if self.has(blob):
                task.advance(final.stat().st_size)
                return final
            try:
                self._download(blob, addresses, http, partial, task)
            except (UnreachableError, IntegrityError):
                if is_plain(partial) and not partial.stat().st_size:  # nothing to go on with
                    partial.unlink()
                raise
            self._keep(partial, final)
        return final

    def find(self, name: str, address: str, http: Source, limit: int) -> Path:
        """Return where the file is that `address` has now, whatever it is; the path's last part is its SHA-256.

        Raises IntegrityError if it has more than `limit` bytes, UnreachableError.
        """
        partial = private_folder(self.root, "partial") / f"found-{hashlib.sha256(address.encode()).hexdigest()}"
        with own_lock(partial.with_suffix(".lock")):
            try:
                final = self.path(retrying(lambda: self._found(name, address, http, limit, partial)))
                self._keep(partial, final)
            finally:
                partial.unlink(missing_ok=True)
        return final

    def _found(self, name: str, address: str, http: Source, limit: int, partial: Path) -> str:
        """Write what `address` has to `partial`; return its SHA-256."""
        digest, size = hashlib.sha256(), 0
        with open_own(partial, fresh=True) as file:
            with http.stream(address) as body:
                for chunk in body.chunks:
                    size += len(chunk)
                    if size > limit:
                        raise IntegrityError(f"{name}: larger than {limit} bytes\n  from     {redact(address)}")
                    if self._cancelled():
                        raise UnreachableError("interrupted")
                    file.write(chunk)
                    digest.update(chunk)
            if body.total is not None and size < body.total:
                raise TransientError(f"{redact(address)}: ended after {size} of {body.total} bytes")
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()

    def join(self, blob: Blob, parts: Sequence[Path]) -> Path:
        """Return the path of the file that `parts` are in their order. Raises IntegrityError if it is another one."""
        if taken := self.take(blob):
            return taken
        final = self.path(blob.sha256)
        partial = private_folder(self.root, "partial") / blob.sha256
        with own_lock(partial.with_suffix(".lock")):
            with open_own(partial, fresh=True) as whole:
                for path in parts:
                    with open_regular(path) as part:
                        shutil.copyfileobj(part, whole, _COPY_SIZE)
                whole.flush()
                os.fsync(whole.fileno())
            actual = sha256_of(partial)
            if actual != blob.sha256:
                partial.unlink()
                raise IntegrityError(
                    f"{blob.name}: its parts do not make it\n  expected {blob.sha256}\n  actual   {actual}"
                )
            self._keep(partial, final)
        return final

    def _keep(self, partial: Path, final: Path) -> None:
        folder = private_folder(self.root, "sha256", final.parent.name)
        partial.replace(final)
        with waiting():
            sync_folder(folder)

    def _download(self, blob: Blob, addresses: Iterator[str], http: Source, partial: Path, task: Task) -> None:
        """Try each address in turn; the last one's error is the one that is raised."""
        last: UnreachableError | IntegrityError | None = None
        for address in addresses:
            attempt = _Attempt(blob, address, http, partial, task, self._cancelled)
            try:
                retrying(attempt)
                return
            except (UnreachableError, IntegrityError) as error:
                attempt.count(0)  # the next address counts from what is there
                last = error
        raise last or UnreachableError(f"{blob.name}: no address is known for it")

    def entries(self) -> Iterator[Path]:
        """Every complete file; each one's name is its digest. Raises WorkError if a folder is not ours."""
        for folder in (self.root / "sha256", *sorted((self.root / "sha256").glob("??"))):
            check_private(folder)
        return (self.root / "sha256").glob("??/*")

    def leftovers(self) -> Iterator[Path]:
        """Every unfinished download and its lock file. Raises WorkError if their folder is not ours."""
        check_private(self.root / "partial")
        return (self.root / "partial").glob("*")

    def prune(self, keep: Container[str], *, unused_since: float | None = None, dry_run: bool = False) -> Pruned:
        """Remove all but the digests in `keep`, and downloads that nobody is at.

        With `unused_since` (s since 1970), only what was neither used nor written to from then on. A dry run only
        counts.
        """
        gone = _size if dry_run else _removed
        kept, removed = {}, []
        for path in self.entries():
            stays = path.name in keep or not _unused(path, unused_since)
            size = _size(path) if stays else gone(path)
            if stays and size is not None:
                kept[path.name] = size
            elif not stays:
                removed.append(size)
        for lock in sorted({path.with_suffix(".lock") for path in self.leftovers()}):
            if not _unused(lock.with_suffix(""), unused_since):
                continue
            try:
                with own_lock(lock, timeout=0):
                    removed.append(gone(lock.with_suffix("")))
                    gone(lock)  # whoever waits for it sees that it is gone, and makes a new one
            except Timeout:
                continue
        sizes = [size for size in removed if size is not None]
        return Pruned(len(sizes), sum(sizes), kept)


class _Attempt:
    """One address: each call is a try that goes on where the last one stopped."""

    def __init__(
        self, blob: Blob, address: str, http: Source, partial: Path, task: Task, cancelled: Callable[[], bool]
    ) -> None:
        self._blob, self._address, self._http, self._task = blob, address, http, task
        self._partial, self._cancelled = partial, cancelled
        self._counted = 0
        self._limit = blob.size if blob.size is not None else _LARGEST_UNSIZED

    def __call__(self) -> None:
        with open_own(self._partial) as file:
            try:
                resumed = self._fill(file)
            except RangeRefusedError:
                file.truncate(0)
                raise
            file.flush()
            actual = sha256_of(self._partial) if resumed else self._hash.hexdigest()
            if actual == self._blob.sha256:
                with waiting():
                    os.fsync(file.fileno())
                return
            file.truncate(0)
        if resumed:  # the part that was there may have been another file's: once more from the start
            raise TransientError(f"{self._blob.name}: a resumed download did not fit together")
        raise IntegrityError(
            f"{self._blob.name}: SHA-256 mismatch\n  expected {self._blob.sha256}\n  actual   {actual}\n"
            f"  from     {redact(self._address)}",
            "the file was replaced since it was locked, or a mirror serves something else",
        )

    def _fill(self, file: BinaryIO) -> bool:
        """Append to `file` what it lacks; say whether anything was there before."""
        have = file.seek(0, os.SEEK_END)
        if have and have == self._blob.size:  # killed just before it was checked
            self.count(have)
            return True
        if have >= self._limit:
            file.truncate(0)
            have = 0
        with self._http.stream(self._address, have) as body:
            if body.start not in (0, have):
                file.truncate(0)
                raise TransientError(f"{redact(self._address)}: the server resumed at the wrong place")
            if body.start != have:
                file.truncate(0)
            if body.total is not None and self._blob.size is not None and body.total != self._blob.size:
                file.truncate(0)
                raise self._wrong_size(f"{body.total}")
            self._hash: _Hash = hashlib.sha256()
            self.count(body.start)
            size = body.start
            for chunk in body.chunks:
                size += len(chunk)
                if size > self._limit:
                    file.truncate(0)
                    raise self._wrong_size(f"{size} or more")
                if self._cancelled():
                    raise UnreachableError("interrupted")
                file.write(chunk)
                self._hash.update(chunk)
                self.count(size)
        if self._blob.size is not None and size < self._blob.size:
            raise TransientError(f"{redact(self._address)}: ended after {size} of {self._blob.size} bytes")
        return body.start > 0

    def _wrong_size(self, actual: str) -> IntegrityError:
        return IntegrityError(
            f"{self._blob.name}: size mismatch\n  expected {self._limit} bytes\n  actual   {actual}\n"
            f"  from     {redact(self._address)}",
            "the file was replaced since it was locked, or a mirror serves something else",
        )

    def count(self, size: int) -> None:
        """Show that `size` bytes are there."""
        self._task.advance(size - self._counted)
        self._counted = size


def _size(path: Path) -> int | None:
    """How large a file is, or None if it is not there."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return None


def _removed(path: Path) -> int | None:
    """Remove a file; return how large it was, or None if it was not there."""
    size = _size(path)
    path.unlink(missing_ok=True)
    return size


def _unused(path: Path, since: float | None) -> bool:
    """Say whether a file was last used or written to before `since`; one that is not there was."""
    try:
        return since is None or path.lstat().st_mtime < since
    except FileNotFoundError:
        return True
