"""Lock all-in-one packages: find out what their collections are, section by section."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.own_folder import in_use
from bundler.adapters.workspace import Workspace
from bundler.bench import Bench
from bundler.errors import BundleError
from bundler.kinds.kind import LockOptions
from bundler.kinds.offline.asking import ask, choices_of
from bundler.kinds.offline.component import OfflineComponent
from bundler.kinds.offline.package_lock import LockFacts, OfflineLock, digest
from bundler.model.hosts import Hosts
from bundler.model.outcome import Outcome
from bundler.model.target import Target
from bundler.payloads.collection import Collection
from bundler.payloads.collections import COLLECTIONS
from bundler.session import Network, Session

# What a lock pins, by sections.
Sections: TypeAlias = tuple[tuple[str, Collection], ...]
_SECTIONS = {module.COLLECTION: module for module in COLLECTIONS}


def lock_packages(
    components: Sequence[OfflineComponent],
    hosts: Hosts,
    session: Session,
    selectors: Sequence[str],
    options: LockOptions,
) -> Sequence[Outcome]:
    """Lock every selected target whose lock does not match, or all with `upgrade`.

    Sections whose choices did not change keep their pins without `upgrade`. A target that fails keeps its old lock and
    does not stop the others.
    """
    workspace, made = session.workspace(), []
    with (
        session.network() as network,
        in_use(session.cache_dir, TEMPORARY) as place,
        tempfile.TemporaryDirectory(dir=place) as spool,
    ):
        run = _Run(session, network, workspace, Bench(session, network, session.store(), Path(spool)))
        for one in components:
            for target in one.targets(hosts, selectors):
                state, before = one.state_of(workspace, target)
                if state.state == "current" and not options.upgrade:
                    made.append(state)
                    continue
                session.progress.say(f"locking {one.name}: {target.name}")
                try:
                    made.append(run.lock(one, target, None if options.upgrade else before))
                except BundleError as error:
                    made.append(replace(state, state="failed", error=error))
    return made


@dataclass(frozen=True)
class _Run:
    """What all targets of one run share.

    `known` is what was locked already and is the same on every target: by section, and what the manifest says of it.
    """

    session: Session
    network: Network
    workspace: Workspace
    bench: Bench
    known: dict[tuple[str, str], Collection] = field(default_factory=dict)

    def lock(self, one: OfflineComponent, target: Target, before: OfflineLock | None) -> Outcome:
        """Lock a target, keeping of the lock before what still serves. Raises BundleError."""
        sections = tuple(self._sections(one, target, before))
        choices = {name: digest(choice, target) for name, choice in sorted(one.manifest.sections.items())}
        asking = before.asking if before and before.asking.choices == choices_of(one.manifest, target) else None
        if before is None or asking is None or _sources(before.sections) != _sources(sections):
            asking = ask(one.manifest, target, dict(sections), self.bench)
        lock = OfflineLock(LockFacts(one.component, target.name, choices, asking), sections)
        text, name = lock.render(), one.lock_name(target)
        OfflineLock.parse(text, name)  # what came from outside must be fit to stand in a lock
        things = sum(len(held) for held in lock.versions().values())
        outcome = Outcome(one.name, target.name, "locked", packages=things, named=one.name)
        if text == self.workspace.lock_text(name):
            return replace(outcome, state="unchanged")
        self.workspace.write_lock(name, text)
        return outcome

    def _sections(
        self, one: OfflineComponent, target: Target, before: OfflineLock | None
    ) -> Iterator[tuple[str, Collection]]:
        """Each section of the manifest, locked anew if its choices changed."""
        old = dict(before.sections) if before else {}
        said = before.facts.choices if before else {}
        for name, module in _SECTIONS.items():
            choice = one.manifest.sections.get(name)
            if choice is None:
                continue
            if name in old and said.get(name) == digest(choice, target):
                yield name, old[name]
                continue
            key = (name, digest(choice))
            if not (module.SAME and key in self.known):
                self.session.progress.say(f"locking {one.name}: {target.name}, {name}")
                self.known[key] = module.lock(choice, target, self.session, self.network)
            yield name, self.known[key]


def _sources(sections: Sections) -> Mapping[str, tuple[str, str]]:
    """The repositories of a package: address and commit by name."""
    return {name: source for _, one in sections for name, source in one.sources().items()}
