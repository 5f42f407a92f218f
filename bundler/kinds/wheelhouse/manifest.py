"""The manifest of a component that is a folder of wheels and, where needed, a portable Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeAlias

from packaging.utils import canonicalize_name
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo

from bundler.kinds.wheelhouse.program import ProgramName, RehearsalPlan
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from bundler.model.document import Document
from bundler.model.known_bad import KnownBad, package_of
from bundler.model.manifest_schema import Schema
from bundler.model.manifest_values import MANIFEST_CONFIG, adapter_of, template
from bundler.model.sections import with_sections
from bundler.model.target import Target, selects
from bundler.model.validation import validate
from bundler.model.variables import (
    LONGEST_NAME,
    LONGEST_VALUE,
    NAME_PATTERN,
    VALUE_PATTERN,
    fault_of,
)
from bundler.payloads import SECTIONS, VARIABLES
from bundler.payloads.payload import Choice
from bundler.words import (
    Address,
    Commit,
    ComponentName,
    ProjectName,
    PythonVersion,
    Repository,
    Selector,
    Sha256,
    Spec,
    Tag,
    Wanted,
)

_MOST_OVERRIDES = 50
_MOST_STARTUP, _MOST_BAD = 50, 100


def _variables(values: dict[str, str], info: ValidationInfo[object]) -> dict[str, str]:
    if "component" not in info.data:
        return values  # its name is wrong, which is told; which variables are its own cannot be said
    component = str(info.data["component"])
    for name, value in values.items():
        if fault := fault_of(name, value, component, VARIABLES):
            raise ValueError(fault)
    return values


VariableName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN, max_length=LONGEST_NAME),
    Field(title="a variable of capital letters, digits and underscores", examples=["PIP_NO_INDEX"]),
]
VariableValue: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=VALUE_PATTERN, max_length=LONGEST_VALUE),
    Field(title="a value of letters, digits and ._+:/-", examples=["True"]),
]


@dataclass(frozen=True)
class SourceArchive:
    """What a component's own wheel is built from: a `.zip` or `.tar.gz` by its address, and the commit it holds."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    address: Annotated[Address, Field(description="Where the archive is.")]
    commit: Annotated[Commit, Field(description="The commit whose files it holds.")]
    sha256: Annotated[Sha256, Field(description="The archive's SHA-256.")]


OverrideAsset: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=200),
    template("arch", others=("os", "distro", "version")),
    Field(
        title="a file name with {arch}, and with any of {os}, {distro} and {version}",
        examples=["demo-{os}-{arch}.tar.gz"],
    ),
]


def _index_is_none(value: object) -> object:
    return None if value == "index" else value


_INDEX_IS_NONE = BeforeValidator(_index_is_none, json_schema_input_type=SourceArchive | Literal["index"] | None)


@dataclass(frozen=True)
class Override:
    """Choices that differ for the targets that `targets` selects; a later override wins over an earlier one."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    targets: Annotated[
        tuple[Selector, ...], Field(min_length=1, description="The targets that it is for, or words that mean them.")
    ]
    requirement: Annotated[
        Spec | None, Field(description="The component's own package there, pinned to another version.")
    ] = None
    python: Annotated[
        Literal["portable", "system"] | PythonVersion | None,
        Field(
            description="The Python there: a portable one that the archive carries (python.yaml), or the host's own; "
            "a version is the host's, where `targets.yaml` has another."
        ),
    ] = None
    asset: Annotated[
        OverrideAsset | None,
        Field(description="The archives' file names there; {os} is the platform's word, such as `linux`."),
    ] = None
    source: Annotated[
        Literal["index"] | None, Field(description="`index`: the component's own wheel is not built from source there.")
    ] = None


def _canonical(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({canonicalize_name(name) for name in names}))


@dataclass(frozen=True)
class Bad:
    """Versions that no lock may hold, and why not."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    requirements: Annotated[
        tuple[Spec, ...], Field(min_length=1, max_length=_MOST_BAD, description="The versions, each of one project.")
    ]
    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
        Field(title="a line of text", description="Why, for whoever meets one.", examples=["withdrawn by its makers"]),
    ]


