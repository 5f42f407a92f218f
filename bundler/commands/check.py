"""`check`: everything that is wrong with manifests and locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, ManifestError, Problem
from bundler.kinds.manifests import Manifests, load_manifests
from bundler.model.known_bad import KnownBad, bad_among
from bundler.model.trust import Trust
from bundler.release.signing import public_files
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


def check(session: Session, today: date) -> CheckReport:
    """Check all manifests and locks, as they stand on a day. Raises UsageError if there is no folder of manifests."""
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
            *_bad_files(manifests, workspace),
            *(Problem(f"locks/{name}", 0, 0, "belongs to no component and target; remove it") for name in strays),
            *_public(workspace, manifests.trust, today),
        ),
        (*(one for one in told if isinstance(one, str)), *manifests.trust.expired(today)),
    )


def _public(workspace: Workspace, trust: Trust, today: date) -> Iterator[Problem]:
    """What stands beside trust.yaml for those who verify with other programs, and does not say what it says."""
    for name, wanted in public_files(trust, today).items():
        text = workspace.own_text(name)
        if text != wanted:
            state = "is missing" if text is None else "does not hold the keys that trust.yaml names"
            yield Problem(name, 0, 0, f"{state}; `aiws-bundle sign --public` writes it")


def _bad_files(manifests: Manifests, workspace: Workspace) -> Iterator[Problem]:
    """Yield the locks of any kind that pin a file which is known to be bad; bad versions make a lock stale."""
    files: KnownBad = {what: why for what, why in manifests.known_bad.items() if isinstance(what, str)}
    for component in manifests.components.values() if files else ():
        for lock in component.locks(manifests.hosts, workspace):
            text = workspace.lock_text(lock.name)
            with suppress(LockError):  # which is told already
                if text and (bad := bad_among(sorted(lock.digests(text)), files)):
                    yield Problem(f"locks/{lock.name}", 0, 0, bad)
