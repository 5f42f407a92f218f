"""The digest of a file on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bundler.adapters.regular import open_regular


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 (hex). Raises UsageError if it is no regular file, OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5_of(path: Path) -> str:
    """Return a file's MD5 (hex), which tells damage and no more. Raises UsageError if it is none, OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
