"""What is audited: what committed locks say that archives will hold; what archives, folders and releases do hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, UsageError
from bundler.kinds.manifests import Manifests
from bundler.model.holding import Holding
from bundler.model.known_bad import Held, KnownBad, bad_among, package
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding, Verdict
from bundler.release.folder import verify_each
from bundler.session import Session


@dataclass(frozen=True)
class Audited:
    """All that is audited. `faults` is what disagrees, `notes` what is only told, `errors` are of subjects."""

    all: tuple[Holding, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    errors: tuple[BundleError, ...] = ()

    def __add__(self, other: Audited) -> Audited:
        return Audited(
            (*self.all, *other.all),
            (*self.faults, *other.faults),
            (*self.notes, *other.notes),
            (*self.errors, *other.errors),
        )


def locked(manifests: Manifests, workspace: Workspace, components: Sequence[str], selectors: Sequence[str]) -> Audited:
    """What the committed locks say of the components that are asked for; of all if none is.

    Raises LockError for one that cannot be read, UsageError for what there is not, or if nothing is locked.
    """
    chosen = manifests.chosen(components) if components else tuple(manifests.components.values())
    found: list[Holding] = []
    notes: list[str] = []
    for one in chosen:
        inventories = one.inventories(manifests.hosts, workspace, selectors)
        found += [
            Holding(held, 0, f"{one.name} {target}".rstrip(), locked=True) for target, held in inventories.items()
        ]
        wanted = [words.partition(" ")[0] for _, words in one.assets(manifests.hosts, selectors)]
        if inventories and (missing := [target for target in wanted if target not in inventories]):
            notes.append(f"{one.name} is not locked for {', '.join(missing)}")
    if not found:
        raise UsageError("nothing that could be audited is locked", "run `aiws-bundle lock`, or name archives")
    return Audited(tuple(found), tuple(_bad(found, manifests.known_bad)), tuple(notes))


def _bad(holdings: Iterable[Holding], known: KnownBad) -> Iterator[str]:
    """Yield what is known to be bad in archives that were not read themselves."""
    return (f"{one.name}: {fault}" for one in holdings if (fault := bad_among(_held(one), known)))


def _held(one: Holding) -> Iterator[Held]:
    for item in one.inventory.items:
        if item.kind == "wheel":
            yield package(item.name, item.version)
        if item.sha256:
            yield item.sha256


def local(session: Session, paths: Sequence[Path], bad: KnownBad, told: SidecarFacts) -> Audited:
    """What archives and folders hold; all are verified on the way."""
    report = verify_each(paths, session.progress, bad, told)
    found = ((str(path), verdict) for path, verdict in report.verdicts)
    return _verified(found, report.folder_findings, report.errors)


def released(session: Session, addresses: Sequence[tuple[str, str]], bad: KnownBad, told: SidecarFacts) -> Audited:
    """What the archives of releases hold: as their SBOMs say, else as they are read, verified on the way."""
    from bundler.release.released import described  # HTTP and TLS: not loaded for what is here
    from bundler.release.verify import verify_releases

    held = Audited()
    for repository, tag in addresses:
        at = f"{repository}@{tag}"
        told_of = described(session, repository, tag)
        (report,) = verify_releases(session, [(repository, tag)], told, digests_only=told_of is not None)
        found = ((f"{at} {verdict.name}", verdict) for verdict in report.verdicts)
        held += _verified(found, report.findings, [report.error] if report.error else [], f"{at}: ")
        own = tuple(Holding(inventory, 0, f"{at} {name}") for name, inventory in (told_of or {}).items())
        held += Audited(own, tuple(_bad(own, bad)))
    return held


def _verified(
    verdicts: Iterable[tuple[str, Verdict]],
    findings: Iterable[Finding],
    errors: Iterable[BundleError],
    where: str = "",
) -> Audited:
    """What verifying left to audit, and what it found: a closure that fails is no matter of an audit."""
    judged = list(verdicts)
    faults = [f"{name}: {fault}" for name, verdict in judged for fault in verdict.integrity]
    said = list(findings)
    return Audited(
        tuple(Holding(verdict.inventory, 0, name) for name, verdict in judged if verdict.inventory),
        (*faults, *(f"{where}{one.message}" for one in said if one.grade == "integrity")),
        (
            *(f"{where}{one.message}" for one in said if one.grade == "note"),
            *(f"{name}: what it holds is not known" for name, one in judged if not one.inventory and one.good),
        ),
        tuple(errors),
    )
