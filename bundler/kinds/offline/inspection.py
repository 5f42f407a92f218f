"""What an all-in-one package says of itself, without judging it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from bundler.kinds import file_list
from bundler.kinds.kind import Inspection
from bundler.kinds.offline import package
from bundler.kinds.offline.examine import is_text
from bundler.kinds.offline.inventory import inventory_of
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.places import FILE_LIST, LOCK, MANIFEST
from bundler.kinds.reading import Interest, read_contents
from bundler.model.closure import Wheel
from bundler.model.contents import Head
from bundler.model.inventory import Inventory, Item
from bundler.model.wheel_items import wheel_items
from bundler.model.wheel_name import parse_wheel_name
from bundler.sizes import size_text


def inspect(path: Path) -> Inspection:
    """Read a package. Raises IntegrityError if it cannot be read."""
    contents = read_contents(path, path.name, Interest(is_text), digests=False)
    facts = package.parse(contents.texts.get(MANIFEST, b""))
    lock = OfflineLock.inside(contents.texts.get(LOCK, b""))
    held = {name: dict(versions) for name, versions in lock.versions().items()}
    lines = (
        ("component", facts.name),
        ("inputs", facts.inputs),
        ("host", facts.host),
        *((f"part {part.component}", part.asset) for part in facts.parts),
        *((folder, f"{one.files} files, {size_text(one.size)}") for folder, one in facts.collections.items()),
        ("tar", f"{contents.tar_size} bytes, SHA-256"),
        ("", contents.tar_sha256),
    )
    return Inspection(
        path=path,
        lines=lines,
        packages=tuple((name, version, 0) for versions in held.values() for name, version in sorted(versions.items())),
        files={name: file.size or 0 for name, file in contents.files.items()},
        document={
            "component": facts.name,
            "inputs": facts.inputs,
            "distro": facts.target.distro,
            "version": facts.target.version,
            "arch": facts.target.arch,
            "parts": [{"component": one.component, "asset": one.asset} for one in facts.parts],
            "collections": {name: {"files": one.files, "size": one.size} for name, one in facts.collections.items()},
            "versions": {name: dict(versions) for name, versions in held.items()},
            "tar": {"size": contents.tar_size, "sha256": contents.tar_sha256},
        },
    )


def held(head: Head) -> Inventory:
    """What a package holds, as its manifest.json and its lock say. Raises IntegrityError, LockError."""
    facts = package.parse(head.texts.get(MANIFEST, b""))
    lock = OfflineLock.inside(head.texts.get(LOCK, b""))
    files = {path: (0, sha256) for path, sha256 in file_list.parse(head.texts.get(FILE_LIST, b"")).items()}
    return inventory_of(facts, lock, [tuple(_wheels(closure.wheels)) for closure in facts.closures], {}, files)


def _wheels(names: Iterable[str]) -> Iterator[Item]:
    """What names of wheels say, as far as they can be parsed."""
    readable = []
    for name in names:
        with suppress(ValueError):
            parse_wheel_name(name)
            readable.append(Wheel(name))
    yield from wheel_items(readable, {})
