"""What target.env may export, which root's shells read with `source`, and where parts of a package may stand.

A value cannot expand to anything but the package's folder, or end a word. A name begins with a word of the package's
own name or of a repository that it carries, since many others make a program run, load or fetch something: LD_PRELOAD,
NODE_OPTIONS, PIP_INDEX_URL, ANSIBLE_CONFIG.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints

from bundler.errors import IntegrityError
from bundler.kinds import runtime_env
from bundler.kinds.offline.places import MIRROR
from bundler.model.variables import NAME_PATTERN, is_of_others
from bundler.words import PATH_PART

# What the consumers ask for by another name: where downloads from GitHub, and npm's cache, are asked for.
_OTHERS = ("GITHUB_PROXY", "NPM_CONFIG_CACHE", "NPM_CONFIG_PREFER_OFFLINE")


def _place(*folders: str) -> AfterValidator:
    """A path below one of these folders, in which {arch} may stand."""

    def check(value: str) -> str:
        plain = value.replace("{arch}", "amd64").replace("{asset}", "asset")
        if not re.fullmatch(rf"({'|'.join(folders)})(/({PATH_PART}|https:))+", plain):
            raise ValueError(f"a path below {' or '.join(folders)}; {{arch}} may stand in it")
        return value

    return AfterValidator(check)


Copy: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=300),
    _place("metadata", "packages/bin"),
    Field(title="a path below metadata/ or packages/bin/", examples=["packages/bin/demo.{arch}"]),
]
Link: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=300),
    _place(MIRROR),
    Field(title=f"a path below {MIRROR}/", examples=[f"{MIRROR}/https:/example.org/latest/{{asset}}"]),
]
Exported: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=300, pattern=r"^(?:[A-Za-z0-9._:/@+=,-]|\$\{ROOT\})+$"),
    Field(title="a value of letters, digits and ._:/@+=,- in which ${ROOT} may stand", examples=["${ROOT}/repos/demo"]),
]
Variable: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN, max_length=64),
    Field(title="a variable of capital letters, digits and underscores", examples=["DEMO_FOLDER"]),
]
Redirected: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~+/-]+$", max_length=500),
    Field(title="an https address of letters, digits and ._~+-", examples=["https://example.org/OWNER/REPO.git"]),
]
Folder: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^{PATH_PART}$", max_length=100),
    Field(title="a folder's name", examples=["demo"]),
]


def export_fault(names: Iterable[str], package: str, folders: Iterable[str]) -> str:
    """Say which variable target.env may not export; "" if it may all.

    `package` is the package's name, `folders` are those of repositories that addresses lead to.
    """
    words = {re.split("[^A-Z0-9]", owner.upper())[0] for owner in (package, *folders)}
    own = tuple(f"{word}_" for word in words if word and not is_of_others(word))
    if bad := next((name for name in names if name not in _OTHERS and not name.startswith(own)), None):
        shown = ", ".join(sorted(f"{prefix}…" for prefix in own)[:10])
        return f"{bad} is not to be set for everything that an installation runs; {shown} and {', '.join(_OTHERS)} are"
    return ""


def sourced_fault(content: bytes, component: str) -> str:
    """Say what is wrong with a component's file of variables, which root's shells read too; "" if nothing is."""
    try:
        runtime_env.parse(content, component)
    except IntegrityError as error:
        return error.message
    return ""
