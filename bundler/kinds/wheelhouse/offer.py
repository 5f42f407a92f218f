"""What an index offers of an application for some hosts: the release to begin with, and the Python each host needs.

The newest that may be taken by now is chosen: final, not yanked, past the cooldown, with a wheel for every host.
A host whose own Python the release refuses is given a portable one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.adapters.retry import MissingError
from bundler.adapters.simple_page import IndexFile
from bundler.errors import UsageError
from bundler.model.cooldown import Cooling
from bundler.model.interpreter import Interpreter
from bundler.model.moment import uploaded_at
from bundler.model.portable_python import PortablePython
from bundler.model.releases import ReleaseFile, newer_releases, own_fault
from bundler.model.target import Target
from bundler.model.wheel_name import parse_wheel_name
from bundler.session import Network

_SHOWN = 5


@dataclass(frozen=True)
class Offer:
    """A release, a wheel of it, and the hosts that need a portable Python for it, by name, and why."""

    version: str
    wheel: IndexFile
    portable: Mapping[str, str]
    notes: tuple[str, ...] = ()


def offered(
    asked: Requirement, targets: Sequence[Target], portable: PortablePython, network: Network, cooling: Cooling
) -> Offer:
    """The release that is asked for, or else the newest. Raises UsageError, UnreachableError."""
    files = _listed(asked.name, network)
    hosts = _Hosts(targets, portable)
    version = next((one.version for one in asked.specifier), "")
    own = _of_version(files, version)
    if not version:
        version, own = _newest(asked.name, files, hosts, cooling)
    elif not own:
        raise UsageError(f"the index has no wheel of {asked.name} {version}", _source_hint(files))
    needed = hosts.portable_for(own)
    if faults := hosts.faults(own, needed):
        raise _unfit(asked.name, version, files, hosts, faults)
    why = _too_young(cooling, asked.name, version, own)
    notes = (f"{asked.name} {version} is still cooling: {why}",) if why else ()
    return Offer(version, hosts.wheel(own, needed), needed, notes)


def _listed(name: str, network: Network) -> Sequence[IndexFile]:
    """Every wheel of a project."""
    try:
        files = network.index.files(canonicalize_name(name))
    except MissingError as error:
        raise UsageError(
            f"the index has no project {name!r}", "is the name right, and is it the right index?"
        ) from error
    if not files:
        hint = "what has only its source is built from there: `source:` in a manifest (docs/your-application.md)"
        raise UsageError(f"the index has no wheel of {name}, in any version", hint)
    return files


def _source_hint(files: Sequence[IndexFile]) -> str:
    known = _releases(files)
    if not known:
        return "a release without wheels can be built from source: `source:` (docs/your-application.md)"
    return f"it has wheels of {', '.join(known[:_SHOWN])}{' and older ones' if len(known) > _SHOWN else ''}"


def _of_version(files: Sequence[IndexFile], version: str) -> Sequence[IndexFile]:
    """The wheels of a version. Raises UsageError if it is none."""
    if not version:
        return []
    try:
        wanted = Version(version)
    except InvalidVersion as error:
        raise UsageError(f"{version!r} is not a version", "for example 1.2.3") from error
    return [file for file in files if _version_of(file) == wanted]


def _version_of(file: IndexFile) -> Version | None:
    try:
        return parse_wheel_name(file.filename)[1]
    except ValueError:
        return None


def _newest(name: str, files: Sequence[IndexFile], hosts: _Hosts, cooling: Cooling) -> tuple[str, Sequence[IndexFile]]:
    """The newest release that may be taken and fits every host; else the newest that may be taken."""
    releases = _releases(files)
    if not releases:
        raise UsageError(f"the index has no final release of {name} with a wheel", f"choose one: {name}==VERSION")
    young: list[str] = []
    newest: tuple[str, Sequence[IndexFile]] | None = None
    for version in releases:
        own = _of_version(files, version)
        if why := _too_young(cooling, name, version, own):
            young.append(f"{version}: {why}")
            continue
        newest = newest or (version, own)
        if hosts.all_fit(own):
            return version, own
    if not newest:
        raise UsageError(
            f"every release of {name} is still cooling; {young[0]}", "wait, or see `cooldown:` of trust.yaml"
        )
    return newest


def _too_young(cooling: Cooling, name: str, version: str, files: Sequence[IndexFile]) -> str:
    """Say that no wheel of a release may be taken yet, and from when on; "" if one may."""
    times = [uploaded_at(file.uploaded) for file in files]
    if not all(cooling.holds_back(name, version, time) for time in times):
        return ""
    return cooling.told(min(filter(None, times)))


def _unfit(name: str, version: str, files: Sequence[IndexFile], hosts: _Hosts, faults: Mapping[str, str]) -> UsageError:
    """Name the hosts that a release is not for, and the newest that is for all."""
    told = "; ".join(f"{host}: {fault}" for host, fault in faults.items())
    hint = f"leave {', '.join(faults)} out of --targets"
    if other := next((one for one in _releases(files) if hosts.all_fit(_of_version(files, one))), ""):
        hint = f"{name}=={other} fits all of them; or {hint}"
    return UsageError(f"{name} {version} is not for every host: {told}", hint)


@dataclass(frozen=True)
class _Hosts:
    """The hosts, and the portable Python that archives for them can carry."""

    targets: Sequence[Target]
    portable: PortablePython

    def _interpreter(self, target: Target, needed: Mapping[str, str]) -> Interpreter:
        own = None if target.name in needed else target.system_python
        return Interpreter(own or self.portable.version, target.platform, target.floor)

    def portable_for(self, files: Sequence[IndexFile]) -> dict[str, str]:
        """The hosts whose own Python will not do where a portable one will, and why."""
        can = [one for one in self.targets if one.system_python is not None and self.portable.pin(one.platform)]
        beyond = self.faults(files, {one.name: "" for one in can})
        own = self.faults(files, {})
        return {one.name: own[one.name] for one in can if one.name in own and one.name not in beyond}

    def faults(self, files: Sequence[IndexFile], needed: Mapping[str, str]) -> dict[str, str]:
        """The hosts that a release is not for, and why."""
        own = list(map(_release_file, files))
        told = {one.name: own_fault(own, self._interpreter(one, needed)) for one in self.targets}
        return {name: fault for name, fault in told.items() if fault}

    def all_fit(self, files: Sequence[IndexFile]) -> bool:
        """Whether a release is for every host, with a portable Python where that is needed."""
        return not self.faults(files, self.portable_for(files))

    def wheel(self, files: Sequence[IndexFile], needed: Mapping[str, str]) -> IndexFile:
        """The smallest wheel that the first host would take: all of a release have the same programs."""
        tags = frozenset(self._interpreter(self.targets[0], needed).tags)
        fitting = [file for file in files if not parse_wheel_name(file.filename)[3].isdisjoint(tags)]
        return min(fitting, key=lambda file: (file.size or 0, file.filename))


def _releases(files: Sequence[IndexFile]) -> list[str]:
    """The final releases by now, the newest first."""
    return list(newer_releases(map(_release_file, files), "0", datetime.now(UTC).isoformat()))


def _release_file(file: IndexFile) -> ReleaseFile:
    return ReleaseFile(file.filename, file.requires_python, file.uploaded, file.yanked)
