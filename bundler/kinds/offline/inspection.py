"""What an all-in-one package says of itself, without judging it."""

from __future__ import annotations

from pathlib import Path

from bundler.kinds.kind import Inspection
from bundler.kinds.offline import package
from bundler.kinds.offline.examine import is_text
from bundler.kinds.offline.lock import OfflineLock
from bundler.kinds.offline.places import LOCK, MANIFEST
from bundler.kinds.reading import Interest, read_contents


def inspect(path: Path) -> Inspection:
    """Read a package. Raises IntegrityError if it cannot be read."""
    contents = read_contents(path, path.name, Interest(is_text), digests=False)
    facts = package.parse(contents.texts.get(MANIFEST, b""))
    lock = OfflineLock.parse(contents.texts.get(LOCK, b"").decode("utf-8", "replace"), LOCK)
    held = {name: dict(versions) for name, versions in lock.versions().items()}
    lines = (
        ("component", facts.name),
        ("inputs", facts.inputs),
        ("host", facts.host),
        *((f"part {part.component}", part.asset) for part in facts.parts),
        *((folder, f"{one.files} files, {one.size / 1e6:.1f} MB") for folder, one in facts.collections.items()),
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
