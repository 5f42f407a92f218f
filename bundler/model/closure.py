"""Closure proof: that what a host will ask for is satisfied by the wheels at hand, alone, and that none is idle.

Computed for the real target: markers, extras, tags, Requires-Python and glibc, for the distro's Python patch version
and every later patch of that minor version. Requires-Dist and Requires-Python follow the core metadata specification.

Of the wheels nothing is trusted: whatever they ask for, the work and what is told of it are limited.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from bundler.model.interpreter import Interpreter
from bundler.model.needs import LONGEST, UNREADABLE, Condition, Effort, Need, Needs, TooMuchError, parse_requirement
from bundler.model.unfit_code import CodeInWheel, faults_of_wheels
from bundler.model.wheel_name import parse_wheel_name
from bundler.platforms import named

# More than any project, or any wheelhouse, has; a wheel that goes beyond wants to keep the proof busy. (The 101 wheels
# of a bundle have 903 requirements of 31,802 characters.) Parsed, a character takes up to 60 bytes.
_MOST_REQUIREMENTS, _MOST_IN_ALL, _MOST_PATCHES = 5000, 20_000, 200
MOST_CHARACTERS = 1 << 20
_MOST_FINDINGS = 1000
# A chain is told from its beginning and its end, and a requirement so far.
_CHAIN_END, _LONGEST_TOLD = 10, 200
# Any later patch: past every patch that metadata could name.
_LAST_PATCH = 9999


@dataclass(frozen=True)
class Wheel:
    """What a wheel says of itself: its file name and the metadata inside; the extras that it offers, if known.

    `recorded` are its files and their SHA-256 (hex), of a wheel that is made here only (`wheel_name.is_made`).
    `startup` are files in it that Python runs whenever it starts, at most the first few. `licences` are SPDX
    expressions or names (`licences`), `sboms` the paths of SBOMs in it (PEP 770), at most the first few. `code` are its
    files of compiled code that a platform judges, by the place where they are installed, as far as they were read.
    """

    filename: str
    requires_dist: tuple[str, ...] = ()
    requires_python: str | None = None
    extras: frozenset[str] | None = None
    recorded: tuple[tuple[str, str], ...] = ()
    startup: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    sboms: tuple[str, ...] = ()
    code: CodeInWheel = ()


@dataclass(frozen=True, eq=False)
class _Wanted:
    need: Need
    asked_by: _Wanted | None = None
    depth: int = 1

    def chain(self) -> str:
        """The requirements that lead here, this one last."""
        links = []
        wanted: _Wanted | None = self
        while wanted:
            links.append(_plain(wanted.need.requirement))
            wanted = wanted.asked_by
        if (between := len(links) - 2 * _CHAIN_END) > 0:
            links[_CHAIN_END:-_CHAIN_END] = [f"… {between} more …"]
        return " -> ".join(reversed(links))


@dataclass(frozen=True)
class Closure:
    """Requirements, the Python that they are for, and the file names of the wheels that satisfy them alone."""

    requirements: tuple[str, ...]
    python: Interpreter
    wheels: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """What came of a proof: every reason why it fails, none if it holds.

    `edges` are the projects whose wheels each project's asks for on that host, on any of the patch versions, as far as
    requirements were followed; those that are missing are not among them.
    """

    findings: tuple[str, ...]
    edges: Mapping[str, frozenset[str]] = field(default_factory=dict)


Findings: TypeAlias = dict[tuple[str, str], str]


def prove(roots: Sequence[str], wheels: Sequence[Wheel], python: Interpreter) -> tuple[str, ...]:
    """Return every reason why `wheels` are not exactly what `roots` need on `python`; empty means proven.

    Each reason about a missing or unfit wheel ends with the chain of requirements that leads to it. The roots are
    requirements that can be parsed; of the wheels nothing is trusted.
    """
    return proof_of(roots, wheels, python).findings


def proof_of(roots: Sequence[str], wheels: Sequence[Wheel], python: Interpreter) -> Proof:
    """Prove as `prove` does; tell besides which wheel asks for which."""
    if absurd := [wheel for wheel in wheels if len(wheel.requires_dist) > _MOST_REQUIREMENTS]:
        return Proof(
            _told(f"unreadable: {wheel.filename} has {len(wheel.requires_dist)} requirements" for wheel in absurd)
        )
    if (total := sum(len(wheel.requires_dist) for wheel in wheels)) > _MOST_IN_ALL:
        return Proof((f"unreadable: the wheels have {total} requirements, {_MOST_IN_ALL} are the most",))
    if (size := sum(min(len(text), LONGEST) for wheel in wheels for text in wheel.requires_dist)) > MOST_CHARACTERS:
        return Proof((f"unreadable: the wheels' requirements have {size} characters, {MOST_CHARACTERS} are the most",))
    patches = tuple(_patches(wheels, python))
    if len(patches) > _MOST_PATCHES:
        return Proof((f"unreadable: the wheels tell {len(patches)} patch versions of Python {python.minor} apart",))
    findings: Findings = {}
    shelf = _shelve(wheels, python, findings)
    _look_into(shelf, python, findings)
    used: set[str] = set()
    proof = _Walk(shelf, findings)
    try:
        needs = [Need(parse_requirement(root)) for root in roots]
        for patch in patches:
            used |= proof.walk(needs, python.at_patch(patch))
    except TooMuchError as error:
        return Proof(_told((f"unreadable: the wheels' requirements: {error}", *findings.values())))
    for project, shelved in shelf.items():
        if project not in used:
            filename = shelved.wheel.filename
            findings["surplus", filename] = f"surplus: {filename}, which no requirement leads to"
    return Proof(_told(findings.values()), proof.told_edges())


def describe(python: Interpreter) -> str:
    """Name an interpreter as people would: `CPython 3.11.2, glibc 2.36, x86_64`."""
    platform, _ = named(python.platform)
    return f"CPython {python.version}, {platform.floor_name(python.floor)}, {python.machine}"


@dataclass(frozen=True)
class _Shelved:
    """A wheel, with the version that its name says and the Pythons that it takes: a set, or why it cannot be read."""

    wheel: Wheel
    version: Version
    pythons: SpecifierSet | str

    @classmethod
    def of(cls, wheel: Wheel, version: Version) -> _Shelved:
        text = wheel.requires_python or ""
        try:
            if len(text) > LONGEST:
                raise ValueError(f"{len(text)} characters, {LONGEST} are the most")
            return cls(wheel, version, SpecifierSet(text))
        except UNREADABLE as error:
            return cls(wheel, version, _unreadable_python(wheel, error))


def _unreadable_python(wheel: Wheel, error: Exception) -> str:
    text = (wheel.requires_python or "")[:_LONGEST_TOLD]
    return f"unreadable: {wheel.filename} has Requires-Python {text!r}: {str(error)[:_LONGEST_TOLD]}"


def _shelve(wheels: Sequence[Wheel], python: Interpreter, findings: Findings) -> dict[str, _Shelved]:
    """Sort wheels by project, recording those that are no wheels, are there twice, or do not run on `python`."""
    shelf: dict[str, _Shelved] = {}
    supported = frozenset(python.tags)
    for wheel in wheels:
        try:
            project, version, _, tags = parse_wheel_name(wheel.filename)
        except UNREADABLE as error:
            findings["not a wheel", wheel.filename] = f"not a wheel: {error}"
            continue
        if project in shelf:
            text = f"surplus: {wheel.filename}, beside {shelf[project].wheel.filename}"
            findings["twice", wheel.filename] = text
            continue
        if tags.isdisjoint(supported):
            text = f"wrong platform: {wheel.filename} does not run on {describe(python)}"
            findings["platform", wheel.filename] = text
        shelf[project] = _Shelved.of(wheel, version)
    return shelf


def _look_into(shelf: Mapping[str, _Shelved], python: Interpreter, findings: Findings) -> None:
    """Record what keeps the host from loading the wheels' compiled code."""
    code = ((shelved.wheel.filename, shelved.wheel.code) for shelved in shelf.values())
    for filename, fault in faults_of_wheels(code, python):
        findings[f"code: {fault}", filename] = f"unfit: {filename}: {fault}"
        if len(findings) > _MOST_FINDINGS:
            break


