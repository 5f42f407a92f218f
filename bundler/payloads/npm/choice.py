"""What a manifest chooses of npm packages: its `npm:` section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.target import Target
from bundler.words import Arch

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAME_PATTERN = rf"(@{_PART}/)?{_PART}"
# A version as https://semver.org spells it.
_NUMBER = r"(0|[1-9][0-9]{0,14})"
VERSION_PATTERN = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-[0-9A-Za-z.-]{{1,80}})?(\+[0-9A-Za-z.-]{{1,80}})?"
# What npm calls the processors (`process.arch`, nodejs.org/api/process.html).
CPUS: Mapping[Arch, str] = {"amd64": "x64", "arm64": "arm64"}
OS, LIBC = "linux", "glibc"


def _one_version_each(values: tuple[str, ...]) -> tuple[str, ...]:
    """Packages of which none is there in two versions: which one is the latest, nobody could say."""
    distinct(tuple(name_and_version(value)[0] for value in values))
    return values


PackageName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{NAME_PATTERN}$", max_length=214),
    Field(title="the name of an npm package", examples=["@scope/demo"]),
]
PackageSpec: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{NAME_PATTERN}@{VERSION_PATTERN}$", max_length=400),
    Field(title="an npm package of exactly one version", examples=["@scope/demo@1.2.3"]),
]


@dataclass(frozen=True)
class NpmPackages:
    """The npm packages that hosts install without a network, with all that they depend on."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    packages: Annotated[
        tuple[PackageSpec, ...],
        Field(min_length=1, max_length=200, description="The packages that are installed, each at an exact version."),
        AfterValidator(_one_version_each),
    ]
    without: Annotated[
        tuple[PackageName, ...],
        Field(
            max_length=1000,
            description="Optional packages that no target is given, or that the registry does not have, by name.",
        ),
        AfterValidator(distinct),
    ] = ()

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """Targets that are no Linux, which npm packages are not chosen for."""
        for target in targets:
            if not target.platform.startswith(f"{OS}-"):
                yield f"npm packages are for Linux; {target.name} is not"
        if left := {name_and_version(spec)[0] for spec in self.packages} & set(self.without):
            yield f"{min(left)} is asked for and left out"


def name_and_version(spec: str) -> tuple[str, str]:
    """The two halves of `NAME@VERSION`."""
    name, _, version = spec.rpartition("@")
    return name, version
