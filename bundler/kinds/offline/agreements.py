"""Agreements: a version that a file of a bundled repository asks for, and the one that is bundled.

`lock` reads the version where the manifest says it stands, and `check` compares, with no network:

    playbooks roles/gateway/defaults/main.yml:24 asks for demo 2026.6.1, bundled is 2026.6.6 (npm)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.errors import UsageError
from bundler.model.manifest_values import MANIFEST_CONFIG
from bundler.model.target import Target, select, selects
from bundler.words import ComponentName, PlainPath

VERSION = "{version}"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,99}")
# What is read of a file: much longer lines, and many more of them, are no defaults of a role.
_LONGEST_LINE, _LARGEST = 2000, 1 << 20


def _holds_version(value: str) -> str:
    if value.count(VERSION) != 1 or value.strip() == VERSION:
        raise ValueError(f"holds {VERSION} once, and something of what stands around it in the file's line")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("is of one line, and holds no control characters")
    return value


ThingName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9@][A-Za-z0-9@/._+-]*$", max_length=200),
    Field(title="the name of a package, program or image", examples=["demo"]),
]


TargetWord = Annotated[str, StringConstraints(max_length=64), Field(title="a target", examples=["debian"])]


@dataclass(frozen=True)
class Agreement:
    """A version that a file of a bundled repository asks for, which must be the bundled one."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    name: Annotated[ThingName, Field(description="What the version is of.")]
    repository: Annotated[
        ComponentName, Field(description="Which of the repositories has the file.", examples=["playbooks"])
    ]
    file: Annotated[PlainPath, Field(description="The file, by its path in the repository.")]
    text: Annotated[
        str,
        StringConstraints(min_length=1, max_length=300),
        AfterValidator(_holds_version),
        AfterValidator(_one_line),
        Field(
            title="a part of a line, with {version} where the version stands",
            description="What stands around the version in its line, as it is written there; comments do not count.",
            examples=["demo_version: {version}"],
        ),
    ]
    bundled: Annotated[ComponentName, Field(description="Which collection has it.", examples=["npm"])]
    called: Annotated[ThingName | None, Field(description="What the collection calls it, if not by `name`.")] = None
    match: Annotated[
        Literal["exact", "prefix", "python"],
        Field(
            description="`exact`: the same text; `prefix`: what is bundled begins with it (24 is 24.16.0-1); "
            "`python`: the same version in Python's terms (0.15 is 0.15.0)."
        ),
    ] = "exact"
    targets: Annotated[
        tuple[TargetWord, ...],
        Field(min_length=1, description="On which targets it is asked for."),
    ] = ("all",)

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What is wrong with it that no single value shows."""
        try:
            select(targets, self.targets)
        except UsageError as error:
            yield f"{self.name}: {error.message}"

    def agrees(self, wants: str, version: str) -> bool:
        """Say whether a bundled version is the one that is wanted."""
        if self.match == "prefix":
            return re.match(re.escape(wants) + r"(?![0-9A-Za-z])", version) is not None
        if self.match == "python":
            try:
                return Version(wants) == Version(version)
            except InvalidVersion:
                return False
        return wants == version


@dataclass(frozen=True, order=True)
class Asked:
    """A version that is asked for, and where: a file of a repository, and its line, from 1."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    name: ThingName
    wants: Annotated[str, StringConstraints(pattern=f"^{_VERSION.pattern}$")]
    repository: ComponentName
    file: PlainPath
    line: Annotated[int, Field(gt=0)]

    def __str__(self) -> str:
        return f"{self.repository} {self.file}:{self.line} asks for {self.name} {self.wants}"


def find_asked(
    agreements: Iterable[Agreement], repository: str, files: Mapping[str, bytes], target: Target
) -> tuple[Asked, ...]:
    """Find what a repository's files, by their paths, ask for on a target; nothing where the text is not found."""
    found = {
        Asked(one.name, wants, repository, one.file, line)
        for one in agreements
        if one.repository == repository and selects(one.targets, target)
        for line, wants in _versions(one.text, files.get(one.file, b""))
    }
    return tuple(sorted(found))


def disagreements(
    agreements: Iterable[Agreement], asked: Iterable[Asked], versions: Mapping[str, Mapping[str, str]], target: Target
) -> Iterator[str]:
    """Say where what is asked for is not what is bundled: `versions` by collection and name."""
    every = tuple(asked)
    for one in agreements:
        if not selects(one.targets, target):
            continue
        found = [ask for ask in every if (ask.name, ask.repository, ask.file) == (one.name, one.repository, one.file)]
        if not found:
            yield f"{one.repository} {one.file} no longer asks for {one.name}: no line of it holds {one.text}"
        version = versions.get(one.bundled, {}).get(one.called or one.name)
        for ask in found:
            if version is None:
                yield f"{ask}, {one.bundled} has none"
            elif not any(one.agrees(ask.wants, each) for each in version.split(", ")):
                yield f"{ask}, bundled is {version} ({one.bundled})"


def _versions(text: str, content: bytes) -> Iterator[tuple[int, str]]:
    """Each line that holds the text, with the version that stands in it. Takes time in proportion to the content."""
    before, _, after = text.partition(VERSION)
    for number, line in enumerate(content[:_LARGEST].decode("utf-8", "replace").split("\n"), 1):
        if len(line) > _LONGEST_LINE or line.lstrip().startswith("#"):
            continue
        if wants := _version(line, before, after):
            yield number, wants


def _version(line: str, before: str, after: str) -> str:
    """The version between two texts of a line; "" if they are not there. A name begins where a word does."""
    start = line.find(before)
    while start >= 0:
        follows_word = start > 0 and _is_word(line[start - 1]) and _is_word(before[:1])
        match = None if follows_word else _VERSION.match(line, start + len(before))
        if match and (end := _end(match[0], line[match.end() :], after)):
            return match[0][:end]
        start = line.find(before, start + 1)
    return ""


def _end(version: str, rest: str, after: str) -> int:
    """Where in what looks like a version the text after it begins; 0 if it does not."""
    if not after:
        return len(version)
    return max((version + rest).find(after, 1, len(version) + len(after)), 0)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
