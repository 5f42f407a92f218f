"""Header fields as METADATA and WHEEL hold them (core metadata specification, after RFC 822), read strictly.

Readers of e-mail disagree about lines that are no header, about lone carriage returns, and about a field that is there
twice; packaging's own parser takes quadratic time. Here only fields that are asked for are kept, and what could be read
in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from bundler.errors import IntegrityError

# The longest real METADATA of a lock has 1,045 lines of headers; a licence is among them.
_MOST_LINES = 10_000
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)")


def read_headers(
    text: str, wanted: Mapping[str, int], name: str, loose: Mapping[str, int] = MappingProxyType({})
) -> tuple[dict[str, list[str]], str]:
    """Return the fields that are `wanted`, which says how often each may be there, and the body.

    Fields are spelt in lower case. Those that are `loose` only describe: one that could be read in two ways, or is
    there more often, counts as not told. Raises IntegrityError; `name` is what it calls the file.
    """
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    if head.count("\n") > _MOST_LINES:
        raise IntegrityError(f"{name} has more than {_MOST_LINES} lines of headers")
    if "\r" in head or "\0" in head:
        raise IntegrityError(f"{name} holds a character at which some readers end a line")
    most = {**wanted, **loose}
    found: dict[str, list[str]] = {field: [] for field in most}
    spoilt: set[str] = set()
    now = ""
    for line in head.removesuffix("\n").split("\n") if head else ():
        if line.startswith((" ", "\t")):
            if now in wanted:
                raise IntegrityError(f"{name} holds a field that cannot be read: {line.strip()[:80]!r} continues it")
            spoilt.add(now)
            continue
        field = _FIELD.fullmatch(line)
        if field is None:
            raise IntegrityError(f"{name} holds a line that is no header: {line[:80]!r}")
        now = field[1].lower()
        if now not in most:
            continue
        values = found[now]
        values.append(field[2].rstrip(" \t"))
        if len(values) > most[now] or not values[-1].isprintable():
            if now in wanted:
                raise IntegrityError(f"{name} holds a field that cannot be read: {now}")
            spoilt.add(now)
            values.clear()
    return {field: [] if field in spoilt else values for field, values in found.items()}, body
