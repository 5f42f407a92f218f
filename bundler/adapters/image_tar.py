"""Container images as one tar that `docker load` reads, written so that its bytes depend on the image alone.

`manifest.json` and what it names, as "Combined Image JSON + Filesystem Changeset Format" has it (Docker image
specification v1.2, https://github.com/moby/docker-image-spec/blob/v1.2.0/spec.md). Layers are as the registry has them:
Docker, containerd, podman and skopeo inflate them.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from zlib_ng import zlib_ng

from bundler.adapters.regular import chunks, open_regular
from bundler.errors import IntegrityError

_BLOCK = 512
_PIECE, _CHUNK = 1 << 20, 1 << 18
# What inflates to far more takes time, and a host's disk, that its size does not tell.
_MOST_GROWTH, _FREE_GROWTH = 200, 256 << 20
_BROKEN: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # its stub calls the class an instance


class Out(Protocol):
    """Where a tar goes."""

    def write(self, data: bytes, /) -> object:
        """Take more of it."""


@dataclass(frozen=True)
class Part:
    """A blob of an image: its SHA-256 (hex), its size in bytes, where it is."""

    sha256: str
    size: int
    path: Path


def write_image(tag: str, config: Part, layers: Sequence[Part], out: Out) -> None:
    """Write the tar of an image that is to be called `tag`. Raises OSError, UsageError if a part is no file.

    A part that is not as long as it says raises IntegrityError; what its bytes are, the tar's own digest tells.
    """
    names = [f"{layer.sha256}.tar" for layer in layers]
    manifest = [{"Config": f"{config.sha256}.json", "RepoTags": [tag], "Layers": names}]
    text = json.dumps(manifest, separators=(",", ":")).encode()
    size = _put("manifest.json", len(text), iter([text]), out)
    files = {f"{config.sha256}.json": config, **dict(zip(names, layers, strict=True))}
    for name, part in files.items():
        size += _put(name, part.size, chunks(part.path), out)
    end = 2 * _BLOCK
    out.write(bytes(end + -(size + end) % tarfile.RECORDSIZE))


def _put(name: str, size: int, content: Iterator[bytes], out: Out) -> int:
    """Write one member; return how many bytes that took."""
    info = tarfile.TarInfo(name)
    info.size = size  # time, owner and group are 0, the mode 0644
    header = info.tobuf(tarfile.USTAR_FORMAT)
    out.write(header)
    written = 0
    for data in content:
        out.write(data)
        written += len(data)
    if written != size:
        raise IntegrityError(f"{name} has {written} bytes where {size} are pinned", "lock or build again")
    out.write(bytes(-size % _BLOCK))
    return len(header) + size + -size % _BLOCK


def inflated_sha256(path: Path, name: str, *, gzip: bool) -> str:
    """The SHA-256 (hex) of what a layer is when it is inflated: gzip of one member or of several (RFC 1952, 2.2).

    Raises IntegrityError if it is damaged, or inflates to more than 200 times its size.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        for data in _inflated(file, name) if gzip else iter(lambda: file.read(_CHUNK), b""):
            digest.update(data)
    return digest.hexdigest()


def _inflated(file: BinaryIO, name: str) -> Iterator[bytes]:
    left = _FREE_GROWTH + _MOST_GROWTH * file.seek(0, 2)
    file.seek(0)
    inflate, data = zlib_ng.decompressobj(zlib_ng.MAX_WBITS | 16), file.read(_CHUNK)
    while data or not inflate.eof:
        try:
            piece = inflate.decompress(data, _PIECE)
        except _BROKEN as error:
            raise IntegrityError(f"{name}: cannot be inflated: {error}") from error
        left -= len(piece)
        if left < 0:
            raise IntegrityError(f"{name}: inflates to more than {_MOST_GROWTH} times its own size")
        if not data and not piece and not inflate.eof:
            raise IntegrityError(f"{name}: its compressed data is cut short")
        if piece:
            yield piece
        if inflate.eof:
            data = inflate.unused_data or file.read(_CHUNK)
            if data:
                inflate = zlib_ng.decompressobj(zlib_ng.MAX_WBITS | 16)
        else:
            data = inflate.unconsumed_tail or file.read(_CHUNK)
