"""Stanzas of `Field: value` lines, as Debian's control files and indexes are written (deb822(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# Printable but a colon, and neither # nor - at first.
_FIELD = re.compile(r"([!\"$-,./0-9;-~][!-9;-~]*):(.*)")


def parse_stanza(text: str) -> dict[str, str]:
    """Return a stanza's fields; the lines of a folded value stand as they are, parted by newlines.

    Raises ValueError if a line is neither a field nor goes on with one, or a field is there twice.
    """
    fields: dict[str, str] = {}
    name = ""
    for line in text.strip("\n").split("\n"):
        if line[:1] in (" ", "\t") and name:
            fields[name] += f"\n{line}"
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ValueError(f"{line[:100]!r} is no field")
        name = match[1]
        if any(name.lower() == known.lower() for known in fields):
            raise ValueError(f"the field {name[:100]} is there twice")
        fields[name] = match[2].strip(" \t")
    return fields


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield every stanza of a text; empty lines part them. Raises ValueError as `parse_stanza` does."""
    return (parse_stanza(part) for part in re.split(r"\n(?:[ \t]*\n)+", text) if part.strip())


def render_stanza(fields: Mapping[str, str]) -> str:
    """Return a stanza of fields whose values are of one line, in their order."""
    return "".join(f"{name}: {value}\n" for name, value in fields.items())
