"""`targets.yaml`: every host that bundles are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.target import Target
from bundler.words import Arch, DistroName, DistroVersion, Glibc, PythonVersion

# Work grows with them.
_MOST_TARGETS = 200


@dataclass(frozen=True)
class DistroEntry:
    """What a release of a distro ships."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    glibc: Annotated[Glibc, Field(description="Its glibc: which wheels run there.")]
    python: Annotated[
        PythonVersion | Literal["portable"],
        Field(
            description="Its own Python with the patch version, or `portable` if components carry one (python.yaml)."
        ),
    ]
    openssl: Annotated[
        Literal["1.1.x", "3.0.x"] | None,
        Field(description="Its OpenSSL, by which payloads choose what runs there. Needed if a payload asks for it."),
    ] = None


@dataclass(frozen=True)
class TargetsFile:
    """`targets.yaml`: every host the bundles are for."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    distros: Annotated[
        dict[
            DistroName,
            Annotated[dict[DistroVersion, DistroEntry], Field(description="A distro's releases by version.")],
        ],
        Field(min_length=1, description="The distros by name, and what each of their releases ships."),
    ]
    arches: Annotated[
        tuple[Arch, ...],
        Field(
            min_length=1, description="The architectures of every release, in the order in which targets are listed."
        ),
        AfterValidator(distinct),
    ]

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
