"""`outdated`: which newer releases exist of what components ask for, and on which targets they close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bundler.errors import gravest
from bundler.kinds.kind import OutdatedOptions
from bundler.kinds.manifests import load_manifests
from bundler.model.moment import moment
from bundler.model.releases import Standing
from bundler.session import Session


@dataclass(frozen=True)
class OutdatedReport:
    """How each target stands, in the order of the components and targets."""

    standings: tuple[Standing, ...]

    @property
    def exit_code(self) -> int:
        """0, whether something newer is there or not; else the code of the gravest failure."""
        return gravest([one.error for one in self.standings if one.error])


def outdated(
    session: Session,
    selectors: Sequence[str],
    components: Sequence[str],
    *,
    exclude_newer: str | None = None,
    every: bool = False,
) -> OutdatedReport:
    """Ask the index for newer releases and look at them, newest first; writes nothing.

    Raises UsageError, ManifestError.
    """
    newest = moment(exclude_newer)
    manifests = load_manifests(session.workspace())
    options = OutdatedOptions(manifests.trust.cooldown, every, newest)
    standings: list[Standing] = []
    for kind, own in manifests.by_kind(components):
        standings += kind.outdated(own, manifests.hosts, session, selectors, options)
    return OutdatedReport(tuple(standings))
