"""`cache`: what the store holds, and what of it can go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.errors import LockError
from bundler.kinds.manifests import load_manifests
from bundler.session import Settings


@dataclass(frozen=True)
class CacheInfo:
    """The store in numbers; sizes in bytes."""

    folder: Path
    files: int
    size: int
    unfinished: int


def info(settings: Settings) -> CacheInfo:
    """Count what the store holds."""
    store = settings.store()
    sizes = [path.stat().st_size for path in store.entries()]
    unfinished = sum(path.suffix != ".lock" for path in store.leftovers())
    return CacheInfo(store.root, len(sizes), sum(sizes), unfinished)


def prune(settings: Settings, *, everything: bool) -> tuple[int, int]:
    """Remove what no lock or pin of the manifests names, or everything. Returns files and bytes removed."""
    return settings.store().prune(() if everything else _named(settings))


def _named(settings: Settings) -> set[str]:
    """Every digest that the manifests and their locks name. Raises LockError rather than guess at a broken lock."""
    workspace = settings.workspace()
    manifests = load_manifests(workspace)
    python = manifests.hosts.python
    digests = {pin.sha256 for pin in python.pins.values()} if python else set()
    for component in manifests.components.values():
        for lock in component.locks(manifests.hosts):
            if (text := workspace.lock_text(lock.name)) is not None:
                try:
                    digests |= lock.digests(text)
                except LockError as error:
                    raise LockError(error.message, f"{error.hint}, or prune with --all") from error
    return digests
