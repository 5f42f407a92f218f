"""Locks: every version, file name, size and SHA-256 of a target's wheelhouse, as a PEP 751 `pylock.<target>.toml`.

A lock names no index. Each wheel has `name`, `path` (its bare file name), `size` and `hashes`; where to fetch it is
found when it is fetched. What PEP 751 has no place for stands in the `tool.aiws-bundle` tables.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from itertools import chain
from typing import Annotated, ClassVar

import tomli_w
from packaging.markers import Marker
from packaging.pylock import Package, PackageWheel, Pylock, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import AfterValidator, AliasChoices, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo

from bundler.errors import LockError
from bundler.kinds.wheelhouse.request import Request
from bundler.model.bundle import LOCK
from bundler.model.known_bad import bad_among
from bundler.model.locked_wheel import LockedWheel, Source
from bundler.model.manifest_values import adapter_of
from bundler.model.needs import PARSING
from bundler.model.paths import is_plain_name
from bundler.model.publisher import Publisher
from bundler.model.target import platform_of
from bundler.model.toml import parse_toml
from bundler.model.versions import parse_versions
from bundler.model.wheel_name import is_made, parse_wheel_name
from bundler.payloads import SECTIONS
from bundler.payloads.payload import Parts, Pinned, PythonPart
from bundler.platforms import FLOOR_KEYS, marker, named
from bundler.words import SHA256_PATTERN, ProjectName, PythonVersion, Spec, Wanted

TOOL = "aiws-bundle"
# The public index files a wheel below the BLAKE2b-256 digest of its bytes (Warehouse); any index may do the same.
_HINT = re.compile(r"packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}")
_SHA256 = re.compile(SHA256_PATTERN)
_LARGEST_WHEEL = 1 << 31


class MalformedLockError(LockError):
    """A lock file that aiws-bundle did not write; `line` counts from 1, 0 if unknown."""

    def __init__(self, name: str, reason: str, line: int, hint: str) -> None:
        super().__init__(f"{name} is not a lock that aiws-bundle wrote: {reason}", hint)
        self.reason, self.line = f"not a lock that aiws-bundle wrote: {reason}", line


def _chosen(versions: dict[str, str]) -> dict[str, str]:
    if parse_versions(tuple(f"{name}={version}" for name, version in versions.items())) != versions:
        raise ValueError("not names and versions as `lock --set` writes them")
    return versions


def _target(name: str) -> str:
    platform_of(name)  # ValueError
    return name


def _floor(version: str, info: ValidationInfo[object]) -> str:
    if "target" in info.data:  # else what is wrong with that is told
        named(platform_of(str(info.data["target"])))[0].floor_of(version)  # ValueError
    return version


@dataclass(frozen=True)
class LockFacts:
    """The `tool.aiws-bundle` table without the tables of payloads: what the lock was made from and by.

    `floor` stands below the key that its platform has for it: `glibc = "2.36"`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", alias_generator=lambda name: name.replace("_", "-")
    )
    target: Annotated[str, AfterValidator(_target)]
    manifest_sha256: str
    requirement: Spec
    requirements: tuple[Wanted, ...]
    python: PythonVersion
    portable: bool
    floor: Annotated[str, AfterValidator(_floor), Field(validation_alias=AliasChoices(*FLOOR_KEYS))]
    resolver: str
    exclude_newer: str
    startup_files: tuple[ProjectName, ...] = ()
    set: Annotated[dict[str, str], AfterValidator(_chosen)] = field(default_factory=dict)


