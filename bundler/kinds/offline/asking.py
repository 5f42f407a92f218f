"""What the bundled playbooks ask for, as `lock` reads it in them and `check` compares it with what is bundled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict

from bundler.adapters.archive import read_slice
from bundler.kinds.offline.agreements import Agreement, Asked, disagreements, find_asked
from bundler.kinds.offline.manifest import Offline
from bundler.kinds.offline.places import REPOSITORIES
from bundler.kinds.offline.roles import RoleNames, Roles, missing_packages, unused_exceptions
from bundler.model.bundle import File
from bundler.model.manifest_values import adapter_of
from bundler.model.target import Target
from bundler.payloads.collection import Collection

if TYPE_CHECKING:  # large: loaded by who makes something
    from bundler.bench import Bench

_LARGEST = 1 << 20
# The collection whose packages roles install by name.
_PACKAGES = "apt"


@dataclass(frozen=True)
class Asking:
    """What was found in the repositories that a lock pins; `choices` is the digest of what was looked for."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    choices: str = ""
    asked: tuple[Asked, ...] = ()
    roles: RoleNames = field(default_factory=RoleNames)


def choices_of(manifest: Offline, target: Target) -> str:
    """SHA-256 (hex) of what a manifest looks for on a target; "" if it looks for nothing."""
    said = [adapter_of(Agreement).dump_python(one, mode="json") for one in manifest.agreements]
    roles = adapter_of(Roles).dump_python(manifest.roles, mode="json") if manifest.roles else None
    if not said and roles is None:
        return ""
    return hashlib.sha256(json.dumps([said, roles, target.name], sort_keys=True).encode()).hexdigest()


def ask(manifest: Offline, target: Target, sections: Mapping[str, Collection], bench: Bench) -> Asking:
    """Find what the repositories among a package's collections ask for on a target. Raises LockError."""
    asked: list[Asked] = []
    roles = RoleNames()
    named = {one.repository for one in manifest.agreements} | ({manifest.roles.repository} if manifest.roles else set())
    for name in sorted(named):
        files = _files(name, sections, bench)
        asked += find_asked(manifest.agreements, name, files, target)
        if manifest.roles and manifest.roles.repository == name:
            from bundler.kinds.offline.role_names import find_names  # large: loaded when something is locked

            roles = find_names(manifest.roles, files, target)
    return Asking(choices_of(manifest, target), tuple(sorted(asked)), roles)


def _files(name: str, sections: Mapping[str, Collection], bench: Bench) -> Mapping[str, bytes]:
    """The small files of a repository, by their paths in it."""
    place, found = f"{REPOSITORIES}/{name}/", dict[str, bytes]()
    for one in sections.values():
        if name not in one.sources():
            continue
        for made in one.made():
            bench.make(one, made)
        for entry in bench.entries(one):
            inner = entry.path.removeprefix(place)
            if (
                isinstance(entry, File)
                and inner != entry.path
                and not inner.startswith(".git/")
                and entry.size <= _LARGEST
            ):
                content = entry.content
                found[inner] = content if isinstance(content, bytes) else b"".join(read_slice(content))
    return found


def disagreeing(
    manifest: Offline,
    target: Target,
    asking: Asking,
    versions: Mapping[str, Mapping[str, str]],
    sections: Mapping[str, Collection],
) -> Iterator[str]:
    """What is asked for on a target and not bundled, or in another version: `versions` by collection and name."""
    yield from disagreements(manifest.agreements, asking.asked, versions, target)
    if manifest.roles and (packages := sections.get(_PACKAGES)):
        there = versions.get(_PACKAGES, {}).keys() | packages.provides()
        yield from missing_packages(manifest.roles, asking.roles, there, target)
        yield from unused_exceptions(manifest.roles, asking.roles, target)
