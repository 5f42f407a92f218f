"""What a manifest chooses of git repositories: its `repositories:` section."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

from bundler.model.listed import list_schema
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.paths import path_fault
from bundler.model.target import Target
from bundler.payloads.repository.places import COPIES
from bundler.words import TAG_PATTERN

_LONGEST_TEXT = 1 << 16


def _git_name(value: str) -> str:
    """A branch or tag, as git-check-ref-format(1) has it."""
    parts = value.split("/")
    if ".." in value or any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts):
        raise ValueError("not a name that git takes")
    return value


def _tracked_path(value: str) -> str:
    if fault := path_fault(value) or ("it is a folder" if value.endswith("/") else None):
        raise ValueError(f"not a safe path: {fault}")
    return value


def _added_path(value: str) -> str:
    if any(part.lower() in (".git", ".gitattributes", ".gitignore", ".gitmodules") for part in value.split("/")):
        raise ValueError("git itself reads that file: nothing can be added there")
    if {".", ".."} & set(value.split("/")):
        raise ValueError("not a safe path: it climbs, or is not in normal form")
    return value


def _copy_place(value: str) -> str:
    if not value.startswith(COPIES):
        raise ValueError(f"copies stand below {' or '.join(COPIES)}")
    if any(part.startswith(".") for part in value.split("/")):
        raise ValueError("not a safe path: a part of it begins with a dot")
    return value


_PLAIN = r"[A-Za-z0-9._@+-]+"
CheckoutName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$", max_length=64),
    Field(title="a folder's name of letters, digits and ._-", examples=["playbooks"]),
]
RepositoryAddress: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_~-][A-Za-z0-9._~+-]*)+$", max_length=500
    ),
    Field(title="an https address of a git repository", examples=["https://example.org/OWNER/REPO.git"]),
]
GitName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{TAG_PATTERN}$", max_length=200),
    AfterValidator(_git_name),
    Field(title="a branch, a tag or a commit", examples=["main"]),
]
TrackedPath: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    AfterValidator(_tracked_path),
    Field(title="the path of a file of the checkout", examples=["scripts/install.sh"]),
]
AddedPath: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^{_PLAIN}(/{_PLAIN})*$", max_length=300),
    AfterValidator(_added_path),
    Field(title="a path below the checkout of letters, digits and ._@+-", examples=["group_vars/all/offline.yml"]),
]
CopyPlace: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^{_PLAIN}(/{_PLAIN})*$", max_length=300),
    AfterValidator(_copy_place),
    Field(title="a path below scripts/ or packages/bin/", examples=["scripts/install.sh"]),
]
AddedText: TypeAlias = Annotated[
    str, StringConstraints(max_length=_LONGEST_TEXT), Field(title="a file's text", examples=["demo: true"])
]


@dataclass(frozen=True)
class Repository:
    """One git repository, and how its checkout stands in the package."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    name: Annotated[CheckoutName, Field(description="Its folder below repos/, and the stem of metadata/NAME.commit.")]
    address: Annotated[RepositoryAddress, Field(description="Where git fetches it from, without credentials.")]
    ref: Annotated[GitName, Field(description="The branch, tag (which wins) or commit (40 digits) that is locked.")]
    branch: Annotated[
        GitName | None, Field(description="The branch that HEAD is on; without it HEAD is detached, and stays.")
    ] = None
    origin: Annotated[bool, Field(description="Whether the checkout has a remote `origin` of that address.")] = False
    copies: Annotated[
        Mapping[TrackedPath, CopyPlace],
        Field(description="Files of the checkout that stand elsewhere in the package too, by their paths."),
    ] = field(default_factory=dict)
    additions: Annotated[
        Mapping[AddedPath, AddedText],
        Field(description="Files that are put into the checkout, which git does not track or report: path and text."),
    ] = field(default_factory=dict)
    branches: Annotated[
        tuple[GitName, ...],
        AfterValidator(distinct),
        Field(description="Further local branches that point at the commit.", max_length=100),
    ] = ()

    def all_branches(self) -> tuple[str, ...]:
        """Every local branch, sorted."""
        return tuple(sorted({*self.branches, *((self.branch,) if self.branch else ())}))

    def problems(self) -> Iterator[str]:
        """Branches, or additions, of which one would be a folder for another."""
        for what, paths in (("branch", self.all_branches()), ("addition", tuple(self.additions))):
            for path in paths:
                if any(other.startswith(f"{path}/") for other in paths):
                    yield f"{self.name}: {what} {path} would be a folder and a file"
        if any(re.fullmatch(r"[0-9a-f]{40}|HEAD", branch) for branch in self.all_branches()):
            yield f"{self.name}: a branch has the name of something else"


@dataclass(frozen=True)
class Repositories:
    """The repositories that a manifest lists."""

    repositories: tuple[Repository, ...]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take them from a list."""
        return list_schema(cls, lambda made: made.repositories, Repository, handler)

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """Names and places that two of them share."""
        names = [one.name.casefold() for one in self.repositories]
        places = [place for one in self.repositories for place in one.copies.values()]
        for values in (names, places):
            yield from (f"{value} is there twice" for value in sorted({v for v in values if values.count(v) > 1}))
        for one in self.repositories:
            yield from one.problems()
        for place in places:
            if any(other.startswith(f"{place}/") for other in places):
                yield f"{place} would be a folder and a file"
