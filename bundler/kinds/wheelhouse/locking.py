"""Resolve a wheelhouse's targets and write their locks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from bundler.adapters.process import run
from bundler.adapters.regular import open_regular
from bundler.adapters.resolver import Resolver
from bundler.adapters.store import Blob
from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError
from bundler.kinds.kind import LockOptions
from bundler.kinds.wheelhouse.caution import Caution
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.request import Request
from bundler.kinds.wheelhouse.resolve import resolve
from bundler.kinds.wheelhouse.set_versions import beaten, refuse, unknown
from bundler.kinds.wheelhouse.sources import Sources
from bundler.kinds.wheelhouse.state import lock_text, old_lock_text, parsed_lock, state_of
from bundler.model.care import Concern, Held, concerns_between, ranked, yanked
from bundler.model.changes import changes_between
from bundler.model.closure import Wheel
from bundler.model.hosts import Hosts
from bundler.model.locked_wheel import LockedWheel
from bundler.model.metadata import parse_metadata, read_wheel
from bundler.model.outcome import Outcome
from bundler.payloads import SECTIONS
from bundler.payloads.payload import Locker, Pinned
from bundler.progress import Silent
from bundler.session import Network, Session

_RESOLVERS = 2
_LARGEST_METADATA = 4 << 20


def lock_wheelhouses(
    components: Sequence[WheelhouseComponent],
    hosts: Hosts,
    session: Session,
    selectors: Sequence[str],
    options: LockOptions,
) -> Sequence[Outcome]:
    """Resolve every selected target whose lock does not match, or all that the options ask for.

    A target that fails keeps its old lock and does not stop the others. Raises UsageError, before anything is resolved,
    for a version of what there is not.
    """
    workspace, versions = session.workspace(), options.versions or {}
    orders = [_Order(one.name, request) for one in components for request in one.requests(hosts, selectors)]
    doubtful: Set[str] = frozenset()
    if versions:
        requests = [order.request for order in orders]
        doubtful = unknown(versions, requests, [parsed_lock(workspace, request) for request in requests])
    asked = options.upgrade or bool(options.newest) or bool(versions)
    states = {order: state_of(order.name, workspace, order.request) for order in orders}
    waiting = [o for o in orders if asked or states[o].state != "current" or states[o].detail or states[o].lacking]
    if waiting:
        everybody = {_Order(one.name, request) for one in components for request in one.requests(hosts)}
        with session.network() as network, ThreadPoolExecutor(_RESOLVERS) as pool:
            work = _Work(
                workspace,
                Resolver(run, session.env, network.index_address),
                Metadata(session, network),
                versions,
                doubtful,
                {name: section.locker(session, network) for name, section in SECTIONS.items()},
                Caution(network, options.cooldown, session.jobs, session.progress.say),
                Sources(session, network, renew=options.upgrade and _all_that_share(everybody, orders)),
                keep=not options.upgrade,
                newest=options.newest,
                finished={o for o in orders if not asked and states[o].state == "current" and not states[o].detail},
                say=session.progress.say,
            )
            try:
                states |= work.settled(dict(zip(waiting, pool.map(work.resolve, waiting), strict=True)))
            except BaseException:
                session.cancelled.set()
                raise
    manifests = {one.name: one.manifest for one in components}
    beats = {order: beaten(manifests[order.name], order.request, versions) for order in orders}
    return [_renamed(workspace, order, replace(states[order], beats=beats[order])) for order in orders]


def _renamed(workspace: Workspace, order: _Order, outcome: Outcome) -> Outcome:
    """Give a lock that serves the name that such locks have now."""
    request = order.request
    found = lock_text(workspace, request)
    if outcome.error or found.text is None:
        return outcome
    if found.name == request.old_lock_name:
        workspace.write_lock(request.lock_name, found.text)
        workspace.remove_lock(found.name)
        state = "renamed" if outcome.state in ("current", "unchanged") else outcome.state
        return replace(outcome, state=state)
    if old_lock_text(workspace, request) is not None:
        workspace.remove_lock(request.old_lock_name)  # it was this one's, and a newer one serves
    return outcome


@dataclass(frozen=True)
class _Order:
    """One lock that may have to be made; `name` is the component's."""

    name: str
    request: Request


def _all_that_share(everybody: Set[_Order], orders: Sequence[_Order]) -> bool:
    """Say whether no target is left out whose lock has a wheel in it that is built for one of `orders`."""
    built = {order.name for order in orders if order.request.source}
    return {one for one in everybody if one.request.source and one.name in built} <= set(orders)


