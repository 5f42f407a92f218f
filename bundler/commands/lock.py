"""`lock`: make the locks that do not match the manifests; `lock --check`: say whether they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bundler.errors import LockError, gravest
from bundler.kinds.kind import LockOptions
from bundler.kinds.manifests import load_manifests
from bundler.model.changes import Change, Shared, shared
from bundler.model.moment import moment
from bundler.model.outcome import Outcome
from bundler.session import Session


@dataclass(frozen=True)
class LockReport:
    """All outcomes, in the order of the components and targets."""

    outcomes: tuple[Outcome, ...]

    @property
    def exit_code(self) -> int:
        """0, or the code of the gravest failure; a lock that is stale or missing is one."""
        stale = [LockError(one.state) for one in self.outcomes if one.state in ("stale", "missing")]
        return gravest([*(one.error for one in self.outcomes if one.error), *stale])

    @property
    def diff(self) -> tuple[Shared[Change], ...]:
        """What new locks change of those before, each change once."""
        return shared((one.target, one.changes) for one in self.outcomes)


def check_locks(session: Session, selectors: Sequence[str], components: Sequence[str]) -> LockReport:
    """Compare locks with manifests; asks no network."""
    workspace = session.workspace()
    manifests = load_manifests(workspace)
    chosen = manifests.chosen(components)
    return LockReport(tuple(o for one in chosen for o in one.states(manifests.hosts, workspace, selectors)))


def lock(
    session: Session,
    selectors: Sequence[str],
    components: Sequence[str],
    *,
    upgrade: bool = False,
    exclude_newer: str | None = None,
    versions: Mapping[str, str] | None = None,
    deep: bool = False,
) -> LockReport:
    """Make every selected lock that does not match, or all that the options ask for.

    One that fails keeps its old lock and does not stop the others.
    """
    newest = moment(exclude_newer)
    manifests = load_manifests(session.workspace())
    options = LockOptions(manifests.trust.cooldown, upgrade, newest, versions, deep)
    outcomes: list[Outcome] = []
    for kind, own in manifests.by_kind(components):
        outcomes += kind.lock(own, manifests.hosts, session, selectors, options)
    return LockReport(tuple(outcomes))
