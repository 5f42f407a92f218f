"""Where in a package the repositories stand."""

from __future__ import annotations

import re

REPOSITORIES = "repos/"
# Where copies of single files may stand: the first is for nothing else.
COPIES = ("scripts/", "packages/bin/")
# The commit of each: a star stands for anything but a slash.
COMMITS = "metadata/*.commit"
PLACES = (REPOSITORIES, COPIES[0], COMMITS)
_COMMIT = re.compile(r"metadata/[^/]+\.commit")


def folder_of(name: str) -> str:
    """The folder of a checkout."""
    return f"{REPOSITORIES}{name}"


def commit_of(name: str) -> str:
    """The file that names a checkout's commit."""
    return f"metadata/{name}.commit"


def is_ours(path: str) -> bool:
    """Say whether a file stands where only repositories have files."""
    return path.startswith((REPOSITORIES, COPIES[0])) or _COMMIT.fullmatch(path) is not None