@dataclass(frozen=True)
class WheelhouseKeys:
    """A component that is a folder of wheels and, where needed, a portable Python; without what payloads add."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    kind: Annotated[Literal["wheelhouse"], Field(description="What sort of component this is.")]
    component: Annotated[ComponentName, Field(description="The component's name, as its archives have it.")]
    repository: Annotated[Repository, Field(description="The repository that the archives are released in.")]
    asset: Annotated[
        str,
        StringConstraints(max_length=200),
        template("distro", "version", "arch"),
        Field(
            title="a file name with {distro}, {version} and {arch}",
            description="The archives' file names; {distro}, {version} and {arch} are filled in for each target.",
            examples=["demo-{distro}-{version}-{arch}.tar.gz"],
        ),
    ]
    requirement: Annotated[
        Spec, Field(description="The component's own package, pinned to one version; it stands in runtime.env.")
    ]
    channel: Annotated[
        Tag, Field(description="The moving release that is to follow its releases. Without it: none.")
    ] = ""
    latest: Annotated[
        bool | None,
        Field(
            description="Whether GitHub shows its releases as the repository's latest. Without it: offline ones only."
        ),
    ] = None
    deltas: Annotated[
        int,
        Field(ge=1, le=99, description="From how many releases before it a release gets deltas. Without it: none."),
    ] = 0
    released: Annotated[
        bool,
        Field(description="Whether archives of it are released by themselves; `false`: it is a part of others only."),
    ] = True
    targets: Annotated[
        tuple[Selector, ...] | None,
        Field(min_length=1, description="The targets that it is for, or words that mean them. Without it: all."),
    ] = None
    extra_requirements: Annotated[
        tuple[Wanted, ...], Field(description="What consumers install beside the component's own package.")
    ] = ()
    bootstrap: Annotated[
        tuple[Wanted, ...], Field(description="What the installer needs before it can install: pip, for example.")
    ] = ()
    environment: Annotated[
        dict[VariableName, VariableValue],
        AfterValidator(_variables),
        Field(default_factory=dict, description="Variables that runtime.env exports for the component to run with."),
    ] = field(default_factory=dict)
    startup_files: Annotated[
        tuple[ProjectName, ...],
        AfterValidator(_canonical),
        Field(
            max_length=_MOST_STARTUP,
            description="The projects whose wheels may have files that Python runs whenever it starts, such as .pth.",
        ),
    ] = ()
    known_bad: Annotated[
        tuple[Bad, ...],
        Field(max_length=_MOST_BAD, description="Versions that no lock may hold, whatever asks for them."),
    ] = ()
    source: Annotated[
        SourceArchive | None,
        _INDEX_IS_NONE,
        Field(description="The source that the component's own wheel is built from; `index`: the index has the wheel."),
    ] = None
    overrides: Annotated[
        tuple[Override, ...],
        Field(
            max_length=_MOST_OVERRIDES,
            description="Choices that differ for some targets; a later one wins over an earlier one.",
        ),
    ] = ()
    program: Annotated[
        ProgramName | None,
        Field(description="The program that the requirement installs. Without it: the component's name."),
    ] = None
    service: Annotated[
        ServicePlan | None,
        Field(description="How install.sh makes it a service of the host. Without it: it makes none."),
    ] = None
    rehearsal: Annotated[
        RehearsalPlan | None,
        Field(description="How the program is started and asked in a rehearsal. Without it: for its version only."),
    ] = None

    @cached_property
    def bad(self) -> KnownBad:
        """What no lock may hold, and why."""
        return {package_of(text): one.reason for one in self.known_bad for text in one.requirements}

    @property
    def program_name(self) -> str:
        """What the program is called that an installation of the component has."""
        return self.program or self.component

    def system_python(self, target: Target) -> str | None:
        """The version of the host's own Python that serves on `target`; None: the archive carries a portable one."""
        chosen = [one.python for one in self.overrides if one.python and selects(one.targets, target)]
        said = chosen[-1] if chosen else "system"
        return {"portable": None, "system": target.system_python}.get(said, said)

    def asset_name(self, target: Target) -> str:
        """The archive's file name for `target`."""
        chosen = [one.asset for one in self.overrides if one.asset and selects(one.targets, target)]
        words = {"os": target.platform.partition("-")[0], "distro": target.distro, "version": target.version}
        return (chosen[-1] if chosen else self.asset).format(**words, arch=target.arch)


@dataclass(frozen=True)
class Wheelhouse(WheelhouseKeys):
    """A component that is a folder of wheels and, where needed, a portable Python.

    `sections` are the payloads that it asks for, by the key that does so.
    """

    sections: Mapping[str, Choice] = field(default_factory=dict)


WheelhouseFile = with_sections(WheelhouseKeys, {name: module.CHOICE for name, module in SECTIONS.items()})


def parse(document: Document) -> Wheelhouse:
    """Validate a manifest. Raises ManifestError with every problem."""
    values = vars(validate(document, adapter_of(WheelhouseFile)))
    keys = {name: value for name, value in values.items() if name not in SECTIONS}
    return Wheelhouse(**keys, sections={name: values[name] for name in SECTIONS if values[name] is not None})


def schema() -> Mapping[str, object]:
    """The JSON Schema of such manifests, with the sections of payloads."""
    return Schema.of(adapter_of(WheelhouseFile)).root
