"""TOML within limits: the only place that reads it.

tomllib's work and memory grow with the square of a dotted key's length, and by about 1 kB for every table, key and
value of a few characters. So both are counted first, by a scan that sees strings and comments as TOML 1.0 does.
"""

from __future__ import annotations

import re
import tomllib

# A lock of 101 wheels has 48 kB and 3,000 parts; what uv writes, with every platform's wheels, up to ten times as much.
LARGEST = 4 << 20
MOST_PARTS, MOST_PARTS_OF_UV = 50_000, 100_000
_MOST_DOTS = 16
_LONGEST_LINE = 8192
# A string (of several lines, of one), a comment, a quote that begins no string, what begins or parts something, the end
# of a line. A string of several lines may end in up to two quotes of its own.
_SIGN = re.compile(
    r'''
    """(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*+"{3,5} | \'{3}(?:[^\']|\'{1,2}(?!\'))*+\'{3,5}
    | "(?!"")(?:[^"\\\n]|\\.)*+" | \'(?!\'\')[^\'\n]*+\' | \#[^\n]*+ | (?P<open>["\']) | (?P<part>[.,=\[{]) | \n
    ''',
    re.VERBOSE,
)


def parse_toml(text: str, most_parts: int = MOST_PARTS) -> dict[str, object]:
    """Parse a TOML document of at most so many parts (keys, tables, values).

    Raises ValueError, which ends with `(at line N, column N)` where a place is known.
    """
    _limit(text, most_parts)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _limit(text: str, most_parts: int) -> None:
    """Raise ValueError for what would take much time or memory to parse."""
    if len(text) > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MiB")
    parts = dots = start = 0
    for sign in _SIGN.finditer(f"{text}\n"):
        if sign.end() - start > _LONGEST_LINE:
            raise _refused(f"a line or string of more than {_LONGEST_LINE} characters", text, start)
        if sign["open"]:
            raise _refused("a string that does not end", text, sign.start())
        if sign[0] == "\n":
            dots, start = 0, sign.end()
        elif sign["part"]:
            parts, dots = parts + 1, dots + (sign[0] == ".")
            if dots > _MOST_DOTS:
                raise _refused(f"more than {_MOST_DOTS} dots on a line", text, sign.start())
            if parts > most_parts:
                raise _refused(f"more than {most_parts} keys, tables and values", text, sign.start())


def _refused(what: str, text: str, place: int) -> ValueError:
    line, start = text.count("\n", 0, place) + 1, text.rfind("\n", 0, place)
    return ValueError(f"{what} (at line {line}, column {place - start})")
