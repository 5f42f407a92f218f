"""Everything that a host without a network installs from, in one archive a target: the all-in-one package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.errors import UsageError
from bundler.kinds.kind import Component, Inspection, Job, Judge, LockOptions, Others, OutdatedOptions, Said
from bundler.kinds.offline import places
from bundler.model.contents import Head
from bundler.model.document import Document
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory
from bundler.model.materials import Materials
from bundler.model.outcome import Outcome
from bundler.model.release import OFFLINE_PREFIX
from bundler.model.verdict import Verdict
from bundler.session import Session

if TYPE_CHECKING:
    from bundler.kinds.offline.component import OfflineComponent
    from bundler.kinds.steps import Rehearsal, Step
    from bundler.model.releases import Standing

NAMES = ("offline",)
COMMAND = "assemble"
TAG_PREFIX = OFFLINE_PREFIX
MANIFEST = places.MANIFEST
RECORDS = (places.FILE_LIST, places.MANIFEST, places.LOCK)


def parse(name: str, document: Document, others: Others) -> OfflineComponent:
    """Validate a manifest; `name` is its file stem. Raises ManifestError."""
    from bundler.kinds.offline import manifest  # large: loaded where there is one
    from bundler.kinds.offline.component import OfflineComponent

    return OfflineComponent(name, manifest.parse(document), others)


def schema() -> Mapping[str, object]:
    """The JSON Schema of such manifests."""
    from bundler.kinds.offline.manifest import schema

    return schema()


def lock(
    components: Sequence[Component], hosts: Hosts, session: Session, selectors: Sequence[str], options: LockOptions
) -> Sequence[Outcome]:
    """Lock the targets whose locks do not match, or all that the options ask for."""
    from bundler.kinds.offline.component import OfflineComponent
    from bundler.kinds.offline.locking import lock_packages  # large: loaded when something is locked

    own = [component for component in components if isinstance(component, OfflineComponent)]
    return lock_packages(own, hosts, session, selectors, options)


def outdated(
    components: Sequence[Component],
    hosts: Hosts,
    session: Session,
    selectors: Sequence[str],
    options: OutdatedOptions,
) -> Sequence[Standing]:
    """Nothing: its parts tell by themselves."""
    return ()


def claims(facts: Mapping[str, object]) -> bool:
    """Say whether an archive whose manifest.json says this is of this kind."""
    return "packageVersion" in facts


def judge(path: Path, name: str, inner: Judge) -> Verdict:
    """Judge a package, called `name`; `inner` judges the archives in it. Raises OSError if it cannot be read."""
    from bundler.kinds.offline.examine import judge  # large

    return judge(path, name, inner)


def rehearse(
    archive: Path,
    root: Path,
    mountpoint: Path,
    inner: Judge,
    components: Callable[[], Sequence[Component] | None],
    told: Callable[[Step], None],
) -> tuple[Verdict, Rehearsal | None]:
    """Judge a package; if it is good, try it in a sandbox around `root`. See `Kind`."""
    from bundler.kinds.offline.rehearsal import rehearse  # large

    return rehearse(archive, root, mountpoint, inner, components, told)


def inspect(path: Path) -> Inspection:
    """Read a package. Raises IntegrityError if it cannot be read."""
    from bundler.kinds.offline.inspection import inspect  # large

    return inspect(path)


def held(head: Head) -> Inventory:
    """What a package holds, as its records say. Raises IntegrityError, LockError."""
    from bundler.kinds.offline.inspection import held  # large

    return held(head)


def said(content: bytes) -> Said:
    """What the manifest.json of a package says. Raises IntegrityError."""
    from bundler.kinds.offline.package import parse

    facts = parse(content)
    return Said(facts.name, host=facts.host, inputs=facts.inputs)


def recorded(name: str, head: Head) -> Job:
    """Nothing: what its parts are made of, only their locks tell. Raises UsageError."""
    raise UsageError(f"{name}: a package does not tell of what its parts were made")


def materials(head: Head) -> Materials:
    """What a package says it was made of. Raises IntegrityError, LockError."""
    from bundler.kinds.offline.records import materials

    return materials(head)
