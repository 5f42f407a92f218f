"""What a release shall hold: archives, large ones in parts, and the sidecars of each and over all.

`Content.pieces` is the one place that says which assets there are; what SHA256SUMS covers follows from the order in
which the table of sidecars is gone through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.model.release import Piece
from bundler.model.sidecar import Files, Held, Place, Read, SidecarFacts, UnreadError
from bundler.release.parts import CUT, Cut, split
from bundler.sidecars import SIDECARS, facts_of, subjects_of

_CHUNK = 1 << 20
# The turn of what tells of an archive or of its parts; what tells of all of them comes later.
_AFTER_ARCHIVES = 1


@dataclass(frozen=True)
class Content:
    """Archives, whole or in parts, with their sidecars; `wholes` are the digests of what is there in parts.

    `read` yields the bytes of what else the folder holds, such as those wholes.
    """

    archives: tuple[Piece, ...]
    wholes: Mapping[str, str]
    read: Read

    @property
    def split(self) -> tuple[str, ...]:
        """The names of what is published in parts."""
        return tuple(sorted(self.wholes))

    @property
    def names(self) -> frozenset[str]:
        """The names of the archives and of what stands beside them, whether in parts or not."""
        return frozenset(piece.name for piece in self.archives) | self.wholes.keys()

    def pieces(self, place: Place, follows: Held | None = None) -> tuple[Piece, ...]:
        """Every asset of a release: the archives and theirs by name, then what is over all, in the table's order."""
        pieces = sorted(self.archives, key=lambda piece: piece.name)
        for turn, sidecar in enumerate((one for one in SIDECARS if one.OF == "release"), _AFTER_ARCHIVES + 1):
            read = partial(_read, {piece.name: piece for piece in pieces}, self.read)
            facts = SidecarFacts(files_of(pieces), read, wholes=self.wholes, place=place, follows=follows)
            made = sidecar.render(facts_of(sidecar, place.tag, facts))
            if made is not None:
                pieces.append(generated(sidecar.name(place.tag), made, turn))
        return tuple(pieces)


NOTHING = Content((), {}, lambda name: iter(()))


def files_of(pieces: Iterable[Piece]) -> Files:
    """The sizes and digests of assets."""
    return {piece.name: (piece.size, piece.sha256) for piece in pieces}


def content_of(folder: Path, names: Iterable[str], listed: Mapping[str, str], cut: Cut = CUT) -> Content:
    """Plan the release of the archives `names` in `folder`, whose SHA256SUMS says `listed`.

    Files that are too large are split; they are read once here, for the digests of their parts. Raises IntegrityError
    if such a file is not what its digest says.
    """
    pieces: dict[str, Piece] = {}
    wholes: dict[str, str] = {}
    for name in names:
        path = folder / name
        size = path.stat().st_size
        if size < cut.too_large:
            pieces[name] = Piece(name, size, listed[name], source=path)
            continue
        whole, of_it = split(name, path, cut.part_size)
        if whole != listed[name]:
            raise IntegrityError(f"{path}: SHA-256 mismatch\n  expected {listed[name]}\n  actual   {whole}")
        wholes[name] = whole
        pieces |= {piece.name: piece for piece in of_it}

    def read(name: str) -> Iterator[bytes]:
        if name not in listed or not (folder / name).is_file():
            raise UnreadError(name)
        return _bytes_of(Piece(name, (folder / name).stat().st_size, listed[name], source=folder / name))

    for sidecar in (one for one in SIDECARS if one.OF == "archive"):
        facts = SidecarFacts(files_of(pieces.values()), partial(_read, pieces, read), wholes=wholes)
        for archive in subjects_of(sidecar, facts):
            name = sidecar.name(archive)
            made = sidecar.render(facts_of(sidecar, archive, facts))
            if made is not None:
                pieces[name] = generated(name, made, _AFTER_ARCHIVES)
    return Content(tuple(pieces.values()), wholes, read)


def generated(name: str, content: bytes, turn: int = 0) -> Piece:
    """An asset whose bytes are made here."""
    return Piece(name, len(content), hashlib.sha256(content).hexdigest(), content=content, turn=turn)


def _read(pieces: Mapping[str, Piece], otherwise: Read, name: str) -> Iterator[bytes]:
    """The bytes of one of the assets so far, or of what they are parts of."""
    return _bytes_of(pieces[name]) if name in pieces else otherwise(name)


def _bytes_of(piece: Piece) -> Iterator[bytes]:
    """Yield an asset's bytes."""
    if piece.source is None:
        yield piece.content
        return
    left = piece.size
    with open_regular(piece.source) as file:
        file.seek(piece.offset)
        while left and (chunk := file.read(min(_CHUNK, left))):
            yield chunk
            left -= len(chunk)
