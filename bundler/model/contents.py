"""What an archive of ours holds, as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, StringConstraints

from bundler.code.values import Code, Tree
from bundler.model.known_bad import Held, package
from bundler.model.paths import path_fault
from bundler.model.wheel_name import parse_wheel_name
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
class Head:
    """What an archive says of itself at its beginning: the time of its files (s since 1970), and texts by path."""

    epoch: int
    texts: Mapping[str, bytes]


@dataclass(frozen=True)
class Contents:
    """Everything that was read. Paths are relative to the top folder.

    `texts` are the small files that are judged by their bytes, `noted` what payloads made of files that say something.
    `sha256` is the archive's own digest. `code` are the files of compiled code that a platform judges, beside those in
    wheels.
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
    sha256: str | None = None
    code: Mapping[str, Code] = field(default_factory=dict)

    @property
    def held(self) -> tuple[Held, ...]:
        """What may be known to be bad: the version of each wheel, and every file."""
        versions = (package(*parse_wheel_name(wheel.filename)[:2]) for wheel in self.wheels)
        return (*versions, *(file.sha256 for file in self.files.values() if file.sha256))

    @property
    def tree(self) -> Tree:
        """The compiled code of it, with the links that may lead there."""
        return Tree(self.code, {path: file.link for path, file in self.files.items() if file.link is not None})

    def below(self, place: str) -> list[str]:
        """The paths of the files that stand below a folder, which ends with a slash, or at a path."""
        return [path for path in self.files if path == place or (place.endswith("/") and path.startswith(place))]
