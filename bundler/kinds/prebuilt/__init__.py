"""What other repositories release as finished archives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.errors import UsageError
from bundler.kinds.kind import Component, Inspection, Job, Judge, LockOptions, Others, OutdatedOptions, Said
from bundler.model import bundle
from bundler.model.contents import Head
from bundler.model.document import Document
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory, Item
from bundler.model.outcome import Outcome
from bundler.model.package_url import package_url
from bundler.model.verdict import Verdict
from bundler.session import Session

if TYPE_CHECKING:
    from bundler.kinds.prebuilt.component import PrebuiltComponent
    from bundler.kinds.steps import Rehearsal, Step
    from bundler.model.releases import Standing

NAMES = ("prebuilt", "release-asset")
COMMAND = ""
TAG_PREFIX = None
MANIFEST = bundle.MANIFEST
RECORDS = (bundle.MANIFEST,)


def parse(name: str, document: Document, others: Others) -> PrebuiltComponent:
    """Validate a manifest; `name` is its file stem. Commands always name it. Raises ManifestError."""
    from bundler.kinds.prebuilt import manifest  # large: loaded where there is one
    from bundler.kinds.prebuilt.component import PrebuiltComponent

    return PrebuiltComponent(name, manifest.parse(document))


def schema() -> Mapping[str, object]:
    """The JSON Schema of such manifests."""
    from bundler.kinds.prebuilt.manifest import schema

    return schema()


def lock(
    components: Sequence[Component], hosts: Hosts, session: Session, selectors: Sequence[str], options: LockOptions
) -> Sequence[Outcome]:
    """Lock those of the components whose lock does not match, or all that the options ask for."""
    from bundler.kinds.prebuilt.component import PrebuiltComponent
    from bundler.kinds.prebuilt.locking import lock_all  # large: loaded when something is locked

    own = [component for component in components if isinstance(component, PrebuiltComponent)]
    return lock_all(own, session, upgrade=options.upgrade, deep=options.deep)


def outdated(
    components: Sequence[Component],
    hosts: Hosts,
    session: Session,
    selectors: Sequence[str],
    options: OutdatedOptions,
) -> Sequence[Standing]:
    """Nothing: what was released elsewhere is locked by its tag, and asks no index."""
    return ()


def claims(facts: Mapping[str, object]) -> bool:
    """Say whether an archive whose manifest.json says this is of this kind: it tells an os, and no distro."""
    return "os" in facts and "distro" not in facts


def judge(path: Path, name: str, inner: Judge) -> Verdict:
    """Judge an archive, called `name`; there are none in it. Raises OSError if it cannot be read at all."""
    from bundler.kinds.prebuilt.examine import judge  # large

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
    from bundler.kinds.prebuilt.rehearsal import rehearse  # large

    return rehearse(archive, root, mountpoint, told)


def inspect(path: Path) -> Inspection:
    """Read an archive. Raises IntegrityError if it cannot be read."""
    from bundler.kinds.prebuilt.inspection import inspect  # large

    return inspect(path)


def held(head: Head) -> Inventory:
    """The program that an archive of this kind holds, as its manifest.json says. Raises IntegrityError."""
    from bundler.kinds.prebuilt.component_manifest import parse

    facts = parse(head.texts.get(MANIFEST, b""))
    purl = package_url("generic", facts.component, facts.commit)
    program = Item(purl, "program", facts.component, facts.commit, facts.program)
    return Inventory(facts.component, facts.commit, f"{facts.os} {facts.arch}", items=(program,))


def said(content: bytes) -> Said:
    """What the manifest.json of an archive of this kind says. Raises IntegrityError."""
    from bundler.kinds.prebuilt.component_manifest import parse

    facts = parse(content)
    return Said(facts.component, commit=facts.commit)


def recorded(name: str, head: Head) -> Job:
    """Nothing: it was made elsewhere. Raises UsageError."""
    raise UsageError(f"{name}: others released it, and it does not tell where")


def materials(head: Head) -> None:
    """Nothing: who released it tells what it was made of."""
