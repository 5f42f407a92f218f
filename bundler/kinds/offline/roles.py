"""The packages that Ansible roles install with apt, by name, found in the text of their tasks.

From the playbooks on, whatever they import is read: playbooks, roles and those they depend on, files of tasks. A task
counts unless its condition surely does not hold on the target. A name that only a run could tell is noted, not guessed:

    roles/postgres/tasks/native.yml:68: what `name` is, only a run tells: postgresql-{{ detected.stdout }}-pgvector
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.errors import LockError, UsageError
from bundler.kinds.offline.agreements import TargetWord
from bundler.kinds.offline.expression import Work, truth_of, value_of
from bundler.kinds.offline.parser import Lookup
from bundler.kinds.offline.playbook_text import Missing, Text, Value
from bundler.kinds.offline.role_tasks import Install, Untold, walk
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.target import Target, select, selects
from bundler.platforms import named
from bundler.terminal import one_line
from bundler.words import ComponentName, PlainPath

_LOCK_CONFIG = ConfigDict(extra="forbid")
# What Debian Policy (5.6.1) allows for a package's name.
_PACKAGE = r"[a-z0-9][a-z0-9+.-]{0,120}"
# The same with what apt-get(8) takes after it: an architecture, a version or a suite.
_WANTED = re.compile(rf"({_PACKAGE})(:[a-z0-9-]+)?([=/][A-Za-z0-9.+:~*-]+)?")
_LOOPS = ("loop", "with_items", "with_list")

PackageName = Annotated[
    str,
    StringConstraints(pattern=rf"^{_PACKAGE}$"),
    Field(title="the name of a package of Debian", examples=["nodejs"]),
]
VariableName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100),
    Field(title="the name of a variable", examples=["caddy_enabled"]),
]
VariableText = Annotated[str, StringConstraints(max_length=500), Field(title="a text", examples=["demo"])]
VariableValue: TypeAlias = bool | int | VariableText | tuple[VariableText, ...] | Mapping[VariableName, VariableText]
Place = Annotated[str, StringConstraints(max_length=1024)]


@dataclass(frozen=True)
class LeftOut:
    """Packages that the roles name and the package does not carry."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    packages: Annotated[
        tuple[PackageName, ...],
        Field(min_length=1, description="Their names."),
        AfterValidator(distinct),
    ]
    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=500),
        Field(title="a sentence", description="Why hosts do without.", examples=["only with texlive enabled"]),
    ]
    targets: Annotated[tuple[TargetWord, ...], Field(min_length=1, description="The targets whose hosts do.")] = (
        "all",
    )


@dataclass(frozen=True)
class TargetVariables:
    """What variables are on the hosts of some targets."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    targets: Annotated[tuple[TargetWord, ...], Field(min_length=1, description="The targets.")]
    variables: Annotated[
        Mapping[VariableName, VariableValue],
        Field(min_length=1, description="What variables are there, in the place of those for all."),
    ]


@dataclass(frozen=True)
class Roles:
    """Where it is found what hosts install with apt, to be compared with what is bundled."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    repository: Annotated[
        ComponentName, Field(description="Which of the repositories has the playbooks.", examples=["playbooks"])
    ]
    playbooks: Annotated[
        tuple[PlainPath, ...],
        Field(description="The playbooks that hosts run. What they import is read too."),
        AfterValidator(distinct),
    ] = ()
    folders: Annotated[
        tuple[PlainPath, ...],
        Field(description="Further roles that hosts run, each a folder."),
        AfterValidator(distinct),
    ] = ()
    variables: Annotated[
        Mapping[VariableName, VariableValue],
        Field(description="What variables are on hosts, where only a run could tell; a mapping: its attributes."),
    ] = field(default_factory=dict)
    overrides: Annotated[
        tuple[TargetVariables, ...], Field(description="The same for some targets; a later one outdoes an earlier one.")
    ] = ()
    leave_out: Annotated[tuple[LeftOut, ...], Field(description="What the package lacks on purpose, and why.")] = ()

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What is wrong with it that no single value shows."""
        if not self.playbooks and not self.folders:
            yield "roles: neither playbooks nor folders"
        for words in [*(one.targets for one in self.leave_out), *(one.targets for one in self.overrides)]:
            try:
                select(targets, words)
            except UsageError as error:
                yield f"roles: {error.message}"

    def variables_on(self, target: Target) -> dict[str, Value]:
        """What variables are on a target's hosts."""
        chosen = [one.variables for one in self.overrides if selects(one.targets, target)]
        return {name: _plain(value) for each in (self.variables, *chosen) for name, value in each.items()}

    def left_out(self, target: Target) -> set[str]:
        """The packages that a target's hosts do without."""
        return {package for one in self.leave_out if selects(one.targets, target) for package in one.packages}


@dataclass(frozen=True, order=True)
class RoleName:
    """A package that a role installs, by name, and where the name stands."""

    __pydantic_config__: ClassVar[ConfigDict] = _LOCK_CONFIG
    package: PackageName
    file: Place
    line: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, order=True)
