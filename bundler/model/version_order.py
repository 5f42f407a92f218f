"""How versions are ordered in the ecosystems of what archives hold: PyPI's (PEP 440), npm's (semver.org), Debian's.

Where nothing tells whose they are, PEP 440 orders what it reads, and Debian's order of pieces any other text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

from packaging.version import Version

_LONGEST = 200
_SEMVER = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
# Debian Policy, 5.6.12: an epoch, the upstream version, a revision.
_DEBIAN = re.compile(r"(?:([0-9]+):)?([0-9][A-Za-z0-9.+:~-]*)")
_PIECE = re.compile(r"([^0-9]*)([0-9]*)")
# A word, sign by sign, and the number after it: how many digits, and those. Texts of any length can be compared so.
Piece: TypeAlias = tuple[tuple[int, ...], tuple[int, str]]
# What no piece is left of: a word that ended, and nothing counted.
_END: Piece = ((0,), (0, ""))

# What is compared in a version's place; those of one ecosystem are alike.
Order: TypeAlias = Version | tuple[object, ...]


def less(one: Order, other: Order) -> bool:
    """Whether a version comes before another of the same ecosystem."""
    if isinstance(one, Version) or isinstance(other, Version):
        return isinstance(one, Version) and isinstance(other, Version) and one < other
    return one < other


def semver(text: str) -> Order:
    """A version by semver.org (2.0.0, section 11); build metadata does not count. Raises ValueError."""
    match = _SEMVER.fullmatch(text)
    if not match:
        raise ValueError(f"not a semantic version: {text}")
    *numbers, before = match.groups()
    # A release comes after what leads to it; numbers come before words.
    words = before.split(".") if before else ()
    ranked = tuple((0, int(word), "") if word.isdigit() else (1, 0, word) for word in words)
    return (*map(int, numbers), not before, ranked)


def debian(text: str) -> Order:
    """A version of a Debian package (Debian Policy, 5.6.12). Raises ValueError."""
    match = _DEBIAN.fullmatch(text)
    if not match:
        raise ValueError(f"not a Debian version: {text}")
    epoch, whole = match.groups()
    upstream, _, revision = whole.rpartition("-") if "-" in whole else (whole, "", "")
    return int(epoch or 0), by_text(upstream), by_text(revision)


def by_text(text: str) -> tuple[Piece, ...]:
    """Words and numbers by turns, as Debian compares them (Debian Policy, 5.6.12). Nothing is as good as zero."""
    found = [(_word(word), _number(digits)) for word, digits in _PIECE.findall(text or "0") if word or digits]
    return (*found, _END)


def _number(digits: str) -> tuple[int, str]:
    digits = digits.lstrip("0")
    return len(digits), digits


def _word(word: str) -> tuple[int, ...]:
    """Letters come before all other signs, a tilde before everything, and even before the word's end."""
    return (*(-1 if sign == "~" else ord(sign) if sign.isalpha() else ord(sign) + 256 for sign in word), 0)


_ORDERS: Mapping[str, Callable[[str], Order]] = {"PyPI": Version, "npm": semver, "Debian": debian}


@lru_cache(1 << 18)
def order_of(ecosystem: str, text: str) -> Order:
    """What a version is compared by in an ecosystem, which may have a release (`Debian:12`). Raises ValueError."""
    order = _ORDERS.get(ecosystem.partition(":")[0])
    if order is None or len(text) > _LONGEST:
        raise ValueError(f"not a version that can be compared: {text[:_LONGEST]}")
    return order(text)


def is_older(one: str, other: str) -> bool:
    """Say whether a version comes before another, whoever made them up: by PEP 440 if it reads both, else `by_text`."""
    try:
        (public, local), (other_public, other_local) = _parsed(one), _parsed(other)
    except ValueError:  # InvalidVersion, or a number of more digits than Python converts
        return by_text(one) < by_text(other)
    # Debian's revisions look like local versions, whose letters PEP 440 does not part from numbers.
    return public < other_public or (public == other_public and by_text(local) < by_text(other_local))


def _parsed(version: str) -> tuple[Version, str]:
    """A version without its local part, and that."""
    parsed = Version(version)
    return Version(parsed.public), parsed.local or ""
