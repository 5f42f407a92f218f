"""Points in time that people name on the command line, and indexes tell."""

from __future__ import annotations

from datetime import UTC, datetime

from bundler.errors import UsageError


def moment(text: str | None) -> str | None:
    """Parse a date or a time with zone to the RFC 3339 text that locks hold; None stays None. Raises UsageError."""
    if text is None:
        return None
    try:
        return utc(text)
    except ValueError as error:
        raise UsageError(f"--exclude-newer {text!r} is not a date", "for example 2026-11-20") from error


def utc(text: str) -> str:
    """A date, or a time with its zone, as RFC 3339 in UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return rfc3339(parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed)


def rfc3339(moment: datetime) -> str:
    """A time with zone as locks hold it: UTC, whole seconds. Raises ValueError for one that is of no year in UTC."""
    return f"{in_utc(moment).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def in_utc(moment: datetime) -> datetime:
    """A time with zone in UTC. Raises ValueError for one that is before the first year there, or after the last."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time that no calendar has in UTC") from error


def uploaded_at(text: str) -> datetime | None:
    """When an index says that a file was uploaded (PEP 700), in UTC and whole seconds; None if it does not tell."""
    try:
        moment = datetime.fromisoformat(text)
        return in_utc(moment).replace(microsecond=0) if moment.tzinfo else None
    except ValueError:
        return None
