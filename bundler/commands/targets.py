"""`targets`: what archives are for, and how each one's lock stands."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.kinds.kind import Described
from bundler.kinds.manifests import load_manifests
from bundler.session import Session


def targets(session: Session, selectors: Sequence[str]) -> tuple[Described, ...]:
    """Describe what the selectors mean, of every component. Raises UsageError, ManifestError."""
    workspace = session.workspace()
    manifests = load_manifests(workspace)
    described = (one.describe(manifests.hosts, workspace, selectors) for one in manifests.components.values())
    return tuple(line for lines in described for line in lines)
