"""`inspect`: what an archive says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.errors import UnreachableError
from bundler.kinds.wheelhouse.judge import read_contents
from bundler.kinds.wheelhouse.members import archive_manifest
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.model.bundle import MANIFEST
from bundler.model.contents import Contents


@dataclass(frozen=True)
class Inspection:
    """An archive's own facts and what was read of it; nothing is judged."""

    path: Path
    facts: ArchiveManifest
    contents: Contents


def inspect(path: Path) -> Inspection:
    """Read an archive. Raises UnreachableError if it is not there, IntegrityError if it cannot be read."""
    if not path.is_file():
        raise UnreachableError(f"{path} is not a file", "give an archive that `build` made")
    contents = read_contents(path, digests=False)
    return Inspection(path, archive_manifest.parse(contents.texts.get(MANIFEST, b"")), contents)
