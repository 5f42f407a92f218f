"""A component that is a folder of wheels and, where needed, a portable Python: `litellm.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from bundler.model.manifest_values import MANIFEST_CONFIG, template
from bundler.model.target import Target
from bundler.model.variables import (
    LONGEST_NAME,
    LONGEST_VALUE,
    NAME_PATTERN,
    REFUSED_PATTERN,
    VALUE_PATTERN,
    fault_of,
    name_fault,
)
from bundler.payloads.prisma.choice import Database
from bundler.words import Address, Commit, ComponentName, Repository, Sha256, Spec, Wanted

_MOST_OVERRIDES = 50


def _variable_name(value: str) -> str:
    if fault := name_fault(value):
        raise ValueError(fault)
    return value


def _variables(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if fault := fault_of(name, value):
            raise ValueError(fault)
    return values


_NAMES_SCHEMA = {"maxLength": LONGEST_NAME, "pattern": NAME_PATTERN, "not": {"pattern": REFUSED_PATTERN}}

VariableName: TypeAlias = Annotated[str, AfterValidator(_variable_name)]
VariableValue: TypeAlias = Annotated[str, StringConstraints(pattern=VALUE_PATTERN, max_length=LONGEST_VALUE)]


@dataclass(frozen=True)
class SourceArchive:
    """What a component's own wheel is built from: a `.zip` or `.tar.gz` by its address, and the commit it holds."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    address: Address
    commit: Commit
    sha256: Sha256


def _index_is_none(value: object) -> object:
    return None if value == "index" else value


_INDEX_IS_NONE = BeforeValidator(_index_is_none, json_schema_input_type=SourceArchive | Literal["index"] | None)


@dataclass(frozen=True)
class Override:
    """Choices that differ for the targets that `targets` selects; a later override wins over an earlier one."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    requirement: Spec | None = None
    python: Literal["portable", "system"] | None = None
    source: Literal["index"] | None = None


@dataclass(frozen=True)
class Wheelhouse:
    """A component that is a folder of wheels and, where needed, a portable Python (`litellm.yaml`).

    `requirement` goes to runtime.env; `extra_requirements` are what consumers install beside it; `bootstrap` is
    what the installer needs before it can install; `environment` is exported by runtime.env for the component to run;
    `database` is what it takes to use a database; `source` is what the wheel of `requirement` is built from, unless
    the index has it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    kind: Literal["wheelhouse"]
    component: ComponentName
    repository: Repository
    asset: Annotated[str, StringConstraints(max_length=200), template("distro", "version", "arch")]
    requirement: Spec
    extra_requirements: tuple[Wanted, ...] = ()
    bootstrap: tuple[Wanted, ...] = ()
    environment: Annotated[
        dict[VariableName, VariableValue],
        AfterValidator(_variables),
        Field(default_factory=dict, json_schema_extra={"propertyNames": _NAMES_SCHEMA}),
    ] = field(default_factory=dict)
    database: Database | None = None
    source: Annotated[SourceArchive | None, _INDEX_IS_NONE] = None
    overrides: Annotated[tuple[Override, ...], Field(max_length=_MOST_OVERRIDES)] = ()

    def asset_name(self, target: Target) -> str:
        """The archive's file name for `target`."""
        return self.asset.format(distro=target.distro, version=target.version, arch=target.arch)
