"""What one target's host will ask a wheelhouse for: the manifests seen from a single target."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.errors import UsageError
from bundler.kinds.manifests import Manifests
from bundler.kinds.wheelhouse.manifest import SourceArchive
from bundler.model.interpreter import Interpreter
from bundler.model.target import Target, selects
from bundler.payloads.prisma.choice import Database
from bundler.payloads.prisma.pins import NODE_WHEEL, platform_of

# Consumers upgrade pip first and then call it with --resume-retries, which exists from 25.1.
CONSUMERS_PIP = "pip>=25.1"


@dataclass(frozen=True)
class Request:
    """All requirements of a component on a target, the Python that will serve them, and the variables it runs with.

    `database` is what the manifest chose for it; whether an archive has it, the lock decides. `source` is what the
    wheel of `requirement` is built from; None: it comes from the index.
    """

    component: str
    target: Target
    python: Interpreter
    portable: bool
    requirement: str
    extra_requirements: tuple[str, ...]
    bootstrap: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    database: Database | None = None
    source: SourceArchive | None = None

    @property
    def requirements(self) -> tuple[str, ...]:
        """Everything that must be installable, the component's own requirement first."""
        return (self.requirement, *self.extra_requirements, *self.bootstrap)

    def digest(self) -> str:
        """SHA-256 (hex) of what a lock depends on; a lock made for other choices is stale. Comments do not count."""
        facts: dict[str, object] = {
            "component": self.component,
            "target": self.target.name,
            "glibc": self.python.glibc_minor,
            "python": self.python.version,
            "portable": self.portable,
            "requirement": self.requirement,
            "extra": self.extra_requirements,
            "bootstrap": self.bootstrap,
        }
        if self.database:
            facts["database"] = [platform_of(self.target), asdict(self.database)]
        if self.source:  # not where it is: any copy is as good
            facts["source"] = [self.source.commit, self.source.sha256]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def with_database(self) -> Request:
        """The same request with what only database support asks for: Node.js as a wheel, if that was chosen."""
        if self.database is None or self.database.node != "wheel":
            return self
        return replace(self, extra_requirements=(*self.extra_requirements, NODE_WHEEL))

    def with_versions(self, versions: Mapping[str, str]) -> Request:
        """The same request with the requirements that `versions` names pinned to those versions."""
        return replace(
            self,
            requirement=_pinned(self.requirement, versions),
            extra_requirements=tuple(_pinned(text, versions) for text in self.extra_requirements),
            bootstrap=tuple(_pinned(text, versions) for text in self.bootstrap),
        )


def request_for(manifests: Manifests, component: str, target: Target) -> Request:
    """Return what `component` (a wheelhouse's file stem) must offer on `target`."""
    wheelhouse = manifests.wheelhouses[component]
    requirement, python = wheelhouse.requirement, "system" if target.system_python else "portable"
    source = wheelhouse.source
    for override in wheelhouse.overrides:
        if selects(override.targets, target):
            requirement = override.requirement or requirement
            python = override.python or python
            source = None if override.source == "index" else source
    portable = python == "portable" or target.system_python is None
    version = manifests.python.version if portable or target.system_python is None else target.system_python
    return Request(
        component=wheelhouse.component,
        target=target,
        python=Interpreter(version, target.machine, target.glibc_minor),
        portable=portable,
        requirement=requirement,
        extra_requirements=wheelhouse.extra_requirements,
        bootstrap=wheelhouse.bootstrap,
        environment=tuple(sorted(wheelhouse.environment.items())),
        database=wheelhouse.database,
        source=source,
    )


def parse_versions(words: tuple[str, ...]) -> dict[str, str]:
    """Parse `NAME=VERSION` words. Raises UsageError for one that is not."""
    result = {}
    for word in words:
        name, _, version = word.partition("=")
        try:
            result[canonicalize_name(name, validate=True)] = str(Version(version.removeprefix("=")))
        except (ValueError, InvalidVersion) as error:
            raise UsageError(f"--set {word!r} is not NAME=VERSION", "for example --set litellm=1.90.0") from error
    return dict(sorted(result.items()))


def _pinned(text: str, versions: Mapping[str, str]) -> str:
    requirement = Requirement(text)
    version = versions.get(canonicalize_name(requirement.name))
    if version is None:
        return text
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}=={version}"