@dataclass(frozen=True)
class Lock:
    """A resolved wheelhouse: what it is for, its wheels sorted by project, and what else is pinned, by section."""

    facts: LockFacts
    wheels: tuple[LockedWheel, ...]
    sections: tuple[tuple[str, Pinned], ...] = ()

    @classmethod
    def parse(cls, text: str, name: str, again: str = "") -> Lock:
        """Parse a lock; `name` is what errors call it, `again` what they say to do. Raises LockError."""
        try:
            document = parse_toml(text)
            with PARSING:
                pylock = Pylock.from_dict(document)
            table: object = dict(pylock.tool or {}).get(TOOL)
            own = {k: v for k, v in table.items() if k not in SECTIONS} if isinstance(table, dict) else table
            facts = _facts_adapter().validate_python(own)
            lock = cls(facts, tuple(_wheel(package) for package in pylock.packages), tuple(_sections(table)))
            for section, pinned in lock.sections:
                if unlisted := set(pinned.wheels()) - set(lock.wheels):
                    raise ValueError(f"tool.{TOOL}.{section}: {unlisted.pop().filename} is not among the packages")
            return lock
        except (PylockValidationError, ValidationError, ValueError, RecursionError) as error:
            place = re.search(r"\(at line (\d+), column \d+\)$", str(error))  # as the parser says it
            raise MalformedLockError(name, _plain(error), int(place.group(1)) if place else 0, again) from error

    @classmethod
    def inside(cls, content: bytes) -> Lock:
        """Parse the lock in an archive. Raises LockError."""
        return cls.parse(content.decode("utf-8", "replace"), LOCK)

    def render(self, folder: str = "") -> str:
        """Return the lock's text; wheel paths start with `folder`."""
        with PARSING:
            environment = Marker(marker(platform_of(self.facts.target)))
        pylock = Pylock(
            lock_version=Version("1.0"),
            environments=[environment],
            requires_python=SpecifierSet(f">={self.facts.python},=={_minor(self.facts.python)}.*"),
            created_by=TOOL,
            packages=[_package(wheel, folder) for wheel in self.wheels],
            tool={TOOL: self._table()},
        )
        document = pylock.to_dict()
        with PARSING:
            Pylock.from_dict(document)
        header = "# Written by `aiws-bundle lock`; edit the manifests instead.\n"
        return header + tomli_w.dumps(dict(document))

    def _table(self) -> dict[str, object]:
        key = named(platform_of(self.facts.target))[0].FLOOR_KEY
        dumped = _facts_adapter().dump_python(self.facts, by_alias=True, exclude_defaults=True)
        table: dict[str, object] = {key if name == "floor" else name: value for name, value in dumped.items()}
        for name, pinned in self.sections:
            table[name] = adapter_of(type(pinned)).dump_python(pinned, by_alias=True, exclude_defaults=True)
        return table

    def parts(self, python: PythonPart) -> Parts:
        """What an archive of this lock consists of, with the Python that its wheels are for."""
        return Parts(self.wheels, python, dict(self.sections))

    def staleness(self, request: Request) -> str | None:
        """Say why this lock does not serve `request`, or None if it does."""
        if self.facts.target != request.target.name:
            return f"it was made for {self.facts.target}"
        if self.source != _source_of(request) and self.facts.manifest_sha256 == request.digest():
            return "its marks of what is built from source were changed"
        if self.facts.manifest_sha256 != request.digest():
            return f"the manifests changed: {_difference(self, request)}"
        if self.facts.startup_files != request.startup_files:
            return "its list of startup-files was changed"
        if bad := self.bad(request):
            return bad
        for name, pinned in self.sections:
            choice = request.choice(name)
            if choice is None or not SECTIONS[name].serves(pinned, choice, request.target):
                return f"its {name} pins are for other choices"
        return None

    def bad(self, request: Request) -> str:
        """Say which of its wheels is known to be bad, and why; "" if none is."""
        return bad_among(chain.from_iterable(wheel.held for wheel in self.wheels), dict(request.known_bad))

    def effective(self, request: Request) -> Request:
        """`request` with what this lock decided: the versions of `lock --set`, and which sections are pinned."""
        return request.with_sections(dict(self.sections)).with_versions(self.facts.set)

    def published(self) -> Lock:
        """The same lock as an index could serve it: what is made here under the version that it is made of."""
        return replace(self, wheels=tuple(map(_published, self.wheels)))

    def without(self, digests: Container[str]) -> Lock:
        """The same lock without the wheels whose SHA-256 is among these."""
        return replace(self, wheels=tuple(wheel for wheel in self.wheels if wheel.sha256 not in digests))

    def digests(self) -> set[str]:
        """The SHA-256 of every file that this lock pins."""
        pinned = (pin for _, one in self.sections for pin in one.pins())
        return {wheel.sha256 for wheel in self.wheels} | {pin.sha256 for pin in pinned}

    @property
    def built(self) -> LockedWheel | None:
        """The wheel that is built from source, or None."""
        return next((wheel for wheel in self.wheels if wheel.source), None)

    @property
    def source(self) -> Source | None:
        """What the component's own wheel is built from; None: it comes from an index."""
        return self.built.source if self.built else None

    def lacking(self, request: Request) -> tuple[tuple[str, str], ...]:
        """What an archive would be without, though `request` asks for it: the section's name, and why."""
        return _without(request, dict(self.sections))


def _published(wheel: LockedWheel) -> LockedWheel:
    if not is_made(wheel.filename):
        return wheel
    version = Version(wheel.version).public
    return replace(wheel, version=version, filename=wheel.filename.replace(wheel.version, version))


def lacking(text: str, request: Request) -> tuple[tuple[str, str], ...]:
    """The same of a lock's text, unparsed."""
    return _without(request, [name for name, _ in request.sections if f"\n[tool.{TOOL}.{name}]\n" in text])


def _without(request: Request, locked: Container[str]) -> tuple[tuple[str, str], ...]:
    """The sections of a request that are not among the locked ones, and why not."""
    unlocked = (pair for pair in request.sections if pair[0] not in locked)
    return tuple((name, choice.lacking(request.target)) for name, choice in unlocked)


def _sections(table: object) -> Iterator[tuple[str, Pinned]]:
    for name, module in SECTIONS.items():
        if isinstance(table, dict) and name in table:
            try:
                yield name, adapter_of(module.PINS).validate_python(table[name])
            except ValidationError as error:
                raise ValueError(_plain(error, name)) from error


