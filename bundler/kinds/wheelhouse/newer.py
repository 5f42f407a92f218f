"""Which newer releases of what a wheelhouse asks for close on a target, from wheels alone. Writes nothing.

A release is resolved and proven exactly as `lock` would do it, with versions of the lock kept where they fit. Only
metadata is read: where an index serves none, a release is resolved but not proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.adapters.process import run
from bundler.adapters.resolver import Resolver, in_one_line
from bundler.errors import BundleError, LockError, ProofError
from bundler.kinds.kind import OutdatedOptions
from bundler.kinds.wheelhouse.caution import Caution
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.locking import Metadata, today
from bundler.kinds.wheelhouse.request import Request
from bundler.kinds.wheelhouse.resolve import resolve
from bundler.kinds.wheelhouse.state import parsed_lock
from bundler.model.closure import Wheel
from bundler.model.hosts import Hosts
from bundler.model.known_bad import bad_among, package
from bundler.model.locked_wheel import LockedWheel
from bundler.model.moment import uploaded_at
from bundler.model.releases import ReleaseFile, Standing, Tried, newer_releases, own_fault, search
from bundler.session import Session

_AT_ONCE = 2


def standings(
    components: Sequence[WheelhouseComponent],
    hosts: Hosts,
    session: Session,
    selectors: Sequence[str],
    options: OutdatedOptions,
) -> Sequence[Standing]:
    """How each selected target stands to the newer releases of its requirement. One that fails stops no other."""
    orders = [(one.name, request) for one in components for request in one.requests(hosts, selectors)]
    with session.network() as network, ThreadPoolExecutor(_AT_ONCE) as pool:
        resolver = Resolver(run, session.env, network.index_address)
        caution = Caution(network, options.cooldown, session.jobs, session.progress.say)
        looking = _Looking(session, resolver, Metadata(session, network), caution, options)

        def stands(order: tuple[str, Request]) -> Standing:
            name, request = order
            standing = _standing(name, request)
            try:
                files = () if request.source else network.index.files(Requirement(request.requirement).name)
                if (lock := parsed_lock(session.workspace(), request)) is not None:
                    standing = replace(standing, yanked=looking.yanked(lock))
                if request.source:
                    return replace(standing, detail="its wheel is built from source")
                listed = [ReleaseFile(f.filename, f.requires_python, f.uploaded, f.yanked) for f in files]
                return looking.looked(standing, request, listed)
            except BundleError as error:
                return replace(standing, error=error)

        try:
            return list(pool.map(stands, orders))
        except BaseException:
            session.cancelled.set()
            raise


def _standing(name: str, request: Request) -> Standing:
    version = next(iter(Requirement(request.requirement).specifier)).version
    return Standing(name, request.target.name, request.requirement, version)


class _NotServedError(LockError):
    """An index that serves a wheel without its metadata."""


@dataclass(frozen=True)
class _Looking:
    """What all targets of one run share."""

    session: Session
    resolver: Resolver
    metadata: Metadata
    caution: Caution
    options: OutdatedOptions

    def yanked(self, lock: Lock) -> tuple[str, ...]:
        """The wheels of a lock that were yanked since, and why."""
        reasons = self.caution.withdrawn(lock.wheels)
        return tuple(f"{w.project} {w.version}: {reasons[w.sha256]}" for w in lock.wheels if w.sha256 in reasons)

    def looked(self, standing: Standing, request: Request, files: Sequence[ReleaseFile]) -> Standing:
        """Look at as many releases as it takes."""
        newest = self.options.newest or today()
        newer = newer_releases(files, standing.version, newest)
        project, bad = Requirement(request.requirement).name, dict(request.known_bad)
        faults = {
            version: fault
            for version, own in newer.items()
            if (
                fault := bad_among([package(project, version)], bad)
                or own_fault(own, request.python)
                or self._still_cooling(project, version, own)
            )
        }

        def look(version: str) -> Tried:
            self.session.progress.say(f"looking at {version} on {request.target.name}")
            return self._resolved(request, version, newest)

        left = [version for version in newer if version not in faults]
        found = {tried.version: tried for tried in search(left, look, every=self.options.every)}
        found |= {version: Tried(version, reason=fault) for version, fault in faults.items()}
        ranked = [found[version] for version in newer if version in found]
        return replace(standing, newer=tuple(newer), tried=tuple(ranked))

    def _still_cooling(self, project: str, version: str, files: Sequence[ReleaseFile]) -> str:
        """Say that every wheel of a release is too young, and until when; "" if one may be taken."""
        times = [uploaded_at(file.uploaded) for file in files]
        cooling = self.caution.cooling
        if not all(cooling.holds_back(project, version, uploaded) for uploaded in times):
            return ""
        return f"still cooling: {cooling.told(min(filter(None, times)))}"

    def _resolved(self, request: Request, version: str, newest: str) -> Tried:
        found: list[LockedWheel] = []

        def metadata_of(wheels: Sequence[tuple[LockedWheel, str]]) -> list[Wheel]:
            found.extend(wheel for wheel, _ in wheels)
            if (read := self.metadata.beside(wheels)) is None:
                raise _NotServedError("the index serves no metadata")
            return read

        before = parsed_lock(self.session.workspace(), request)
        try:
            old = before.wheels if before else ()
            resolve(
                request, self.resolver, metadata_of, self.caution,
                versions={canonicalize_name(Requirement(request.requirement).name): version},
                limits=self.caution.limits(newest, old, explicit=bool(self.options.newest)),
                previous=before, kept={wheel.sha256 for wheel in old}, sections=dict(before.sections) if before else {},
            )  # fmt: skip
        except _NotServedError:
            return Tried(version, "resolved", packages=len(found))
        except ProofError as error:
            return Tried(version, reason=error.findings[0])
        except LockError as error:
            return Tried(version, reason=in_one_line(error.message))
        return Tried(version, "proven", packages=len(found))
