"""What a wheel asks for: its requirements, parsed once and within limits, and the markers that they depend on.

A marker is evaluated once for every thing that can change its answer, not for every extra and patch version there is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name

# What packaging raises for text that it can make nothing of, such as a marker that compares what cannot be compared.
UNREADABLE = (ValueError, KeyError, RecursionError)
# In characters; the longest of a bundle of 100 wheels has 207.
LONGEST = 8192
# In evaluated markers and followed requirements, which take some 10 µs each; a bundle of 100 wheels takes 2,200.
_MOST_STEPS = 150_000
# Characters of a marker, or links of a chain, that count as one more step.
_SIZE_OF_STEP = 64

# packaging reads the words of markers with `ast`, which in Python 3.11 counts its depth for all threads together, and
# fails (SystemError, "recursion depth mismatch") when two are at it.
PARSING = threading.Lock()

# Requirements of at most so many characters are remembered once they are parsed.
_SHORT = 200

Environment: TypeAlias = Mapping[str, str]

# A marker, as packaging prints it, that asks of an extra only whether it is one that it names. Whatever else it
# compares does not depend on the extra. A word in quotes holds no quotes, so nothing in it is taken for a comparison.
_WORD = r'(?:"[^"\']*"|[a-z_.]+)'
_COMPARISON = (
    r'(?:extra (?:==|!=) "[A-Za-z0-9][A-Za-z0-9._-]*"|"[A-Za-z0-9][A-Za-z0-9._-]*" (?:==|!=) extra'
    rf"|(?!extra\b){_WORD} (?:===|==|!=|<=|>=|~=|<|>|not in|in) (?!extra\b){_WORD})"
)
_PLAIN = re.compile(rf"\(*+{_COMPARISON}\)*+(?: (?:and|or) \(*+{_COMPARISON}\)*+)*+")
_OPERATOR = r"(===|==|!=|<=|>=|~=|<|>|not in|in)"
# What a later patch of Python changes. Compared as text, or with another variable, it could change its answer anywhere.
_PATCH = r"(?:python_full_version|implementation_version)"
_PATCH_COMPARISON = re.compile(rf"(?:{_PATCH} {_OPERATOR} ({_WORD})|({_WORD}) {_OPERATOR} {_PATCH})(?![a-z_.])")
# The host's kernel, of which nothing is known.
_KERNEL = r"(?:platform_release|platform_version)"
_KERNEL_COMPARISON = re.compile(rf"\b{_KERNEL} {_OPERATOR} {_WORD}|{_WORD} {_OPERATOR} {_KERNEL}\b")
_NAMED = re.compile(r'\bextra [!=]= "([^"]*)"|"([^"]*)" [!=]= extra\b')


class TooMuchError(Exception):
    """The work that metadata asks for goes beyond what any real project needs."""


@dataclass
class Effort:
    """How much work is left to be done for a proof."""

    left: int = _MOST_STEPS

    def spend(self, size: int = 0) -> None:
        """Take one step, and more for a long text or chain. Raises TooMuchError when too many were taken."""
        self.left -= 1 + size // _SIZE_OF_STEP
        if self.left < 0:
            raise TooMuchError(f"following them takes more than {_MOST_STEPS} steps")


class Condition:
    """A marker. `extras` are the extras that it names; None if any extra may change its answer."""

    def __init__(self, marker: Marker, effort: Effort) -> None:
        self._effort = effort
        text = str(marker)
        self._length = len(text)
        self.extras: frozenset[str] | None = None
        if _PLAIN.fullmatch(text):
            self.extras = frozenset(canonicalize_name(one or other) for one, other in _NAMED.findall(text))
        self._patches_differ = re.search(_PATCH, text) is not None
        if self._patches_differ:
            _check_patches(text)
        self._markers = _on_all_kernels(text) if re.search(_KERNEL, text) else (marker,)
        self._known: dict[str, bool] = {}

    def holds(self, extra: str, environment: Environment) -> bool:
        """Evaluate the marker. Raises one of UNREADABLE; TooMuchError."""
        if not self._patches_differ and extra in self._known:
            return self._known[extra]
        self._effort.spend(self._length)
        told = {**environment, "extra": extra}
        answer, *others = (marker.evaluate(told) for marker in self._markers)
        if any(other is not answer for other in others):
            raise ValueError("it depends on the host's kernel")
        if not self._patches_differ:
            self._known[extra] = answer
        return answer


def _check_patches(text: str) -> None:
    """Raise ValueError unless Python's full version is compared with plain versions only."""
    for found in _PATCH_COMPARISON.finditer(text):
        word, operator = (found[2] or found[3]).strip("\"'"), found[1] or found[4]
        Specifier(f"{operator}{word}")
    if re.search(_PATCH, _PATCH_COMPARISON.sub("", text)):
        raise ValueError("it compares Python's full version with no version")


