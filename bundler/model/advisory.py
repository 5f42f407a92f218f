"""Advisories in OSV's format (https://ossf.github.io/osv-schema/), and which versions they are about.

A version is affected if an advisory lists it, or if one of its ranges holds it (the schema's section "Evaluation"):
after `introduced`, before `fixed`, not after `last_affected`. Ranges of commits tell nothing of a version. What cannot
be compared is not passed over: it is told as not to be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar, Literal, TypeAlias

from packaging.utils import canonicalize_name
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.model.json_text import first_fault, limited
from bundler.model.moment import in_utc
from bundler.model.version_order import Order, less, order_of

# Fields that are not read may be there: OSV adds some with each minor version.
_CONFIG = ConfigDict(extra="ignore", strict=True)
_MOST_IDS, _MOST_VERSIONS, _MOST_EVENTS, _MOST_AFFECTED = 500, 20_000, 2_000, 5_000
# The largest record known has 600 kB.
LARGEST_RECORD = 16 << 20
_MOST_VALUES, _LONGEST_WORD = 1_000_000, 20
_PRINTED = r"^[^\x00-\x1f\x7f-\x9f]+$"

Id: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+-]*$", max_length=100)]
VersionText: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_PRINTED)]
Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_PRINTED)]


@dataclass(frozen=True, order=True)
class Package:
    """One version of a project, as advisories name it. `ecosystem` may have a release: `Debian:12`."""

    ecosystem: str
    name: str
    version: str

    @property
    def key(self) -> tuple[str, str]:
        """What advisories are found by."""
        return self.ecosystem, self.name


@dataclass(frozen=True)
class Event:
    """A turn of a range: exactly one of these is there."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    introduced: VersionText | None = None
    fixed: VersionText | None = None
    last_affected: VersionText | None = None
    limit: VersionText | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if it is none, or several at once."""
        told = (self.introduced, self.fixed, self.last_affected, self.limit)
        if sum(one is not None for one in told) != 1:
            raise ValueError("an event is exactly one of introduced, fixed, last_affected and limit")


@dataclass(frozen=True)
class Range:
    """Versions from events to events; commits (`GIT`) are not looked at."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    type: Literal["ECOSYSTEM", "SEMVER", "GIT"]
    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=_MOST_EVENTS)]

    def holds(self, ecosystem: str, version: Order) -> bool:
        """Whether a version is in it. Raises ValueError if an event cannot be compared."""
        limits = [one.limit for one in self.events if one.limit is not None]
        if limits and not any("*" in one or less(version, order_of(ecosystem, one)) for one in limits):
            return False
        affected = False
        for turn in sorted(self._turns(ecosystem)):
            affected = turn.after(version, affected)
        return affected

    def _turns(self, ecosystem: str) -> Iterator[_Turn]:
        for one in self.events:
            if one.introduced is not None:
                yield _Turn(None if one.introduced == "0" else order_of(ecosystem, one.introduced), "introduced")
            elif one.fixed is not None:
                yield _Turn(order_of(ecosystem, one.fixed), "fixed")
            elif one.last_affected is not None:
                yield _Turn(order_of(ecosystem, one.last_affected), "last affected")


# At one version: what is fixed and introduced in it is affected; what is introduced and last affected in it is, too.
_KINDS = ("fixed", "introduced", "last affected")


@dataclass(frozen=True)
class _Turn:
    """An event as it is compared; `at` is None before every version."""

    at: Order | None
    kind: str

    def __lt__(self, other: _Turn) -> bool:
        if self.at is None or other.at is None:
            return other.at is not None
        if self.at == other.at:
            return _KINDS.index(self.kind) < _KINDS.index(other.kind)
        return less(self.at, other.at)

    def after(self, version: Order, affected: bool) -> bool:
        """Whether a version is affected, knowing whether the turns before said so."""
        if self.at is None or less(self.at, version):
            return self.kind == "introduced"
        if less(version, self.at) or self.kind == "last affected":
            return affected
        return self.kind == "introduced"


@dataclass(frozen=True)
class Named:
    """The project that is affected."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    ecosystem: Name
    name: Name


@dataclass(frozen=True)
class Fixed:
    """What an index tells in place of ranges: the versions that are not affected any more."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    fixed: Annotated[tuple[VersionText, ...], Field(max_length=_MOST_EVENTS, alias="fixed-in-index")] = ()


