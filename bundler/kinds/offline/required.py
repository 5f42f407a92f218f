"""What consumers stop without: each thing that an all-in-one package must hold, with what happens if it does not.

The list stands in the manifest. An archive carries its own target's, so that it can be judged without the manifest:

    packages/bin/ttyd.x86_64 is missing: the console's play runs `ttyd --version` and stops
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.errors import IntegrityError, UsageError
from bundler.kinds.offline.agreements import TargetWord
from bundler.model.contents import ListedFile
from bundler.model.json_text import parse_json
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.target import Target, select, selects
from bundler.model.verdict import Finding
from bundler.platforms import named

LARGEST = 1 << 20
# The list comes with the archive. A real one has some hundred patterns for 4,000 files, and texts of a few kB.
_MOST_LOOKS, _MOST_CHARACTERS = 10_000_000, 16 << 20
_FIELD = re.compile(r"\{([^{}]*)\}")


def _fields(value: str) -> str:
    if unknown := sorted(set(_FIELD.findall(value)) - {"distro", "version", "arch", "machine"}):
        raise ValueError(f"unknown field {{{unknown[0]}}}; there are {{distro}}, {{version}}, {{arch}} and {{machine}}")
    return value


def _one_double(value: str) -> str:
    if value.split("/").count("**") > 1 or "**" in value.replace("/**/", "//", 1):
        raise ValueError("** stands for any folders: once, between two slashes")
    return value


PathPattern = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._@+~*{}-]*(/[A-Za-z0-9._@+~*{}-]+)*$", max_length=300),
    AfterValidator(_fields),
    AfterValidator(_one_double),
    Field(title="a path, in which * and ** may stand", examples=["packages/demo/*.txt"]),
]
Line = Annotated[
    str,
    StringConstraints(pattern=r"^[ -~]+$", max_length=300),
    AfterValidator(_fields),
    Field(title="a line of text", examples=["ARCH={arch}"]),
]
PackageName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]{0,120}$"),
    Field(title="the name of a package of Debian", examples=["git"]),
]


@dataclass(frozen=True)
class Required:
    """Something that consumers stop without: a file, lines of it, or packages that apt can install.

    In paths and lines, {distro}, {version}, {arch} and {machine} (x86_64, aarch64) are the target's.
    """

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    why: Annotated[
        str,
        StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
        Field(
            title="a sentence",
            description="What in the consumers stops without it.",
            examples=["the installer finds no architecture and stops"],
        ),
    ]
    files: Annotated[
        tuple[PathPattern, ...],
        Field(max_length=10, description="A file, or one in the place of another; `*` stays in its folder."),
        AfterValidator(distinct),
    ] = ()
    one: Annotated[bool, Field(description="Whether exactly one file may be there; otherwise any number.")] = False
    executable: Annotated[bool, Field(description="Whether all those files are programs.")] = False
    first_lines: Annotated[
        tuple[Line, ...], Field(max_length=20, description="What the file's first lines are, exactly.")
    ] = ()
    lines: Annotated[
        tuple[Line, ...], Field(max_length=20, description="What lines of the file begin with, after spaces.")
    ] = ()
    names: Annotated[
        bool, Field(description="Whether the file lists packages: at least one, each of which apt can install.")
    ] = False
    packages: Annotated[
        tuple[PackageName, ...],
        Field(max_length=500, description="Packages that apt can install from the archive."),
        AfterValidator(distinct),
    ] = ()
    targets: Annotated[
        tuple[TargetWord, ...], Field(min_length=1, description="The targets whose consumers need it.")
    ] = ("all",)
    if_there: Annotated[PathPattern | None, Field(description="Only where such a file is there.")] = None
    if_package: Annotated[PackageName | None, Field(description="Only where this package is there.")] = None
    unless_package: Annotated[PackageName | None, Field(description="Only where this package is not there.")] = None

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What is wrong with it that no single value shows."""
        if not self.files and not self.packages:
            yield f"required: neither files nor packages: {self.why}"
        if not self.files and (self.one or self.executable or self.first_lines or self.lines or self.names):
            yield f"required: something is said of files, and none are named: {self.why}"
        try:
            select(targets, self.targets)
        except UsageError as error:
            yield f"required: {error.message}"


@dataclass(frozen=True)
class Held:
    """What an archive holds, as far as it is required: `texts` are small files' bytes, by path.

    `packages` are the names that apt can install from it, those that packages provide included.
    """

    files: Mapping[str, ListedFile]
    texts: Mapping[str, bytes]
    packages: Set[str]


def required_on(required: Iterable[Required], target: Target) -> tuple[Required, ...]:
    """What is required on one target, with the target's words in the place of fields."""
    words = {"distro": target.distro, "version": target.version, "arch": target.arch}
    platform, arch = named(target.platform)
    words["machine"] = platform.MACHINES[arch]

    def filled(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_FIELD.sub(lambda match: words[match[1]], text) for text in texts)

    return tuple(
        replace(
            one,
            files=filled(one.files),
            first_lines=filled(one.first_lines),
            lines=filled(one.lines),
            if_there=filled((one.if_there,))[0] if one.if_there else None,
            targets=("all",),
        )
        for one in required
        if selects(one.targets, target)
    )