@dataclass(frozen=True)
class _Work:
    """What all targets of one run share. `keep`: versions of the old lock are kept where they still fit.

    `doubtful` are names in `versions` that a lock which is made has to hold.
    Of `finished` locks, only payloads of sections are missing, and nothing else is asked for.
    """

    workspace: Workspace
    resolver: Resolver
    metadata: Metadata
    versions: Mapping[str, str]
    doubtful: Set[str]
    lockers: Mapping[str, Locker]
    caution: Caution
    sources: Sources
    keep: bool
    newest: str | None
    finished: set[_Order]
    say: Callable[[str], None]
    pending: dict[_Order, str] = field(default_factory=dict)

    def resolve(self, order: _Order) -> Outcome:
        """Resolve one target and write its lock if it changed."""
        request, before = order.request, parsed_lock(self.workspace, order.request)
        kept = before if self.keep else None
        # What is asked for anew may be younger than all that is locked.
        same = kept and kept.facts.requirement == request.with_versions(self.versions).requirement
        newest = self.newest or (kept.facts.exclude_newer if kept and same else today())
        became = partial(Outcome, order.name, request.target.name, named=request.named)
        try:
            sections, lacking = self._sections(request, before)
            # Nothing else is asked for, and nothing more can be had.
            if order in self.finished and before and sections == dict(before.sections):
                return became("current", packages=len(before.wheels), lacking=lacking)
            self.say(f"resolving {request.target.name}")
            made, concerns = self._made(request, before, newest, sections)
        except BundleError as error:
            return became("failed", error=error)
        if made.render() == lock_text(self.workspace, request).text:
            return became("unchanged", packages=len(made.wheels), lacking=lacking)
        if request.source and self.sources.changed(request.component):
            self.pending[order] = made.render()
        else:
            self.workspace.write_lock(request.lock_name, made.render())
        old = before.wheels if before else ()
        sizes = tuple(sum(wheel.size for wheel in wheels) for wheels in (old, made.wheels))
        changes = changes_between(old, made.wheels)
        return became(
            "locked", packages=len(made.wheels), lacking=lacking, changes=changes, sizes=sizes, concerns=concerns
        )

    def _made(
        self, request: Request, before: Lock | None, newest: str, sections: Mapping[str, Pinned]
    ) -> tuple[Lock, tuple[Concern, ...]]:
        """The lock that comes of a request, and what to look at twice in it."""
        old = before.wheels if before else ()
        withdrawn = self.caution.withdrawn(old)
        lock, startup = resolve(
            request, self.resolver, partial(self.metadata, known=_looked_into(before, request)), self.caution,
            versions=self.versions, limits=self.caution.limits(newest, old, explicit=bool(self.newest)),
            previous=before.without(withdrawn) if before and self.keep else None,
            kept={wheel.sha256 for wheel in old}, sections=sections, built=self.sources.lock(request),
        )  # fmt: skip
        refuse(self.doubtful, request.target.name, lock)
        wheels, unverified = self.caution.proven(lock.wheels, {wheel.sha256: wheel.publishers for wheel in old})
        made = self._settled(request, replace(lock, wheels=tuple(wheels)))
        if before is None:
            return made, ()
        allowed = before.facts.startup_files
        held = [Held.of_wheel(w, self.metadata.startup(w) if w.project in allowed else ()) for w in old]
        became = [Held.of_wheel(wheel, startup.get(wheel.filename, ())) for wheel in made.wheels]
        return made, ranked((*concerns_between(held, became, unverified), *yanked(held, became, withdrawn)))

    def _sections(self, request: Request, before: Lock | None) -> tuple[dict[str, Pinned], tuple[tuple[str, str], ...]]:
        """The payloads that a request's sections ask for, pinned; and why some are not."""
        old = dict(before.sections) if before else {}
        made = {
            name: self.lockers[name].lock(choice, request.target, old.get(name), keep=self.keep)
            for name, choice in request.sections
        }
        pinned = {name: payload for name, (payload, _) in made.items() if payload is not None}
        return pinned, tuple((name, why) for name, (_, why) in made.items() if why)

    def _settled(self, request: Request, lock: Lock) -> Lock:
        """The lock with what payloads make in the place of what an index has."""
        wheels: Sequence[LockedWheel] = lock.wheels
        pinned = dict(lock.sections)
        for name in pinned:
            pinned[name], wheels = self.lockers[name].settle(pinned[name], request.target, wheels)
        return replace(lock, wheels=tuple(wheels), sections=tuple(pinned.items()))

    def settled(self, outcomes: Mapping[_Order, Outcome]) -> dict[_Order, Outcome]:
        """Write what waits for a changed build lock: all of it, if every target that shares it resolved, else none."""
        result = dict(outcomes)
        built = {order.request.component for order in outcomes if order.request.source}
        for component in sorted(one for one in built if self.sources.changed(one)):
            sharing = [o for o in outcomes if o.request.source and o.request.component == component]
            failed = [order.request.target.name for order in sharing if outcomes[order].error]
            if not failed:
                self.sources.write(component)
            for order in sharing:
                if not failed and order in self.pending:
                    self.workspace.write_lock(order.request.lock_name, self.pending[order])
                elif failed and not outcomes[order].error:
                    target = order.request.target.name
                    reason = f"{target} is not locked: {failed[0]} shares its build lock, and failed"
                    result[order] = Outcome(order.name, target, "failed", error=LockError(reason))
        return result


