"""Points in time that people name on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from bundler.errors import UsageError


def moment(text: str | None) -> str | None:
    """Parse a date or a time with zone to the RFC 3339 text that locks hold; None stays None. Raises UsageError."""
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--exclude-newer {text!r} is not a date", "for example 2026-11-20") from error
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return f"{parsed.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
