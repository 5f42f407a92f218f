"""What an archive of ours holds, as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, StringConstraints

from bundler.model.paths import path_fault
from bundler.words import Sha256

if TYPE_CHECKING:
    from bundler.model.closure import Wheel


def _path(value: str) -> str:
    if fault := path_fault(value):
        raise ValueError(f"not a safe path: {fault}")
    return value


@dataclass(frozen=True)
class ListedFile:
    """One file of an archive: regular (size, SHA-256) or a symbolic link (its target)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=False)
    path: Annotated[str, AfterValidator(_path)]
    size: int | None = None
    sha256: Sha256 | None = None
    executable: bool = False
    link: Annotated[str, StringConstraints(max_length=1024, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] | None = None


@dataclass(frozen=True)
class Contents:
    """Everything that was read. Paths are relative to the top folder.

    `texts` are the small files that are judged by their bytes, `noted` what payloads made of files that say something.
    """

    top: str
    files: Mapping[str, ListedFile]
    folders: frozenset[str]
    texts: Mapping[str, bytes]
    wheels: tuple[Wheel, ...]
    tar_sha256: str
    tar_size: int
    noted: Mapping[str, object]
    unreadable: tuple[str, ...] = ()

    def below(self, place: str) -> list[str]:
        """The paths of the files that stand below a folder, which ends with a slash, or at a path."""
        return [path for path in self.files if path == place or (place.endswith("/") and path.startswith(place))]
