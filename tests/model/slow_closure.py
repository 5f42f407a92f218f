"""Closure proof: that what a host will ask for is satisfied by the wheels at hand, alone, and that none is idle.

Computed for the real target: markers, extras, tags, Requires-Python and glibc, for the distro's Python patch version
and every later patch of that minor version. Requires-Dist and Requires-Python follow the core metadata specification.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from bundler.model.interpreter import Interpreter

# More than any project has; a wheel that goes beyond wants to keep the proof busy.
_MOST_REQUIREMENTS, _MOST_PATCHES = 5000, 200
# Any later patch: past every patch that metadata could name.
_LAST_PATCH = 9999
# What packaging raises for text that it can make nothing of, such as a marker that compares what cannot be compared.
_UNREADABLE = (ValueError, KeyError, RecursionError)


@dataclass(frozen=True)
class Wheel:
    """What a wheel says of itself: its file name and the metadata inside."""

    filename: str
    requires_dist: tuple[str, ...] = ()
    requires_python: str | None = None


@dataclass(frozen=True)
class _Wanted:
    requirement: Requirement
    chain: tuple[str, ...]


Findings: TypeAlias = dict[tuple[str, str], str]


def prove(roots: Sequence[str], wheels: Sequence[Wheel], python: Interpreter) -> tuple[str, ...]:
    """Return every reason why `wheels` are not exactly what `roots` need on `python`; empty means proven.

    Each reason about a missing or unfit wheel ends with the chain of requirements that leads to it. The roots are
    requirements that can be parsed; of the wheels nothing is trusted.
    """
    if absurd := [wheel for wheel in wheels if len(wheel.requires_dist) > _MOST_REQUIREMENTS]:
        return tuple(f"unreadable: {wheel.filename} has {len(wheel.requires_dist)} requirements" for wheel in absurd)
    patches = tuple(_patches(wheels, python))
    if len(patches) > _MOST_PATCHES:
        return (f"unreadable: the wheels tell {len(patches)} patch versions of Python {python.minor} apart",)
    findings: Findings = {}
    shelf = _shelve(wheels, python, findings)
    used: set[str] = set()
    for patch in patches:
        used |= _walk(roots, shelf, python.at_patch(patch), findings)
    for project, wheel in shelf.items():
        if project not in used:
            findings["surplus", wheel.filename] = f"surplus: {wheel.filename}, which no requirement leads to"
    return tuple(findings.values())


def describe(python: Interpreter) -> str:
    """Name an interpreter as people would: `CPython 3.11.2, glibc 2.36, x86_64`."""
    return f"CPython {python.version}, glibc 2.{python.floor}, {python.machine}"


def _shelve(wheels: Sequence[Wheel], python: Interpreter, findings: Findings) -> dict[str, Wheel]:
    """Sort wheels by project, recording those that are no wheels, are there twice, or do not run on `python`."""
    shelf: dict[str, Wheel] = {}
    supported = frozenset(python.tags)
    for wheel in wheels:
        try:
            project, _, _, tags = parse_wheel_filename(wheel.filename)
        except _UNREADABLE as error:
            findings["not a wheel", wheel.filename] = f"not a wheel: {error}"
            continue
        if project in shelf:
            text = f"surplus: {wheel.filename}, beside {shelf[project].filename}"
            findings["twice", wheel.filename] = text
            continue
        if tags.isdisjoint(supported):
            text = f"wrong platform: {wheel.filename} does not run on {describe(python)}"
            findings["platform", wheel.filename] = text
        shelf[project] = wheel
    return shelf


def _walk(roots: Sequence[str], shelf: dict[str, Wheel], python: Interpreter, findings: Findings) -> set[str]:
    """Follow every requirement that applies on `python`; record what fails and return the projects reached."""
    queue = deque(_Wanted(_parsed(root), ()) for root in roots)
    seen: set[tuple[str, str]] = set()
    while queue:
        wanted = queue.popleft()
        project = canonicalize_name(wanted.requirement.name)
        wheel = shelf.get(project)
        chain = (*wanted.chain, _plain(wanted.requirement))
        if fault := _fault(wanted.requirement, wheel, python):
            findings.setdefault((fault.partition(":")[0], project), f"{fault}; needed by {' -> '.join(chain)}")
        if wheel is None:
            continue
        if ("platform", wheel.filename) in findings and "needed by" not in findings["platform", wheel.filename]:
            findings["platform", wheel.filename] += f"; needed by {' -> '.join(chain)}"
        for extra in ("", *sorted(wanted.requirement.extras)):
            if (project, extra) not in seen:
                seen.add((project, extra))
                queue.extend(_Wanted(need, chain) for need in _needs(wheel, extra, python, findings))
    return {project for project, _ in seen}


def _fault(requirement: Requirement, wheel: Wheel | None, python: Interpreter) -> str | None:
    """Say why `wheel` does not serve `requirement` on `python`, or None. The text up to ':' is the kind of fault."""
    if requirement.url:
        return f"unreachable: {requirement.name} is wanted from {requirement.url}"
    if wheel is None:
        return f"missing: no wheel of {requirement.name}"
    version = parse_wheel_filename(wheel.filename)[1]
    try:
        if not requirement.specifier.contains(version, prereleases=True):
            return f"wrong version: {wheel.filename} is not {requirement.specifier}"
        fits = SpecifierSet(wheel.requires_python or "").contains(python.version, prereleases=True)
    except _UNREADABLE as error:
        return f"unreadable: {wheel.filename} has Requires-Python {wheel.requires_python!r}: {error}"
    return None if fits else f"wrong Python: {wheel.filename} wants {wheel.requires_python}, here is {python.version}"


def _needs(wheel: Wheel, extra: str, python: Interpreter, findings: Findings) -> Iterator[Requirement]:
    """The requirements that `wheel` adds for `extra` ('' is the wheel without extras)."""
    environment: dict[str, str] = {**python.environment(), "extra": extra}  # type: ignore[dict-item]
    for text in wheel.requires_dist:
        try:
            requirement = _parsed(text)
            applies = requirement.marker.evaluate(environment) if requirement.marker else not extra
        except _UNREADABLE:
            findings["unreadable", wheel.filename] = f"unreadable: {wheel.filename} requires {text[:200]!r}"
            continue
        if applies:
            yield requirement


@lru_cache(maxsize=65536)
def _parsed(text: str) -> Requirement:
    return Requirement(text)


def _plain(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _patches(wheels: Sequence[Wheel], python: Interpreter) -> Iterator[int]:
    """The patch versions that can differ: this one, and around each later one that any metadata names.

    A marker or Requires-Python can only change its answer at a version that it spells, so these stand for all.
    """
    spelled = re.compile(rf"(?<![0-9.]){re.escape(python.minor)}\.([0-9]{{1,9}})(?![0-9])")
    named = {
        int(number)
        for wheel in wheels
        for text in (*wheel.requires_dist, wheel.requires_python or "")
        for number in spelled.findall(text)
    }
    around = {patch + step for patch in named for step in (0, 1)}
    yield python.patch
    yield from sorted(patch for patch in around | {_LAST_PATCH} if patch > python.patch)
