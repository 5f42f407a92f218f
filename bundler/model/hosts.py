"""What all components share: every target, the portable Python for those whose own will not do, what none may hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from bundler.errors import ManifestError, Problem
from bundler.model.known_bad import KnownBad
from bundler.model.manifest_schema import holds
from bundler.model.portable_python import PortablePython
from bundler.model.target import Target


@dataclass(frozen=True)
class Hosts:
    """What `targets.yaml` and `python.yaml` say; `python` is None where there is no `python.yaml`.

    `known_bad` is what `trust.yaml` says that nothing may hold, and why.
    """

    targets: tuple[Target, ...]
    python: PortablePython | None
    known_bad: KnownBad = field(default_factory=dict)

    def portable_python(self) -> PortablePython:
        """The portable CPython for an archive that carries one. Raises ManifestError if there is no `python.yaml`."""
        if self.python is None:
            raise ManifestError([Problem("python.yaml", 0, 0, f"is missing; {holds(PortablePython)}")])
        return self.python
