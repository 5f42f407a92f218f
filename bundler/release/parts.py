"""Large archives in parts: cut for a release, and found on one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.model.release import PART_SIZE, TOO_LARGE, Asset, Piece
from bundler.sidecars import parts

# Brings the bytes of a small text asset. Raises IntegrityError.
Read = Callable[[Asset], bytes]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Cut:
    """From how many bytes on a file is published in parts, and how many bytes a part has."""

    too_large: int = TOO_LARGE
    part_size: int = PART_SIZE


CUT = Cut()


def split(name: str, path: Path, part_size: int) -> tuple[str, tuple[Piece, ...]]:
    """Return the SHA-256 of a file that is called `name`, and its parts of `part_size` bytes."""
    whole = hashlib.sha256()
    pieces: list[Piece] = []
    with open_regular(path) as file:
        offset = 0
        while True:
            part, size = hashlib.sha256(), 0
            while size < part_size and (chunk := file.read(min(_CHUNK, part_size - size))):
                whole.update(chunk)
                part.update(chunk)
                size += len(chunk)
            if not size:
                return whole.hexdigest(), tuple(pieces)
            pieces.append(Piece(parts.part_name(name, len(pieces)), size, part.hexdigest(), source=path, offset=offset))
            offset += size


def joinable(assets: Mapping[str, Asset], listed: Mapping[str, str], read: Read) -> dict[str, tuple[str, ...]]:
    """What of a release can be put together: its name -> its parts in their order; `listed` is what SHA256SUMS says.

    What keeps others from it is told by their lists' own findings. Raises what `read` does but IntegrityError.
    """
    found: dict[str, tuple[str, ...]] = {}
    for whole in sorted({whole for name in assets if (whole := parts.asset_of(name))}):
        listing = assets.get(parts.name(whole))
        if listing is None or whole in assets or whole not in listed:
            continue
        try:
            names = parts.parse(read(listing), whole)
        except IntegrityError:
            continue
        if assets.keys() >= {*names}:
            found[whole] = names
    return found
