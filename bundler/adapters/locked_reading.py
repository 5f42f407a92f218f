"""Reading a wheel whose bytes a lock pins: by whichever process has it at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.model.closure import Wheel
from bundler.model.metadata import read_wheel


@dataclass(frozen=True)
class ReadLocked:
    """Reads what the wheel of this name says of itself; with `code`, also what its compiled code says.

    Its bytes are not inflated to compare them with its RECORD: the lock pins them, and `verify` does that.
    """

    filename: str
    code: bool = False

    def __call__(self, path: Path) -> Wheel:
        """Read it at `path`. Raises IntegrityError, OSError."""
        with open_regular(path) as file:
            return read_wheel(file, self.filename, digests=False, code=self.code)