class Metadata:
    """Reads wheels being locked: those that were looked into by the small file beside each (PEP 658), others whole."""

    def __init__(self, session: Session, network: Network) -> None:
        self._store, self._network, self._jobs = session.store(), network, session.jobs
        self._known: dict[str, Wheel] = {}
        self._whole: set[str] = set()
        self._served = True

    def __call__(self, wheels: Sequence[tuple[LockedWheel, str]], known: Set[str]) -> list[Wheel]:
        """Return what each wheel, seen at the given address, says of itself.

        Of those whose digest is `known` it is not asked again what Python would run of them when it starts.
        """
        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(lambda pair: self._one(*pair, looked_into=pair[0].sha256 in known), wheels))

    def beside(self, wheels: Sequence[tuple[LockedWheel, str]]) -> list[Wheel] | None:
        """The same without fetching a wheel; None if the index serves no metadata of one that is not in the store."""
        with ThreadPoolExecutor(self._jobs) as pool:
            read = list(pool.map(lambda pair: self._told(*pair), wheels))
        told = [wheel for wheel in read if wheel is not None]
        return told if len(told) == len(wheels) else None

    def startup(self, wheel: LockedWheel) -> tuple[str, ...] | None:
        """The files in a wheel that Python runs when it starts; None, not known, if the wheel is not in the store."""
        if not self._store.has(Blob(wheel.filename, wheel.sha256, wheel.size)):
            return None
        return self._inside(wheel, "").startup

    def _told(self, wheel: LockedWheel, address: str) -> Wheel | None:
        read = self._known.get(wheel.sha256)
        if read is None and self._store.has(Blob(wheel.filename, wheel.sha256, wheel.size)):
            read = self._inside(wheel, address)
        if read is None and self._served:
            read = self._beside(wheel, address)
            self._served = read is not None  # an index that serves one serves all
        if read is not None:
            self._known[wheel.sha256] = read
        return read

    def _one(self, wheel: LockedWheel, address: str, *, looked_into: bool) -> Wheel:
        if wheel.sha256 in self._whole or (looked_into and wheel.sha256 in self._known):
            return self._known[wheel.sha256]
        read = self._beside(wheel, address) if looked_into else None
        if read is None:
            read = self._inside(wheel, address)
            self._whole.add(wheel.sha256)
        self._known[wheel.sha256] = read
        return read

    def _beside(self, wheel: LockedWheel, address: str) -> Wheel | None:
        if wheel.source:
            return None
        try:
            page = self._network.http.get(f"{address}.metadata", "*/*", _LARGEST_METADATA)
            return parse_metadata(page.content, wheel.filename)
        except (UnreachableError, IntegrityError):
            return None

    def _inside(self, wheel: LockedWheel, address: str) -> Wheel:
        blob = Blob(wheel.filename, wheel.sha256, wheel.size)
        with Silent().task("", 0) as task:
            path = self._store.fetch(blob, iter([address]), self._network.http, task)
        with open_regular(path) as file:
            return read_wheel(file, wheel.filename)


def _looked_into(before: Lock | None, request: Request) -> frozenset[str]:
    """The SHA-256 of each wheel that the lock of before holds, if it allowed the same wheels to have startup files."""
    if before is None or before.facts.startup_files != request.startup_files:
        return frozenset()
    return frozenset(wheel.sha256 for wheel in before.wheels)


def today() -> str:
    """The last midnight (UTC), so that a day's locks agree."""
    return f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}"
