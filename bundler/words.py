"""The grammar of each word that files, releases and people have in common, once: digests, commits, tags, names.

Annotated types that pydantic checks; whoever matches one by hand compiles the pattern that stands here. A type's title
says what may stand there, its examples show it: in a manifest's JSON Schema, and to whoever wrote something else.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator, Field, StringConstraints

SHA256_PATTERN = r"[0-9a-f]{64}"
COMMIT_PATTERN = r"[0-9a-f]{40}"
# What SHA256SUMS can list.
ASSET_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
REPOSITORY_PATTERN = r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+"
TAG_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_./+-]*"
# How an archive's file name ends.
ARCHIVE = ".tar.gz"
# The file that lists the digests of all others; what signs it is called so too, with more behind.
SUMS = "SHA256SUMS"
# What GitHub takes for a file's name (255 bytes) holds for every name of ours.
LONGEST_NAME = 255
# A requirement such as name[extra]==1.89.0, fit to stand in a shell's assignment.
SPEC_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9][A-Za-z0-9,._-]*\])?==[A-Za-z0-9][A-Za-z0-9.+_-]*$"
_BESIDE = re.compile(rf"(?P<archive>.+?{re.escape(ARCHIVE)})(\..+)?")


def archive_of(name: str) -> str | None:
    """The archive that a file of this name is, is a part of or stands beside; None for any other name."""
    match = _BESIDE.fullmatch(name)
    return match["archive"] if match else None


def _plain_requirement(value: str) -> str:
    """A requirement (PEP 508) of a name and versions."""
    try:
        parsed = Requirement(value)
    except InvalidRequirement as error:
        raise ValueError("not a requirement, a name and its versions, such as demo>=1.2") from error
    if parsed.url or parsed.marker:
        raise ValueError("a requirement here is a name and versions, such as demo>=1.2; no address, no marker")
    return value


def _no_dots(value: str) -> str:
    """A name of two parts, neither of which climbs."""
    if {".", ".."} & set(value.split("/")):
        raise ValueError("an owner and a repository is wanted, such as OWNER/REPO; not a path")
    return value


def _ref(value: str) -> str:
    """A tag's name, as git-check-ref-format(1) has it."""
    if ".." in value or value.endswith((".", "/", ".lock")):
        raise ValueError("not a name that git takes")
    return value


Arch: TypeAlias = Literal["amd64", "arm64"]
Selector: TypeAlias = Annotated[str, Field(title="a target or a word for several", examples=["debian-12"])]
Word: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", max_length=64),
    Field(title="a word of small letters, digits, dots, hyphens and underscores", examples=["20250612"]),
]
# In capitals, a component's name begins a variable of runtime.env.
ComponentName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=64),
    Field(title="a name of small letters, digits and hyphens", examples=["demo"]),
]
Repository: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{REPOSITORY_PATTERN}$", max_length=200),
    AfterValidator(_no_dots),
    Field(title="a repository on GitHub", examples=["OWNER/REPO"]),
]
Spec: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=SPEC_PATTERN, max_length=200),
    AfterValidator(_plain_requirement),
    Field(title="a requirement of exactly one version", examples=["demo[extra]==1.2.3"]),
]
Wanted: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_plain_requirement),
    Field(title="a requirement", examples=["demo>=1.2"]),
]
ProjectName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=100),
    Field(title="a project's name", examples=["demo"]),
]
PythonVersion: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^3\.[0-9]{1,2}\.[0-9]{1,3}$"),
    Field(title="a Python version of three numbers", examples=["3.11.2"]),
]
Glibc: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^2\.[0-9]{1,2}$"), Field(title="a glibc version", examples=["2.36"])
]
MacosVersion: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^(1[1-9]|[2-9][0-9])\.0$"),
    Field(title="a macOS version of 11.0 or later", examples=["11.0"]),
]
Sha256: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{SHA256_PATTERN}$"),
    Field(title="a SHA-256 (64 hexadecimal digits in small letters)", examples=["0123456789abcdef" * 4]),
]
Commit: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{COMMIT_PATTERN}$"),
    Field(title="a commit (40 hexadecimal digits in small letters)", examples=["0123456789" * 4]),
]
AssetName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{ASSET_PATTERN}$", max_length=LONGEST_NAME),
    Field(title="a file name of letters, digits and ._+-", examples=["demo-linux-amd64.tar.gz"]),
]
Tag: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{TAG_PATTERN}$", max_length=200),
    AfterValidator(_ref),
    Field(title="a release's tag", examples=["v1.2.3"]),
]
Address: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^https://[^\s/]+/\S+$", max_length=2000),
    Field(title="an https address", examples=["https://example.org/demo-1.2.3.tar.gz"]),
]
DistroName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]{1,31}$"),
    Field(title="a distro's name of small letters and digits", examples=["debian"]),
]
DistroVersion: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?$"),
    Field(title="a distro's version of one or two numbers", examples=["24.04"]),
]
# A path below a folder, fit to stand in a shell script: no part begins with a dot.
PATH_PART = r"[A-Za-z0-9_@-][A-Za-z0-9._@+-]*"
PlainPath: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^{PATH_PART}(/{PATH_PART})*$", max_length=300),
    Field(title="a relative path of letters, digits and ._@+-", examples=["demo/data/file.txt"]),
]
