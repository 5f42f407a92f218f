"""Versions that people choose on the command line."""

from __future__ import annotations

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.errors import UsageError


def parse_versions(words: tuple[str, ...]) -> dict[str, str]:
    """Parse `NAME=VERSION` words. Raises UsageError for one that is not."""
    result = {}
    for word in words:
        name, _, version = word.partition("=")
        try:
            result[canonicalize_name(name, validate=True)] = str(Version(version.removeprefix("=")))
        except (ValueError, InvalidVersion) as error:
            raise UsageError(f"--set {word!r} is not NAME=VERSION", "for example --set NAME=1.2.3") from error
    return dict(sorted(result.items()))
