"""Which Ansible roles hosts run, what packages those install with apt (`role_names`), and what of that is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.errors import UsageError
from bundler.kinds.offline.agreements import TargetWord
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.target import Target, select, selects
from bundler.words import ComponentName, PlainPath

if TYPE_CHECKING:
    from bundler.kinds.offline.playbook_text import Value

_LOCK_CONFIG = ConfigDict(extra="forbid")
# What Debian Policy (5.6.1) allows for a package's name.
PACKAGE = r"[a-z0-9][a-z0-9+.-]{0,120}"

PackageName = Annotated[
    str,
    StringConstraints(pattern=rf"^{PACKAGE}$"),
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


def _plain(value: VariableValue) -> Value:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
