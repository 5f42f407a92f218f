"""`targets`: what archives are for, how each one's lock stands, how large they will be and what they lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bundler.kinds.kind import Described
from bundler.kinds.manifests import load_manifests
from bundler.kinds.to_come import ToCome, sizes
from bundler.session import Session


@dataclass(frozen=True)
class TargetsReport:
    """The lines of what was asked for, and what is to come, of the components that are made here."""

    lines: tuple[Described, ...]
    to_come: tuple[ToCome, ...]


def targets(
    session: Session, selectors: Sequence[str], asked: Sequence[str] = (), *, sized: bool = True
) -> TargetsReport:
    """Describe what the selectors mean, of the components asked for; none: of all.

    A workflow's matrix has what was asked for, else what `build` makes. Without `sized` no lock is read for what is to
    come. Raises UsageError, ManifestError.
    """
    workspace = session.workspace()
    manifests = load_manifests(workspace)
    chosen = manifests.chosen(asked) if asked else tuple(manifests.components.values())
    lines: list[Described] = []
    to_come: list[ToCome] = []
    for one in chosen:
        described = one.describe(manifests.hosts, workspace, selectors)
        built = asked or (one.released and manifests.kinds[one.name].COMMAND == "build")
        lines += described if built else (replace(line, matrix=None) for line in described)
        to_come += sizes(one, manifests.hosts, workspace, selectors) if sized else ()
    return TargetsReport(tuple(lines), tuple(to_come))