@dataclass(frozen=True)
class Affected:
    """A project and its versions that are affected."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    package: Named | None = None
    ranges: Annotated[tuple[Range, ...], Field(max_length=_MOST_EVENTS)] = ()
    versions: Annotated[tuple[VersionText, ...], Field(max_length=_MOST_VERSIONS)] = ()
    database_specific: Fixed | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What advisories are found by: ecosystem and name as they are compared; empty if it is of no package."""
        if self.package is None:
            return "", ""
        return self.package.ecosystem, comparable(self.package.ecosystem, self.package.name)

    def judged(self, package: Package) -> bool | None:
        """Whether it is about a version; None if that cannot be told."""
        if any(self.lists(text, package) for text in self.versions):
            return True
        try:
            version = order_of(package.ecosystem, package.version)
        except ValueError:
            return None
        known = [self._in(one, package.ecosystem, version) for one in self.ranges if one.type != "GIT"]
        if not self.versions and not known:
            return None
        return True if True in known else None if None in known else False

    def lists(self, text: str, package: Package) -> bool:
        """Whether one of the listed versions is a package's, maybe in another spelling."""
        try:
            return text == package.version or self._same(text, package)
        except ValueError:
            return False

    def _same(self, text: str, package: Package) -> bool:
        return order_of(package.ecosystem, text) == order_of(package.ecosystem, package.version)

    def _in(self, one: Range, ecosystem: str, version: Order) -> bool | None:
        try:
            return one.holds(ecosystem, version)
        except ValueError:
            return None

    def fixes(self, package: Package) -> Iterator[str]:
        """Yield the versions above one in which it is not affected any more, as they are told."""
        told = (event.fixed for one in self.ranges if one.type != "GIT" for event in one.events if event.fixed)
        for text in (*told, *(self.database_specific.fixed if self.database_specific else ())):
            try:
                if less(order_of(package.ecosystem, package.version), order_of(package.ecosystem, text)):
                    yield text
            except ValueError:
                yield text


@dataclass(frozen=True)
class Severity:
    """How grave it is, by one of several measures (CVSS)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    type: Annotated[str, StringConstraints(max_length=50, pattern=_PRINTED)]
    score: Annotated[str, StringConstraints(max_length=300, pattern=_PRINTED)]


@dataclass(frozen=True)
class Word:
    """How grave it is in a word, where its database says so."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    severity: object = None


@dataclass(frozen=True)
class Advisory:
    """One record. A `withdrawn` one does not count; `modified` is a time (UTC)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    id: Id
    modified: Annotated[AwareDatetime, AfterValidator(in_utc)]
    withdrawn: AwareDatetime | None = None
    aliases: Annotated[tuple[Id, ...], Field(max_length=_MOST_IDS)] = ()
    summary: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    severity: Annotated[tuple[Severity, ...], Field(max_length=_MOST_IDS)] | None = None
    affected: Annotated[tuple[Affected, ...], Field(max_length=_MOST_AFFECTED)] | None = None
    database_specific: Word | None = None

    @property
    def ids(self) -> frozenset[str]:
        """What it is called, by its own database and others."""
        return frozenset((self.id, *self.aliases))

    @property
    def gravity(self) -> str:
        """How grave it is: a word if there is one, else a measure; "" if neither."""
        word = self.database_specific.severity if self.database_specific else None
        if isinstance(word, str) and word.isalpha() and len(word) <= _LONGEST_WORD:
            return word.lower()
        return self.severity[0].score if self.severity else ""

    def of(self, key: tuple[str, str]) -> Sequence[Affected]:
        """What it says of a project."""
        return [one for one in self.affected or () if one.key == key]

    def judged(self, package: Package) -> bool | None:
        """Whether it is about a version; None if that cannot be told."""
        said = [one.judged(package) for one in self.of(package.key)]
        return True if True in said else None if None in said else False


def comparable(ecosystem: str, name: str) -> str:
    """A project's name as it is compared."""
    return canonicalize_name(name) if ecosystem == "PyPI" else name


def parse_advisory(content: bytes) -> Advisory:
    """Parse one record. Raises ValueError."""
    if len(content) > LARGEST_RECORD:
        raise ValueError(f"larger than {LARGEST_RECORD} bytes")
    try:
        return advisory_adapter().validate_json(limited(content, _MOST_VALUES))
    except ValidationError as error:
        raise ValueError(first_fault(error)) from error


@cache
def advisory_adapter() -> TypeAdapter[Advisory]:
    """What records are read and written by."""
    return TypeAdapter(Advisory)
