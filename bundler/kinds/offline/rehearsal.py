"""Rehearse an all-in-one package on a root that boots, with no network: what bootstrap, installer and roles do with it.

Unlike a runtime archive it takes a machine: apt, sudo and services are what is rehearsed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bundler.adapters.machine import booted, lacking
from bundler.adapters.read_archive import read_member
from bundler.adapters.sandbox import Sandbox
from bundler.errors import UsageError
from bundler.kinds.kind import Component, Judge
from bundler.kinds.offline import package
from bundler.kinds.offline.component import OfflineComponent
from bundler.kinds.offline.examine import judge
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.places import LOCK, MANIFEST
from bundler.kinds.offline.plan import PackageRehearsal
from bundler.kinds.offline.rehearsing import checkouts, debs, npm, programs, runs, unpacking, wheels
from bundler.kinds.offline.rehearsing.host import Host
from bundler.kinds.steps import Measures, Rehearsal, Step, Work, check_root, machine_for, take
from bundler.model.target import platform_of
from bundler.model.verdict import Verdict

_LARGEST = 32 << 20
# The section of a lock whose packages are installed one by one.
_NPM = "npm"


def rehearse(
    archive: Path,
    root: Path,
    mountpoint: Path,
    inner: Judge,
    components: Callable[[], Sequence[Component] | None],
    told: Callable[[Step], None],
) -> tuple[Verdict, Rehearsal | None]:
    """Judge a package; if it is good, install from it in a machine that is booted from `root`.

    `inner` judges the archives in it, `told` hears of every step. Raises UsageError if the root is none, another
    distro's, or cannot be booted here, ManifestError for manifests that cannot be read, WorkError if it does not boot.
    """
    verdict = judge(archive, archive.name, inner)
    if not verdict.good:
        return verdict, None
    facts = package.parse(_member(archive, MANIFEST))
    lock = OfflineLock.inside(_member(archive, LOCK))
    target = facts.target
    check_root(root, f"{target.distro} {target.version}")
    if why := lacking(root, machine_for(root, platform_of(lock.facts.target))):
        raise UsageError("a package is rehearsed on a root that boots", why)
    plan, manifest, note = described(components(), facts.name)
    started = time.monotonic()
    with booted(root, mountpoint, archive) as machine:
        first = Step("boot the root", time.monotonic() - started, good=True)
        told(first)
        host = Host(machine, facts, lock.versions().get(_NPM, {}))
        done = take(steps(host, plan), machine, told)
        measures = Measures({"distro": facts.host}, _disk(machine))
    return verdict, Rehearsal((first, *done), measures, manifest, (note,) if note else ())


def described(components: Sequence[Component] | None, component: str) -> tuple[PackageRehearsal, str, str]:
    """What a manifest says of rehearsing `component`, its file's name, and why nothing is, if nothing is said."""
    own = [one for one in components or () if isinstance(one, OfflineComponent) and one.component == component]
    only = "so nothing is run of the package but what every package is tried with"
    if not own:
        missing = "no manifests are here (--manifests DIR)" if components is None else f"no manifest is of {component}"
        return PackageRehearsal(), "", f"{missing}, {only}"
    name = f"{own[0].name}.yaml"
    plan = own[0].manifest.rehearsal
    return plan or PackageRehearsal(), name, "" if plan else f"{name} has no `rehearsal:`, {only}"


def steps(host: Host, plan: PackageRehearsal) -> Iterator[tuple[str, Work]]:
    """Every step, in the order of bootstrap, installer and roles."""
    for name, work in _installed(host):
        yield name, partial(work, host)
    for number, closure in enumerate(host.facts.closures):
        yield f"pip: install {closure.requirements[0]}", partial(wheels.install, host, number, closure)
    yield "npm: its cache and settings", partial(npm.configure, host)
    for name, version in sorted(host.npm.items()):
        yield f"npm: install {name}", partial(npm.install, host, name, version)
    yield from _run(host, plan)


def _installed(host: Host) -> Iterator[tuple[str, Callable[[Host], str]]]:
    """What is done whatever is in the package."""
    yield "bootstrap: unpack", unpacking.unpack
    yield "bootstrap: find the installer", unpacking.find_installer
    yield "bootstrap: the package is for this host", unpacking.match_target
    yield "installer: read the variables", unpacking.export
    yield "apt: the package's repository is all that it sees", debs.configure
    yield "apt: install the prerequisites", debs.prerequisites
    yield "apt: each set can be installed", debs.sets
    yield "git: the checkouts are as their commits", checkouts.checkouts
    yield "git: addresses lead to checkouts", checkouts.redirects
    yield "programs: each runs", programs.programs
    yield "browsers: the program runs", programs.browsers
    yield "python: copy the portable one", wheels.portable_python
    yield "pip: is told of the wheels", wheels.configure


def _run(host: Host, plan: PackageRehearsal) -> Iterator[tuple[str, Work]]:
    """What the manifest says: all, the services, all once more, the services restarted."""
    if not plan.runs and not plan.services:
        return
    yield "run: what the operator prepares", partial(runs.prepare, host, plan)
    for one in plan.runs:
        yield f"run: {one.name}", partial(runs.run, host, one)
    for service in plan.services:
        yield f"service {service.unit}: answers", partial(runs.serves, host, service)
    for one in plan.runs:
        yield f"run again, nothing changes: {one.name}", partial(runs.run_again, host, one)
    for service in plan.services:
        yield f"service {service.unit}: restarted, answers", partial(runs.restarted, host, service)


def _member(archive: Path, path: str) -> bytes:
    return read_member(archive, archive.name, path, _LARGEST) or b""


def _disk(machine: Sandbox) -> int:
    """The bytes of all that was written to the machine: it is in memory (statfs(2) of its layer)."""
    done = machine.run(("df", "--output=used", "--block-size=1", "/"), {"PATH": "/usr/bin:/bin"}, "/", 60)
    words = done.output.split()
    return int(words[-1]) if not done.code and words and words[-1].isdigit() else 0
