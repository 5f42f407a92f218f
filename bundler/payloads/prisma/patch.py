"""A patch, as `diff -u` writes one, applied to texts: all of it or nothing.

Each hunk has to be found word for word, at one place only; there is no fuzz. The format is POSIX diff's unified one,
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/diff.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_FILE = re.compile(r"^--- a/(?P<path>\S+)\n\+\+\+ b/(?P=path)\n", re.MULTILINE)
_HUNK = re.compile(r"^@@ .*\n", re.MULTILINE)


class PatchError(Exception):
    """A patch that does not fit: the file, and what is wrong."""


def apply(patch: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return those of `texts` (by path) that `patch` changes, changed. Raises PatchError if any hunk does not fit."""
    changed: dict[str, str] = {}
    for path, body in _pieces(_FILE, patch):
        if path not in texts:
            raise PatchError(f"{path} is not there")
        text = texts[path]
        for number, (_, hunk) in enumerate(_pieces(_HUNK, body), 1):
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            if text.count(before) != 1:
                raise PatchError(f"{path}: change {number} fits at {text.count(before)} places, not at one")
            text = text.replace(before, after)
        changed[path] = text
    return changed


def _pieces(heading: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """What each heading names, "" if nothing, and what stands below it."""
    found = list(heading.finditer(text))
    ends = [*(one.start() for one in found[1:]), len(text)]
    for one, end in zip(found, ends, strict=True):
        yield one.groupdict().get("path") or "", text[one.end() : end]
