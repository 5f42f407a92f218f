"""What the manifests and locks at hand say of the archives that they make, and where this run makes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain

import bundler
from bundler.adapters.workspace import Workspace
from bundler.errors import LockError
from bundler.kinds.kind import Order
from bundler.kinds.manifests import SHARED, Manifests
from bundler.model.hosts import Hosts
from bundler.model.json_text import parse_json
from bundler.model.materials import Builder, Material, Sources, builder_of
from bundler.session import Session
from bundler.words import COMMIT_PATTERN

_LARGEST_RECORD = 64 << 10


def sources_of(hosts: Hosts, workspace: Workspace, orders: Iterable[Order]) -> Mapping[str, Sources]:
    """What decides each archive, by its name: the digests of manifests and locks, and what portable CPythons are.

    Raises UsageError for a manifest that cannot be read.
    """
    orders = tuple(orders)
    texts = dict(workspace.manifest_texts())
    for path in dict.fromkeys(chain.from_iterable(order.files for order in orders)):
        if path not in texts and (text := workspace.lock_text(path.removeprefix("locks/"))) is not None:
            texts[path] = text
    files = {path: Material("manifest", path, _sha256(text)) for path, text in texts.items()}
    pythons: dict[str, Material] = {}
    if hosts.python:
        label = f"portable CPython {hosts.python.version}"
        pythons = {arch: Material("python", label, pin.sha256, pin.address) for arch, pin in hosts.python.pins.items()}
    return {
        order.asset: Sources(
            order.inputs, tuple(files[path] for path in sorted({*SHARED, *order.files}) if path in files), pythons
        )
        for order in orders
    }


def sources_at_hand(session: Session, manifests: Manifests, names: Collection[str]) -> Mapping[str, Sources]:
    """What the manifests and locks at hand say of archives of these names; nothing of those that they cannot make.

    Raises UsageError for a manifest that cannot be read.
    """
    orders = orders_at_hand(session, manifests, names, session.epoch())
    return sources_of(manifests.hosts, session.workspace(), orders)


def orders_at_hand(session: Session, manifests: Manifests, names: Collection[str], epoch: int) -> list[Order]:
    """What makes archives of these names, their files having the time `epoch`; not those that nothing here makes."""
    workspace = session.workspace()
    orders: list[Order] = []
    for component in manifests.components.values():
        words = [words for name, words in component.assets(manifests.hosts, ["all"]) if name in names]
        selectors = [word for one in words for word in one.partition(" --")[0].split()]
        with suppress(LockError):
            orders += component.orders(manifests.hosts, workspace, selectors, epoch) if selectors else ()
    return [order for order in orders if order.asset in names]


def builder_here(env: Mapping[str, str]) -> Builder:
    """Where this run makes archives, and which tool does."""
    return builder_of(env, bundler.__version__, _commit())


def _commit() -> str:
    """The commit that the tool was installed from, as pip recorded it (PEP 610); "" if nothing tells."""
    try:
        text = distribution("aiws-bundle").read_text("direct_url.json") or ""
        told = parse_json(text.encode(), _LARGEST_RECORD)
    except (PackageNotFoundError, ValueError):
        return ""
    info = told.get("vcs_info") if isinstance(told, dict) else None
    commit = info.get("commit_id") if isinstance(info, dict) else None
    return commit if isinstance(commit, str) and re.fullmatch(COMMIT_PATTERN, commit) else ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