def _difference(lock: Lock, request: Request) -> str:
    facts, (platform, _) = lock.facts, named(request.python.platform)
    pairs = {
        "Python": (facts.python, request.python.version),
        platform.FLOOR_KEY: (facts.floor, platform.floor_version(request.python.floor)),
        "portable": (str(facts.portable).lower(), str(request.portable).lower()),
    }
    pairs["source"] = (_named(lock.source), _named(_source_of(request)))
    changed = [f"{name} was {old}, is {new}" for name, (old, new) in pairs.items() if old != new]
    old, new = facts.requirements, lock.effective(request).requirements
    if lock.facts.startup_files != request.startup_files:
        changed.append(f"startup-files was {list(lock.facts.startup_files)}, is {list(request.startup_files)}")
    changed += [f"{text} is no longer asked for" for text in old if text not in new]
    changed += [f"{text} is asked for" for text in new if text not in old]
    return "; ".join(changed) or "another choice"


def _source_of(request: Request) -> Source | None:
    return Source(request.source.commit, request.source.sha256) if request.source else None


def _named(source: Source | None) -> str:
    return f"commit {source.commit[:12]} (sha256 {source.sha256[:12]})" if source else "the index"


def _wheel(package: Package) -> LockedWheel:
    wheels = list(package.wheels or ())
    if len(wheels) != 1 or package.version is None:
        raise ValueError(f"{package.name}: exactly one wheel and a version are expected")
    (wheel,) = wheels
    digest = wheel.hashes.get("sha256", "")
    if not is_plain_name(wheel.filename) or not _SHA256.fullmatch(digest):
        raise ValueError(f"{package.name}: a plain file name and a SHA-256 are expected")
    parse_wheel_name(wheel.filename)
    if wheel.size is None or not 0 < wheel.size < _LARGEST_WHEEL:
        raise ValueError(f"{package.name}: a size from 1 byte to 2 GiB is expected")
    tool = (package.tool or {}).get(TOOL, {})
    hint = tool.get("hint") if isinstance(tool, Mapping) else tool
    if hint is not None and not (isinstance(hint, str) and _HINT.fullmatch(hint)):
        raise ValueError(f"{package.name}: a hint is a folder below packages/")
    source = _source_adapter().validate_python(tool["source"]) if "source" in tool else None
    version, uploaded = str(package.version), wheel.upload_time
    if uploaded and (uploaded.utcoffset() != timedelta() or uploaded.microsecond):
        raise ValueError(f"{package.name}: an upload-time in UTC, of whole seconds, is expected")
    publishers = _publishers(package)
    return LockedWheel(package.name, version, wheel.filename, wheel.size, digest, hint, source, uploaded, publishers)


def _publishers(package: Package) -> tuple[Publisher, ...]:
    told = package.attestation_identities
    try:
        found = tuple(map(Publisher.parse, told or ()))
    except ValueError as error:
        raise ValueError(f"{package.name}: {error}") from error
    if told is not None and (not found or list(found) != sorted(set(found))):
        raise ValueError(f"{package.name}: publishers are sorted, and each is there once")
    return found


def _package(wheel: LockedWheel, folder: str) -> Package:
    return Package(
        name=canonicalize_name(wheel.project),
        version=Version(wheel.version),
        wheels=[
            PackageWheel(
                name=wheel.filename,
                path=folder + wheel.filename,
                size=wheel.size,
                hashes={"sha256": wheel.sha256},
                upload_time=wheel.uploaded,
            )
        ],
        attestation_identities=[one.table() for one in wheel.publishers] or None,
        tool=_package_table(wheel),
    )


def _package_table(wheel: LockedWheel) -> dict[str, dict[str, str | dict[str, str]]] | None:
    if wheel.source:
        return {TOOL: {"source": {"commit": wheel.source.commit, "sha256": wheel.source.sha256}}}
    return {TOOL: {"hint": wheel.hint}} if wheel.hint else None


def hint_of(address: str) -> str | None:
    """Return the folder of a wheel's address if it is one that names the content, whatever the host; else None."""
    match = re.search(r"/(packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60})/[^/]+$", address)
    return match.group(1) if match else None


@cache
def _facts_adapter() -> TypeAdapter[LockFacts]:
    return TypeAdapter(LockFacts)


@cache
def _source_adapter() -> TypeAdapter[Source]:
    return TypeAdapter(Source)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _plain(error: Exception, *above: str) -> str:
    """An error in one line; `above` are the keys that what was validated stood at."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"tool.{TOOL}.{'.'.join(map(str, (*above, *first['loc'])))}: {first['msg']}"
    return str(error)


def facts_for(
    request: Request,
    resolver: str,
    exclude_newer: str,
    versions: Mapping[str, str],
    sections: Container[str] = (),
) -> LockFacts:
    """Return the facts of a lock about to be written for `request` (as the manifests have it) and `--set` versions.

    `sections` are the names of those that are pinned.
    """
    effective = request.with_sections(sections).with_versions(versions)
    platform, _ = named(request.python.platform)
    return LockFacts(
        target=request.target.name,
        manifest_sha256=request.digest(),
        requirement=effective.requirement,
        requirements=effective.requirements,
        python=request.python.version,
        portable=request.portable,
        floor=platform.floor_version(request.python.floor),
        resolver=resolver,
        exclude_newer=exclude_newer,
        startup_files=request.startup_files,
        set=dict(versions),
    )
