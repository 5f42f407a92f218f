"""The hosts that archives are for: every target, and the portable Python for those whose own will not do."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.errors import ManifestError, Problem
from bundler.model.manifest_schema import holds
from bundler.model.portable_python import PortablePython
from bundler.model.target import Target


@dataclass(frozen=True)
class Hosts:
    """What `targets.yaml` and `python.yaml` say; `python` is None where there is no `python.yaml`."""

    targets: tuple[Target, ...]
    python: PortablePython | None

    def portable_python(self) -> PortablePython:
        """The portable CPython for an archive that carries one. Raises ManifestError if there is no `python.yaml`."""
        if self.python is None:
            raise ManifestError([Problem("python.yaml", 0, 0, f"is missing; {holds(PortablePython)}")])
        return self.python
