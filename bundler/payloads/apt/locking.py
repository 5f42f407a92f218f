"""Solve for a target with apt itself, from the archives as they are now.

What hosts have is not known, so apt is told that nothing is installed: all that a package needs is locked, down to the
C library, and what every host has (`priorities`) is part of each set. So a package that wants its library in its own
version can be installed where the base is older, since the base's other packages of that version are there too. A host
whose base is newer than the lock cannot be served by any list of packages: lock again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bundler.adapters.apt import Apt, Solved, Source, private_apt
from bundler.adapters.mirror import Mirror, best_mirror
from bundler.adapters.openpgp import LARGEST_KEY, keyring_of
from bundler.adapters.process import run
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError
from bundler.model.deb822 import stanzas
from bundler.model.target import Target
from bundler.payloads.apt.choice import AptChoice, alternatives
from bundler.payloads.apt.distributions import DISTRIBUTIONS
from bundler.payloads.apt.index import digest_of, packages_gz, provided, stanza_of
from bundler.payloads.apt.pins import LockedArchive, LockedDeb, LockedIndex, LockedPackages, LockedSet
from bundler.session import Network, Session


def lock_packages(choice: AptChoice, target: Target, session: Session, network: Network, keys: Path) -> LockedPackages:
    """Return what the choice means on a target now; `keys` is a folder of this run for keyrings.

    Raises IntegrityError if a Release, an index or a key is not what it has to be, LockError if apt cannot solve,
    UnreachableError.
    """
    mirrors = [Mirror.parse(text) for text in session.all_mirrors()]
    sources = [*_own(choice, target, mirrors, network), *_further(choice, target, mirrors, session, network, keys)]
    names = {source.address: name for name, source in reversed(sources)}
    with private_apt([source for _, source in sources], target.arch, session.env, run) as apt:
        try:
            apt.update()
            sets, solved = _solved(apt, choice, target)
            debs = _locked(apt, solved, names)
        except BundleError as error:
            raise type(error)(f"{target.name}: {error.message}", error.hint) from error
    # An address that the manifest names is locked; one that only this host knows is not.
    further = {name: _with_slash(address) for name, address in choice.mirrors.items()}
    further |= {archive.name: _filled(archive.address, target) for archive in choice.archives_for(target)}
    used = {deb.archive for deb, _ in debs}
    content = packages_gz(stanza for _, stanza in debs)
    return LockedPackages(
        LockedIndex(len(content), hashlib.sha256(content).hexdigest()),
        sets,
        tuple(deb for deb, _ in debs),
        tuple(LockedArchive(name, address) for name, address in sorted(further.items()) if name in used),
    )


def _own(choice: AptChoice, target: Target, mirrors: Sequence[Mirror], network: Network) -> list[tuple[str, Source]]:
    """The suites of the target's distribution, each with its archive's name."""
    distribution = DISTRIBUTIONS.get(target.distro)
    if distribution is None or target.version not in distribution.codenames:
        raise LockError(f"{target.name}: no Debian packages are known for it")
    keyring = Path(choice.keyrings.get(distribution.name, distribution.keyring))
    if not keyring.is_file():
        hint = f"apt install {distribution.package}, or name a file in keyrings: of the manifest"
        raise UnreachableError(f"the keys of {distribution.name} are not there: {keyring}", hint)
    components = choice.components.get(distribution.name, distribution.components)
    found = []
    for archive, suite in distribution.suites(target):
        address = _with_slash(choice.mirrors.get(archive) or network.archive_address(archive))
        found.append((archive, Source(_mirrored(address, mirrors), suite, components, keyring)))
    return found


def _further(
    choice: AptChoice, target: Target, mirrors: Sequence[Mirror], session: Session, network: Network, keys: Path
) -> list[tuple[str, Source]]:
    """The further archives, once the key of each is there."""
    found = []
    for archive in choice.archives_for(target):
        address = _filled(archive.address, target)
        content = network.http.read(archive.key.address, LARGEST_KEY)
        name = f"the key of {archive.name}"
        keyring = keys / f"{archive.name}.gpg"
        keyring.write_bytes(keyring_of(content, archive.key.fingerprint, name, session.env, run))
        actual = _mirrored(address, mirrors)
        found.append((archive.name, Source(actual, _fill(archive.suite, target), archive.components, keyring)))
    return found


def _solved(apt: Apt, choice: AptChoice, target: Target) -> tuple[tuple[LockedSet, ...], list[Solved]]:
    """Each set by itself, and the union of what apt would fetch for them."""
    there = apt.names()
    base = sorted(name for name, priority in there.items() if priority in choice.priorities)
    wanted = {name: _chosen(packages, there) for name, packages in choice.wanted(target).items()}
    if unknown := apt.unknown(sorted({one for packages in wanted.values() for one in packages})):
        raise LockError(
            f"no archive has {', '.join(unknown)}", "is the name right, and the archive among those of the manifest?"
        )
    solved: dict[str, Solved] = {}
    for name, packages in wanted.items():
        try:
            for one in apt.solve(sorted({*packages, *base})) if packages else ():
                filed = solved.setdefault(f"{one.name}_{one.version}_{one.arch}", one)
                if filed.sha256 != one.sha256:
                    raise LockError(f"two archives have different files of {one.name} {one.version}", "leave one out")
        except LockError as error:
            raise LockError(f"the set {name}: {error.message}", error.hint) from error
    sets = tuple(LockedSet(name, tuple(sorted(map(_bare, packages)))) for name, packages in wanted.items())
    return sets, [solved[key] for key in sorted(solved)]


def _chosen(packages: Sequence[str], there: Mapping[str, str]) -> list[str]:
    """Of alternatives the first that is there, else the last one."""
    return [
        next((one for one in alternatives(named) if _bare(one) in there), alternatives(named)[-1]) for named in packages
    ]


def _bare(package: str) -> str:
    return package.partition("=")[0]


def _locked(apt: Apt, solved: Sequence[Solved], names: Mapping[str, str]) -> list[tuple[LockedDeb, str]]:
    """The packages, sorted by file name, each with its stanza."""
    try:
        said = {fields.get("SHA256", ""): fields for fields in stanzas(apt.show(solved))}
    except ValueError as error:
        raise IntegrityError(f"an index makes no sense: {error}") from error
    found = []
    for one in solved:
        deb = LockedDeb(one.name, one.version, one.arch, names[one.source], one.path, one.size, one.sha256, "0" * 64)
        if one.sha256 not in said:
            raise IntegrityError(f"the index says nothing of {deb.filename}")
        stanza = stanza_of(said[one.sha256], deb.filename, one.size, one.sha256)
        given = provided(said[one.sha256])
        found.append((replace(deb, control=digest_of(stanza), provides=given), stanza))
    return sorted(found, key=lambda pair: pair[0].filename)


def _mirrored(address: str, mirrors: Sequence[Mirror]) -> str:
    """Where an archive is asked for."""
    mirror = best_mirror(mirrors, address)
    return mirror.applied(address) if mirror else address


def _filled(address: str, target: Target) -> str:
    return _with_slash(_fill(address, target))


def _fill(template: str, target: Target) -> str:
    codename = DISTRIBUTIONS[target.distro].codenames[target.version]
    return template.format(codename=codename, version=target.version, arch=target.arch)


def _with_slash(address: str) -> str:
    return f"{address.rstrip('/')}/"
