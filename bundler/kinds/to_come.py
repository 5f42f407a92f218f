"""How large archives will be, as their locks tell before anything is built, and what the targets share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError
from bundler.kinds.kind import Component
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory, Item


@dataclass(frozen=True)
class ToCome:
    """What a target's archive will be made of; all sizes in bytes of what is fetched for it, each file once.

    `by_all` of `size` is in the archives of all the component's targets that are looked at, `by_some` in others' too,
    `own` in no other. `unsized` is how many of its things the lock does not tell the size of: they come on top.
    `lacks` is what it is without: a lock that fits, or what the manifest asks for.
    """

    component: str
    target: str
    size: int = 0
    by_all: int = 0
    by_some: int = 0
    own: int = 0
    unsized: int = 0
    lacks: tuple[str, ...] = ()


def sizes(component: Component, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> tuple[ToCome, ...]:
    """What is to come of a component, by target; nothing of what others release. Asks no network."""
    states = [one for one in component.states(hosts, workspace, selectors) if one.target]
    held: dict[str, Mapping[str, int]] = {}
    unsized: dict[str, int] = {}
    for state in states:
        inventory = _inventory(component, hosts, workspace, state.target)
        held[state.target] = {item.sha256: item.size for item in inventory.items if item.size} if inventory else {}
        unsized[state.target] = sum(_unsized(item) for item in inventory.items) if inventory else 0
    times = Counter(digest for files in held.values() for digest in files)
    there = sum(bool(files) for files in held.values())
    found = []
    for state in states:
        files = held[state.target]
        by_all = sum(size for digest, size in files.items() if times[digest] == there > 1)
        own = sum(size for digest, size in files.items() if times[digest] == 1)
        total = sum(files.values())
        lacks = [f"lock: {state.detail or state.state}"] if state.state in ("missing", "stale") else []
        lacks += [f"{name}: {why}" for name, why in state.lacking]
        told = (total, by_all, total - by_all - own, own, unsized[state.target])
        found.append(ToCome(component.name, state.target, *told, tuple(lacks)))
    return tuple(found)


def _unsized(item: Item) -> bool:
    """Say whether a thing comes on top; an archive in an archive is what it holds, which is told as well."""
    return not item.size and item.kind != "archive"


def _inventory(component: Component, hosts: Hosts, workspace: Workspace, target: str) -> Inventory | None:
    """What a target's lock says; None if there is none that can be read."""
    try:
        return component.inventories(hosts, workspace, [target]).get(target)
    except LockError:
        return None
