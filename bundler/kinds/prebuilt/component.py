"""What another repository releases, as a component: its archives, its lock, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, Problem
from bundler.kinds.kind import Described, LockFile
from bundler.kinds.prebuilt.asset_lock import AssetLock, LockedAsset
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.kinds.prebuilt.order import PrebuiltOrder
from bundler.kinds.prebuilt.state import lock_name, state_of
from bundler.model.advice import lock_again
from bundler.model.document import Document
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory, Item, joined
from bundler.model.known_bad import KnownBad
from bundler.model.outcome import Outcome, age_of, document_of, named
from bundler.model.package_url import package_url
from bundler.model.target import select_platforms


@dataclass(frozen=True)
class PrebuiltComponent:
    """One manifest; `name` is its file stem."""

    name: str
    manifest: Prebuilt

    @property
    def component(self) -> str:
        """What the manifest calls it."""
        return self.manifest.component

    @property
    def released(self) -> bool:
        """Always: others release it."""
        return True

    @property
    def known_bad(self) -> KnownBad:
        """Nothing: whoever released it chose what is in it."""
        return {}

    @property
    def home(self) -> None:
        """Nowhere: others release it."""
        return None

    @property
    def latest(self) -> bool | None:
        """Nothing: others release it."""
        return None

    @property
    def deltas(self) -> int:
        """None: others release it."""
        return 0

    def choices(self, hosts: Hosts) -> int:
        """Its platforms: what work grows with."""
        return len(self.manifest.targets)

    def problems(self, document: Document, hosts: Hosts) -> Iterator[Problem]:
        """Nothing: every value shows what is wrong with it."""
        return iter(())

    def assets(self, hosts: Hosts, selectors: Sequence[str]) -> Sequence[tuple[str, str]]:
        """One archive a platform."""
        words = f"{' '.join(selectors)} --component {self.name}"
        return [(self.manifest.asset_name(p), words) for p in self._platforms(hosts, selectors)]

    def _platforms(self, hosts: Hosts, selectors: Sequence[str]) -> tuple[str, ...]:
        return select_platforms(self.manifest.targets, hosts.targets, selectors)

    def orders(
        self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str], epoch: int
    ) -> Sequence[PrebuiltOrder]:
        """One archive a platform. Raises LockError if the component is not locked."""
        state, lock = state_of(self.name, workspace, self.manifest)
        if lock is None or state.state != "current":
            detail = f"{self.name} is not locked" if state.state == "missing" else f"{self.name}: {state.detail}"
            raise LockError(detail, lock_again(components=[self.name]))
        wanted = self._platforms(hosts, selectors)
        return [PrebuiltOrder(self.name, lock, asset) for asset in lock.assets if asset.platform in wanted]

    def locks(self, hosts: Hosts, workspace: Workspace) -> Sequence[LockFile]:
        """The one lock."""
        return [LockFile(lock_name(self.name), lambda text: AssetLock.parse(text, lock_name(self.name)).digests())]

    def states(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Outcome]:
        """How the one lock stands, whatever is selected."""
        return [state_of(self.name, workspace, self.manifest)[0]]

    def check(self, hosts: Hosts, workspace: Workspace) -> Iterator[Problem | str]:
        """What is wrong with the lock; to what it is locked."""
        state, _ = state_of(self.name, workspace, self.manifest)
        if state.state == "stale":
            yield Problem(f"locks/{lock_name(self.name)}", 0, 0, f"is stale: {state.detail}")
        elif state.release is None:
            yield f"{self.name} is not locked: {state.detail}"
        else:
            yield f"{self.name} is locked to {named(state.release)}, published {age_of(state.release)}"

    def inventories(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Mapping[str, Inventory]:
        """The archives that are locked, for every platform of what is selected; nothing if it is not locked."""
        _, lock = state_of(self.name, workspace, self.manifest)
        if lock is None:
            return {}
        wanted = self._platforms(hosts, selectors)
        items = joined(_item(lock, asset) for asset in lock.assets if asset.platform in wanted)
        return {"": Inventory(self.component, lock.tag, "", roots=tuple(item.purl for item in items), items=items)}

    def describe(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Described]:
        """One line: the release that is locked."""
        state, _ = state_of(self.name, workspace, self.manifest)
        columns = (
            ("component", self.name),
            ("release", named(state.release) if state.release else state.detail),
            ("published", age_of(state.release) if state.release else "-"),
            ("lock", state.state),
        )
        return [Described(columns, document_of(state))]


def _item(lock: AssetLock, asset: LockedAsset) -> Item:
    owner, _, name = lock.repository.partition("/")
    purl = package_url("github", name, lock.tag, owner, (f"file_name={asset.name}",))
    return Item(purl, "archive", lock.component, lock.tag, asset.name, asset.size, asset.sha256)
