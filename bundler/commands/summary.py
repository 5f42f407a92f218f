"""`summary`: what a folder of archives holds, in few figures, for the page of a workflow's run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import UsageError
from bundler.model.holding import Holding
from bundler.release.holdings import of_archives
from bundler.sidecars import sums
from bundler.words import archive_of


@dataclass(frozen=True)
class Summed:
    """One archive: its file's name, what it is for (`debian 12 amd64`), bytes, SHA-256 (hex) and number of items."""

    asset: str
    host: str
    size: int
    sha256: str
    packages: int


@dataclass(frozen=True)
class Summary:
    """What SHA256SUMS of a folder lists; `digest` is the SHA-256 (hex) of that file."""

    folder: Path
    digest: str
    archives: tuple[Summed, ...]


def summary(folder: Path) -> Summary:
    """Sum up a folder that `build` filled; nothing is judged.

    Raises UsageError if it is none, IntegrityError if SHA256SUMS is malformed or an archive does not say what it holds.
    """
    path = folder / sums.NAME
    if not path.is_file():
        raise UsageError(f"{folder} has no {sums.NAME}", "give a folder that `build` filled")
    content = read_regular(path, sums.LARGEST)
    digest, listed = hashlib.sha256(content).hexdigest(), sums.parse(content.decode("utf-8", "replace"), str(path))
    names = sorted({archive for name in listed if (archive := archive_of(name))})
    held = zip(names, of_archives(folder, names), strict=True)
    return Summary(folder, digest, tuple(_summed(name, listed.get(name, ""), holding) for name, holding in held))


def _summed(name: str, sha256: str, holding: Holding) -> Summed:
    return Summed(name, holding.inventory.host, holding.size, sha256, len(holding.inventory.items))
