"""What a release shall hold: archives, large ones in parts, and the SHA256SUMS that covers every asset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.model.release import PART_SIZE, Piece
from bundler.sidecars import channel, parts, sums
from bundler.sidecars.channel import Channel, ChannelAsset

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Content:
    """The assets without SHA256SUMS, and the digests of what they are parts of, by name."""

    assets: tuple[Piece, ...]
    wholes: Mapping[str, str]

    @property
    def split(self) -> tuple[str, ...]:
        """The names of what is published in parts."""
        return tuple(sorted(self.wholes))

    def pieces(self) -> tuple[Piece, ...]:
        """Every asset in order of name; SHA256SUMS covers all others, and the wholes that parts are joined to."""
        digests = {piece.name: piece.sha256 for piece in self.assets} | dict(self.wholes)
        last = generated(sums.NAME, sums.render(digests).encode())
        return (*sorted(self.assets, key=lambda piece: piece.name), last)


def content_of(folder: Path, digests: Mapping[str, str], part_size: int = PART_SIZE) -> Content:
    """Plan the release of the files that `digests` (name -> SHA-256) names in `folder`.

    Files of `part_size` bytes and more are split; they are read once here, for the digests of their parts.
    Raises IntegrityError if such a file is not what its digest says.
    """
    assets: list[Piece] = []
    wholes: dict[str, str] = {}
    for name, sha256 in sorted(digests.items()):
        path = folder / name
        size = path.stat().st_size
        if size < part_size:
            assets.append(Piece(name, size, sha256, source=path))
            continue
        whole, split = _split(name, path, part_size)
        if whole != sha256:
            raise IntegrityError(f"{path}: SHA-256 mismatch\n  expected {sha256}\n  actual   {whole}")
        wholes[name] = sha256
        assets += (*split, generated(f"{name}{parts.SUFFIX}", parts.render([piece.name for piece in split])))
    return Content(tuple(assets), wholes)


def channel_of(content: Content, name: str, repository: str, tag: str, commit: str) -> Content:
    """Plan the release of a channel that points at `content`, published as `tag`."""
    listed = {piece.name: ChannelAsset(piece.size, piece.sha256) for piece in content.pieces()}
    text = channel.render(Channel(name, repository, tag, commit, listed))
    return replace(content, assets=(*content.assets, generated(channel.NAME, text)))


def generated(name: str, content: bytes) -> Piece:
    """An asset whose bytes are made here."""
    return Piece(name, len(content), hashlib.sha256(content).hexdigest(), content=content)


def _split(name: str, path: Path, part_size: int) -> tuple[str, tuple[Piece, ...]]:
    """Return a file's SHA-256 and its parts."""
    whole = hashlib.sha256()
    split: list[Piece] = []
    with open_regular(path) as file:
        offset = 0
        while True:
            part, size = hashlib.sha256(), 0
            while size < part_size and (chunk := file.read(min(_CHUNK, part_size - size))):
                whole.update(chunk)
                part.update(chunk)
                size += len(chunk)
            if not size:
                return whole.hexdigest(), tuple(split)
            split.append(Piece(parts.part_name(name, len(split)), size, part.hexdigest(), source=path, offset=offset))
            offset += size
