"""Make a release hold exactly the wanted assets: upload what is missing, several at once; compare what is stored."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from bundler.adapters.github import GitHub
from bundler.adapters.github_answer import RefusedError
from bundler.adapters.http import TransientError, retrying
from bundler.adapters.regular import open_regular
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.model.release import Asset, Difference, Piece, Release, compare, disagreement
from bundler.progress import Progress, Task

_CHUNK = 1 << 16
# An upload slower than this on the whole is given up for this try.
_SLOWEST_BYTES_PER_SECOND = 50_000
_GRACE_SECONDS = 120


class StoredWrongError(TransientError):
    """What the server stored is not what was sent. Worth another try; in the end, a matter of integrity."""

    exit_code = 3


@dataclass(frozen=True)
class Filled:
    """What it took: bytes uploaded, names of the assets uploaded, and of those that were there."""

    uploaded_bytes: int
    uploaded: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Filler:
    """Fills releases of one repository with `jobs` uploads at once."""

    github: GitHub
    progress: Progress
    jobs: int
    cancelled: threading.Event

    def difference(self, release: Release, pieces: Sequence[Piece]) -> Difference:
        """How a release differs from what it should hold; assets without a digest are downloaded to compare them."""
        found = compare(self.github.assets(release), pieces)
        wrong = [(asset, piece) for asset, piece in found.unproven if self._stored_sha256(asset) != piece.sha256]
        proven = tuple(piece for asset, piece in found.unproven if (asset, piece) not in wrong)
        return replace(found, kept=found.kept + proven, unproven=(), differing=(*found.differing, *wrong))

    def fill(self, release: Release, pieces: Sequence[Piece], check: Callable[[], None]) -> Filled:
        """Make the release hold `pieces` and nothing else; those of a later turn are uploaded after all others.

        `check` is asked before every change, and raises if the release is not ours any more. Raises IntegrityError,
        UnreachableError too; what was uploaded by then is kept by the next call.
        """
        before = self.difference(release, pieces)
        check()
        for asset in (*before.broken, *before.surplus, *(asset for asset, _ in before.differing)):
            self.github.delete_asset(asset)
        missing = [*before.missing, *(piece for _, piece in before.differing)]
        for turn in sorted({piece.turn for piece in missing}):
            due = [piece for piece in missing if piece.turn == turn]
            self._upload_all(release, sorted(due, key=lambda piece: (-piece.size, piece.name)), check)
        self._prove(release, pieces)
        return Filled(
            uploaded_bytes=sum(piece.size for piece in missing),
            uploaded=tuple(sorted(piece.name for piece in missing)),
            kept=tuple(sorted(piece.name for piece in before.kept)),
        )

    def _prove(self, release: Release, pieces: Sequence[Piece]) -> None:
        """Compare what is stored with what should be. Raises IntegrityError."""
        after = self.difference(release, pieces)
        if after.same:
            return
        findings = [disagreement(piece.name, asset, piece.size, piece.sha256) for asset, piece in after.differing]
        findings += [disagreement(piece.name, None, piece.size, piece.sha256) for piece in after.missing]
        findings += [f"{asset.name}: not ours" for asset in (*after.surplus, *after.broken)]
        raise IntegrityError(
            "after uploading, the draft does not hold what it should; is something else writing to it?\n  "
            + "\n  ".join(findings),
            "nothing was published; run again",
        )

    def _upload_all(self, release: Release, pieces: Sequence[Piece], check: Callable[[], None]) -> None:
        pool = ThreadPoolExecutor(self.jobs, "upload")
        futures = [pool.submit(self._upload, release, piece, check) for piece in pieces]
        try:
            errors = [error for future in futures if (error := future.exception())]
        except BaseException:  # Ctrl-C does not wait for a server
            self.cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        if errors:
            raise _gravest(errors, len(pieces))

    def _upload(self, release: Release, piece: Piece, check: Callable[[], None]) -> None:
        with self.progress.task(f"uploading {piece.name}", piece.size) as task:
            attempt = partial(self._attempt, release, piece, task, check)
            try:
                retrying(attempt)
            except StoredWrongError as error:
                raise IntegrityError(error.message, error.hint) from error

    def _attempt(self, release: Release, piece: Piece, task: Task, check: Callable[[], None]) -> None:
        """Try once. What a broken try left behind is removed, or found to be whole after all."""
        sent = _Sent(task)
        check()
        try:
            asset = self.github.upload(release, piece.name, piece.size, _chunks(piece, sent, self.cancelled.is_set))
            self._accept(asset, piece)
        except (TransientError, RefusedError) as error:
            if self.cancelled.is_set():
                raise UnreachableError("interrupted") from error
            check()
            if isinstance(error, RefusedError) and "already_exists" not in error.codes:
                raise
            if self._there(release, piece):
                return
            sent.count(0)
            if isinstance(error, RefusedError):
                raise TransientError(error.message) from error
            raise

    def _accept(self, asset: Asset, piece: Piece) -> None:
        """Check what an upload was answered with. Raises IntegrityError for another name, StoredWrongError."""
        if asset.name != piece.name:
            self.github.delete_asset(asset)
            raise IntegrityError(f"{piece.name}: GitHub stores it as {asset.name}", "rename the file")
        if asset.size != piece.size or asset.sha256 not in (piece.sha256, None):
            self.github.delete_asset(asset)
            wrong = disagreement(piece.name, asset, piece.size, piece.sha256)
            raise StoredWrongError(f"stored wrongly: {wrong}", "the file changed, or the bytes did on the way")

    def _there(self, release: Release, piece: Piece) -> bool:
        """After a broken try: say whether the asset is whole on the server; remove what is not."""
        for asset in self.github.assets(release):
            if asset.name != piece.name:
                continue
            whole = asset.complete and asset.size == piece.size
            if whole and (asset.sha256 or self._stored_sha256(asset)) == piece.sha256:
                return True
            self.github.delete_asset(asset)
        return False

    def _stored_sha256(self, asset: Asset) -> str:
        """Download an asset and return its SHA-256."""
        self.progress.say(f"downloading {asset.name} to compare it: GitHub tells no digest of it")

        def once() -> str:
            digest, size, began = hashlib.sha256(), 0, time.monotonic()
            with self.github.stream(self.github.asset_address(asset)) as body:
                for chunk in body.chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    if size > asset.size or self.cancelled.is_set():
                        break
                    if time.monotonic() - began > _GRACE_SECONDS + size / _SLOWEST_BYTES_PER_SECOND:
                        raise TransientError(f"{asset.name}: slower than {_SLOWEST_BYTES_PER_SECOND} bytes/s")
            if size < asset.size:
                raise TransientError(f"{asset.name}: ended after {size} of {asset.size} bytes")
            return digest.hexdigest()

        return retrying(once)


class _Sent:
    """How much of an upload was sent, as progress shows it."""

    def __init__(self, task: Task) -> None:
        self._task, self._counted = task, 0

    def count(self, size: int) -> None:
        """Show that `size` bytes were sent."""
        self._task.advance(size - self._counted)
        self._counted = size


def _chunks(piece: Piece, sent: _Sent, cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """Yield an asset's bytes from disk, within its deadline. Raises TransientError past it."""
    if piece.source is None:
        yield piece.content
        sent.count(piece.size)
        return
    began = time.monotonic()
    done = 0
    with open_regular(piece.source) as file:
        file.seek(piece.offset)
        while done < piece.size:
            chunk = file.read(min(_CHUNK, piece.size - done))
            if not chunk:
                raise IntegrityError(f"{piece.source} became shorter while it was uploaded", "run again")
            yield chunk
            done += len(chunk)
            sent.count(done)
            if cancelled():
                raise UnreachableError("interrupted")
            if time.monotonic() - began > _GRACE_SECONDS + done / _SLOWEST_BYTES_PER_SECOND:
                raise TransientError(f"uploading {piece.name}: slower than {_SLOWEST_BYTES_PER_SECOND} bytes/s")


def _gravest(errors: Sequence[BaseException], total: int) -> BaseException:
    """One error that stands for all."""
    ours = [error for error in errors if isinstance(error, BundleError)]
    if len(ours) < len(errors):
        return next(error for error in errors if not isinstance(error, BundleError))
    first = max(ours, key=lambda error: isinstance(error, IntegrityError))
    if len(ours) > 1:
        first.message = f"{len(ours)} of {total} assets could not be uploaded; the first: {first.message}"
    first.hint = first.hint or "nothing was published; run again: what is uploaded is kept"
    return first
