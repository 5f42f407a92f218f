"""Manifests: the choices people edit. YAML text in, frozen values out; every problem is reported with its line.

A JSON Schema for each file is generated from these classes (`bundler.model.schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, ClassVar, Literal, TypeAlias, TypeVar, cast

from packaging.requirements import Requirement
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import ManifestError, Problem, UsageError
from bundler.model.document import Document, parse_yaml, validate
from bundler.model.manifest_values import distinct, engine_address, no_dots, plain_requirement, template
from bundler.model.target import Arch, Target, select
from bundler.model.variables import (
    LONGEST_NAME,
    LONGEST_VALUE,
    NAME_PATTERN,
    REFUSED_PATTERN,
    SPEC_PATTERN,
    VALUE_PATTERN,
    fault_of,
    name_fault,
)

# Work grows with their product.
_MOST_TARGETS, _MOST_OVERRIDES, _MOST_CHOICES = 200, 50, 120_000
_CONFIG = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"), frozen=True)

_DISTINCT = AfterValidator(distinct)


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

Word: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", max_length=64)]
# In capitals, a component's name begins a variable of runtime.env.
ComponentName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=64)]
VariableName: TypeAlias = Annotated[str, AfterValidator(_variable_name)]
VariableValue: TypeAlias = Annotated[str, StringConstraints(pattern=VALUE_PATTERN, max_length=LONGEST_VALUE)]
Repository: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=200),
    AfterValidator(no_dots),
]
Spec: TypeAlias = Annotated[
    str, StringConstraints(pattern=SPEC_PATTERN, max_length=200), AfterValidator(plain_requirement)
]
Wanted: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(plain_requirement)]
PythonVersion: TypeAlias = Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}\.[0-9]{1,3}$")]
Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Commit: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Address: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https://[^\s/]+/\S+$", max_length=2000)]
DistroName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,31}$")]
DistroVersion: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?$")]
# A path below a folder, fit to stand in a shell script: no part begins with a dot.
_PART = r"[A-Za-z0-9_@-][A-Za-z0-9._@+-]*"
PlainPath: TypeAlias = Annotated[str, StringConstraints(pattern=rf"^{_PART}(/{_PART})*$", max_length=300)]


@dataclass(frozen=True)
class DistroEntry:
    """What a distro's release ships: its glibc, its Python's patch version or `portable` if that is of no use.

    `openssl` decides which of Prisma's engines run there.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    glibc: Annotated[str, StringConstraints(pattern=r"^2\.[0-9]{1,2}$")]
    python: PythonVersion | Literal["portable"]
    openssl: Literal["1.1.x", "3.0.x"] | None = None


@dataclass(frozen=True)
class TargetsFile:
    """`targets.yaml`: every host the bundles are for."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    distros: Annotated[dict[DistroName, dict[DistroVersion, DistroEntry]], Field(min_length=1)]
    arches: Annotated[tuple[Arch, ...], Field(min_length=1), _DISTINCT]

    def __post_init__(self) -> None:
        """Raise ValueError for more targets than anybody has."""
        if (number := len(self.arches) * sum(map(len, self.distros.values()))) > _MOST_TARGETS:
            raise ValueError(f"{number} targets; {_MOST_TARGETS} are the most")

    def targets(self) -> tuple[Target, ...]:
        """Every distro, version and architecture, in the order of the file."""
        return tuple(
            Target(
                distro=distro,
                version=version,
                arch=arch,
                glibc_minor=int(entry.glibc.removeprefix("2.")),
                system_python=None if entry.python == "portable" else entry.python,
                openssl=entry.openssl,
            )
            for distro, versions in self.distros.items()
            for version, entry in versions.items()
            for arch in self.arches
        )


@dataclass(frozen=True)
class SourceArchive:
    """What a component's own wheel is built from: a `.zip` or `.tar.gz` by its address, and the commit it holds."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    address: Address
    commit: Commit
    sha256: Sha256


