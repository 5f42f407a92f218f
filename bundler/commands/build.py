"""`build`: from selectors to archives in the output folder, with the SHA256SUMS that covers them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from bundler.adapters.archive import Written
from bundler.adapters.dist import Dist
from bundler.errors import BundleError, LockError, gravest
from bundler.kinds import inputs_of
from bundler.kinds.kind import Job, Order
from bundler.kinds.manifests import Manifests, Reading
from bundler.model.advice import joined
from bundler.model.known_bad import KnownBad, bad_among
from bundler.model.outcome import Outcome
from bundler.session import Session

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class BuildReport:
    """All outcomes of one run, in the order of what was asked for."""

    folder: Path
    outcomes: tuple[Outcome, ...]

    @property
    def exit_code(self) -> int:
        """0, or the code of the gravest failure."""
        return gravest([outcome.error for outcome in self.outcomes if outcome.error])


def build(
    session: Session,
    selectors: Sequence[str],
    components: Sequence[str],
    out: Path,
    *,
    command: str = "build",
    offline: bool = False,
    force: bool = False,
) -> BuildReport:
    """Make every selected archive that is not finished yet. One that fails does not stop the others.

    Without `components` it is the one that `command` means. Raises UsageError, ManifestError or LockError before
    anything is written.
    """
    workspace, epoch = session.workspace(), session.epoch()
    reading = Reading(workspace.manifest_texts())
    manifests = reading.whole() if components else reading.some(command)
    chosen = manifests.chosen(components, command)
    found = _each(chosen, lambda one: one.orders(manifests.hosts, workspace, selectors, epoch))
    orders: list[Order] = [order for some in found for order in some]
    dist = Dist(out, session.cache_dir / "dist", inputs_of)
    with dist.opened(session.progress):
        done = {} if force else {o.asset: w for o in orders if (w := dist.current(o.asset, o.inputs))}
        waiting = [order for order in orders if order.asset not in done]
        dist.expect(order.asset for order in waiting)
        made: dict[str, Written | BundleError] = {}
        if waiting:
            jobs: list[Job] = _each(waiting, lambda order: _job(order, manifests.known_bad))
            with nullcontext() if offline else session.network() as network:
                from bundler.make import make_all  # large: not loaded for what is finished

                rest = partial(_check_rest, reading, manifests, waiting)
                made = make_all(session, network, dist, list(zip(waiting, jobs, strict=True)), rest)
        else:
            reading.whole()
        for asset, written in done.items():
            if not dist.complete(asset):
                _tell_beside(dist, asset, written)
    return BuildReport(out, tuple(_outcome(order, done.get(order.asset), made.get(order.asset)) for order in orders))


def _check_rest(reading: Reading, manifests: Manifests, orders: Sequence[Order]) -> None:
    """Read what no order was made of. Raises ManifestError, and LockError as `_job` does."""
    known_bad = reading.whole().known_bad
    if known_bad != manifests.known_bad:
        _each(orders, lambda order: _job(order, known_bad))


def _job(order: Order, known_bad: KnownBad) -> Job:
    """An order's job. Raises LockError, also if a file that it takes is known to be bad."""
    job = order.job()
    if bad := bad_among((pin.sha256 for pin in job.pins()), known_bad):
        raise LockError(f"{order.label}: {bad}", "lock another version of it")
    return job


def _tell_beside(dist: Dist, asset: str, written: Written) -> None:
    """Make the sidecars of an archive that was finished before, by reading it."""
    from bundler.kinds.verify import judge_any  # large: not loaded for what is complete
    from bundler.make import told_of
    from bundler.sidecars.table import beside

    path = dist.folder / asset
    dist.place_beside(asset, beside(asset, told_of(asset, written, path, judge_any(path, asset).inventory)))


def _each(things: Iterable[T], work: Callable[[T], R]) -> list[R]:
    """What `work` makes of each thing. Raises one LockError for all that it fails for."""
    results: list[R] = []
    errors: list[LockError] = []
    for thing in things:
        try:
            results.append(work(thing))
        except LockError as error:
            errors.append(error)
    if errors:
        raise LockError("\n".join(error.message for error in errors), joined([error.hint for error in errors]))
    return results


def _outcome(order: Order, there: Written | None, made: Written | BundleError | None) -> Outcome:
    """What became of an order: finished before, made now, or failed."""
    if isinstance(made, BundleError):
        return Outcome(order.component, order.target, "failed", order.label, order.asset, error=made)
    written = there or made
    size, sha256 = (written.size, written.sha256) if written else (0, "")
    return Outcome(
        component=order.component,
        target=order.target,
        state="unchanged" if there else "built",
        label=order.label,
        asset=order.asset,
        size=size,
        sha256=sha256,
        lacking=order.lacking,
    )
