"""The SHA256SUMS of a folder, which anybody may have put there."""

from __future__ import annotations

from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.sidecars import sums


def read_sums(path: Path) -> dict[str, str]:
    """Read name -> SHA-256. Raises IntegrityError if it is malformed, UsageError if it is large or no file; OSError."""
    return sums.parse(read_regular(path, sums.LARGEST).decode("utf-8", "replace"), str(path))
