"""Markdown (CommonMark 0.31) in which nothing that archives, releases and people say is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bundler.terminal import one_line

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")
_LONGEST = 2000
_IN_CODE = str.maketrans("`|", "'\N{BROKEN BAR}")


def block(lines: Iterable[str]) -> str:
    """An indented code block (4.4): there is no link, mention or HTML in it, and one line each cannot end it."""
    return "\n".join(f"    {one_line(line)}" for line in lines)


def coded(text: str) -> str:
    """Text as a code span (6.1), which may stand in a table: its own back-ticks are apostrophes, its bars broken ones.

    Renderers disagree on what a backslash before a bar of a table's code escapes.
    """
    return f"`{one_line(text).translate(_IN_CODE)}`"


def escaped(text: str) -> str:
    """Text as it is, in one line, whatever it holds."""
    shown = " ".join("".join(char if char.isprintable() else " " for char in text[:_LONGEST]).split())
    return _MARKUP.sub(r"\\\1", shown)
