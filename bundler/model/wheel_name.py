"""The file name of a wheel (binary distribution format specification), parsed within limits."""

from __future__ import annotations

from functools import lru_cache

from packaging.tags import Tag
from packaging.utils import BuildTag, NormalizedName, parse_wheel_filename
from packaging.version import Version

# The local version label (PEP 440) of wheels that are made here, of others' parts.
MADE_LABEL = "aiws"

# What a file system takes, and what real names hold many times over: `py2.py3-none-any` means two tags, and
# `a.b-c.d-e.f` means eight, so a name of 255 characters could mean half a million.
_LONGEST, _MOST_TAGS = 255, 256


@lru_cache(maxsize=4096)
def parse_wheel_name(filename: str) -> tuple[NormalizedName, Version, BuildTag, frozenset[Tag]]:
    """Parse a wheel's file name to project, version, build and tags. Raises ValueError if it is none."""
    if len(filename) > _LONGEST:
        raise ValueError(f"{filename[:60]!r}… has {len(filename)} characters, {_LONGEST} are the most for a wheel")
    most = 1
    for compressed in filename.removesuffix(".whl").split("-")[-3:]:
        most *= compressed.count(".") + 1
    if most > _MOST_TAGS:
        raise ValueError(f"{filename!r} means {most} tags, {_MOST_TAGS} are the most")
    return parse_wheel_filename(filename)


def is_made(filename: str) -> bool:
    """Say whether a wheel's file name says that it is made here. Raises ValueError if it is no wheel's."""
    local = parse_wheel_name(filename)[1].local
    return local is not None and local.split(".")[0] == MADE_LABEL


def made_version(version: str, revision: int) -> str:
    """The version of what is made of `version` here, for the `revision`th time: `0.15.0+aiws.1`."""
    return f"{version}+{MADE_LABEL}.{revision}"
