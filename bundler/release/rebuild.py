"""Archives made anew and compared, to the last byte: whoever can do that needs to trust nobody who built them.

An archive is made of the manifests and locks at hand if one of its name is theirs; the digest of all that decides its
bytes, which stands in it, says whether they are the right ones. Where none are, it is made of what it says of itself,
if that is all it takes: so nothing is in it that its lock does not name, but nobody knows who chose that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from bundler.adapters.archive import Written
from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.digest import sha256_of
from bundler.adapters.dist import Dist
from bundler.adapters.own_folder import in_use
from bundler.errors import BundleError, IntegrityError, UsageError, WorkError, from_os
from bundler.kinds import materials_of, recorded_job
from bundler.kinds.kind import Job
from bundler.kinds.manifests import Manifests, manifests_at_hand
from bundler.model.locked_wheel import LockedWheel
from bundler.release.differences import differences
from bundler.release.sources import orders_at_hand
from bundler.session import Session
from bundler.words import ARCHIVE

# What an archive was made anew of: the manifests and locks at hand, or what it says of itself.
Basis: TypeAlias = Literal["manifests", "records"]
# Wheels are compressed themselves, and stored: even by another program an archive is hardly smaller.
_MOST_GROWTH = 10


@dataclass(frozen=True)
class Archive:
    """An archive to be made anew: its file, what it is called, and the commit that it says it is of, "" if none.

    `sha256` (hex) is of what was verified, where that was told; another may stand there by now.
    """

    path: Path
    name: str
    commit: str = ""
    sha256: str | None = None


@dataclass(frozen=True)
class Rebuilt:
    """What became of one: `sha256` (hex) is the archive's, `findings` how the one made anew differs.

    With `error` it could not be made anew.
    """

    name: str
    sha256: str = ""
    basis: Basis = "manifests"
    findings: tuple[str, ...] = ()
    error: BundleError | None = None

    @property
    def identical(self) -> bool:
        """Whether the same bytes came out."""
        return not self.findings and self.error is None

    @property
    def exit_code(self) -> int:
        """3 if it differs; that of `error`; else 0."""
        return self.error.exit_code if self.error else 3 if self.findings else 0


@dataclass(frozen=True)
class _Plan:
    """How one is made anew. `asset` is a name of its own in the folder, `inputs` what decides its bytes."""

    archive: Archive
    sha256: str
    asset: str
    inputs: str
    job: Job
    basis: Basis


def rebuild(session: Session, archives: Sequence[Archive]) -> tuple[Rebuilt, ...]:
    """Make archives anew, all at once, and compare each; one that fails does not stop the others.

    Raises ManifestError if there are manifests that cannot be used.
    """
    manifests = manifests_at_hand(session)
    plans: list[_Plan] = []
    done: dict[int, Rebuilt] = {}
    for number, archive in enumerate(archives):
        try:
            plans.append(_planned(session, manifests, archive, f"{number}{ARCHIVE}"))
        except BundleError as error:
            done[number] = Rebuilt(archive.name, error=error)
        except OSError as error:  # it went away since it was verified
            done[number] = Rebuilt(archive.name, error=from_os(error))
    made = iter(_made(session, plans) if plans else ())
    return tuple(done[number] if number in done else next(made) for number in range(len(archives)))


def _made(session: Session, plans: Sequence[_Plan]) -> Sequence[Rebuilt]:
    """Make all of the plans in a folder of this run, and compare."""
    from bundler.make import make_all  # large

    with _folder(session) as folder, session.network() as network:
        dist = Dist(folder / "out", folder / "state" / "dist", lambda path: "")
        with dist.opened(session.progress):
            results = make_all(session, network, dist, [(plan, plan.job) for plan in plans])
        return [_compared(plan, results[plan.asset], dist.folder / plan.asset) for plan in plans]


def _compared(plan: _Plan, made: Written | BundleError, path: Path) -> Rebuilt:
    result = Rebuilt(plan.archive.name, plan.sha256, plan.basis)
    if isinstance(made, BundleError):
        return replace(result, error=made)
    if made.sha256 == plan.sha256:
        return result
    return replace(result, findings=tuple(differences(plan.archive.path, path, plan.archive.name)))


def _planned(session: Session, manifests: Manifests | None, archive: Archive, asset: str) -> _Plan:
    """How an archive is made anew, as `asset`. Raises IntegrityError, LockError, UsageError, WorkError if not."""
    sha256, told = sha256_of(archive.path), materials_of(archive.path, archive.name)
    if sha256 != (archive.sha256 or sha256):
        raise WorkError(f"{archive.name} changed while it was verified", "run again")
    inputs = told.inputs if told else sha256
    commit = f"commit {archive.commit}" if archive.commit else "the commit that it was built from"
    hint = f"check out {commit}, with that version of aiws-bundle, and give its folder with --manifests"
    orders = orders_at_hand(session, manifests, [archive.name], told.epoch if told else 0) if manifests else []
    order = orders[0] if orders else None
    if order and order.inputs != inputs:
        raise UsageError(f"{archive.name}: the manifests and locks here make another archive of this name", hint)
    if order:
        return _Plan(archive, sha256, asset, inputs, order.job(), "manifests")
    try:
        job = recorded_job(archive.path, archive.name)
    except UsageError as error:
        raise UsageError(f"{error.message}, and no manifests here make it", hint) from error
    _refuse_more(archive, job)
    return _Plan(archive, sha256, asset, inputs, job, "records")


def _refuse_more(archive: Archive, job: Job) -> None:
    """Raise IntegrityError for records of more wheels than an archive can hold, however it is compressed.

    Else a small one could have everything fetched that an index has.
    """
    wanted = sum(pin.size or 0 for pin in job.pins() if isinstance(pin.origin, LockedWheel))
    if wanted > _MOST_GROWTH * (size := archive.path.stat().st_size):
        raise IntegrityError(f"{archive.name}: its lock names {wanted} bytes of wheels, and it has {size} in all")


@contextmanager
def _folder(session: Session) -> Iterator[Path]:
    """A folder of this run's own, which nobody sweeps meanwhile."""
    with in_use(session.cache_dir, TEMPORARY) as folder, tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def refuse_others(rebuilt: Sequence[Rebuilt]) -> None:
    """Raise unless the manifests and locks at hand made every archive anew, to the last byte.

    Raises IntegrityError for those that differ, and UsageError for those that were made of their own records: what an
    archive says of itself does not show who chose it. Raises the error of those that could not be made.
    """
    different = [one.name for one in rebuilt if one.findings]
    if different:
        raise IntegrityError(f"made anew, these are not the same: {', '.join(different)}", "verify --rebuild tells how")
    for one in rebuilt:
        if one.error:
            raise one.error
    recorded = [one.name for one in rebuilt if one.basis == "records"]
    if recorded:
        raise UsageError(
            f"the manifests and locks here do not make {', '.join(recorded)}",
            "check out the commit that they were built from",
        )
