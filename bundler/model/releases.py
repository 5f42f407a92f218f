"""Newer releases of a project, and the newest of them that does what is wanted; newest first.

Prereleases and yanked files do not count, as pip has it, nor does what was uploaded too late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from bundler.errors import BundleError
from bundler.model.interpreter import Interpreter
from bundler.model.wheel_name import parse_wheel_name

# So many are looked at one after the other from the newest on; of older ones it is assumed that once one does, all
# that are older do, so that a few looks suffice.
WALKED = 20


@dataclass(frozen=True)
class ReleaseFile:
    """A wheel as an index lists it: when it was uploaded (RFC 3339), and what its metadata says of Python, if told."""

    filename: str
    requires_python: str = ""
    uploaded: str = ""
    yanked: bool = False


@dataclass(frozen=True)
class Tried:
    """A release that was looked at. `closes`: how far it was shown that wheels alone suffice on the target.

    `resolved`: a set of wheels was found; `proven`: and their own metadata is satisfied by them. Else `reason` says why
    not, in one line. `packages` is how many wheels there are.
    """

    version: str
    closes: Literal["proven", "resolved", ""] = ""
    reason: str = ""
    packages: int = 0


@dataclass(frozen=True)
class Standing:
    """How a target stands to the newer releases of what its component asks for.

    `component` is the manifest's file stem, `newer` are the releases that are newer than `version`, and `tried` those
    of them that were looked at, both newest first. `detail` says why none was looked for. `yanked` are wheels of its
    lock that the index withdrew since, and why, one line each.
    """

    component: str
    target: str
    requirement: str
    version: str
    newer: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    detail: str = ""
    yanked: tuple[str, ...] = ()
    error: BundleError | None = None

    @property
    def best(self) -> Tried | None:
        """The newest that closes, of those that were looked at."""
        return next((one for one in self.tried if one.closes), None)


def newer_releases(files: Iterable[ReleaseFile], than: str, before: str) -> dict[str, tuple[ReleaseFile, ...]]:
    """The wheels of each release that is newer than the version `than`, newest first, uploaded until `before`."""
    found: dict[Version, list[ReleaseFile]] = {}
    for file in files:
        try:
            version = parse_wheel_name(file.filename)[1]
            late = bool(file.uploaded) and _moment(file.uploaded) > _moment(before)
        except ValueError:
            continue  # not for pip either
        if version > Version(than) and not (file.yanked or late or version.is_prerelease):
            found.setdefault(version, []).append(file)
    return {str(version): tuple(found[version]) for version in sorted(found, reverse=True)}


def _moment(text: str) -> datetime:
    """A time with its zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment


def own_fault(files: Sequence[ReleaseFile], python: Interpreter) -> str:
    """Say why none of a release's own wheels fits an interpreter, as their names and the index tell; "" if one does."""
    supported = frozenset(python.tags)
    fitting = [file for file in files if not parse_wheel_name(file.filename)[3].isdisjoint(supported)]
    if not fitting:
        return "it has no wheel for the target"
    if not any(_takes(file.requires_python, python.version) for file in fitting):
        return f"it requires Python {fitting[0].requires_python}"
    return ""


def _takes(requires_python: str, version: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True  # the metadata will tell


def search(versions: Sequence[str], look: Callable[[str], Tried], *, every: bool) -> Iterator[Tried]:
    """Look at releases, newest first, until one closes; at `every` one if asked for."""
    for version in versions if every else versions[:WALKED]:
        yield (tried := look(version))
        if tried.closes and not every:
            return
    low, high = WALKED, len(versions)
    while not every and low < high:
        middle = (low + high) // 2
        yield (tried := look(versions[middle]))
        low, high = (low, middle) if tried.closes else (middle + 1, high)