def _on_all_kernels(text: str) -> tuple[Marker, Marker]:
    """The marker with every comparison of the kernel true, and with every one false: there is no `not` in markers."""
    every = tuple(_KERNEL_COMPARISON.sub(f'os_name {sign} "posix"', text) for sign in ("==", "!="))
    if any(re.search(_KERNEL, one) for one in every):
        raise ValueError("it depends on the host's kernel")
    with PARSING:
        return Marker(every[0]), Marker(every[1])


@dataclass(eq=False)
class Need:
    """One requirement, if its condition holds. `fault` remembers what is wrong with the version at hand."""

    requirement: Requirement
    condition: Condition | None = None
    fault: str | None = field(default=None)
    judged: bool = field(default=False)


class Needs:
    """All that one wheel asks for. `unreadable` is the last requirement that nothing can be made of, or None."""

    def __init__(self, texts: Sequence[str], conditions: dict[str, Condition], effort: Effort) -> None:
        self.unreadable: str | None = None
        self._all: list[tuple[str, Need]] = []
        self._named: dict[str, list[int]] = {}
        self._odd: list[int] = []
        for text in texts:
            try:
                self._add(text, parse_requirement(text), conditions, effort)
            except UNREADABLE:
                self.unreadable = text

    def _add(self, text: str, requirement: Requirement, conditions: dict[str, Condition], effort: Effort) -> None:
        condition, place = None, len(self._all)
        if requirement.marker:
            key = str(requirement.marker)
            condition = conditions.get(key) or conditions.setdefault(key, Condition(requirement.marker, effort))
            if condition.extras is None:
                self._odd.append(place)
            for extra in condition.extras or ():
                self._named.setdefault(extra, []).append(place)
        self._all.append((text, Need(requirement, condition)))

    def names(self, extra: str) -> bool:
        """Say whether any requirement is for this extra."""
        return canonicalize_name(extra) in self._named

    def of(self, extra: str, environment: Environment) -> Iterator[tuple[int, Need]]:
        """What `extra` adds ('' is the wheel without extras), each with its place.

        What holds for an extra that its marker does not name holds without extras too, and is told only there.
        """
        extra = canonicalize_name(extra)
        places = sorted({*self._named.get(extra, ()), *self._odd}) if extra else range(len(self._all))
        for place in places:
            text, need = self._all[place]
            try:
                applies = need.condition.holds(extra, environment) if need.condition else not extra
            except UNREADABLE:
                self.unreadable = text
                continue
            if applies:
                yield place, need


def parse_requirement(text: str) -> Requirement:
    """Parse a requirement (dependency specifiers specification) that is not too long. Raises one of UNREADABLE."""
    if len(text) > LONGEST:
        raise ValueError(f"a requirement of {len(text)} characters; {LONGEST} are the most")
    return _parsed_short(text) if len(text) <= _SHORT else _parsed(text)


def _parsed(text: str) -> Requirement:
    with PARSING:
        return Requirement(text)


# The wheels of a dozen archives have some 1,500 requirements, most of them in every archive.
_parsed_short = lru_cache(maxsize=4096)(_parsed)