class RoleNote:
    """Something of a role that could not be told, and where it stands."""

    __pydantic_config__: ClassVar[ConfigDict] = _LOCK_CONFIG
    file: Place
    line: Annotated[int, Field(ge=0)]
    text: Annotated[str, StringConstraints(max_length=500)]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True)
class RoleNames:
    """What roles install, and what could not be told of it."""

    __pydantic_config__: ClassVar[ConfigDict] = _LOCK_CONFIG
    names: tuple[RoleName, ...] = ()
    notes: tuple[RoleNote, ...] = ()


def find_names(roles: Roles, files: Mapping[str, bytes], target: Target) -> RoleNames:
    """Find what the roles among a repository's files install on a target. Raises LockError for a file that is no YAML.

    `files` are the repository's, by their paths.
    """
    variables = roles.variables_on(target)
    facts, work = _facts(target), Work()
    tasks = walk(roles.playbooks, roles.folders, files, variables, facts)
    names: set[RoleName] = set()
    notes: set[RoleNote] = set()
    for one in tasks.found:
        lookup = one.scope.lookup(variables, tasks.set_facts, facts)
        if truth_of(list(one.scope.conditions), lookup, work) is False:
            continue
        for found in _found(one, lookup, work):
            if isinstance(found, RoleName):
                names.add(found)
            else:
                notes.add(found)
        if work.left < 0:
            raise LockError(f"{one.file}:{one.line}: what the roles install takes too long to be told")
    return RoleNames(tuple(sorted(names)), tuple(sorted(notes)))


def missing_packages(roles: Roles, found: RoleNames, there: Set[str], target: Target) -> Iterator[str]:
    """Say which packages the roles install that are not `there`: those bundled, and what they provide."""
    for package in sorted({name.package for name in found.names} - there - roles.left_out(target)):
        places = [f"{name.file}:{name.line}" for name in found.names if name.package == package]
        more = f" and {len(places) - 1} more" if places[1:] else ""
        yield f"{roles.repository} {places[0]}{more} installs {package}, which is not bundled"


def unused_exceptions(roles: Roles, found: RoleNames, target: Target) -> Iterator[str]:
    """Say which packages are left out that no role installs any more."""
    for package in sorted(roles.left_out(target) - {name.package for name in found.names}):
        yield f"leave-out: {package}: no role of {roles.repository} installs it"


def _facts(target: Target) -> dict[str, Value]:
    """What Ansible finds out of a host, as far as the target tells."""
    platform, arch = named(target.platform)
    facts: dict[str, Value] = {
        "os_family": "Debian",
        "system": platform.PLATFORM_SYSTEM,
        "pkg_mgr": "apt",
        "architecture": platform.MACHINES[arch],
        "distribution": target.distro.title(),
        "distribution_major_version": target.version.split(".")[0],
        # Debian's has the point release after it, which no target tells.
        "distribution_version": target.version if "." in target.version else Missing.UNKNOWN,
    }
    return {**{f"ansible_{name}": value for name, value in facts.items()}, "ansible_facts": facts}


def _plain(value: VariableValue) -> Value:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _found(one: Install | Untold, lookup: Lookup, work: Work) -> Iterator[RoleName | RoleNote]:
    """What a task installs, name for name."""
    if isinstance(one, Untold):
        yield _note(one.file, one.line, one.text)
        return
    if value_of(one.state, lookup, work) in ("absent", "build-dep"):
        return
    for item in _items(one, lookup, work):
        value = value_of(one.name, _with_item(lookup, item), work)
        if isinstance(value, Missing) or (isinstance(value, list) and any(isinstance(v, Missing) for v in value)):
            yield _note(one.file, one.line, f"what is installed, only a run tells: {_shown(one.name)}")
            continue
        for text in value if isinstance(value, list) else [value]:
            yield from _named(text, one)


def _with_item(lookup: Lookup, item: Value) -> Lookup:
    return lambda name: item if name == "item" else lookup(name)


def _items(one: Install, lookup: Lookup, work: Work) -> list[Value]:
    """What `item` is, one time after the other."""
    for key in _LOOPS:
        if key in one.task:
            items = value_of(one.task[key], lookup, work)
            return items if isinstance(items, list) else [Missing.UNKNOWN]
    turns = any(key.startswith("with_") for key in one.task)
    return [Missing.UNKNOWN] if turns else [Missing.UNDEFINED]


def _named(value: Value, one: Install) -> Iterator[RoleName | RoleNote]:
    """The names that a text holds, between commas, without version, suite and architecture."""
    file, line = (value.file, value.line) if isinstance(value, Text) else (one.file, one.line)
    if not isinstance(value, str):
        yield _note(one.file, one.line, f"no names of packages: {_shown(value)}")
        return
    for name in filter(None, map(str.strip, value.split(","))):
        if match := _WANTED.fullmatch(name):
            yield RoleName(match[1], file, line)
        else:
            yield _note(file, line, f"no name of a package: {_shown(name)}")


def _note(file: str, line: int, text: str) -> RoleNote:
    return RoleNote(file, line, one_line(text)[:500])


def _shown(value: Value) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
