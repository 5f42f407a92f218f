"""The hosts that archives are for: every target, and the portable Python for those whose own will not do."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.model.portable_python import PortablePython
from bundler.model.target import Target


@dataclass(frozen=True)
class Hosts:
    """What `targets.yaml` and `python.yaml` say."""

    targets: tuple[Target, ...]
    python: PortablePython
