"""`python.yaml`: the portable CPython that bundles carry where a target's own will not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from pydantic import ConfigDict, Field

from bundler.model.manifest_values import MANIFEST_CONFIG
from bundler.platforms import ShortName, short
from bundler.words import Address, PythonVersion, Sha256, Word

LeaveOut: TypeAlias = Annotated[str, Field(title="a line of a gitignore file", examples=["/share/man/"])]


@dataclass(frozen=True)
class PythonPin:
    """One portable CPython archive: where it is and what it must be."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    address: Annotated[Address, Field(description="Where the archive is.")]
    sha256: Annotated[Sha256, Field(description="The archive's SHA-256.")]


@dataclass(frozen=True)
class PortablePython:
    """`python.yaml`: the portable CPython that bundles carry where the target's own will not do."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    version: Annotated[PythonVersion, Field(description="The version of CPython in the archives.")]
    tag: Annotated[Word, Field(description="The release of python-build-standalone that the archives are from.")]
    pins: Annotated[
        dict[ShortName, PythonPin],
        Field(description="The archive for each architecture of Linux, and for each other platform by its name."),
    ]
    leave_out: Annotated[
        tuple[LeaveOut, ...],
        Field(description="What a runtime does not need: gitignore lines, matched below the archive's top folder."),
    ] = ()

    def pin(self, platform: str) -> PythonPin | None:
        """The archive for a platform such as `linux-amd64`, or None."""
        return self.pins.get(short(platform))
