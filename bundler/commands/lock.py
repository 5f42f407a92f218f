"""`lock`: resolve targets and write their locks; `lock --check`: say whether the locks still match the manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bundler.adapters.process import run
from bundler.adapters.regular import open_regular
from bundler.adapters.resolver import Resolver
from bundler.adapters.store import Blob
from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError, UsageError
from bundler.kinds.manifests import load_manifests
from bundler.kinds.wheelhouse.build_state import build_lock_fault
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.request import Request, request_for
from bundler.kinds.wheelhouse.resolve import resolve
from bundler.kinds.wheelhouse.sources import Sources
from bundler.model.closure import Wheel
from bundler.model.locked_wheel import LockedWheel
from bundler.model.metadata import parse_metadata, read_wheel
from bundler.model.target import select
from bundler.payloads import SECTIONS
from bundler.payloads.payload import Locker, Pinned
from bundler.progress import Silent
from bundler.session import Network, Settings

_RESOLVERS = 2
_LARGEST_METADATA = 4 << 20


@dataclass(frozen=True)
class LockOutcome:
    """What became of one target's lock: `state` is current, stale, missing, locked, unchanged or failed.

    `lacking` says why the lock is without the database support that the manifest asks for; "" if it is not.
    """

    target: str
    state: str
    packages: int = 0
    detail: str = ""
    lacking: str = ""
    changes: tuple[str, ...] = ()
    error: BundleError | None = None


@dataclass(frozen=True)
class LockReport:
    """All outcomes, in the order of the targets."""

    outcomes: tuple[LockOutcome, ...]

    def errors(self) -> list[BundleError]:
        """What failed, and one error for each lock that is stale or missing."""
        stale = [LockError(o.state) for o in self.outcomes if o.state in ("stale", "missing")]
        return [*(o.error for o in self.outcomes if o.error), *stale]


def check_locks(settings: Settings, selectors: Sequence[str], components: tuple[str, ...]) -> LockReport:
    """Compare locks with manifests; asks no network."""
    workspace = settings.workspace()
    return LockReport(tuple(_state(workspace, request) for request in _requests(workspace, selectors, components)))


def lock(
    settings: Settings,
    selectors: Sequence[str],
    components: tuple[str, ...],
    *,
    upgrade: bool = False,
    exclude_newer: str | None = None,
    versions: Mapping[str, str] | None = None,
) -> LockReport:
    """Resolve every selected target whose lock does not match, or all with `upgrade`, `exclude_newer` or `versions`.

    A target that fails keeps its old lock and does not stop the others.
    """
    workspace = settings.workspace()
    requests = _requests(workspace, selectors, components)
    moment = _moment(exclude_newer)
    asked = upgrade or bool(exclude_newer) or bool(versions)
    states = {request: _state(workspace, request) for request in requests}
    waiting = [r for r in requests if asked or states[r].state != "current" or states[r].detail or states[r].lacking]
    if not waiting:
        return LockReport(tuple(states[request] for request in requests))
    with settings.network() as network, ThreadPoolExecutor(_RESOLVERS) as pool:
        work = _Work(
            workspace,
            Resolver(run, settings.env, network.index_address),
            _Metadata(settings, network),
            versions or {},
            {name: section.locker(settings, network) for name, section in SECTIONS.items()},
            Sources(settings, network, renew=upgrade and _all_that_share(workspace, requests)),
            keep=not upgrade,
            newest=moment,
            finished={r for r in requests if not asked and states[r].state == "current" and not states[r].detail},
        )
        for request in waiting:
            settings.progress.say(f"resolving {request.target.name}")
        try:
            states |= work.settled(dict(zip(waiting, pool.map(work.resolve, waiting), strict=True)))
        except BaseException:
            settings.cancelled.set()
            raise
    return LockReport(tuple(states[request] for request in requests))


def _requests(workspace: Workspace, selectors: Sequence[str], components: tuple[str, ...]) -> list[Request]:
    manifests = load_manifests(workspace)
    targets = select(manifests.targets, selectors)
    return [request_for(manifests, name, t) for name in components for t in targets]


def _all_that_share(workspace: Workspace, requests: Sequence[Request]) -> bool:
    """Say whether no target is left out whose lock has a wheel in it that is built for one of `requests`."""
    manifests = load_manifests(workspace)
    built = {request.component for request in requests if request.source}
    everybody = {request_for(manifests, name, t) for name in manifests.wheelhouses for t in manifests.targets}
    return {one for one in everybody if one.source and one.component in built} <= set(requests)


def _state(workspace: Workspace, request: Request) -> LockOutcome:
    name = request.target.name
    text = workspace.lock_text(request.target)
    if text is None:
        return LockOutcome(name, "missing", detail="there is no lock")
    try:
        parsed = Lock.parse(text, workspace.lock_path(request.target).name)
    except LockError as error:
        return LockOutcome(name, "stale", detail=error.message)
    if reason := parsed.staleness(request):
        return LockOutcome(name, "stale", len(parsed.wheels), reason)
    if fault := build_lock_fault(workspace, request, parsed):
        return LockOutcome(name, "stale", len(parsed.wheels), fault)
    overridden = ", ".join(f"{project}={version}" for project, version in parsed.facts.set.items())
    detail = f"made with --set {overridden}" if overridden else ""
    return LockOutcome(name, "current", len(parsed.wheels), detail, parsed.lacking(request))


def _parsed(workspace: Workspace, request: Request) -> Lock | None:
    text = workspace.lock_text(request.target)
    try:
        return Lock.parse(text, "") if text else None
    except LockError:
        return None


@dataclass(frozen=True)
class _Work:
    """What all targets of one run share. `keep`: versions of the old lock are kept where they still fit.

    Of `finished` locks, only the database support is missing, and nothing else is asked for.
    """

    workspace: Workspace
    resolver: Resolver
    metadata: _Metadata
    versions: Mapping[str, str]
    lockers: Mapping[str, Locker]
    sources: Sources
    keep: bool
    newest: str | None
    finished: set[Request]
    pending: dict[Request, str] = field(default_factory=dict)

    def resolve(self, request: Request) -> LockOutcome:
        """Resolve one target and write its lock if it changed."""
        name, before = request.target.name, _parsed(self.workspace, request)
        kept = before if self.keep else None
        newest = self.newest or (kept.facts.exclude_newer if kept else _today())
        try:
            sections, lacking = self._sections(request, before)
            if lacking and before and request in self.finished:
                return LockOutcome(name, "current", len(before.wheels), lacking=lacking)
            made = resolve(
                request, self.resolver, self.metadata,
                versions=self.versions, exclude_newer=newest, previous=kept, sections=sections,
                built=self.sources.lock(request),
            )  # fmt: skip
        except BundleError as error:
            return LockOutcome(name, "failed", error=error)
        if made.render() == self.workspace.lock_text(request.target):
            return LockOutcome(name, "unchanged", len(made.wheels), lacking=lacking)
        if request.source and self.sources.changed(request.component):
            self.pending[request] = made.render()
        else:
            self.workspace.write_lock(request.target, made.render())
        return LockOutcome(name, "locked", len(made.wheels), lacking=lacking, changes=_changes(before, made))

    def _sections(self, request: Request, before: Lock | None) -> tuple[dict[str, Pinned], str]:
        """The payloads that a request's sections ask for, pinned; and why some are not."""
        old = dict(before.sections) if before else {}
        made = {
            name: self.lockers[name].lock(choice, request.target, old.get(name), keep=self.keep)
            for name, choice in request.sections
        }
        pinned = {name: payload for name, (payload, _) in made.items() if payload is not None}
        return pinned, "; ".join(why for _, why in made.values() if why)

    def settled(self, outcomes: Mapping[Request, LockOutcome]) -> dict[Request, LockOutcome]:
        """Write what waits for a changed build lock: all of it, if every target that shares it resolved, else none."""
        result = dict(outcomes)
        for component in sorted({r.component for r in outcomes if r.source and self.sources.changed(r.component)}):
            sharing = [request for request in outcomes if request.source and request.component == component]
            failed = [request.target.name for request in sharing if outcomes[request].error]
            if not failed:
                self.sources.write(component)
            for request in sharing:
                if not failed and request in self.pending:
                    self.workspace.write_lock(request.target, self.pending[request])
                elif failed and not outcomes[request].error:
                    reason = f"{request.target.name} is not locked: {failed[0]} shares its build lock, and failed"
                    result[request] = LockOutcome(request.target.name, "failed", error=LockError(reason))
        return result


