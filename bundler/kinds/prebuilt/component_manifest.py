"""manifest.json of a component that another repository releases: what it is, for which platform, which program it runs.

The consumers' contract: component, commit, os and arch as strings, and the program's path as `binary` or `apiBinary`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar

from pydantic import AliasChoices, ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import IntegrityError
from bundler.model.json_text import first_fault, limited
from bundler.platforms import PlatformWord
from bundler.words import Arch, ComponentName

_PROGRAM = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"


@dataclass(frozen=True)
class ComponentManifest:
    """The file's facts. `program` is a path below the archive's top folder."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    component: ComponentName
    os: PlatformWord
    arch: Arch
    program: Annotated[
        str,
        Field(validation_alias=AliasChoices("binary", "apiBinary")),
        StringConstraints(pattern=_PROGRAM, max_length=300),
    ]
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]*$", max_length=100)] = ""

    @property
    def platform(self) -> str:
        """The platform as names of assets spell it: `linux-amd64`."""
        return f"{self.os}-{self.arch}"


def parse(content: bytes) -> ComponentManifest:
    """Parse manifest.json. Raises IntegrityError."""
    try:
        return _adapter().validate_json(limited(content))
    except ValueError as error:
        raise IntegrityError(f"manifest.json: {first_fault(error)}") from error


@cache
def _adapter() -> TypeAdapter[ComponentManifest]:
    return TypeAdapter(ComponentManifest)
