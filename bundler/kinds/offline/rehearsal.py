"""Rehearse an all-in-one package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bundler.errors import UsageError
from bundler.kinds.kind import Component
from bundler.kinds.steps import Rehearsal, Step
from bundler.model.verdict import Verdict


def rehearse(
    archive: Path,
    root: Path,
    mountpoint: Path,
    components: Callable[[], Sequence[Component] | None],
    told: Callable[[Step], None],
) -> tuple[Verdict, Rehearsal | None]:
    """Judge a package; if it is good, install from it in a machine of its own."""
    raise UsageError(f"{archive}: packages cannot be rehearsed yet")