class _Metadata:
    """Reads the metadata of wheels being locked: the small file beside each (PEP 658), else the wheel itself."""

    def __init__(self, settings: Settings, network: Network) -> None:
        self._store, self._network, self._jobs = settings.store(), network, settings.jobs
        self._known: dict[str, Wheel] = {}

    def __call__(self, wheels: Sequence[tuple[LockedWheel, str]]) -> list[Wheel]:
        """Return what each wheel, seen at the given address, says of itself."""
        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(self._one, wheels))

    def _one(self, pair: tuple[LockedWheel, str]) -> Wheel:
        wheel, address = pair
        if wheel.sha256 not in self._known:
            self._known[wheel.sha256] = self._beside(wheel, address) or self._inside(wheel, address)
        return self._known[wheel.sha256]

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


def _changes(before: Lock | None, after: Lock) -> tuple[str, ...]:
    """Say which versions a new lock changes, a line each."""
    old = {wheel.project: wheel.version for wheel in before.wheels} if before else {}
    new = {wheel.project: wheel.version for wheel in after.wheels}
    lines = []
    for project in sorted({*old, *new}):
        was, now = old.get(project), new.get(project)
        if was and now and was != now:
            lines.append(f"{project} {was} -> {now}")
        elif not (was and now):
            lines.append(f"+ {project} {now}" if now else f"- {project} {was}")
    return tuple(lines)


def _moment(text: str | None) -> str | None:
    """Parse a date or a time with zone to the RFC 3339 text that locks hold. Raises UsageError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--exclude-newer {text!r} is not a date", "for example 2026-11-20") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _today() -> str:
    """The last midnight (UTC), so that a day's locks agree."""
    return f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}"
