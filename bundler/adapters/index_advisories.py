"""What the package index tells of advisories beside its pages: Warehouse's JSON API, with PyPA's advisory database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Annotated, ClassVar

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.adapters.credentials import origin_of
from bundler.adapters.http import Http, MissingError, redact
from bundler.errors import IntegrityError, UnreachableError
from bundler.model.advisories import Advisories
from bundler.model.advisory import Advisory, Affected, Fixed, Id, Named, Package, VersionText
from bundler.model.json_text import first_fault, limited
from bundler.progress import Progress

_LARGEST_ANSWER, _MOST_ANSWER_VALUES, _MOST_TOLD = 16 << 20, 500_000, 2_000
_LONGEST_NAME = 80
_INDEX = "the package index"
# How simple indexes' addresses end; what an index tells of a release stands beside that.
_SIMPLE = ("simple", "+simple")
_NONE_SERVED = "give --advisories FILE: a snapshot of `audit --snapshot`, or what OSV exports (all.zip)"
_LYING = "ask another index, or give --advisories FILE"


@dataclass(frozen=True)
class _Told:
    """What an index tells of one advisory (Warehouse's JSON API); `fixed_in` are versions, in no order."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True)
    id: Id
    aliases: Annotated[tuple[Id, ...], Field(max_length=500)] = ()
    summary: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    fixed_in: Annotated[tuple[VersionText, ...], Field(max_length=500)] = ()
    withdrawn: str | None = None


@dataclass(frozen=True)
class _Release:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True)
    name: str
    version: str


@dataclass(frozen=True)
class _Answer:
    """What an index says of one release. An index that knows of advisories says so, also if there is none."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True)
    info: _Release
    vulnerabilities: Annotated[tuple[_Told, ...], Field(max_length=_MOST_TOLD)] | None = None


def ask_index(
    http: Http, index: str, packages: Sequence[Package], today: date, at_once: int, progress: Progress
) -> Advisories:
    """Ask the index whose simple pages are below `index` for what it knows of Python packages.

    What it does not know is not among what was asked for. Raises UnreachableError, also if it knows nothing at all;
    IntegrityError if it says what cannot be.
    """
    base, _, last = index.rstrip("/").rpartition("/")
    if last not in _SIMPLE:
        raise UnreachableError(f"{redact(index)}: where such an index tells of advisories is not known", _NONE_SERVED)
    wanted = [package for package in packages if package.ecosystem == "PyPI"]
    told: dict[Package, tuple[_Told, ...]] = {}
    progress.say(f"asking the package index about {len(wanted)} packages")
    pool = ThreadPoolExecutor(at_once, "advisories")
    try:
        running = [(package, pool.submit(_asked, http, base, package)) for package in wanted]
        for package, future in running:
            if (found := future.result()) is not None:
                told[package] = found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # the first failure is told; the others would say the same
    if wanted and not told:
        raise UnreachableError(f"{redact(index)} serves no advisories of what is asked for", _NONE_SERVED)
    return Advisories(today, _INDEX, _merged(told, today), frozenset(told))


def _asked(http: Http, base: str, package: Package) -> tuple[_Told, ...] | None:
    """What an index tells of one version; None if it does not know it. Raises UnreachableError, IntegrityError."""
    address = f"{base}/pypi/{package.name}/{package.version}/json"
    try:
        page = http.get(address, "application/json", _LARGEST_ANSWER)
    except MissingError:
        return None
    shown = redact(address)
    if origin_of(page.address) != origin_of(address):
        raise IntegrityError(f"{shown} leads to another server: {redact(page.address)}", _LYING)
    try:
        answer = _answer_adapter().validate_json(limited(page.content, _MOST_ANSWER_VALUES))
        same = canonicalize_name(answer.info.name) == package.name
        same = same and Version(answer.info.version) == Version(package.version)
    except ValidationError as error:
        raise IntegrityError(f"{shown}: no answer of an index: {first_fault(error)}", _LYING) from error
    except (InvalidVersion, ValueError) as error:
        raise IntegrityError(f"{shown}: no answer of an index", _LYING) from error
    if not same:
        said = f"{answer.info.name} {answer.info.version}"
        raise IntegrityError(f"{shown}: it tells of another package: {said[:_LONGEST_NAME]}", _LYING)
    return answer.vulnerabilities


def _merged(told: Mapping[Package, Sequence[_Told]], today: date) -> tuple[Advisory, ...]:
    """An advisory for each id, of all versions for which it was told. The index tells no time of its last change."""
    found: dict[str, Advisory] = {}
    at = datetime.combine(today, time(), UTC)
    for package, some in sorted(told.items()):
        for one in (one for one in some if one.withdrawn is None):
            before = found.get(one.id) or Advisory(one.id, at, aliases=one.aliases, summary=one.summary, affected=())
            affected = Affected(
                Named(package.ecosystem, package.name), (), (package.version,), Fixed(tuple(sorted(one.fixed_in)))
            )
            aliases = tuple(sorted({*before.aliases, *one.aliases}))
            found[one.id] = replace(before, aliases=aliases, affected=(*(before.affected or ()), affected))
    return tuple(found[name] for name in sorted(found))


@cache
def _answer_adapter() -> TypeAdapter[_Answer]:
    return TypeAdapter(_Answer)
