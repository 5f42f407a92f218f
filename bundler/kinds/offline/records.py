"""What an all-in-one package was made of, as its own manifest.json, list of files and lock tell."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from bundler.errors import IntegrityError
from bundler.kinds import file_list
from bundler.kinds.offline import package
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.places import COMPONENTS, FILE_LIST, LOCK, MANIFEST
from bundler.model import bundle
from bundler.model.contents import Head
from bundler.model.locked_wheel import LockedWheel
from bundler.model.materials import Material, Materials, materials_of, of_wheel
from bundler.model.package_url import package_url
from bundler.model.release import BUILT_PREFIX
from bundler.model.wheel_name import parse_wheel_name


def materials(head: Head) -> Materials:
    """The materials of a package that begins so. Raises IntegrityError, LockError."""
    facts = package.parse(head.texts.get(MANIFEST, b""))
    listed = file_list.parse(head.texts.get(FILE_LIST, b""))
    text = head.texts.get(LOCK, b"")
    lock = OfflineLock.inside(text)
    items = {Material("lock", LOCK, hashlib.sha256(text).hexdigest())}
    items |= set(materials_of(lock.pins()))
    for _, collection in lock.sections:
        items |= {Material("repository", n, ref, f"git+{at}") for n, (at, ref) in collection.sources().items()}
    items |= {*_archives(facts, listed), *_wheels(listed)}
    return Materials(
        command="assemble",
        component=facts.name,
        target=facts.target.name,
        epoch=head.epoch,
        inputs=facts.inputs,
        portable=facts.target.arch if any(path.startswith(f"{bundle.PYTHON}/") for path in listed) else "",
        items=tuple(sorted(items)),
    )


def _archives(facts: package.Package, listed: Mapping[str, str]) -> Iterator[Material]:
    """The archives of its parts, and of which release each is."""
    for part in facts.parts:
        sha256 = listed.get(f"{COMPONENTS}/{part.asset}", "")
        if sha256:
            address = _address(facts.component_releases.get(package.camel(part.component)))
            yield Material("archive", part.asset, sha256, address)


def _address(release: package.ReleaseFacts | None) -> str:
    """The package URL of a release; "" for what was made here."""
    if release is None or release.tag.startswith(BUILT_PREFIX):
        return ""
    owner, _, name = release.repo.partition("/")
    return package_url("github", name, release.tag, owner)


def _wheels(listed: Mapping[str, str]) -> Iterator[Material]:
    """The wheels of all parts. Raises IntegrityError for a file in their folder that is none."""
    for path, sha256 in listed.items():
        name = path.removeprefix(f"{bundle.WHEELS}/")
        if name != path:
            try:
                project, version, _, _ = parse_wheel_name(name)
            except ValueError as error:
                raise IntegrityError(f"{FILE_LIST}: {path}: {error}") from error
            yield of_wheel(LockedWheel(str(project), str(version), name, 0, sha256))