class _Walk:
    """Follows requirements through the shelf, remembering what no patch version changes."""

    def __init__(self, shelf: dict[str, _Shelved], findings: Findings) -> None:
        self._shelf, self._findings = shelf, findings
        self._effort = Effort()
        self._conditions: dict[str, Condition] = {}
        self._needs: dict[str, Needs] = {}
        self._edges: dict[str, set[str]] = {}
        self._unfit: dict[str, list[tuple[str, str]]] = {}
        for key in findings:
            if key[0] == "platform" or key[0].startswith("code: "):
                self._unfit.setdefault(key[1], []).append(key)

    def told_edges(self) -> dict[str, frozenset[str]]:
        """Which projects' wheels each project's asks for, of all walks."""
        return {project: frozenset(asked) for project, asked in self._edges.items()}

    def walk(self, roots: Sequence[Need], python: Interpreter) -> set[str]:
        """Follow every requirement that applies on `python`; record what fails and return the projects reached."""
        environment: dict[str, str] = {**python.environment()}  # type: ignore[dict-item]
        queue = deque(map(_Wanted, roots))
        seen: set[tuple[str, str]] = set()
        followed: set[tuple[str, int]] = set()
        pythons: dict[str, str | None] = {}
        while queue:
            wanted = queue.popleft()
            self._effort.spend()
            requirement = wanted.need.requirement
            project = canonicalize_name(requirement.name)
            shelved = self._shelf.get(project)
            if shelved and project not in pythons:
                pythons[project] = self._python_fault(shelved, python)
            if fault := _fault(wanted.need, shelved) or pythons.get(project):
                self._record((fault.partition(":")[0], project), fault, wanted)
            if shelved is None:
                continue
            if wanted.asked_by:
                self._edges.setdefault(canonicalize_name(wanted.asked_by.need.requirement.name), set()).add(project)
            self._tell_unfit(shelved.wheel.filename, wanted)
            for extra in ("", *sorted(requirement.extras)):
                if (project, extra) in seen:
                    continue
                seen.add((project, extra))
                self._check_offered(shelved.wheel, project, extra, wanted)
                for place, need in self._asked(project, shelved.wheel, extra, environment):
                    if (project, place) not in followed:
                        followed.add((project, place))
                        queue.append(_Wanted(need, wanted, wanted.depth + 1))
        return {project for project, _ in seen}

    def _asked(self, project: str, wheel: Wheel, extra: str, environment: dict[str, str]) -> Iterator[tuple[int, Need]]:
        """The requirements that `wheel` adds for `extra` ('' is the wheel without extras)."""
        needs = self._needs.get(project)
        if needs is None:
            needs = self._needs[project] = Needs(wheel.requires_dist, self._conditions, self._effort)
        yield from needs.of(extra, environment)
        if needs.unreadable is not None:
            text = f"unreadable: {wheel.filename} requires {needs.unreadable[:_LONGEST_TOLD]!r}"
            self._findings["unreadable", wheel.filename] = text

    def _check_offered(self, wheel: Wheel, project: str, extra: str, wanted: _Wanted) -> None:
        """Tell an extra that adds requirements and that its wheel does not offer: pip leaves them out."""
        offered, needs = wheel.extras, self._needs.get(project)
        if extra and offered is not None and needs and needs.names(extra) and canonicalize_name(extra) not in offered:
            self._record(
                ("extra", f"{project}[{extra}]"), f"not offered: {wheel.filename} has no extra {extra}", wanted
            )

    def _record(self, key: tuple[str, str], fault: str, wanted: _Wanted) -> None:
        if key not in self._findings:
            self._effort.spend(wanted.depth)
            self._findings[key] = f"{fault}; needed by {wanted.chain()}"
        if len(self._findings) > _MOST_FINDINGS:
            raise TooMuchError(f"there are more than {_MOST_FINDINGS} findings")

    def _tell_unfit(self, filename: str, wanted: _Wanted) -> None:
        """Add who needs it to what was found about a wheel before any walk."""
        for key in self._unfit.pop(filename, ()):
            self._effort.spend(wanted.depth)
            self._findings[key] += f"; needed by {wanted.chain()}"

    def _python_fault(self, shelved: _Shelved, python: Interpreter) -> str | None:
        """Say why a wheel does not take `python`, or None."""
        if isinstance(shelved.pythons, str):
            return shelved.pythons
        wheel, text = shelved.wheel, shelved.wheel.requires_python or ""
        self._effort.spend(len(text))
        try:
            if shelved.pythons.contains(python.version, prereleases=True):
                return None
        except UNREADABLE as error:
            return _unreadable_python(wheel, error)
        return f"wrong Python: {wheel.filename} wants {text[:_LONGEST_TOLD]}, here is {python.version}"


