"""`audit`: what is known to be wrong with what archives hold, or will hold: advisories, licences, known-bad files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from bundler.adapters.advisories import read_advisories
from bundler.adapters.durable import write_whole
from bundler.errors import UnreachableError, UsageError, gravest
from bundler.kinds.manifests import Manifests, load_manifests, manifests_at_hand
from bundler.model import snapshot
from bundler.model.advisories import Advisories, Issue, package_of
from bundler.model.advisory import Package
from bundler.model.dependencies import Dependencies
from bundler.model.holding import Holding
from bundler.model.inventory import Item
from bundler.model.licence_rules import unlicensed
from bundler.model.sidecar import ADVISORIES, NOTHING_TOLD
from bundler.model.signatures import Demand
from bundler.model.trust import NOTHING_TRUSTED, Accepted, Trust
from bundler.release.audited import Audited, local, locked, released
from bundler.release.home import addresses
from bundler.session import Session

_NONE_AT_HAND = "give --advisories FILE: a snapshot of `audit --snapshot`, or what OSV exports (all.zip)"


@dataclass(frozen=True)
class AuditOptions:
    """Which locks, where no subject is named; where advisories come from; what is written; the day (UTC)."""

    today: date
    components: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    advisories: Path | None = None
    snapshot: Path | None = None
    offline: bool = False


@dataclass(frozen=True)
class Told:
    """An issue, in which archives it is, the shortest way to what needs it, and whether it is accepted."""

    issue: Issue
    where: tuple[str, ...]
    chain: tuple[str, ...]
    accepted: Accepted | None
    expired: bool

    @property
    def stands(self) -> bool:
        """Whether it counts: nobody accepted it, or not for so long."""
        return self.accepted is None or self.expired


@dataclass(frozen=True)
class Refused:
    """A licence that the rules do not let be shipped, of what, and in which archives."""

    name: str
    version: str
    reason: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class AuditReport:
    """What was found. `uncovered` are packages that the advisories tell nothing of; `written` is the snapshot."""

    audited: Audited
    known: Advisories
    age: int
    issues: tuple[Told, ...]
    uncovered: tuple[Package, ...]
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]
    written: Path | None = None

    @property
    def exit_code(self) -> int:
        """3 if something is not what it says, or known to be bad; that of the gravest error; 1 for what was found."""
        if self.audited.faults:
            return 3
        found = any(one.stands for one in self.issues) or self.refused
        return gravest(self.audited.errors) or (1 if found else 0)


def audit(session: Session, subjects: Sequence[str], options: AuditOptions) -> AuditReport:
    """Look up what archives, folders and releases hold or, without any, what the committed locks say.

    Raises UsageError, ManifestError, LockError, IntegrityError for advisories that cannot be used, UnreachableError.
    """
    if subjects:
        manifests = manifests_at_hand(session)
        held = _held(session, subjects, options, manifests)
    else:
        manifests = load_manifests(session.workspace())
        held = locked(manifests, session.workspace(), options.components, options.targets or ("all",))
    trust = manifests.trust if manifests else NOTHING_TRUSTED
    places = _places(held.all)
    packages = frozenset(places)
    known, notes = _known(session, subjects, options, packages)
    refused, unjudged = _refused(held.all, trust)
    if options.snapshot:
        write_whole(options.snapshot, snapshot.compose(known.subset(packages)))
    return AuditReport(
        audited=held,
        known=known,
        age=(options.today - known.made).days,
        issues=tuple(_told(issue, places, trust, options.today) for issue in known.issues(packages)),
        uncovered=tuple(sorted(package for package in packages if not known.covers(package))),
        refused=refused,
        notes=(*held.notes, *notes, *unjudged),
        written=options.snapshot,
    )


def _held(session: Session, subjects: Sequence[str], options: AuditOptions, manifests: Manifests | None) -> Audited:
    """What the subjects hold."""
    if options.components or options.targets:
        raise UsageError("--component and --targets choose among locks", "name archives, or leave SUBJECT out")
    told = replace(NOTHING_TOLD, trust=manifests.trust if manifests else NOTHING_TRUSTED, today=options.today)
    named = addresses(subjects, manifests)
    paths = [Path(word) for word in subjects if word not in named]
    bad = manifests.known_bad if manifests else {}
    # What nobody signed yet is audited before it is; a release whose SBOMs are believed has to be the maker's.
    unsigned, signed = (replace(told, demand=one if told.trust.keys else None) for one in (Demand(least=0), Demand()))
    held = local(session, paths, bad, unsigned) if paths else Audited()
    return held + (released(session, list(named.values()), bad, signed) if named else Audited())


def _known(
    session: Session, subjects: Sequence[str], options: AuditOptions, packages: Set[Package]
) -> tuple[Advisories, tuple[str, ...]]:
    """The advisories, and what is to be said of where they are from.

    They are those of the file that is named; else what the index says today; else, with no network, what lies beside
    the archives. Raises UnreachableError, UsageError, IntegrityError.
    """
    if options.advisories:
        return read_advisories(options.advisories), ()
    beside = sorted({path for word in subjects if (path := _beside(Path(word))).is_file()})
    if not options.offline:
        try:
            return _asked(session, packages, options.today), ()
        except UnreachableError as error:
            if len(beside) != 1:
                raise
            return read_advisories(beside[0]), (f"{error.message}; what {beside[0]} says is used",)
    if len(beside) == 1:
        return read_advisories(beside[0]), ()
    if beside:
        raise UsageError(f"which of {', '.join(map(str, beside))}?", "give one with --advisories")
    raise UnreachableError("no advisories are at hand", _NONE_AT_HAND)


def _beside(path: Path) -> Path:
    """Where a snapshot stands beside an archive, or in a folder of archives."""
    return (path if path.is_dir() else path.parent) / ADVISORIES


def _asked(session: Session, packages: Set[Package], today: date) -> Advisories:
    from bundler.adapters.index_advisories import ask_index  # HTTP and TLS: not loaded where a file is read

    with session.network() as network:
        return ask_index(network.http, network.index.address, sorted(packages), today, session.jobs, session.progress)


def _places(held: Sequence[Holding]) -> Mapping[Package, Sequence[tuple[Holding, Item]]]:
    """Where each package is that advisories may tell of."""
    places: dict[Package, list[tuple[Holding, Item]]] = defaultdict(list)
    for one in held:
        for item in one.inventory.items:
            if package := package_of(item, one.inventory):
                places[package].append((one, item))
    return places


def _told(issue: Issue, places: Mapping[Package, Sequence[tuple[Holding, Item]]], trust: Trust, today: date) -> Told:
    """Where an issue is, and whether it is accepted."""
    found = [place for package in issue.packages for place in places[package]]
    where = dict.fromkeys(one.name for one, _ in found)
    ways = (Dependencies(one.inventory).way_to(item.purl) for one, item in found)
    chain = tuple(item.name for item in next(filter(None, ways), ()))
    accepted = trust.accepts(issue.ids, issue.name)
    return Told(issue, tuple(where), chain, accepted, bool(accepted and accepted.until < today))


def _refused(held: Sequence[Holding], trust: Trust) -> tuple[tuple[Refused, ...], tuple[str, ...]]:
    """What may not be shipped by the licences that it has, and of what no licence is known."""
    if not (trust.licences.allow or trust.licences.deny):
        return (), ()
    where: dict[tuple[str, str, str], list[str]] = {}
    for one in held:
        for found in () if one.locked else unlicensed(one.inventory, trust.licences):
            where.setdefault((found.item.name, found.item.version, found.reason), []).append(one.name)
    silent = any(one.locked for one in held)
    note = "licences are told by the files alone, not by locks: audit the archives" if silent else ""
    refused = tuple(Refused(*what, tuple(names)) for what, names in sorted(where.items()))
    return refused, (note,) if note else ()
