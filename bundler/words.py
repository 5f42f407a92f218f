"""The grammar of each word that files, releases and people have in common, once: digests, commits, tags, names.

Annotated types that pydantic checks; whoever matches one by hand compiles the pattern that stands here.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator, StringConstraints

SHA256_PATTERN = r"[0-9a-f]{64}"
COMMIT_PATTERN = r"[0-9a-f]{40}"
# What SHA256SUMS can list.
ASSET_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
REPOSITORY_PATTERN = r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+"
TAG_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_./+-]*"
# How an archive's file name ends.
ARCHIVE = ".tar.gz"
# What GitHub takes for a file's name (255 bytes) holds for every name of ours.
LONGEST_NAME = 255
# A requirement such as name[extra]==1.89.0, fit to stand in a shell's assignment.
SPEC_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9][A-Za-z0-9,._-]*\])?==[A-Za-z0-9][A-Za-z0-9.+_-]*$"


def _plain_requirement(value: str) -> str:
    """A requirement (PEP 508) of a name and versions."""
    try:
        parsed = Requirement(value)
    except InvalidRequirement as error:
        raise ValueError(f"not a requirement: {error}".splitlines()[0]) from error
    if parsed.url or parsed.marker:
        raise ValueError("a requirement here is a name and versions; no address, no marker")
    return value


def _no_dots(value: str) -> str:
    """A name of two parts, neither of which climbs."""
    if {".", ".."} & set(value.split("/")):
        raise ValueError("an owner and a repository, not a path")
    return value


def _ref(value: str) -> str:
    """A tag's name, as git-check-ref-format(1) has it."""
    if ".." in value or value.endswith((".", "/", ".lock")):
        raise ValueError("not a name that git takes")
    return value


Arch: TypeAlias = Literal["amd64", "arm64"]
Word: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", max_length=64)]
# In capitals, a component's name begins a variable of runtime.env.
ComponentName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=64)]
Repository: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{REPOSITORY_PATTERN}$", max_length=200),
    AfterValidator(_no_dots),
]
Spec: TypeAlias = Annotated[
    str, StringConstraints(pattern=SPEC_PATTERN, max_length=200), AfterValidator(_plain_requirement)
]
Wanted: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_plain_requirement)]
PythonVersion: TypeAlias = Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}\.[0-9]{1,3}$")]
Glibc: TypeAlias = Annotated[str, StringConstraints(pattern=r"^2\.[0-9]{1,2}$")]
Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{SHA256_PATTERN}$")]
Commit: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{COMMIT_PATTERN}$")]
AssetName: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{ASSET_PATTERN}$", max_length=LONGEST_NAME)]
Tag: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{TAG_PATTERN}$", max_length=200), AfterValidator(_ref)]
Address: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https://[^\s/]+/\S+$", max_length=2000)]
DistroName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,31}$")]
DistroVersion: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?$")]
# A path below a folder, fit to stand in a shell script: no part begins with a dot.
PATH_PART = r"[A-Za-z0-9_@-][A-Za-z0-9._@+-]*"
PlainPath: TypeAlias = Annotated[str, StringConstraints(pattern=rf"^{PATH_PART}(/{PATH_PART})*$", max_length=300)]
