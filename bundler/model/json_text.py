"""JSON (RFC 8259) from outside, within limits: read without NaN, lone surrogates, endless numbers and deep nesting."""

from __future__ import annotations

from pydantic_core import ValidationError, from_json

# An archive with a portable Python and a database lists 8,000 files in 40,000 values; each takes up to 0.5 kB.
MOST_VALUES = 200_000


class TooManyValuesError(ValueError):
    """A document holds more values than are read of one."""


def parse_json(content: bytes, largest: int) -> object:
    """Parse a JSON document of at most `largest` bytes. Raises ValueError."""
    if len(content) > largest:
        raise ValueError(f"larger than {largest} bytes")
    found: object = from_json(limited(content), allow_inf_nan=False)
    return found


def limited(content: bytes, most: int = MOST_VALUES) -> bytes:
    """Return a JSON document as it is. Raises TooManyValuesError for one that may hold more than `most` values.

    Signs inside of strings count as well: a text of a megabyte has far fewer of them than is allowed.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > most:
        raise TooManyValuesError(f"it holds more than {most} values")
    return content


def first_fault(error: ValueError) -> str:
    """What is wrong first with a document: of what pydantic finds also where, in one line that quotes nothing of it."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
