"""`inspect`: what an archive says of itself."""

from __future__ import annotations

from pathlib import Path

from bundler.errors import UsageError
from bundler.kinds import kind_of
from bundler.kinds.kind import Inspection


def inspect(path: Path) -> Inspection:
    """Read an archive. Raises UsageError if it is not there, IntegrityError if it cannot be read."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file", "give an archive that `build` made")
    return kind_of(path, path.name).inspect(path)