def _index_is_none(value: object) -> object:
    return None if value == "index" else value


_INDEX_IS_NONE = BeforeValidator(_index_is_none, json_schema_input_type=SourceArchive | Literal["index"] | None)


@dataclass(frozen=True)
class Override:
    """Choices that differ for the targets that `targets` selects; a later override wins over an earlier one."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    requirement: Spec | None = None
    python: Literal["portable", "system"] | None = None
    source: Literal["index"] | None = None


@dataclass(frozen=True)
class Engines:
    """Prisma's engines: the commit they were built from, and the template of their addresses."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    commit: Commit
    address: Annotated[Address, AfterValidator(engine_address)]

    def address_of(self, platform: str, engine: str) -> str:
        """Where one engine's gzip file is; its checksum is beside it, with `.sha256` at the end."""
        return self.address.format(commit=self.commit, platform=platform, engine=engine)


@dataclass(frozen=True)
class Database:
    """What a component needs beside its wheels to use a database through Prisma (`prisma-client-py`).

    `prisma_cli` is the version of the npm package `prisma` that the Python package wants; `node` says whose Node.js
    runs it: the host's, or a wheel's; `schema` is the schema to generate a client from, below site-packages.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    prisma_cli: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$")]
    engines: Engines
    node: Literal["wheel", "host"]
    schema: PlainPath


@dataclass(frozen=True)
class Wheelhouse:
    """A component that is a folder of wheels and, where needed, a portable Python (`litellm.yaml`).

    `requirement` goes to runtime.env; `extra_requirements` are what consumers install beside it; `bootstrap` is
    what the installer needs before it can install; `environment` is exported by runtime.env for the component to run;
    `database` is what it takes to use a database; `source` is what the wheel of `requirement` is built from, unless
    the index has it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
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


@dataclass(frozen=True)
class ReleaseAsset:
    """A component that another repository releases as finished archives (`console.yaml`, `bridge.yaml`, `qmd.yaml`)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    kind: Literal["release-asset"]
    component: ComponentName
    repository: Repository
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    asset: Annotated[str, StringConstraints(max_length=200), template("os", "arch")]
    targets: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^(linux|darwin)-(amd64|arm64)$")], ...],
        Field(min_length=1),
        _DISTINCT,
    ]

    def asset_name(self, platform: str) -> str:
        """The archive's file name for a platform such as `linux-amd64`."""
        os, _, arch = platform.partition("-")
        return self.asset.format(os=os, arch=arch)


@dataclass(frozen=True)
class PythonPin:
    """One portable CPython archive: where it is and what it must be."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    address: Address
    sha256: Sha256


@dataclass(frozen=True)
class PortablePython:
    """`python.yaml`: the portable CPython that bundles carry where the target's own will not do.

    `leave_out` are gitignore patterns, matched below the archive's top folder, of what a runtime does not need.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    version: PythonVersion
    tag: Word
    pins: dict[Arch, PythonPin]
    leave_out: tuple[str, ...] = ()


T = TypeVar("T")


def adapter_of(model: type[T]) -> TypeAdapter[T]:
    """The validator of a manifest class, made once."""
    return cast("TypeAdapter[T]", _adapter(model))  # type: ignore[arg-type]  # any class can be hashed


@cache
def _adapter(model: type[object]) -> TypeAdapter[object]:
    return TypeAdapter(model)


