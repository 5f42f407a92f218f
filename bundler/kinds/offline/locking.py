"""Lock all-in-one packages: find out what their collections are, section by section."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from bundler.kinds.offline.lock import LockFacts, OfflineLock, digest
from bundler.model.hosts import Hosts
from bundler.model.outcome import Outcome
from bundler.model.target import Target
from bundler.payloads import COLLECTIONS
from bundler.payloads.collection import Collection
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
    known: Known = {}
    with (
        session.network() as network,
        in_use(session.cache_dir, TEMPORARY) as place,
        tempfile.TemporaryDirectory(dir=place) as spool,
    ):
        bench = Bench(session, network, session.store(), Path(spool))
        for one in components:
            for target in one.targets(hosts, selectors):
                state, before = one.state_of(workspace, target)
                if state.state == "current" and not options.upgrade:
                    made.append(state)
                    continue
                session.progress.say(f"locking {one.name}: {target.name}")
                try:
                    kept = None if options.upgrade else before
                    made.append(_lock(workspace, one, target, kept, session, network, known, bench))
                except BundleError as error:
                    made.append(replace(state, state="failed", error=error))
    return made


def _lock(
    workspace: Workspace,
    one: OfflineComponent,
    target: Target,
    before: OfflineLock | None,
    session: Session,
    network: Network,
    known: Known,
    bench: Bench,
) -> Outcome:
    sections = tuple(_locked(one, target, before, session, network, known))
    choices = {name: digest(choice, target) for name, choice in sorted(one.manifest.sections.items())}
    kept = before.asking if before and before.asking.choices == choices_of(one.manifest, target) else None
    if before is None or kept is None or _sources(before.sections) != _sources(sections):
        kept = ask(one.manifest, target, dict(sections), bench)
    lock = OfflineLock(LockFacts(one.component, target.name, choices, kept), sections)
    text, name = lock.render(), one.lock_name(target)
    OfflineLock.parse(text, name)  # what came from outside must be fit to stand in a lock
    things = sum(len(held) for held in lock.versions().values())
    outcome = Outcome(one.name, target.name, "locked", packages=things, named=one.name)
    if text == workspace.lock_text(name):
        return replace(outcome, state="unchanged")
    workspace.write_lock(name, text)
    return outcome


def _sources(sections: Sections) -> Mapping[str, tuple[str, str]]:
    """The repositories of a package: address and commit by name."""
    return {name: source for _, one in sections for name, source in one.sources().items()}


# What was locked in this run already and is the same on every target: by section, and what the manifest says of it.
Known: TypeAlias = dict[tuple[str, str], Collection]


def _locked(
    one: OfflineComponent,
    target: Target,
    before: OfflineLock | None,
    session: Session,
    network: Network,
    known: Known,
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
        else:
            key = (name, digest(choice))
            if not (module.SAME and key in known):
                session.progress.say(f"locking {one.name}: {target.name}, {name}")
                known[key] = module.lock(choice, target, session, network)
            yield name, known[key]
