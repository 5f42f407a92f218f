"""What one target's host will ask a wheelhouse for: the manifests seen from a single target."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.kinds.wheelhouse.manifest import SourceArchive, Wheelhouse
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from bundler.model.advice import lock_again
from bundler.model.hosts import Hosts
from bundler.model.interpreter import Interpreter
from bundler.model.known_bad import Held
from bundler.model.target import Target, selects
from bundler.payloads.payload import Choice
from bundler.platforms import named

# Consumers upgrade pip first and then call it with --resume-retries, which exists from 25.1.
CONSUMERS_PIP = "pip>=25.1"


@dataclass(frozen=True)
class Request:
    """All requirements of a component on a target, the Python that will serve them, and the variables it runs with.

    `sections` are the payloads that the manifest asks for; whether an archive has them, the lock decides. Wheels of the
    projects in `startup_files` may have files that Python runs when it starts; `known_bad` is what no lock may hold,
    and why. `source` is what the wheel of `requirement` is built from; None: it comes from the index. `named` is how
    commands have to call the component; "" if it is the one that is meant where none is named. `program` is what its
    program is called; "": as the component. `service` is how it runs as a service of its host.
    """

    component: str
    target: Target
    python: Interpreter
    portable: bool
    requirement: str
    extra_requirements: tuple[str, ...]
    bootstrap: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    sections: tuple[tuple[str, Choice], ...] = ()
    startup_files: tuple[str, ...] = ()
    known_bad: tuple[tuple[Held, str], ...] = ()
    source: SourceArchive | None = None
    named: str = ""
    program: str = ""
    service: ServicePlan | None = field(default=None, hash=False)

    @property
    def lock_name(self) -> str:
        """The file name of its lock; PEP 751 wants no dot between `pylock.` and `.toml`."""
        return f"pylock.{self.component}-{self.target.slug}.toml"

    @property
    def old_lock_name(self) -> str:
        """What such a lock was called before a folder could hold several wheelhouses."""
        return f"pylock.{self.target.slug}.toml"

    @property
    def build_lock_name(self) -> str:
        """The file name of the lock of what its wheel is built from and with."""
        return build_lock_name(self.component)

    @property
    def requirements(self) -> tuple[str, ...]:
        """Everything that must be installable, the component's own requirement first."""
        return (self.requirement, *self.extra_requirements, *self.bootstrap)

    def digest(self) -> str:
        """SHA-256 (hex) of what a lock depends on; a lock made for other choices is stale. Comments do not count."""
        platform, _ = named(self.python.platform)
        facts: dict[str, object] = {
            "component": self.component,
            "target": self.target.name,
            platform.FLOOR_KEY: self.python.floor,
            "python": self.python.version,
            "portable": self.portable,
            "requirement": self.requirement,
            "extra": self.extra_requirements,
            "bootstrap": self.bootstrap,
        }
        facts |= {name: choice.decides(self.target) for name, choice in self.sections}
        if self.startup_files:
            facts["startup-files"] = self.startup_files
        if self.source:  # not where it is: any copy is as good
            facts["source"] = [self.source.commit, self.source.sha256]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def with_sections(self, names: Container[str]) -> Request:
        """The same request with what the payloads of these sections have installed beside it."""
        more = [text for name, choice in self.sections if name in names for text in choice.requirements()]
        return replace(self, extra_requirements=(*self.extra_requirements, *more))

    def again(self, *targets: str) -> str:
        """The command that locks these targets of the component, as hints say it; without any, all."""
        return lock_again(targets, [self.named] if self.named else ())

    def choice(self, section: str) -> Choice | None:
        """What the manifest chose of a section's payload, or None."""
        return dict(self.sections).get(section)

    def with_versions(self, versions: Mapping[str, str]) -> Request:
        """The same request with the requirements that `versions` names pinned to those versions."""
        return replace(
            self,
            requirement=_pinned(self.requirement, versions),
            extra_requirements=tuple(_pinned(text, versions) for text in self.extra_requirements),
            bootstrap=tuple(_pinned(text, versions) for text in self.bootstrap),
        )


def build_lock_name(component: str) -> str:
    """The file name of the lock of what a component's wheel is built from and with."""
    return f"pylock.build-{component}.toml"


def request_for(wheelhouse: Wheelhouse, hosts: Hosts, target: Target, named: str = "") -> Request:
    """Return what a wheelhouse must offer on `target`; `named` is how commands have to call it, if they have to."""
    requirement, source = wheelhouse.requirement, wheelhouse.source
    for override in wheelhouse.overrides:
        if selects(override.targets, target):
            requirement = override.requirement or requirement
            source = None if override.source == "index" else source
    system = wheelhouse.system_python(target)
    version = system or hosts.portable_python().version
    return Request(
        component=wheelhouse.component,
        target=target,
        python=Interpreter(version, target.platform, target.floor),
        portable=system is None,
        requirement=requirement,
        extra_requirements=wheelhouse.extra_requirements,
        bootstrap=wheelhouse.bootstrap,
        environment=tuple(sorted(wheelhouse.environment.items())),
        sections=tuple(sorted(wheelhouse.sections.items())),
        startup_files=wheelhouse.startup_files,
        known_bad=tuple({**wheelhouse.bad, **hosts.known_bad}.items()),
        source=source,
        named=named,
        program="" if wheelhouse.program_name == wheelhouse.component else wheelhouse.program_name,
        service=wheelhouse.service,
    )


def _pinned(text: str, versions: Mapping[str, str]) -> str:
    requirement = Requirement(text)
    version = versions.get(canonicalize_name(requirement.name))
    if version is None:
        return text
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}=={version}"
