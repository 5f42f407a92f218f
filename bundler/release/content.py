"""What a release shall hold: archives, large ones in parts, and the sidecars of each and over all.

`Content.pieces` is the one place that says which assets there are; what SHA256SUMS covers follows from the order in
which the table of sidecars is gone through.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import BundleError, IntegrityError, UsageError, WorkError
from bundler.model.release import MOST_ASSETS, Piece
from bundler.model.sidecar import NOTHING_TOLD, Files, Held, Place, Read, SidecarFacts
from bundler.model.statement import Statement
from bundler.release.beside import reading
from bundler.release.parts import CUT, Cut, split
from bundler.release.signing import fitting
from bundler.sidecars.table import SIDECARS, facts_of, facts_of_each
from bundler.words import LONGEST_NAME, SUMS

_CHUNK = 1 << 20
# The turn of what tells of an archive or of its parts; what tells of all of them comes later.
_AFTER_ARCHIVES = 1


@dataclass(frozen=True)
class Content:
    """Archives, whole or in parts, with their sidecars; `wholes` are the digests of what is there in parts.

    `told` is what sidecars are told beside what is there: what the archives hold, who signs, and how to read what else
    the folder holds, such as those wholes. `further` are signatures of others: those that fit go along. `deltas` are
    those to the archives, and what applies them.
    """

    archives: tuple[Piece, ...]
    wholes: Mapping[str, str]
    told: SidecarFacts = NOTHING_TOLD
    further: Mapping[str, bytes] = field(default_factory=dict)
    deltas: tuple[Piece, ...] = ()

    @property
    def split(self) -> tuple[str, ...]:
        """The names of what is published in parts."""
        return tuple(sorted(self.wholes))

    @property
    def names(self) -> frozenset[str]:
        """The names of the archives and of what stands beside them, whether in parts or not."""
        return frozenset(piece.name for piece in (*self.archives, *self.deltas)) | self.wholes.keys()

    def pieces(self, place: Place, follows: Held | None = None) -> tuple[Piece, ...]:
        """Every asset of a release: the archives and theirs by name, then what is over all, in the table's order."""
        pieces = sorted((*self.archives, *self.deltas), key=lambda piece: piece.name)
        for turn, sidecar in enumerate((one for one in SIDECARS if one.OF == "release"), _AFTER_ARCHIVES + 1):
            read = partial(_read, {piece.name: piece for piece in pieces}, self.told.read)
            files = files_of(pieces)
            facts = replace(self.told, files=files, read=read, wholes=self.wholes, place=place, follows=follows)
            made = sidecar.render(facts_of(sidecar, place.tag, facts))
            if made is not None:
                pieces.append(generated(sidecar.name(place.tag), made, turn))
        return (*pieces, *self._fitting(pieces, place))

    def _fitting(self, pieces: Sequence[Piece], place: Place) -> Iterator[Piece]:
        """The signatures of others that count for the SHA256SUMS among the pieces."""
        content = next((piece.content for piece in pieces if piece.name == SUMS), b"")
        if self.further and self.told.today:
            said = Statement(place.tag, place.commit)
            for name in fitting(self.further, content, self.told.trust, self.told.today, said):
                yield generated(name, self.further[name], max(piece.turn for piece in pieces) + 1)


NOTHING = Content((), {}, replace(NOTHING_TOLD, read=lambda name: iter(())))


def files_of(pieces: Iterable[Piece]) -> Files:
    """The sizes and digests of assets."""
    return {piece.name: (piece.size, piece.sha256) for piece in pieces}


def content_of(
    folder: Path, names: Iterable[str], listed: Mapping[str, str], cut: Cut = CUT, told: SidecarFacts = NOTHING_TOLD
) -> Content:
    """Plan the release of the archives `names` in `folder`, whose SHA256SUMS says `listed`.

    `told` is what sidecars are told beside what is there.
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
    told = reading(told, lambda name: path if (path := folder / name).is_file() else None)
    for sidecar in (one for one in SIDECARS if one.OF == "archive"):
        facts = replace(told, files=files_of(pieces.values()), read=partial(_read, pieces, told.read), wholes=wholes)
        for archive, own in facts_of_each(sidecar, facts):
            name = sidecar.name(archive)
            made = sidecar.render(own)
            if made is not None:
                pieces[name] = generated(name, made, _AFTER_ARCHIVES)
    return Content(tuple(pieces.values()), wholes, told)


def beyond_limits(content: Content, place: Place) -> Iterator[BundleError]:
    """Yield what GitHub would not take."""
    pieces = content.pieces(place)
    if len(pieces) > MOST_ASSETS:
        yield UsageError(
            f"{len(pieces)} assets are more than the {MOST_ASSETS} that a release can hold", "give --targets"
        )
    for piece in pieces:
        if not piece.size:
            yield WorkError(f"{piece.name} is empty, which GitHub does not store")
        if len(piece.name) > LONGEST_NAME:
            yield UsageError(f"{piece.name}: the name is too long")
    names = [piece.name.lower() for piece in pieces]
    yield from (UsageError(f"{name} is the name of two assets") for name in twice(names))


def twice(names: Iterable[str]) -> list[str]:
    """The names that are there more than once."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


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
