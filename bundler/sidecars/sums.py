"""SHA256SUMS: 64 hex digits, two spaces, the bare file name, LF; sorted by name. `sha256sum -c` accepts it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bundler.errors import IntegrityError
from bundler.words import ASSET_PATTERN, LONGEST_NAME, SHA256_PATTERN

NAME = "SHA256SUMS"
_LINE = re.compile(f"({SHA256_PATTERN})  ({ASSET_PATTERN})")


def render(digests: Mapping[str, str]) -> str:
    """Return the file's text for name -> SHA-256 (hex)."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def parse(text: str, where: str = NAME) -> dict[str, str]:
    """Parse the file's text to name -> SHA-256. Raises IntegrityError for anything that `render` would not write."""
    result: dict[str, str] = {}
    if text and not text.endswith("\n"):
        raise IntegrityError(f"{where}: the last line is not ended; the file may be cut short")
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = _LINE.fullmatch(line)
        if not match or len(match[2]) > LONGEST_NAME:
            raise IntegrityError(f"{where}:{number}: not 64 hex digits, two spaces, a bare file name: {line[:100]!r}")
        digest, name = match.groups()
        if name in result:
            raise IntegrityError(f"{where}:{number}: {name} is listed twice")
        result[name] = digest
    if list(result) != sorted(result):
        raise IntegrityError(f"{where}: not sorted by name")
    return result