@dataclass(frozen=True)
class Manifests:
    """All manifests of a folder. `wheelhouses` and `release_assets` are keyed by file stem (`litellm`, `console`)."""

    targets: tuple[Target, ...]
    wheelhouses: Mapping[str, Wheelhouse]
    release_assets: Mapping[str, ReleaseAsset]
    python: PortablePython

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Manifests:
        """Parse the manifests from file name -> text. Raises ManifestError holding every problem of every file."""
        problems: list[Problem] = [
            Problem(name, 0, 0, "is missing") for name in ("targets.yaml", "python.yaml") if name not in texts
        ]
        parsed: dict[str, TargetsFile | PortablePython | Wheelhouse | ReleaseAsset] = {}
        documents: dict[str, Document] = {}
        for name, text in sorted(texts.items()):
            try:
                documents[name] = parse_yaml(text, name)
                parsed[name] = _parse_one(documents[name])
            except ManifestError as error:
                problems.extend(error.problems)
        targets_file, python = parsed.pop("targets.yaml", None), parsed.pop("python.yaml", None)
        targets = targets_file.targets() if isinstance(targets_file, TargetsFile) else ()
        wheelhouses = {name.removesuffix(".yaml"): m for name, m in parsed.items() if isinstance(m, Wheelhouse)}
        assets = {name.removesuffix(".yaml"): m for name, m in parsed.items() if isinstance(m, ReleaseAsset)}
        if (choices := len(targets) * sum(1 + len(one.overrides) for one in wheelhouses.values())) > _MOST_CHOICES:
            message = f"{choices} choices, of targets times overrides of all components; {_MOST_CHOICES} are the most"
            problems.append(Problem("targets.yaml", 0, 0, message))
        elif isinstance(python, PortablePython) and targets:
            for stem, wheelhouse in wheelhouses.items():
                problems += _cross_check(documents[f"{stem}.yaml"], wheelhouse, targets, python)
        if problems or not isinstance(python, PortablePython):
            raise ManifestError(sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column)))
        return cls(targets, wheelhouses, assets, python)


def _parse_one(document: Document) -> TargetsFile | PortablePython | Wheelhouse | ReleaseAsset:
    if document.name == "targets.yaml":
        return validate(document, adapter_of(TargetsFile))
    if document.name == "python.yaml":
        return validate(document, adapter_of(PortablePython))
    kind = document.data.get("kind") if isinstance(document.data, dict) else None
    if kind == "wheelhouse":
        return validate(document, adapter_of(Wheelhouse))
    if kind == "release-asset":
        return validate(document, adapter_of(ReleaseAsset))
    raise ManifestError([document.problem(("kind",), "kind: is wheelhouse or release-asset")])


def _cross_check(
    document: Document, wheelhouse: Wheelhouse, targets: tuple[Target, ...], python: PortablePython
) -> list[Problem]:
    """What no single value shows: overrides that select nothing, a Python that cannot be had."""
    problems = []
    for index, override in enumerate(wheelhouse.overrides):
        try:
            chosen = select(targets, override.targets)
        except UsageError as error:
            message = f"overrides.{index}.targets: {error.message}; {error.hint}"
            problems.append(document.problem(("overrides", index, "targets"), message))
            continue
        if override.requirement and wheelhouse.source and not override.source:
            one, other = Requirement(wheelhouse.requirement), Requirement(override.requirement)
            if (one.name, one.specifier) != (other.name, other.specifier):
                message = f"overrides.{index}: the source is for {one.name}{one.specifier}; add `source: index`"
                problems.append(document.problem(("overrides", index, "requirement"), message))
        if override.python == "system":
            lacking = [target.name for target in chosen if target.system_python is None]
            if lacking:
                place = ("overrides", index, "python")
                problems.append(document.problem(place, f"{lacking[0]} has no system Python to use (targets.yaml)"))
    unpinned = sorted({target.arch for target in targets} - set(python.pins))
    if wheelhouse.database and (unknown := [target.name for target in targets if target.openssl is None]):
        problems.append(document.problem(("database",), f"database: targets.yaml tells no openssl of {unknown[0]}"))
    needs = any(t.system_python is None for t in targets) or any(o.python == "portable" for o in wheelhouse.overrides)
    if needs and unpinned:
        problems.append(Problem("python.yaml", 0, 0, f"pins: none for {unpinned[0]}, which a target needs"))
    return problems
