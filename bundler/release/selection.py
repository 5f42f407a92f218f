"""Which archives are published: those that manifests make for the targets asked for, or all that a folder holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from bundler.errors import BundleError, IntegrityError, PreflightError, UsageError
from bundler.kinds import kind_of, said_of
from bundler.kinds.kind import Order, Said
from bundler.kinds.manifests import Manifests
from bundler.model.materials import Sources
from bundler.model.target import Target, select
from bundler.model.trust import NOTHING_TRUSTED, Trust
from bundler.release.home import released_as
from bundler.release.sources import sources_of
from bundler.session import Session
from bundler.words import ARCHIVE

T = TypeVar("T")
_NO_TARGETS: tuple[Target, ...] = ()
_NO_ORDERS: tuple[Order, ...] = ()


class Caught(Protocol):
    """Does a work; what keeps it from being done is one problem more, and something else is taken."""

    def __call__(self, work: Callable[[], T], otherwise: T) -> T:
        """Return what `work` does, or `otherwise`."""


@dataclass(frozen=True)
class Selection:
    """What is to be published: `wanted` are archives' names, each with what it is for.

    `known` are all names that may lie beside them; `orders` is what is compared with the archives. `latest` is what
    manifests, by file stem, say about showing their releases as the latest; they ask for deltas from as many releases
    before as `deltas`. `unchecked` is what nothing here can tell.
    `trust` is whose signatures count, `sources` what manifests and locks say of the archives.
    """

    wanted: tuple[tuple[str, str], ...] = ()
    known: frozenset[str] = frozenset()
    orders: tuple[Order, ...] = ()
    latest: Mapping[str, bool] = field(default_factory=dict)
    deltas: int = 0
    unchecked: tuple[str, ...] = ()
    trust: Trust = NOTHING_TRUSTED
    sources: Mapping[str, Sources] = field(default_factory=dict)


def by_manifests(session: Session, manifests: Manifests, tag: str, targets: Sequence[str], caught: Caught) -> Selection:
    """What the manifests make for `targets` (selectors; none: all) and a release."""
    workspace, epoch, hosts = session.workspace(), session.epoch(), manifests.hosts
    chosen = caught(lambda: select(manifests.targets, targets or ("all",)), _NO_TARGETS)
    selectors = [target.name for target in chosen]
    released = list(released_as(manifests, tag)) if selectors else []
    orders = caught(
        lambda: tuple(made for one in released for made in one.orders(hosts, workspace, selectors, epoch)), _NO_ORDERS
    )
    return Selection(
        wanted=tuple(pair for one in released for pair in one.assets(hosts, selectors)),
        known=frozenset(name for one in manifests.components.values() for name, _ in one.assets(hosts, ["all"])),
        orders=orders,
        latest={one.name: one.latest for one in released if one.latest is not None},
        deltas=max((one.deltas for one in released), default=0),
        trust=manifests.trust,
        sources=sources_of(hosts, workspace, orders),
    )


def by_archives(folder: Path, listed: Mapping[str, str], targets: Sequence[str]) -> Selection:
    """Every archive of a kind that is released, of what a folder's SHA256SUMS lists, as they tell themselves.

    Raises PreflightError for those that do not tell what they are or are not called so, or are there twice.
    """
    problems: list[BundleError] = []
    if targets:
        hint = "give the folder that holds them with --manifests, or leave --targets out to publish all"
        problems.append(UsageError("--targets means targets of manifests, and there are none here", hint))
    archives = {name: folder / name for name in listed if name.endswith(ARCHIVE) and (folder / name).is_file()}
    said = {name: said_of(path) for name, path in archives.items() if kind_of(path, name).TAG_PREFIX is not None}
    for name, its in said.items():
        if not (its.component and name.startswith(its.component) and name.endswith(f"-{_target(its)}{ARCHIVE}")):
            told = f"{its.component or 'nothing'} for {its.host or 'nothing'}"
            hint = "without manifests only names say which archive is which; publish where its manifest is"
            problems.append(IntegrityError(f"{name}: is not called as what it says it is, {told}", hint))
    problems += _twice(said)
    if archives and not said:
        problems.append(UsageError(f"{folder} holds archives that others release, and none of its own"))
    if problems:
        raise PreflightError(f"{folder} does not tell what is to be published:", problems)
    versions = ", ".join(sorted({its.requirement for its in said.values() if its.requirement}))
    return Selection(
        wanted=tuple((name, _target(its)) for name, its in said.items()),
        known=frozenset(archives),
        unchecked=(
            "that no target is missing",
            "that today's manifests and locks make these archives",
            f"that these versions are meant{f' ({versions})' if versions else ''}",
        ),
    )


def _twice(said: Mapping[str, Said]) -> Iterator[BundleError]:
    """Yield what two archives are both for."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, its in said.items():
        names.setdefault((its.component, its.host), []).append(name)
    yield from (UsageError(f"{' and '.join(same)} are for the same") for same in names.values() if same[1:])


def _target(said: Said) -> str:
    """The name of the target that an archive says it is for."""
    return said.host.replace(" ", "-")
