"""manifest.json: what an archive is, what it was made from, and every other file in it with size and SHA-256."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from functools import cache
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    ValidationInfo,
)

from bundler.errors import IntegrityError
from bundler.kinds.wheelhouse.program import ProgramName
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from bundler.model.bundle import Entry, File, Link
from bundler.model.contents import ListedFile
from bundler.model.interpreter import Interpreter
from bundler.model.json_text import first_fault, limited
from bundler.payloads import SECTIONS
from bundler.payloads.payload import Facts, PythonPart
from bundler.platforms import FLOOR_KEYS, Platform, distro_told, name_for, platform_for, told
from bundler.words import (
    Arch,
    Commit,
    ComponentName,
    DistroName,
    DistroVersion,
    PythonVersion,
    Sha256,
    Spec,
    Wanted,
)

_CONFIG = ConfigDict(extra="ignore", strict=False)
_MOST_REQUIREMENTS = 1000


@dataclass(frozen=True)
class PythonFacts:
    """The Python that the wheels are for: its version, whether the archive carries it, and its platform's floor.

    `sha256` is the digest of what a portable one is taken from.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    version: PythonVersion
    source: Literal["system", "portable"]
    floor: Annotated[str, Field(max_length=8, validation_alias=AliasChoices(*FLOOR_KEYS))]
    sha256: Sha256 | Literal[""] = ""

    def words(self, floor_key: str) -> dict[str, str]:
        """The object of the file; `floor_key` is what the platform calls its floor."""
        words = {"version": self.version, "source": self.source, floor_key: self.floor}
        return {**words, "sha256": self.sha256} if self.sha256 else words


def _fits(python: PythonFacts, info: ValidationInfo[object]) -> PythonFacts:
    if "distro" in info.data:  # else what is wrong with that is told
        platform = platform_for(str(info.data["distro"]))
        try:
            platform.floor_of(python.floor)
        except ValueError as error:
            raise ValueError(f"{platform.FLOOR_KEY}: {error}") from error
    return python


@dataclass(frozen=True)
class _Keys:
    """The file's own keys, without what payloads say."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    component: ComponentName
    commit: Commit
    distro: Annotated[DistroName, AfterValidator(distro_told)]
    version: DistroVersion
    arch: Arch
    inputs: Sha256
    requirement: Spec
    requirements: Annotated[tuple[Wanted, ...], Field(max_length=_MOST_REQUIREMENTS), FailFast()]
    python: Annotated[PythonFacts, AfterValidator(_fits)]
    service: ServicePlan | None = None
    files: Annotated[tuple[ListedFile, ...], FailFast()] = ()
    program: ProgramName | Literal[""] = ""

    @property
    def interpreter(self) -> Interpreter:
        """The Python that will serve the wheels on the host."""
        floor = self.platform.floor_of(self.python.floor)
        return Interpreter(self.python.version, name_for(self.distro, self.arch), floor)

    @property
    def platform(self) -> Platform:
        """The host's platform."""
        return platform_for(self.distro)

    @property
    def target(self) -> str:
        """The target's name: `debian-12-amd64`."""
        return f"{self.distro}-{self.version}-{self.arch}"

    @property
    def host(self) -> str:
        """The host as one text: `debian 12 amd64`."""
        return f"{self.distro} {self.version} {self.arch}"

    @property
    def python_part(self) -> PythonPart:
        """The Python as a payload knows it."""
        python, portable = self.python, self.python.source == "portable"
        return PythonPart(python.version, self.interpreter.platform, portable, sha256=python.sha256)


@dataclass(frozen=True)
class ArchiveManifest(_Keys):
    """The file's facts. `inputs` is the digest of all that decided the archive's bytes; `sections` tell of payloads.

    `program` is what the component's program is called; "" if it is called as the component.
    """

    sections: Mapping[str, Facts] = field(default_factory=dict)


def render(facts: ArchiveManifest, entries: Sequence[Entry]) -> bytes:
    """Return manifest.json's bytes for the other entries of the archive."""
    return _text(facts, [listed for entry in entries if (listed := _listed(entry))])


def differs(content: bytes, facts: ArchiveManifest) -> bool:
    """Say whether the file is anything but what `render` would write for what was read of it.

    Readers differ in what they make of a key that is there twice, and of numbers and truth in quotes.
    """
    paths = [file.path for file in facts.files]
    return paths != sorted(set(paths)) or content != _text(facts, [_words(file) for file in facts.files])


def _text(facts: ArchiveManifest, files: list[dict[str, str | int | bool]]) -> bytes:
    document = {
        "component": facts.component,
        **({"program": facts.program} if facts.program not in ("", facts.component) else {}),
        "commit": facts.commit,
        **told(facts.distro),
        "version": facts.version,
        "arch": facts.arch,
        "inputs": facts.inputs,
        "requirement": facts.requirement,
        "requirements": list(facts.requirements),
        "python": facts.python.words(facts.platform.FLOOR_KEY),
        **({"service": facts.service.words()} if facts.service else {}),
        **{name: section.words() for name, section in facts.sections.items()},
        "files": files,
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def parse(content: bytes) -> ArchiveManifest:
    """Parse manifest.json. Raises IntegrityError."""
    try:
        keys = _adapter().validate_json(limited(content))
        sections = vars(_sections().validate_json(content))
    except ValueError as error:
        raise IntegrityError(f"manifest.json: {first_fault(error)}") from error
    return ArchiveManifest(
        **vars(keys), sections={name: facts for name, facts in sections.items() if facts is not None}
    )


def _listed(entry: Entry) -> dict[str, str | int | bool] | None:
    if isinstance(entry, Link):
        return _words(ListedFile(entry.path, link=entry.target))
    if not isinstance(entry, File):
        return None
    return _words(ListedFile(entry.path, entry.size, entry.sha256, entry.executable))


def _words(file: ListedFile) -> dict[str, str | int | bool]:
    if file.link is not None:
        return {"path": file.path, "link": file.link}
    words: dict[str, str | int | bool] = {"path": file.path, "size": file.size or 0, "sha256": file.sha256 or ""}
    return {**words, "executable": True} if file.executable else words


@cache
def _adapter() -> TypeAdapter[_Keys]:
    return TypeAdapter(_Keys)


@cache
def _sections() -> TypeAdapter[object]:
    """What reads what payloads say; all else is ignored."""
    fields = [(name, module.FACTS | None, field(default=None)) for name, module in SECTIONS.items()]
    return TypeAdapter(make_dataclass("Sections", fields))
