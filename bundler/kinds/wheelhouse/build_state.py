"""Whether a component's build lock is there, is for its source, and goes with the targets' locks."""

from __future__ import annotations

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError
from bundler.kinds.wheelhouse.build_lock import BuildLock
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.request import Request


def read_build_lock(workspace: Workspace, request: Request) -> BuildLock | None:
    """Return the build lock of a request's component, or None if its wheel comes from the index.

    Raises LockError if there is none, or none for the request's source.
    """
    if request.source is None:
        return None
    name = request.build_lock_name
    text = workspace.lock_text(name)
    if text is None:
        raise LockError(f"{name} is missing", request.again())
    lock = BuildLock.parse(text, name, request.again())
    reason = lock.staleness(request.component, request.source) or lock.bad(dict(request.known_bad))
    if reason:
        raise LockError(f"{name} is stale: {reason}", request.again())
    return lock


def build_lock_fault(workspace: Workspace, request: Request, lock: Lock) -> str | None:
    """Say why a target's lock, which serves `request`, does not go with the build lock; None if it does."""
    try:
        build_lock = read_build_lock(workspace, request)
    except LockError as error:
        return error.message
    if build_lock and not build_lock.serves(lock):
        return f"its wheel is not the one of {request.build_lock_name}"
    return None
