"""`targets.yaml`: every host that bundles are for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from bundler.errors import ManifestError
from bundler.model.document import Document
from bundler.model.manifest_schema import Schema, shown
from bundler.model.manifest_values import MANIFEST_CONFIG, adapter_of, distinct
from bundler.model.target import Target
from bundler.model.validation import validate
from bundler.platforms import FLOOR_KEYS, distro_told, platform_for
from bundler.words import Arch, DistroName, DistroVersion, Glibc, MacosVersion, PythonVersion

# Work grows with them.
_MOST_TARGETS = 200


@dataclass(frozen=True)
class DistroEntry:
    """What a release of a distro ships, and its platform's floor below the key that the platform has for it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        **MANIFEST_CONFIG,
        json_schema_extra={
            "oneOf": [{"required": [key]} for key in FLOOR_KEYS],
            "examples": [{"glibc": "2.36", "python": "3.11.2"}],
        },
    )
    python: Annotated[
        PythonVersion | Literal["portable"],
        Field(
            description="Its own Python with the patch version, or `portable` if components carry one (python.yaml)."
        ),
    ]
    glibc: Annotated[Glibc | None, Field(description="Its glibc, which every Linux needs: which wheels run there.")] = (
        None
    )
    macos: Annotated[
        MacosVersion | None,
        Field(description="The deployment target, which every macOS needs: which wheels run there."),
    ] = None
    openssl: Annotated[
        Literal["1.1.x", "3.0.x"] | None,
        Field(description="Its OpenSSL, by which payloads choose what runs there. Needed if a payload asks for it."),
    ] = None
    arches: Annotated[
        tuple[Arch, ...] | None,
        Field(min_length=1, description="The architectures of this release, if not all of the file's."),
        AfterValidator(lambda value: value and distinct(value)),
    ] = None

    def floors(self) -> dict[str, str]:
        """The floors that are given, by key."""
        return {key: value for key in FLOOR_KEYS if (value := getattr(self, key)) is not None}


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
        entries = (entry for versions in self.distros.values() for entry in versions.values())
        if (number := sum(len(self.arches_of(entry)) for entry in entries)) > _MOST_TARGETS:
            raise ValueError(f"{number} targets; {_MOST_TARGETS} are the most")

    def targets(self) -> tuple[Target, ...]:
        """Every distro, version and architecture, in the order of the file. Only of a file without `faults`."""
        return tuple(
            Target(
                distro=distro,
                version=version,
                arch=arch,
                floor=_floor(entry, distro),
                system_python=None if entry.python == "portable" else entry.python,
                openssl=entry.openssl,
            )
            for distro, versions in self.distros.items()
            for version, entry in versions.items()
            for arch in self.arches_of(entry)
        )

    def arches_of(self, entry: DistroEntry) -> tuple[Arch, ...]:
        """The architectures of a release."""
        return self.arches if entry.arches is None else entry.arches

    def faults(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Releases without their platform's floor, or with another's: where that stands, and what is wrong."""
        for distro, versions in self.distros.items():
            if (word := distro_told(distro)) != distro:
                yield ("distros", distro), f"distros.{distro}: is called {word} here"
                continue
            key = platform_for(distro).FLOOR_KEY
            for version, entry in versions.items():
                place = ("distros", distro, version)
                if key not in entry.floors():
                    yield place, f"{'.'.join(place)}.{key}: is missing; {_wanted(key)}"
                for other in entry.floors().keys() - {key}:
                    yield (*place, other), f"{'.'.join((*place, other))}: is of another system; {distro} has {key}"


def parse_targets(document: Document) -> TargetsFile:
    """Validate the file. Raises ManifestError with every problem."""
    file = validate(document, adapter_of(TargetsFile))
    if faults := [document.problem(place, message) for place, message in file.faults()]:
        raise ManifestError(faults)
    return file


def _floor(entry: DistroEntry, distro: str) -> int:
    platform = platform_for(distro)
    return platform.floor_of(entry.floors()[platform.FLOOR_KEY])


def _wanted(key: str) -> str:
    schema = Schema.of(adapter_of(DistroEntry))
    node = schema.at((key,))
    return f"{schema.wanted(node)} is wanted, such as {shown(schema.example(node))}"
