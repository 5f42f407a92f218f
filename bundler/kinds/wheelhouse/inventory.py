"""What a wheelhouse holds, item by item: as its lock tells, and as the wheels say of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.kinds.wheelhouse.lock import Lock
from bundler.model.closure import Wheel
from bundler.model.inventory import Inventory, joined
from bundler.model.wheel_items import wheel_items
from bundler.payloads import payloads_of
from bundler.payloads.payload import PythonPart


def inventory_of(
    lock: Lock,
    component: str,
    host: str,
    python: PythonPart,
    inputs: str = "",
    wheels: Sequence[Wheel] = (),
    edges: Mapping[str, Set[str]] | None = None,
) -> Inventory:
    """What a lock's archive holds. `host` is what it is for (`debian 12 amd64`).

    `wheels` are what the wheels say of themselves, `edges` the projects that each project needs there
    (`closure.Proof`): both of them as far as they are known.
    """
    pinned = [item for payload in payloads_of(lock.parts(python)) for item in payload.items()]
    items = joined((*pinned, *wheel_items(wheels, edges or {})))
    names = {canonicalize_name(Requirement(text).name) for text in lock.facts.requirements}
    roots = tuple(item.purl for item in items if item.kind == "wheel" and item.name in names)
    return Inventory(
        component, lock.facts.requirement.partition("==")[2], host, lock.facts.python, inputs, roots, items
    )
