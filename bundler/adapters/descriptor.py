"""Secrets that come through a descriptor that is open already: they stand in no list of processes and in no file."""

from __future__ import annotations

import os

from bundler.errors import UsageError


def read_descriptor(number: int, limit: int, what: str) -> bytes:
    """Read all of a descriptor of ours, at most `limit` bytes; it stays open. Raises UsageError."""
    if number < 0 or number in (1, 2):
        raise UsageError(f"{what}: {number} is no descriptor to read from", "give 0, or one of 3 and above")
    content = b""
    try:
        while len(content) <= limit and (chunk := os.read(number, limit + 1 - len(content))):
            content += chunk
    except OSError as error:
        hint = f"open it for this program: aiws-bundle … {number}< FILE"
        raise UsageError(f"{what}: descriptor {number} cannot be read: {error.strerror}", hint) from error
    if len(content) > limit:
        raise UsageError(f"{what}: more than {limit} bytes came", "is it the file that you meant?")
    return content
