"""Several modules of this project as the text of one program, for hosts that do not have this project."""

from __future__ import annotations

import re
from collections.abc import Iterable

# An import of this project's, of one line or in parentheses, and the one that has to be the first. Not by `ast`: that
# of Python 3.11 fails where two threads parse at a time (gh-106905), and archives are made by several.
_IMPORT = re.compile(r"^from (?:bundler[.\w]*|__future__) import (?:\([^)]*\)|[^(\n]*)$", re.MULTILINE)


def one_program(texts: Iterable[str]) -> str:
    """Put modules' texts one after another, without what they import of this project: it stands before them.

    What they name must be different in each.
    """
    return "\n".join(["from __future__ import annotations\n", *map(_alone, texts)])


def _alone(text: str) -> str:
    return _IMPORT.sub(lambda found: "\n" * found[0].count("\n"), text)
