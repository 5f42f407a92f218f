"""`check` and `targets`: what the manifests and locks say, and everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, ManifestError, Problem
from bundler.kinds.manifests import Manifests, load_manifests
from bundler.kinds.prebuilt.state import check_components
from bundler.kinds.wheelhouse.build_state import build_lock_fault, read_build_lock
from bundler.kinds.wheelhouse.lock import Lock, MalformedLockError, lacking
from bundler.kinds.wheelhouse.request import Request, request_for
from bundler.model.closure import describe
from bundler.model.target import Target, select
from bundler.model.wheel_name import parse_wheel_name
from bundler.session import Settings

_RUNNERS = {"amd64": "ubuntu-24.04", "arm64": "ubuntu-24.04-arm"}


@dataclass(frozen=True)
class CheckReport:
    """Everything wrong, by file and line, and what is sound but not finished."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """2 if anything is wrong."""
        return 2 if self.problems else 0


def check(settings: Settings) -> CheckReport:
    """Check all manifests and locks. Raises UsageError if there is no folder of manifests."""
    workspace = settings.workspace()
    try:
        manifests = load_manifests(workspace)
    except ManifestError as error:
        return CheckReport(error.problems, ())
    problems = [
        problem
        for component in manifests.wheelhouses
        for target in manifests.targets
        for problem in _lock_problems(workspace, request_for(manifests, component, target))
    ]
    for component in manifests.wheelhouses:
        requests = [request_for(manifests, component, target) for target in manifests.targets]
        name = workspace.build_lock_path(manifests.wheelhouses[component].component).name
        if fault := next((e for request in requests if (e := _build_lock_error(workspace, request))), None):
            reason = fault.message.removeprefix(name).lstrip()
            problems.append(Problem(f"locks/{name}", 0, 0, f"{reason}; {fault.hint}"))
    built = [w.component for w in manifests.wheelhouses.values() if w.source]
    for path in workspace.stray_locks(manifests.targets, built):
        problems.append(Problem(f"locks/{path.name}", 0, 0, "belongs to no target; remove it"))
    components = check_components(settings, tuple(manifests.release_assets))
    problems += [
        Problem(f"locks/assets.{c.name}.toml", 0, 0, f"is stale: {c.detail}") for c in components if c.state == "stale"
    ]
    for path in workspace.stray_asset_locks(manifests.release_assets):
        problems.append(Problem(f"locks/{path.name}", 0, 0, "belongs to no component; remove it"))
    notes = [f"{c.name} is not locked: {c.detail}" for c in components if c.state == "missing"]
    notes += [f"{c.name} is locked to {c.release}, published {c.age}" for c in components if c.state == "current"]
    unlocked = [f"{name}: {why}" for name, why in _lacking(workspace, manifests)]
    if unlocked:
        notes.append(f"{len(unlocked)} locks are without database support, such as {unlocked[0]}")
    return CheckReport(tuple(problems), tuple(notes))


def _lacking(workspace: Workspace, manifests: Manifests) -> Iterator[tuple[str, str]]:
    """The targets whose locks lack the database support that the manifest asks for, and why."""
    for component in manifests.wheelhouses:
        for target in manifests.targets:
            text = workspace.lock_text(target)
            if text is not None and (why := lacking(text, request_for(manifests, component, target))):
                yield target.name, why


def _build_lock_error(workspace: Workspace, request: Request) -> LockError | None:
    try:
        read_build_lock(workspace, request)
    except LockError as error:
        return error
    return None


def _lock_problems(workspace: Workspace, request: Request) -> Iterator[Problem]:
    name = f"locks/{workspace.lock_path(request.target).name}"
    text = workspace.lock_text(request.target)
    again = f"run `aiws-bundle lock {request.target.name}`"
    if text is None:
        yield Problem(name, 0, 0, f"is missing; {again}")
        return
    try:
        lock = Lock.parse(text, name)
    except MalformedLockError as error:
        yield Problem(name, error.line, 0, f"{error.reason}; {again}")
        return
    if reason := lock.staleness(request):
        yield Problem(name, 0, 0, f"is stale: {reason}; {again}")
        return
    if _build_lock_error(workspace, request):  # told once, for all targets
        return
    if fault := build_lock_fault(workspace, request, lock):
        yield Problem(name, 0, 0, f"is stale: {fault}; {again}")
        return
    yield from (Problem(name, _line_of(text, what), 0, message) for what, message in _unfit(lock, request))


def _unfit(lock: Lock, request: Request) -> Iterator[tuple[str, str]]:
    """What a lock shows without its wheels: the file name at fault and why."""
    supported = frozenset(request.python.tags)
    versions = {}
    for wheel in lock.wheels:
        _, version, _, tags = parse_wheel_name(wheel.filename)
        versions[wheel.project] = version
        if tags.isdisjoint(supported):
            yield wheel.filename, f"{wheel.filename} does not run on {describe(request.python)}"
    for text in lock.effective(request).requirements:
        wanted = Requirement(text)
        found = versions.get(canonicalize_name(wanted.name))
        if found is None or not wanted.specifier.contains(found, prereleases=True):
            yield f'"{wanted.name}"', f"{text} is wanted, {found or 'none'} is locked"


def _line_of(text: str, what: str) -> int:
    return text.count("\n", 0, text.find(what)) + 1 if what in text else 1


@dataclass(frozen=True)
class TargetFacts:
    """One target as the manifests see it, for one component."""

    target: Target
    request: Request
    asset: str
    lock: str

    def matrix(self) -> dict[str, str]:
        """The target as one entry of a GitHub Actions matrix, for a job in the distro's own container."""
        return {
            "target": self.target.name,
            "distro": self.target.distro,
            "version": self.target.version,
            "arch": self.target.arch,
            "runner": _RUNNERS[self.target.arch],
            "container": f"{self.target.distro}:{self.target.version}",
            "asset": self.asset,
        }


def targets(settings: Settings, selectors: Sequence[str]) -> tuple[TargetFacts, ...]:
    """List the selected targets of every wheelhouse. Raises UsageError, ManifestError."""
    workspace = settings.workspace()
    manifests = load_manifests(workspace)
    return tuple(
        _facts(workspace, manifests, component, target)
        for component in manifests.wheelhouses
        for target in select(manifests.targets, selectors)
    )


def _facts(workspace: Workspace, manifests: Manifests, component: str, target: Target) -> TargetFacts:
    request = request_for(manifests, component, target)
    asset = manifests.wheelhouses[component].asset_name(target)
    text = workspace.lock_text(target)
    state = "missing"
    if text is not None:
        try:
            lock = Lock.parse(text, workspace.lock_path(target).name)
            fresh = f"{len(lock.wheels)} wheels, {lock.facts.exclude_newer[:10]}"
            stale = lock.staleness(request) or (request.source and build_lock_fault(workspace, request, lock))
            state = "stale" if stale else fresh
        except LockError:
            state = "malformed"
    return TargetFacts(target, request, asset, state)