def _fault(need: Need, shelved: _Shelved | None) -> str | None:
    """Say why `shelved` does not serve `need`, or None. The text up to ':' is the kind of fault."""
    if not need.judged:
        need.fault, need.judged = _judge(need.requirement, shelved), True
    return need.fault


def _judge(requirement: Requirement, shelved: _Shelved | None) -> str | None:
    name = requirement.name[:_LONGEST_TOLD]
    if requirement.url:
        return f"unreachable: {name} is wanted from {requirement.url[:_LONGEST_TOLD]}"
    if shelved is None:
        return f"missing: no wheel of {name}"
    filename = shelved.wheel.filename
    try:
        if not requirement.specifier.contains(shelved.version, prereleases=True):
            return f"wrong version: {filename} is not {str(requirement.specifier)[:_LONGEST_TOLD]}"
    except UNREADABLE as error:
        return f"unreadable: {filename} cannot be compared with {str(requirement.specifier)[:_LONGEST_TOLD]}: {error}"
    return None


def _plain(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"[:_LONGEST_TOLD]


def _told(findings: Iterable[str]) -> tuple[str, ...]:
    """The findings, of very many the first."""
    every = tuple(findings)
    if len(every) <= _MOST_FINDINGS:
        return every
    return (*every[:_MOST_FINDINGS], f"… and {len(every) - _MOST_FINDINGS} more")


def _patches(wheels: Sequence[Wheel], python: Interpreter) -> Iterator[int]:
    """The patch versions that can differ: this one, and around each later one that any metadata names.

    A marker or Requires-Python can only change its answer at a version that it spells, so these stand for all; what
    compares otherwise than by versions counts as unreadable (`needs`).
    """
    major, minor = python.minor.split(".")
    spelled = re.compile(rf"(?<![0-9.])0*{major}\.0*{minor}\.0*([0-9]{{1,9}})(?![0-9])")
    named = {
        int(number)
        for wheel in wheels
        for text in (*wheel.requires_dist, wheel.requires_python or "")
        for number in spelled.findall(text)
    }
    around = {patch + step for patch in named for step in (0, 1)}
    yield python.patch
    yield from sorted(patch for patch in around | {_LAST_PATCH} if patch > python.patch)