def written(required: Sequence[Required]) -> bytes:
    """What an archive says is required of it: JSON."""
    document = _adapter().dump_python(tuple(required), mode="json", by_alias=True, exclude_defaults=True)
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def parse_required(content: bytes) -> tuple[Required, ...]:
    """Read what an archive says is required of it. Raises IntegrityError."""
    try:
        return _adapter().validate_python(parse_json(content, LARGEST))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except ValueError as error:
        reason = str(error)
    raise IntegrityError(f"what the archive says is required of it cannot be read: {reason}")


def findings(required: Sequence[Required], held: Held) -> Iterator[Finding]:
    """What consumers stop without that is not there: one finding for each thing that is required."""
    paths = sorted(held.files)
    patterns = [pattern for one in required for pattern in (*one.files, one.if_there or "") if "*" in pattern]
    if len(patterns) * len(paths) > _MOST_LOOKS:
        yield Finding(
            f"{len(patterns)} patterns of what the archive says is required are too many for {len(paths)} files"
        )
        return
    left = _MOST_CHARACTERS
    for one in required:
        if one.first_lines or one.lines or one.names:
            left -= sum(len(held.texts.get(path, b"")) for path in _matching(one.files, paths)) * (1 + len(one.lines))
        if left < 0:
            yield Finding("what the archive says is required of texts takes too long to be looked for")
            return
        if _applies(one, held, paths) and (fault := _fault(one, held, paths)):
            yield Finding(f"{fault}: {one.why}", "closure")


def _applies(one: Required, held: Held, paths: Sequence[str]) -> bool:
    return (
        (one.if_there is None or bool(_matching((one.if_there,), paths)))
        and (one.if_package is None or one.if_package in held.packages)
        and (one.unless_package is None or one.unless_package not in held.packages)
    )


def _fault(one: Required, held: Held, paths: Sequence[str]) -> str:
    """What is wrong with what is required; "" if nothing is."""
    there = _matching(one.files, paths)
    if one.files and not there:
        return f"{' or '.join(one.files)} is missing"
    if one.one and len(there) > 1:
        return f"{len(there)} files are there where one is wanted: {', '.join(there[:3])}"
    if one.executable and (plain := [path for path in there if not held.files[path].executable]):
        return f"{plain[0]} is not executable"
    for path in there:
        if fault := _text_fault(one, held, held.texts.get(path)):
            return f"{path} {fault}"
    if lacking := [name for name in one.packages if name not in held.packages]:
        return f"no package {_listed(lacking)} can be installed from the archive"
    return ""


def _text_fault(one: Required, held: Held, content: bytes | None) -> str:
    if not (one.first_lines or one.lines or one.names):
        return ""
    if content is None:
        return "is not read"
    lines = content.decode("utf-8", "replace").split("\n")
    wrong = [wanted for at, wanted in enumerate(one.first_lines) if lines[at : at + 1] != [wanted]]
    if wrong:
        return f"has no line {wrong[0]!r} where it is wanted"
    if lacking := [start for start in one.lines if not any(line.lstrip().startswith(start) for line in lines)]:
        return f"has no line that begins with {lacking[0]!r}"
    names = [line.strip() for line in lines if line.strip()] if one.names else ["-"]
    if not names:
        return "names no package"
    if lacking := [name for name in names if one.names and name not in held.packages]:
        return f"names {_listed(lacking)}, which cannot be installed from the archive"
    return ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(name[:100] for name in names[:10]) + more


def _matching(patterns: Iterable[str], paths: Sequence[str]) -> list[str]:
    """The paths that any of the patterns stands for, in order."""
    found: set[str] = set()
    for pattern in patterns:
        start = pattern.partition("*")[0]
        found.update(path for path in paths if path.startswith(start) and is_like(path, pattern))
    return sorted(found)


def is_like(path: str, pattern: str) -> bool:
    """Say whether a pattern stands for a path: `*` for a part of a name, `**` between slashes for any folders.

    Takes time in proportion to the product of their lengths at most.
    """
    names, wanted = path.split("/"), pattern.split("/")
    if "**" in wanted:
        at = wanted.index("**")
        tail = wanted[at + 1 :]
        if len(names) < at + len(tail):
            return False
        names, wanted = [*names[:at], *names[len(names) - len(tail) :]], [*wanted[:at], *tail]
    return len(names) == len(wanted) and all(map(_name_is_like, names, wanted))


def _name_is_like(name: str, pattern: str) -> bool:
    """The same of one name. Between two stars, the first place that fits is the best one."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


@cache
def _adapter() -> TypeAdapter[tuple[Required, ...]]:
    return TypeAdapter(Annotated[tuple[Required, ...], Field(max_length=500)])
