"""New files that appear whole (several of them: all together) or not at all, and never in the place of anything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from bundler.adapters.durable import sync_folder
from bundler.errors import UsageError


def put_new(files: Mapping[Path, str]) -> None:
    """Write files, path -> text; the last of them appears last. Folders that are missing are made.

    Raises UsageError if one is there already, OSError; then none of them is there.
    """
    for path in files:
        refuse_taken(path)
    with ExitStack() as undo:
        for folder in dict.fromkeys(path.parent for path in files):
            _make(folder, undo)
        whole = [(_written(path.parent, text, undo), path) for path, text in files.items()]
        for made, path in whole:
            _place(made, path)
            undo.callback(_removed, path)
        for folder in dict.fromkeys(path.parent for path in files):
            sync_folder(folder)
        for made, _ in whole:
            _removed(made)
        undo.pop_all()


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to be written, which is there once the context has ended well, and else leaves nothing behind.

    Raises UsageError if one is there already, OSError.
    """
    refuse_taken(path)
    with ExitStack() as undo:
        _make(path.parent, undo)
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".", delete=False) as file:
            undo.callback(_removed, Path(file.name))
            yield cast("BinaryIO", file)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        _place(Path(file.name), path)
        sync_folder(path.parent)
        _removed(Path(file.name))
        undo.pop_all()


@contextmanager
def all_appearing(folder: Path) -> Iterator[Path]:
    """Give a hidden folder inside of one, which is made if it is missing; what is in it in the end appears there.

    All of it or nothing. Raises UsageError if something is there already, OSError.
    """
    with ExitStack() as undo:
        _make(folder, undo)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as hidden:
            yield Path(hidden)
            made = sorted(Path(hidden).iterdir())
            for one in made:
                refuse_taken(folder / one.name)
            for one in made:
                one.chmod(0o644)
                with one.open("rb") as file:
                    os.fsync(file.fileno())
                _place(one, folder / one.name)
                undo.callback(_removed, folder / one.name)
            sync_folder(folder)
        undo.pop_all()


def _place(made: Path, target: Path) -> None:
    """Put a file where it belongs, over nothing; `made` may be gone then. Raises UsageError, OSError."""
    try:
        os.link(made, target)  # unlike a rename, never over another file
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError:  # a stick's file system has no links: what comes between this look and the next would be lost
        refuse_taken(target)
        made.rename(target)


def _make(folder: Path, undo: ExitStack) -> None:
    if folder.is_dir():
        return
    _make(folder.parent, undo)
    with suppress(FileExistsError):
        folder.mkdir(0o755)
        undo.callback(_left, folder)


def _written(folder: Path, text: str, undo: ExitStack) -> Path:
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".", delete=False, encoding="utf-8") as file:
        undo.callback(_removed, Path(file.name))
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    return Path(file.name)


def _removed(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _left(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def refuse_taken(path: Path) -> None:
    """Raise UsageError if something is at a path."""
    if os.path.lexists(path):
        raise _taken(path)


def _taken(path: Path) -> UsageError:
    return UsageError(f"{path} is there already, and nothing is overwritten", "choose another place, or move it away")
