"""`targets`: what archives are for, and how each one's lock stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bundler.kinds.kind import Described
from bundler.kinds.manifests import load_manifests
from bundler.session import Session


def targets(session: Session, selectors: Sequence[str], asked: Sequence[str] = ()) -> tuple[Described, ...]:
    """Describe what the selectors mean, of the components asked for; none: of all.

    A workflow's matrix has what was asked for, else what `build` makes. Raises UsageError, ManifestError.
    """
    workspace = session.workspace()
    manifests = load_manifests(workspace)
    chosen = manifests.chosen(asked) if asked else tuple(manifests.components.values())
    lines: list[Described] = []
    for one in chosen:
        described = one.describe(manifests.hosts, workspace, selectors)
        built = asked or (one.released and manifests.kinds[one.name].COMMAND == "build")
        lines += described if built else (replace(line, matrix=None) for line in described)
    return tuple(lines)
