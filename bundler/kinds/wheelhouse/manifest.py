"""The manifest of a component that is a folder of wheels and, where needed, a portable Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo

from bundler.errors import ManifestError, Problem
from bundler.kinds.wheelhouse.program import ProgramName, RehearsalPlan
from bundler.model.document import Document, validate
from bundler.model.manifest_values import MANIFEST_CONFIG, adapter_of, template
from bundler.model.target import Target
from bundler.model.variables import (
    LONGEST_NAME,
    LONGEST_VALUE,
    NAME_PATTERN,
    VALUE_PATTERN,
    fault_of,
)
from bundler.payloads import SECTIONS, VARIABLES
from bundler.payloads.payload import Choice
from bundler.words import Address, Commit, ComponentName, Repository, Sha256, Spec, Wanted

_MOST_OVERRIDES = 50


def _variables(values: dict[str, str], info: ValidationInfo[object]) -> dict[str, str]:
    component = str(info.data.get("component", ""))
    for name, value in values.items():
        if fault := fault_of(name, value, component, VARIABLES):
            raise ValueError(fault)
    return values


VariableName: TypeAlias = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]
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
class WheelhouseKeys:
    """The keys of a wheelhouse's manifest, without the sections that payloads add.

    `requirement` goes to runtime.env; `extra_requirements` are what consumers install beside it; `bootstrap` is
    what the installer needs before it can install; `environment` is exported by runtime.env for the component to run;
    `source` is what the wheel of `requirement` is built from, unless the index has it. `program` and `rehearsal`
    say how an installation is tried; no lock or archive depends on them.
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
        Field(default_factory=dict),
    ] = field(default_factory=dict)
    source: Annotated[SourceArchive | None, _INDEX_IS_NONE] = None
    overrides: Annotated[tuple[Override, ...], Field(max_length=_MOST_OVERRIDES)] = ()
    program: Annotated[
        ProgramName | None,
        Field(description="The program that the requirement installs. Without it: the component's name."),
    ] = None
    rehearsal: Annotated[
        RehearsalPlan | None,
        Field(description="How the program is started and asked in a rehearsal. Without it: for its version only."),
    ] = None

    @property
    def program_name(self) -> str:
        """What the program is called that an installation of the component has."""
        return self.program or self.component

    def asset_name(self, target: Target) -> str:
        """The archive's file name for `target`."""
        return self.asset.format(distro=target.distro, version=target.version, arch=target.arch)


@dataclass(frozen=True)
class Wheelhouse(WheelhouseKeys):
    """A component that is a folder of wheels and, where needed, a portable Python.

    `sections` are the payloads that it asks for, by the key that does so.
    """

    sections: Mapping[str, Choice] = field(default_factory=dict)


def parse(document: Document) -> Wheelhouse:
    """Validate a manifest. Raises ManifestError with every problem."""
    problems: list[Problem] = []
    own, asked = document.parted(SECTIONS)
    sections: dict[str, Choice] = {}
    for name, part in asked.items():
        try:
            sections[name] = validate(part, adapter_of(SECTIONS[name].CHOICE), name)
        except ManifestError as error:
            problems += error.problems
    try:
        keys = validate(own, adapter_of(WheelhouseKeys))
    except ManifestError as error:
        raise ManifestError([*error.problems, *problems]) from error
    if problems:
        raise ManifestError(problems)
    return Wheelhouse(**vars(keys), sections=sections)


def schema() -> Mapping[str, object]:
    """The JSON Schema of such manifests, with the sections of payloads."""
    whole: dict[str, object] = adapter_of(WheelhouseKeys).json_schema(by_alias=True)
    properties, definitions = _part(whole, "properties"), _part(whole, "$defs")
    for name, module in SECTIONS.items():
        section: dict[str, object] = adapter_of(module.CHOICE).json_schema(by_alias=True)
        definitions |= _part(section, "$defs")
        section.pop("$defs", None)
        properties[name] = {"$ref": f"#/$defs/{module.CHOICE.__name__}"}
        definitions[module.CHOICE.__name__] = section
    return {**whole, "properties": properties, "$defs": definitions}


def _part(schema: Mapping[str, object], key: str) -> dict[str, object]:
    part = schema.get(key)
    return dict(part) if isinstance(part, dict) else {}
