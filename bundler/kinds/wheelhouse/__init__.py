"""A folder of wheels and, where needed, a portable Python, packed into one archive a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.kinds.kind import Component, Inspection, Job, Judge, LockOptions, Others, OutdatedOptions, Said
from bundler.kinds.wheelhouse import manifest
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.model import bundle
from bundler.model.contents import Head
from bundler.model.document import Document
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory
from bundler.model.materials import Materials
from bundler.model.outcome import Outcome
from bundler.model.verdict import Verdict
from bundler.session import Session

if TYPE_CHECKING:
    from bundler.kinds.beginning import Begun, Wish
    from bundler.kinds.steps import Rehearsal, Step
    from bundler.model.releases import Standing
    from bundler.model.target import Target
    from bundler.model.trust import Trust

NAMES = ("wheelhouse",)
COMMAND = "build"
TAG_PREFIX = ""
MANIFEST = bundle.MANIFEST
RECORDS = (bundle.INSTALLER, bundle.MANIFEST, bundle.LOCK, bundle.RUNTIME_ENV)
schema = manifest.schema


def parse(name: str, document: Document, others: Others) -> WheelhouseComponent:
    """Validate a manifest; `name` is its file stem. Commands name it unless it is the only one of those released.

    Raises ManifestError.
    """
    return WheelhouseComponent(name, manifest.parse(document), others)


def begin(
    wish: Wish, targets: Sequence[Target], hosts: Hosts, trust: Trust, others: Mapping[str, Component], session: Session
) -> Begun | None:
    """Write the manifests of a wheelhouse of what an index has. See `kinds.beginning`."""
    from bundler.kinds.wheelhouse.beginning import begin  # large

    return begin(wish, targets, hosts, trust, others, session)


def lock(
    components: Sequence[Component], hosts: Hosts, session: Session, selectors: Sequence[str], options: LockOptions
) -> Sequence[Outcome]:
    """Resolve the targets whose locks do not match, or all that the options ask for."""
    from bundler.kinds.wheelhouse.locking import lock_wheelhouses  # large: loaded when something is locked

    own = [component for component in components if isinstance(component, WheelhouseComponent)]
    return lock_wheelhouses(own, hosts, session, selectors, options)


def outdated(
    components: Sequence[Component],
    hosts: Hosts,
    session: Session,
    selectors: Sequence[str],
    options: OutdatedOptions,
) -> Sequence[Standing]:
    """How each selected target stands to the newer releases of its requirement."""
    from bundler.kinds.wheelhouse.newer import standings  # large

    own = [component for component in components if isinstance(component, WheelhouseComponent)]
    return standings(own, hosts, session, selectors, options)


def claims(facts: Mapping[str, object]) -> bool:
    """Say whether an archive whose manifest.json says this is of this kind: it names the distro that it is for."""
    return "distro" in facts


def judge(path: Path, name: str, inner: Judge) -> Verdict:
    """Judge an archive, called `name`; there are none in it. Raises OSError if it cannot be read at all."""
    from bundler.kinds.wheelhouse.examine import judge  # large

    return judge(path, name)


def rehearse(
    archive: Path,
    root: Path,
    mountpoint: Path,
    inner: Judge,
    components: Callable[[], Sequence[Component] | None],
    told: Callable[[Step], None],
) -> tuple[Verdict, Rehearsal | None]:
    """Judge an archive; if it is good, try it in a sandbox around `root`. See `Kind`."""
    from bundler.kinds.wheelhouse.rehearsal import rehearse  # large

    return rehearse(archive, root, mountpoint, components, told)


def inspect(path: Path) -> Inspection:
    """Read an archive. Raises IntegrityError if it cannot be read."""
    from bundler.kinds.wheelhouse.inspection import inspect  # large

    return inspect(path)


def held(head: Head) -> Inventory:
    """What an archive of this kind holds, as its records say. Raises IntegrityError, LockError."""
    from bundler.kinds.wheelhouse.inspection import held  # large

    return held(head)


def said(content: bytes) -> Said:
    """What the manifest.json of an archive of this kind says. Raises IntegrityError."""
    from bundler.kinds.wheelhouse.members.archive_manifest import parse

    facts = parse(content)
    lacking = tuple((name, why) for name, one in facts.sections.items() if (why := one.lacking()))
    return Said(facts.component, facts.requirement, facts.host, facts.inputs, lacking=lacking)


def recorded(name: str, head: Head) -> Job:
    """The work of making an archive anew, called `name`, of its own records. See `Kind`."""
    from bundler.kinds.wheelhouse.again import RecordedJob

    return RecordedJob.of(name, head)


def materials(head: Head) -> Materials:
    """What an archive of this kind says it was made of. Raises IntegrityError, LockError."""
    from bundler.kinds.wheelhouse.records import materials

    return materials(head)
