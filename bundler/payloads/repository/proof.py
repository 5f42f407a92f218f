"""The proof that a checkout is one: Git itself looks at it before it is locked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bundler.adapters.git import changes
from bundler.adapters.process import run
from bundler.adapters.regular import open_regular
from bundler.errors import LockError
from bundler.model.bundle import Entry, File, Link, Slice
from bundler.payloads.repository.places import folder_of

_CHUNK = 1 << 20


def prove(name: str, entries: Iterable[Entry], folder: Path, env: Mapping[str, str]) -> None:
    """Write a checkout to a new folder, and let Git look at it. Raises LockError if Git does not find it clean."""
    checkout = folder_of(name)
    for entry in entries:
        if entry.path.startswith(f"{checkout}/"):
            _write(entry, folder / entry.path)
    if found := changes(folder / checkout, env, run):
        raise LockError(
            f"{name}: git would not find its checkout clean: {', '.join(found[:5])}",
            "does a .gitignore of the commit take an addition back in? Give that another path",
        )


def _write(entry: Entry, path: Path) -> None:
    """Write one entry: its path is checked, and leads through no link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(entry, Link):
        path.symlink_to(entry.target)
    elif isinstance(entry, File):
        with path.open("xb") as file:
            file.writelines(_content(entry.content))
        path.chmod(0o755 if entry.executable else 0o644)


def _content(content: bytes | Slice) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    left = content.length
    with open_regular(Path(content.file)) as file:
        file.seek(content.offset)
        while left and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            yield data
