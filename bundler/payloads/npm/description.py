"""What an npm registry says of a package: its packument, made here of the package.json inside of each pinned file.

See https://github.com/npm/registry, docs/responses/package-metadata.md: of that, what installing needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.adapters.npm_package import read_package_json
from bundler.errors import IntegrityError
from bundler.model.json_text import parse_json
from bundler.payloads.npm.choice import NAME_PATTERN, OS
from bundler.payloads.npm.pins import LeftOut, LockedPackage

_LARGEST = 4 << 20
_INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")


def _if_mapping(value: object) -> object:
    """What npm itself passes over where it is no mapping, as old packages have it."""
    return value if isinstance(value, dict) else {}


def _no_empty(value: object) -> object:
    """A mapping; of old packages some write an empty one otherwise."""
    return value or {}


def _as_words(value: object) -> object:
    return [value] if isinstance(value, str) else value or []


_Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$", max_length=214)]
_Text = Annotated[str, StringConstraints(max_length=1000)]
_Versions = Annotated[dict[_Name, _Text], BeforeValidator(_no_empty), Field(max_length=2000)]
_Lenient = BeforeValidator(_if_mapping)
_Words = Annotated[list[_Text], BeforeValidator(_as_words), Field(max_length=100)]


@dataclass(frozen=True)
class PackageJson:
    """What of a package.json (https://docs.npmjs.com/cli/configuring-npm/package-json) installing depends on."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore",
        alias_generator=lambda name: re.sub("_([a-z])", lambda found: found[1].upper(), name),
    )
    name: _Name
    version: _Text
    dependencies: _Versions = field(default_factory=dict)
    optional_dependencies: _Versions = field(default_factory=dict)
    peer_dependencies: _Versions = field(default_factory=dict)
    peer_dependencies_meta: Annotated[dict[str, object], _Lenient] = field(default_factory=dict)
    bundle_dependencies: bool | list[_Name] = False
    bundled_dependencies: bool | list[_Name] = False
    bin: str | dict[_Text, _Text] = ""
    engines: Annotated[dict[str, object], _Lenient] = field(default_factory=dict)
    os: _Words = field(default_factory=list)
    cpu: _Words = field(default_factory=list)
    libc: _Words = field(default_factory=list)
    scripts: Annotated[dict[str, object], _Lenient] = field(default_factory=dict)

    @classmethod
    def of(cls, package: LockedPackage, archive: Path) -> PackageJson:
        """Read the one inside of a package's file. Raises IntegrityError if it is none, or another package's."""
        name = f"npm package {package.name} {package.version}"
        content = read_package_json(archive, name, _LARGEST)
        if content is None:
            raise IntegrityError(f"{name}: its file has no package.json")
        try:
            # Some begin with a byte order mark, which npm drops.
            found = _adapter().validate_python(parse_json(content.removeprefix(b"\xef\xbb\xbf"), _LARGEST))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))[:200]
            raise IntegrityError(f"{name}: its package.json is odd: {where}: {first['msg']}") from error
        except ValueError as error:
            raise IntegrityError(f"{name}: its package.json is none: {error}") from error
        said = found.version.strip().lstrip("v=").strip().partition("+")[0]
        if (found.name, said) != (package.name, package.version.partition("+")[0]):
            raise IntegrityError(
                f"{name}: its file is another package's: {found.name} {found.version[:100]}",
                "lock again later; if it stays so, whoever serves that file changed it",
            )
        return found

    @property
    def optional_peers(self) -> set[str]:
        """The packages that it works with, but does without."""
        meta = self.peer_dependencies_meta
        return {name for name in self.peer_dependencies if _optional(meta.get(name))}

    def facts(self, package: LockedPackage, registry: str) -> dict[str, object]:
        """What a packument says of the version."""
        bundled = self.bundle_dependencies or self.bundled_dependencies
        found: dict[str, object] = {
            "dependencies": self.dependencies,
            "optionalDependencies": self.optional_dependencies,
            "peerDependencies": self.peer_dependencies,
            "peerDependenciesMeta": {name: {"optional": True} for name in sorted(self.optional_peers)},
            "bundleDependencies": sorted(self.dependencies) if bundled is True else bundled,
            "bin": self.bin,
            "engines": {name: said for name, said in self.engines.items() if isinstance(said, str)},
            "os": self.os,
            "cpu": self.cpu,
            "libc": self.libc,
            "hasInstallScript": any(self.scripts.get(name) for name in _INSTALL_SCRIPTS),
            "_hasShrinkwrap": package.shrinkwrap,
        }
        return {
            "name": package.name,
            "version": package.version,
            **{name: value for name, value in found.items() if value},
            "dist": {"tarball": registry + package.path, "integrity": package.integrity},
        }


@cache
def _adapter() -> TypeAdapter[PackageJson]:
    return TypeAdapter(PackageJson)


def left_out_facts(package: LeftOut) -> dict[str, object]:
    """What a packument says of a version that is not shipped: that it is not for this system, whatever it is for."""
    return {"name": package.name, "version": package.version, "os": [f"!{OS}"]}


def packument(name: str, versions: Mapping[str, Mapping[str, object]], latest: str | None) -> dict[str, object]:
    """What the registry says of a package whose only versions are these; there may be none."""
    tags = {"latest": latest} if latest else {}
    return {"name": name, "dist-tags": tags, "versions": dict(sorted(versions.items()))}


def newest(versions: Iterable[str]) -> str:
    """The version that comes last by Semantic Versioning (https://semver.org, 11); a finished one if there is one."""
    return max(versions, key=_precedence)


def _precedence(version: str) -> tuple[bool, tuple[int, ...], tuple[tuple[bool, int, str], ...]]:
    core, _, early = version.partition("+")[0].partition("-")
    words = tuple((not w.isdecimal(), int(w) if w.isdecimal() else 0, w) for w in early.split(".") if early)
    return not early, tuple(map(int, core.split("."))), words


def _optional(said: object) -> bool:
    return isinstance(said, dict) and said.get("optional") is True
