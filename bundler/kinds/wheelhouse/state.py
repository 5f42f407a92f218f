"""How a target's lock stands: what it says, whether it serves, and what in it does not fit. Asks no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, Problem
from bundler.kinds.wheelhouse.build_state import build_lock_fault, read_build_lock
from bundler.kinds.wheelhouse.lock import Lock, MalformedLockError
from bundler.kinds.wheelhouse.request import Request
from bundler.model.outcome import Outcome
from bundler.model.wheel_name import parse_wheel_name


@dataclass(frozen=True)
class LockText:
    """A lock's text, None if there is none, and the name of the file that it was found in, or would be."""

    name: str
    text: str | None


def lock_text(workspace: Workspace, request: Request) -> LockText:
    """The lock of a request, under its name or the one that such locks had before."""
    text = workspace.lock_text(request.lock_name)
    if text is None and (old := old_lock_text(workspace, request)) is not None:
        return LockText(request.old_lock_name, old)
    return LockText(request.lock_name, text)


def old_lock_text(workspace: Workspace, request: Request) -> str | None:
    """The text of a request's lock under the name that such locks had before, or None if there is none.

    That name says no component: where there are several, a lock is the one's that it was made for.
    """
    text = workspace.lock_text(request.old_lock_name)
    ours = text is not None and (not request.named or f'\nmanifest-sha256 = "{request.digest()}"\n' in text)
    return text if ours else None


def parsed_lock(workspace: Workspace, request: Request) -> Lock | None:
    """The lock of a request, or None if there is none that can be read."""
    found = lock_text(workspace, request)
    try:
        return Lock.parse(found.text, found.name) if found.text else None
    except LockError:
        return None


def state_of(name: str, workspace: Workspace, request: Request) -> Outcome:
    """Say how the lock of a request of the component `name` stands."""
    return read_state(name, workspace, request)[0]


def read_state(name: str, workspace: Workspace, request: Request) -> tuple[Outcome, Lock | None]:
    """The same, and the lock, if there is one that can be read."""
    found = lock_text(workspace, request)
    stands = partial(Outcome, name, request.target.name, named=request.named)
    if found.text is None:
        return stands("missing", detail="there is no lock"), None
    try:
        lock = Lock.parse(found.text, found.name)
    except LockError as error:
        return stands("stale", detail=error.message), None
    fault = lock.staleness(request) or build_lock_fault(workspace, request, lock)
    if fault:
        return stands("stale", packages=len(lock.wheels), detail=fault), lock
    overridden = ", ".join(f"{project}={version}" for project, version in lock.facts.set.items())
    detail = f"made with --set {overridden}" if overridden else ""
    return stands("current", packages=len(lock.wheels), detail=detail, lacking=lock.lacking(request)), lock


def lock_problems(workspace: Workspace, request: Request) -> Iterator[Problem]:
    """Everything that is wrong with a lock, by its line."""
    found, again = lock_text(workspace, request), request.again(request.target.name)
    name = f"locks/{found.name}"
    if found.text is None:
        yield Problem(name, 0, 0, f"is missing; {again}")
        return
    try:
        lock = Lock.parse(found.text, name)
    except MalformedLockError as error:
        yield Problem(name, error.line, 0, f"{error.reason}; {again}")
        return
    if reason := lock.staleness(request):
        yield Problem(name, 0, 0, f"is stale: {reason}; {again}")
        return
    if build_lock_error(workspace, request):  # told once, for all targets
        return
    if fault := build_lock_fault(workspace, request, lock):
        yield Problem(name, 0, 0, f"is stale: {fault}; {again}")
        return
    yield from (Problem(name, _line_of(found.text, what), 0, message) for what, message in _unfit(lock, request))


def build_lock_error(workspace: Workspace, request: Request) -> LockError | None:
    """What is wrong with the lock of what a component is built from and with, if anything is."""
    try:
        read_build_lock(workspace, request)
    except LockError as error:
        return error
    return None


def _unfit(lock: Lock, request: Request) -> Iterator[tuple[str, str]]:
    """What a lock shows without its wheels: the file name at fault and why."""
    from bundler.model.closure import describe  # large: loaded when a lock is looked into

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
