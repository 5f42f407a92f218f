"""Archives in miniature as `adapters/archive` writes them, and sets of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bundler.adapters.archive import write_archive
from bundler.model.bundle import Bundle, File
from bundler.transfer.make_set import plan, write_set
from bundler.transfer.opened import OpenSet, opened
from bundler.transfer.volumes import Volumes


def zipped(seed: str, size: int) -> bytes:
    """What begins as a ZIP does, so that it is stored; bytes that nothing else has."""
    parts = (hashlib.sha512(f"{seed} {number}".encode()).digest() for number in range(size // 64 + 1))
    return (b"PK\x03\x04" + b"".join(parts))[:size]


def archive(top: str, contents: Mapping[str, bytes]) -> bytes:
    """An archive of ours with these files."""
    entries = tuple(
        File(path, len(content), hashlib.sha256(content).hexdigest(), content)
        for path, content in sorted(contents.items())
    )
    out = io.BytesIO()
    write_archive(Bundle(top, entries), out, 315532800, lambda: False)
    return out.getvalue()


def files_in(folder: Path, contents: Mapping[str, bytes]) -> dict[str, tuple[Path, str]]:
    """Write files; return what `plan` takes."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: (folder / name, hashlib.sha256(content).hexdigest()) for name, content in contents.items()}


def make(folder: Path, contents: Mapping[str, bytes], limit: int = 0, name: str = "a.set") -> Path:
    """A set of some files, in volumes of a size; return where it is."""
    planned = plan(files_in(folder / "from", contents))
    volumes = Volumes(folder, name, limit)
    write_set(planned, volumes.write)
    volumes.close()
    assert sum(volumes.sizes.values()) == planned.size
    return folder / name


def taken(path: Path) -> dict[str, bytes]:
    """All files of a set."""
    with opened(path) as whole:
        return {name: made(whole, name) for name in whole.header.files}


def made(whole: OpenSet, name: str) -> bytes:
    out = io.BytesIO()
    whole.write(name, out.write)
    return out.getvalue()


@contextmanager
def swapped(one: Path, other: Path) -> Iterator[None]:
    """Two files that have each other's names while the context is open."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    yield
    one.write_bytes(first)
    other.write_bytes(second)


def distinct(contents: Sequence[bytes]) -> int:
    return sum(map(len, set(contents)))
