"""`check`: everything that is wrong with manifests and locks."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.errors import ManifestError, Problem
from bundler.kinds.manifests import load_manifests
from bundler.session import Session


@dataclass(frozen=True)
class CheckReport:
    """Everything wrong, by file and line, and what is sound but not finished."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """2 if anything is wrong."""
        return 2 if self.problems else 0


def check(session: Session) -> CheckReport:
    """Check all manifests and locks. Raises UsageError if there is no folder of manifests."""
    workspace = session.workspace()
    try:
        manifests = load_manifests(workspace)
    except ManifestError as error:
        return CheckReport(error.problems, ())
    components = manifests.components.values()
    told = [one for component in components for one in component.check(manifests.hosts, workspace)]
    known = {lock.name for component in components for lock in component.locks(manifests.hosts, workspace)}
    strays = [name for name in workspace.locks() if name not in known]
    return CheckReport(
        (
            *(one for one in told if isinstance(one, Problem)),
            *(Problem(f"locks/{name}", 0, 0, "belongs to no component and target; remove it") for name in strays),
        ),
        tuple(one for one in told if isinstance(one, str)),
    )
