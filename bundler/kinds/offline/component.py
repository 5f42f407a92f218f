"""An all-in-one package as a component: its archives, its locks, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, Problem, UsageError
from bundler.kinds.kind import Component, Described, Home, LockFile, Order, Others
from bundler.kinds.offline.agreements import Agreement
from bundler.kinds.offline.asking import disagreeing
from bundler.kinds.offline.exports import export_fault
from bundler.kinds.offline.manifest import Offline, Part
from bundler.kinds.offline.order import OfflineOrder
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.recipe import Recipe
from bundler.kinds.offline.required import Required
from bundler.model.advice import joined, lock_again
from bundler.model.document import Document
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory
from bundler.model.known_bad import KnownBad
from bundler.model.outcome import Outcome
from bundler.model.target import Target, select, selects
from bundler.model.wheel_name import parse_wheel_name
from bundler.platforms import platform_for


def _nobody(kind: str = "") -> Mapping[str, Component]:
    return {}


@dataclass(frozen=True)
class OfflineComponent:
    """One manifest; `name` is its file stem, `others` tells all components."""

    name: str
    manifest: Offline
    others: Others = field(default=_nobody, compare=False)

    @property
    def component(self) -> str:
        """What the manifest calls it."""
        return self.manifest.component

    @property
    def released(self) -> bool:
        """Always."""
        return True

    @property
    def known_bad(self) -> KnownBad:
        """Nothing: what its parts may not hold, their manifests say."""
        return {}

    @property
    def home(self) -> Home:
        """What the manifest says."""
        return Home(self.manifest.repository, self.manifest.channel)

    @property
    def latest(self) -> bool | None:
        """What the manifest says of its releases."""
        return self.manifest.latest

    @property
    def deltas(self) -> int:
        """What the manifest says of its releases."""
        return self.manifest.deltas

    def targets(self, hosts: Hosts, selectors: Sequence[str]) -> tuple[Target, ...]:
        """The selected targets that the manifest is for. Raises UsageError for a selector that means none at all."""
        chosen, own = select(hosts.targets, selectors), self.manifest.targets
        return tuple(target for target in chosen if own is None or selects(own, target))

    def choices(self, hosts: Hosts) -> int:
        """Targets times parts and sections: what work grows with."""
        return len(hosts.targets) * (len(self.manifest.parts) + len(self.manifest.sections))

    def problems(self, document: Document, hosts: Hosts) -> Iterator[Problem]:
        """Parts that there are not, and what collections cannot be had."""
        if fault := _fault(lambda: select(hosts.targets, self.manifest.targets or ("all",))):
            yield document.problem(("targets",), f"targets: {fault}")
            return
        others = self.others()
        for index, part in enumerate(self.manifest.parts):
            if part.manifest == self.name or part.manifest not in others:
                known = ", ".join(sorted(name for name in others if name != self.name))
                text = f"parts.{index}.manifest: {part.manifest}.yaml is no component that it could carry; {known} are"
                yield document.problem(("parts", index, "manifest"), text)
            if not part.archive and (part.copies or part.links):
                text = f"parts.{index}: copies and links are of its archive, which is left out"
                yield document.problem(("parts", index, "archive"), text)
        if fault := export_fault(self.manifest.exports, self.component, self.manifest.redirects.values()):
            yield document.problem(("exports",), f"exports: {fault}")
        targets = self.targets(hosts, ["all"])
        for name, choice in self.manifest.sections.items():
            for problem in choice.problems(targets):
                yield document.problem((name,), f"{name}: {problem}")
        rules: Mapping[str, Sequence[Agreement | Required]] = {
            "agreements": self.manifest.agreements,
            "required": self.manifest.required,
        }
        for key, own in rules.items():
            for index, rule in enumerate(own):
                for problem in rule.problems(hosts.targets):
                    yield document.problem((key, index), f"{key}.{index}: {problem}")
        if self.manifest.roles:
            for problem in self.manifest.roles.problems(hosts.targets):
                yield document.problem(("roles",), problem)
        for name, held in self.manifest.versions.items():
            if held.partition("/")[0] not in self.manifest.sections:
                text = f"versions.{name}: there is no section {held.partition('/')[0]}"
                yield document.problem(("versions", name), text)

    def assets(self, hosts: Hosts, selectors: Sequence[str]) -> Sequence[tuple[str, str]]:
        """One archive a target."""
        words = f" --component {self.name}"
        return [(self.manifest.asset_name(one), f"{one.name}{words}") for one in self.targets(hosts, selectors)]

    def orders(
        self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str], epoch: int
    ) -> Sequence[OfflineOrder]:
        """One package a target. Raises LockError naming everything that is not locked."""
        orders: list[OfflineOrder] = []
        errors: list[LockError] = []
        missing: list[str] = []
        for target in self.targets(hosts, selectors):
            name = self.lock_name(target)
            if (text := workspace.lock_text(name)) is None:
                missing.append(target.name)
                continue
            try:
                parts = tuple(self._parts(hosts, workspace, target, epoch))
            except LockError as error:
                errors.append(error)
                continue
            orders.append(OfflineOrder(Recipe(self.name, self.manifest, target, name, text, parts, epoch)))
        if missing:
            text = f"{self.name} is not locked: {', '.join(missing)}"
            errors.append(LockError(text, lock_again(missing, [self.name])))
        if errors:
            messages = dict.fromkeys(error.message for error in errors)
            raise LockError("\n".join(messages), joined([error.hint for error in errors]))
        return orders

    def _parts(self, hosts: Hosts, workspace: Workspace, target: Target, epoch: int) -> Iterator[tuple[Part, Order]]:
        """The archive of each part for a target; a part that has none for it is left out."""
        others = self.others()
        for part in self.manifest.parts:
            for order in others[part.manifest].orders(hosts, workspace, [target.name], epoch):
                yield part, order

    def lock_name(self, target: Target) -> str:
        """The file name of a target's lock."""
        return f"{self.name}-{target.slug}.toml"

    def locks(self, hosts: Hosts, workspace: Workspace) -> Sequence[LockFile]:
        """One lock a target."""
        names = [(self.lock_name(one), lock_again([one.name], [self.name])) for one in self.targets(hosts, ["all"])]
        return [LockFile(name, partial(_digests, name, again)) for name, again in names]

    def states(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Outcome]:
        """How the lock of each selected target stands."""
        return [self.state_of(workspace, target)[0] for target in self.targets(hosts, selectors)]

    def state_of(self, workspace: Workspace, target: Target) -> tuple[Outcome, OfflineLock | None]:
        """How a target's lock stands, and the lock, if there is one that can be read."""
        stands = partial(Outcome, self.name, target.name, named=self.name)
        name = self.lock_name(target)
        text = workspace.lock_text(name)
        if text is None:
            return stands("missing", detail="there is no lock"), None
        try:
            lock = OfflineLock.parse(text, name)
        except LockError as error:
            return stands("stale", detail=error.message), None
        things = sum(len(held) for held in lock.versions().values())
        if stale := lock.stale(self.manifest, target):
            return stands("stale", packages=things, detail=f"the manifest changed: {', '.join(stale)}"), lock
        return stands("current", packages=things), lock

    def check(self, hosts: Hosts, workspace: Workspace) -> Iterator[Problem | str]:
        """What is wrong with its locks."""
        for target in self.targets(hosts, ["all"]):
            state, _ = self.state_of(workspace, target)
            if state.state == "missing":
                yield f"{self.name} is not locked for {target.name}"
            elif state.state == "stale":
                again = lock_again([target.name], [self.name])
                yield Problem(f"locks/{self.lock_name(target)}", 0, 0, f"is stale: {state.detail}; {again}")
        yield from self._disagreeing(hosts, workspace)

    def _disagreeing(self, hosts: Hosts, workspace: Workspace) -> Iterator[Problem]:
        """Where what is bundled is not what the bundled playbooks ask for, each told once with its targets."""
        found: dict[str, list[str]] = {}
        for target in self.targets(hosts, ["all"]):
            state, lock = self.state_of(workspace, target)
            if lock is None or state.state != "current":
                continue
            versions = {**lock.versions(), "wheels": self._wheels(hosts, workspace, target)}
            for text in disagreeing(self.manifest, target, lock.asking, versions, dict(lock.sections)):
                found.setdefault(text, []).append(target.name)
        for text, names in found.items():
            yield Problem(f"{self.name}.yaml", 0, 0, f"{text} ({', '.join(names)})")

    def _wheels(self, hosts: Hosts, workspace: Workspace, target: Target) -> Mapping[str, str]:
        """The version of each project whose wheel the package has; nothing of parts that are not locked."""
        versions: dict[str, str] = {}
        for part in self.manifest.parts:
            if part.contents:
                with suppress(LockError):
                    for order in self.others()[part.manifest].orders(hosts, workspace, [target.name], 0):
                        for closure in order.job().closures():
                            versions |= {str(p): str(v) for p, v, _, _ in map(parse_wheel_name, closure.wheels)}
        return versions

    def inventories(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Mapping[str, Inventory]:
        """What each locked target's package will hold; what is not locked is left out. Raises LockError."""
        from bundler.kinds.offline.inventory import locked_inventory  # large: what a package says of itself

        found: dict[str, Inventory] = {}
        for target in self.targets(hosts, selectors):
            name = self.lock_name(target)
            if (text := workspace.lock_text(name)) is not None:
                lock = OfflineLock.parse(text, name, lock_again([target.name], [self.name]))
                parts = [(part, self._held(hosts, workspace, part, target)) for part in self.manifest.parts]
                found[target.name] = locked_inventory(self.component, target.host, lock, parts)
        return found

    def _held(self, hosts: Hosts, workspace: Workspace, part: Part, target: Target) -> Inventory | None:
        """What a part holds for a target; None if that is not known."""
        held = self.others()[part.manifest].inventories(hosts, workspace, [target.name])
        return held.get(target.name) or held.get("")

    def describe(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Described]:
        """One line a target."""
        return [self._described(workspace, target) for target in self.targets(hosts, selectors)]

    def _described(self, workspace: Workspace, target: Target) -> Described:
        state, _ = self.state_of(workspace, target)
        asset = self.manifest.asset_name(target)
        columns = (("component", self.name), ("target", target.name), ("package", asset), ("lock", state.state))
        matrix = {
            "component": self.name,
            "target": target.name,
            "distro": target.distro,
            "version": target.version,
            "arch": target.arch,
            "runner": platform_for(target.distro).RUNNERS.get(target.arch, ""),
            "asset": asset,
        }
        return Described(columns, {**matrix, "lock": state.state}, matrix)


def _fault(work: Callable[[], object]) -> str:
    try:
        work()
    except UsageError as error:
        return f"{error.message}; {error.hint}"
    return ""


def _digests(name: str, again: str, text: str) -> set[str]:
    return OfflineLock.parse(text, name, again).digests()
