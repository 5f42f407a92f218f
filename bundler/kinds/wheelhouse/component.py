"""A wheelhouse as a component: its archives, its locks, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from packaging.requirements import Requirement

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError, Problem, UsageError
from bundler.kinds.kind import Component, Described, Home, LockFile, Others
from bundler.kinds.wheelhouse.build_lock import BuildLock
from bundler.kinds.wheelhouse.inventory import inventory_of
from bundler.kinds.wheelhouse.lock import Lock, lacking
from bundler.kinds.wheelhouse.manifest import Override, Wheelhouse
from bundler.kinds.wheelhouse.members import installer
from bundler.kinds.wheelhouse.order import WheelhouseOrder
from bundler.kinds.wheelhouse.recipe import Recipe, python_part
from bundler.kinds.wheelhouse.request import Request, request_for
from bundler.kinds.wheelhouse.service_plan import LONGEST_USER
from bundler.kinds.wheelhouse.state import build_lock_error, lock_problems, lock_text, read_state, state_of
from bundler.model.document import Document
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory
from bundler.model.known_bad import KnownBad, bad_among, package_of
from bundler.model.manifest_schema import holds
from bundler.model.outcome import Outcome
from bundler.model.portable_python import PortablePython
from bundler.model.target import Target, select, selects
from bundler.platforms import image, platform_for, short
from bundler.terminal import Json


def _nobody(kind: str = "") -> Mapping[str, Component]:
    return {}


@dataclass(frozen=True)
class WheelhouseComponent:
    """One manifest; `name` is its file stem, `others` tells all components."""

    name: str
    manifest: Wheelhouse
    others: Others = field(default=_nobody, compare=False)

    @property
    def named(self) -> bool:
        """Whether commands have to name it: it is not the only wheelhouse that is released."""
        own = [one.name for one in self.others("wheelhouse").values() if one.released]
        return own not in ([], [self.name])

    @property
    def released(self) -> bool:
        """What the manifest says."""
        return self.manifest.released

    @property
    def component(self) -> str:
        """What the manifest calls it."""
        return self.manifest.component

    @property
    def known_bad(self) -> KnownBad:
        """What no lock may hold, and why."""
        return self.manifest.bad

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

    def requests(self, hosts: Hosts, selectors: Sequence[str] = ("all",)) -> tuple[Request, ...]:
        """What it must offer on each selected target. Raises UsageError for a selector that means none."""
        named = self.name if self.named else ""
        return tuple(request_for(self.manifest, hosts, target, named) for target in self._targets(hosts, selectors))

    def _targets(self, hosts: Hosts, selectors: Sequence[str]) -> tuple[Target, ...]:
        """The selected targets that the manifest is for. Raises UsageError for a selector that means none at all."""
        chosen, own = select(hosts.targets, selectors), self.manifest.targets
        return tuple(target for target in chosen if own is None or selects(own, target))

    def choices(self, hosts: Hosts) -> int:
        """Targets times overrides: what work grows with."""
        return len(hosts.targets) * (1 + len(self.manifest.overrides))

    def problems(self, document: Document, hosts: Hosts) -> Iterator[Problem]:
        """Overrides that select nothing, a Python that cannot be had, payloads that cannot be had."""
        overrides, own = self.manifest.overrides, self.manifest.targets
        if own is not None and (fault := _selector_fault(hosts, own)):
            yield document.problem(("targets",), f"targets: {fault}")
            return
        for index, override in enumerate(overrides):
            yield from self._override_problems(document, hosts, index, override)
        for place, text in self._exact():
            if why := bad_among([package_of(text)], {**self.manifest.bad, **hosts.known_bad}):
                yield document.problem(place, f"{'.'.join(map(str, place))}: {why}")
        for name, choice in self.manifest.sections.items():
            for problem in choice.problems(self._targets(hosts, ["all"])):
                yield document.problem((name,), f"{name}: {problem}")
        if self.manifest.service and len(self.component) > LONGEST_USER:
            text = f"service: {self.component} names its user too, so it has at most {LONGEST_USER} characters"
            yield document.problem(("service",), text)
        yield from self._asset_problems(document, hosts)
        yield from self._python_problems(hosts)

    def _asset_problems(self, document: Document, hosts: Hosts) -> Iterator[Problem]:
        """Targets whose archives would have one name."""
        seen: dict[str, str] = {}
        for target in self._targets(hosts, ["all"]):
            name = self.manifest.asset_name(target)
            if (other := seen.setdefault(name, target.name)) != target.name:
                message = f"overrides: the archives of {other} and {target.name} would both be {name}"
                yield document.problem(("overrides",), message)

    def _exact(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The requirements of exactly one version, and where they stand."""
        yield ("requirement",), self.manifest.requirement
        for index, override in enumerate(self.manifest.overrides):
            if override.requirement:
                yield ("overrides", index, "requirement"), override.requirement

    def _override_problems(self, document: Document, hosts: Hosts, index: int, override: Override) -> Iterator[Problem]:
        try:
            chosen = select(hosts.targets, override.targets)
        except UsageError as error:
            message = f"overrides.{index}.targets: {error.message}; {error.hint}"
            yield document.problem(("overrides", index, "targets"), message)
            return
        if override.requirement and self.manifest.source and not override.source:
            one, other = Requirement(self.manifest.requirement), Requirement(override.requirement)
            if (one.name, one.specifier) != (other.name, other.specifier):
                message = f"overrides.{index}: the source is for {one.name}{one.specifier}; add `source: index`"
                yield document.problem(("overrides", index, "requirement"), message)
        lacking = [target.name for target in chosen if target.system_python is None]
        if override.python == "system" and lacking:
            place = ("overrides", index, "python")
            yield document.problem(place, f"{lacking[0]} has no system Python to use (targets.yaml)")

    def _python_problems(self, hosts: Hosts) -> Iterator[Problem]:
        """A portable Python that is not there, told with the first target that needs it."""
        pinned = hosts.python.pins if hosts.python else ()
        unpinned = (target for target in self._targets(hosts, ["all"]) if short(target.platform) not in pinned)
        target = next((one for one in unpinned if self.manifest.system_python(one) is None), None)
        if target is None:
            return
        file = "targets" if target.system_python is None else self.name
        need = f"but {target.name} is to have a portable Python ({file}.yaml)"
        if hosts.python:
            text = f"pins: none for {short(target.platform)}, {need}"
        else:
            text = f"is missing, {need}; {holds(PortablePython)}"
        yield Problem("python.yaml", 0, 0, text)

    def assets(self, hosts: Hosts, selectors: Sequence[str]) -> Sequence[tuple[str, str]]:
        """One archive a target."""
        which = f" --component {self.name}" if self.named else ""
        if not self.released:
            return []
        chosen = self._targets(hosts, selectors)
        return [(self.manifest.asset_name(target), f"{target.name}{which}") for target in chosen]

    def orders(
        self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str], epoch: int
    ) -> Sequence[WheelhouseOrder]:
        """One archive a target. Raises LockError naming every target that has no lock."""
        orders, missing = [], []
        for request in self.requests(hosts, selectors):
            found = lock_text(workspace, request)
            if found.text is None:
                missing.append(request)
                continue
            asset, script = self.manifest.asset_name(request.target), partial(installer.render, request)
            recipe = Recipe(request, asset, found.name, found.text, hosts.python, script, epoch)
            orders.append(WheelhouseOrder(self.name, workspace, recipe, self.manifest.repository))
        if missing:
            names = [request.target.name for request in missing]
            raise LockError(f"not locked: {', '.join(names)}", missing[0].again(*names))
        return orders

    def locks(self, hosts: Hosts, workspace: Workspace) -> Sequence[LockFile]:
        """One lock a target, under its name of now or of before, and what its wheel is built from and with."""
        requests = self.requests(hosts)
        names = [(lock_text(workspace, one).name, one.again(one.target.name)) for one in requests]
        files = [LockFile(name, partial(_digests, name, again)) for name, again in names]
        if self.manifest.source:
            name, again = requests[0].build_lock_name, requests[0].again()
            files.append(LockFile(name, lambda text: BuildLock.parse(text, name, again).digests()))
        return files

    def states(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Outcome]:
        """How the lock of each selected target stands."""
        return [state_of(self.name, workspace, request) for request in self.requests(hosts, selectors)]

    def check(self, hosts: Hosts, workspace: Workspace) -> Iterator[Problem | str]:
        """What is wrong with its locks; which are without something that the manifest asks for."""
        requests = self.requests(hosts)
        for request in requests:
            yield from lock_problems(workspace, request)
        if fault := next((e for request in requests if (e := build_lock_error(workspace, request))), None):
            name = requests[0].build_lock_name
            yield Problem(f"locks/{name}", 0, 0, f"{fault.message.removeprefix(name).lstrip()}; {fault.hint}")
        found = [(request, lock_text(workspace, request).text) for request in requests]
        unlocked = [(r.target.name, pair) for r, text in found if text is not None for pair in lacking(text, r)]
        for name in dict.fromkeys(name for _, (name, _) in unlocked):
            own = [f"{target}: {why}" for target, (other, why) in unlocked if other == name]
            yield f"{len(own)} locks are without {name} support, such as {own[0]}"

    def inventories(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Mapping[str, Inventory]:
        """What each locked target's archive will hold; targets without a lock are left out. Raises LockError."""
        found = {}
        for request in self.requests(hosts, selectors):
            target, own = request.target, lock_text(workspace, request)
            if own.text is not None:
                lock = Lock.parse(own.text, own.name, request.again(target.name))
                python = python_part(request, hosts.python)
                found[target.name] = inventory_of(lock, self.component, target.host, python)
        return found

    def describe(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Described]:
        """One line a target."""
        return [self._described(workspace, request) for request in self.requests(hosts, selectors)]

    def _described(self, workspace: Workspace, request: Request) -> Described:
        target, (state, read) = request.target, read_state(self.name, workspace, request)
        platform, lock = platform_for(target.distro), _word(state, read)
        matrix = {
            "component": self.name,
            "target": target.name,
            "distro": target.distro,
            "version": target.version,
            "arch": target.arch,
            "runner": platform.RUNNERS.get(target.arch, ""),
            "container": image(target.distro, target.version),
            "asset": self.manifest.asset_name(target),
        }
        columns = (
            *((("component", self.name),) if request.named else ()),
            ("target", target.name),
            ("needs", platform.floor_name(target.floor)),
            ("Python", f"{request.python.version}{' portable' if request.portable else ''}"),
            ("requirement", request.requirement),
            ("locked", _day(read) if read and state.state == "current" else lock),
        )
        document: dict[str, Json] = {
            **matrix,
            platform.FLOOR_KEY: platform.floor_version(target.floor),
            "python": request.python.version,
            "portable": request.portable,
            "requirement": request.requirement,
            "requirements": list(request.requirements),
            "lock": lock,
        }
        return Described(columns, document, matrix)


def _selector_fault(hosts: Hosts, selectors: Sequence[str]) -> str:
    """What is wrong with selectors; "" if nothing is."""
    try:
        select(hosts.targets, selectors)
    except UsageError as error:
        return f"{error.message}; {error.hint}"
    return ""


def _digests(name: str, again: str, text: str) -> set[str]:
    return Lock.parse(text, name, again).digests()


def _day(lock: Lock) -> str:
    """The day of what a lock may hold: nothing newer."""
    return lock.facts.exclude_newer[:10]


def _word(state: Outcome, lock: Lock | None) -> str:
    if state.state == "missing":
        return "missing"
    if lock is None:
        return "malformed"
    return "stale" if state.state == "stale" else f"{len(lock.wheels)} wheels, {_day(lock)}"
