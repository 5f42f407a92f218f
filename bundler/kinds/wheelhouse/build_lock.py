"""Build locks: what a component's wheel is built from and with, and what comes of it, as a PEP 751 lock.

Its packages are the wheels of the isolated environment that the build runs in. A package may have several, for other
machines and Pythons: the one that fits is taken where it is built. The rest stands in the `tool.aiws-bundle` table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby
from typing import Annotated, ClassVar

import tomli_w
from packaging.pylock import Package, PackageWheel, Pylock, PylockSelectError, PylockValidationError
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.errors import LockError
from bundler.kinds.wheelhouse.lock import TOOL, Lock
from bundler.kinds.wheelhouse.manifest import SourceArchive
from bundler.model.known_bad import KnownBad, bad_among
from bundler.model.locked_wheel import LockedWheel, Source
from bundler.model.needs import PARSING
from bundler.model.paths import is_plain_name
from bundler.model.toml import parse_toml
from bundler.model.wheel_name import parse_wheel_name
from bundler.words import SHA256_PATTERN, ComponentName, Sha256

_SHA256 = re.compile(SHA256_PATTERN)
_LARGEST_WHEEL = 1 << 31


def _plain(name: str) -> str:
    if not is_plain_name(name) or not name.endswith("-none-any.whl"):
        raise ValueError("not the name of a wheel for every platform")
    return name


@dataclass(frozen=True)
class Product:
    """The wheel that the source makes, wherever it is built."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    project: str
    version: str
    filename: Annotated[str, AfterValidator(_plain)]
    size: Annotated[int, Field(gt=0, lt=_LARGEST_WHEEL)]
    sha256: Sha256


@dataclass(frozen=True)
class BuildFacts:
    """The `tool.aiws-bundle` table: the source, its build requirements, what resolved and built it, and the wheel.

    `python` is the minor version that the lock was made with; a later build may run with another.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    component: ComponentName
    source: Source
    requirements: tuple[str, ...]
    python: Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}$")]
    resolver: str
    wheel: Product


@dataclass(frozen=True)
class BuildLock:
    """How one component's wheel is built, exactly; `wheels` are sorted by project."""

    facts: BuildFacts
    wheels: tuple[LockedWheel, ...]

    @classmethod
    def parse(cls, text: str, name: str, again: str = "") -> BuildLock:
        """Parse a build lock; `name` is what errors call it, `again` what they say to do. Raises LockError."""
        try:
            document = parse_toml(text)
            with PARSING:
                pylock = Pylock.from_dict(document)
            facts = _adapter().validate_python(dict(pylock.tool or {}).get(TOOL))
            return cls(facts, tuple(wheel for package in pylock.packages for wheel in _wheels(package)))
        except (PylockValidationError, ValidationError, ValueError, RecursionError) as error:
            reason = str(error)
            if isinstance(error, ValidationError):
                first = error.errors(include_url=False)[0]
                reason = f"tool.{TOOL}.{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise LockError(f"{name} is not a build lock that aiws-bundle wrote: {reason}", again) from error

    def render(self) -> str:
        """Return the lock's text."""
        pylock = Pylock(
            lock_version=Version("1.0"),
            created_by=TOOL,
            packages=_packages(self.wheels),
            tool={TOOL: _adapter().dump_python(self.facts)},
        )
        pylock.validate()
        header = f"# What {self.facts.component} is built from and with. Written by `aiws-bundle lock`.\n"
        return header + tomli_w.dumps(dict(pylock.to_dict()))

    def staleness(self, component: str, source: SourceArchive) -> str | None:
        """Say why this lock does not serve to build `component` from `source`, or None if it does."""
        if self.facts.component != component:
            return f"it was made for {self.facts.component}"
        if self.facts.source != Source(source.commit, source.sha256):
            return f"the source changed: it was commit {self.facts.source.commit[:12]}, is {source.commit[:12]}"
        return None

    def bad(self, known: KnownBad) -> str:
        """Say which of what a build takes or makes is known to be bad, and why; "" if nothing is."""
        return bad_among(chain.from_iterable(wheel.held for wheel in (*self.wheels, self.built())), known)

    def built(self) -> LockedWheel:
        """The wheel that is made, as targets' locks pin it."""
        made = self.facts.wheel
        return LockedWheel(made.project, made.version, made.filename, made.size, made.sha256, source=self.facts.source)

    def serves(self, lock: Lock) -> bool:
        """Say whether the wheel that a target's lock has built, if any, is the one that is made."""
        return lock.built in (None, self.built())

    def digests(self) -> set[str]:
        """The SHA-256 of every file that a build takes or makes."""
        return {self.facts.source.sha256, self.facts.wheel.sha256, *(wheel.sha256 for wheel in self.wheels)}


def fitting(wheels: Sequence[LockedWheel], python: str, tags: Sequence[Tag]) -> tuple[LockedWheel, ...]:
    """Of each project in `wheels`, the one for a Python of this minor version and tags. Raises LockError."""
    by_name = {wheel.filename: wheel for wheel in wheels}
    pylock = Pylock(lock_version=Version("1.0"), created_by=TOOL, packages=_packages(wheels))
    try:
        picked = list(pylock.select(tags=tags))
    except PylockSelectError as error:
        raise LockError(
            f"the build requirements do not fit Python {python} on this machine: {error}",
            "build with the Python and on the kind of machine that locked them, or lock anew with --upgrade",
        ) from error
    return tuple(by_name[wheel.filename] for _, wheel in picked if isinstance(wheel, PackageWheel))


def runs_here(filename: str) -> bool:
    """Say whether a wheel could serve on any machine that builds: Linux, or every platform."""
    *_, tags = parse_wheel_name(filename)
    return any(tag.platform == "any" or "linux" in tag.platform for tag in tags)


def by_project(wheels: Sequence[LockedWheel]) -> tuple[LockedWheel, ...]:
    """Sort wheels as a build lock has them."""
    return tuple(sorted(wheels, key=lambda wheel: (wheel.project, wheel.filename)))


def _wheels(package: Package) -> list[LockedWheel]:
    if package.version is None or not package.wheels:
        raise ValueError(f"{package.name}: a version and wheels are expected")
    found = []
    for wheel in package.wheels:
        digest = wheel.hashes.get("sha256", "")
        if not is_plain_name(wheel.filename) or not _SHA256.fullmatch(digest):
            raise ValueError(f"{package.name}: a plain file name and a SHA-256 are expected of every wheel")
        parse_wheel_name(wheel.filename)
        if wheel.size is None or not 0 < wheel.size < _LARGEST_WHEEL:
            raise ValueError(f"{package.name}: a size from 1 byte to 2 GiB is expected of every wheel")
        found.append(LockedWheel(package.name, str(package.version), wheel.filename, wheel.size, digest))
    return found


def _packages(wheels: Sequence[LockedWheel]) -> list[Package]:
    groups = groupby(wheels, lambda wheel: (wheel.project, wheel.version))
    return [_package(project, version, list(group)) for (project, version), group in groups]


def _package(project: str, version: str, wheels: Sequence[LockedWheel]) -> Package:
    return Package(
        name=canonicalize_name(project),
        version=Version(version),
        wheels=[
            PackageWheel(name=w.filename, path=w.filename, size=w.size, hashes={"sha256": w.sha256}) for w in wheels
        ],
    )


@cache
def _adapter() -> TypeAdapter[BuildFacts]:
    return TypeAdapter(BuildFacts)
