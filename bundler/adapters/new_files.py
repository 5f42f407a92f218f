"""New files that appear whole (several of them: all together) or not at all, and never in the place of anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.durable import let_read, sync_folder
from bundler.adapters.in_the_making import hidden_file, hidden_folder
from bundler.errors import UsageError


def put_new(files: Mapping[Path, str]) -> None:
    """Write files, path -> text; the last of them appears last. Folders that are missing are made.

    Raises UsageError if one is there already, OSError; then none of them is there.
    """
    for path in files:
        refuse_taken(path)
    with ExitStack() as undo, ExitStack() as making:
        for folder in dict.fromkeys(path.parent for path in files):
            _make(folder, undo)
        whole = [(making.enter_context(_written(path.parent, text)), path) for path, text in files.items()]
        for made, path in whole:
            _place(made, path)
            undo.callback(_removed, path)
        for folder in dict.fromkeys(path.parent for path in files):
            sync_folder(folder)
        undo.pop_all()


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to be written, which is there once the context has ended well, and else leaves nothing behind.

    Raises UsageError if one is there already, OSError.
    """
    refuse_taken(path)
    with ExitStack() as undo:
        _make(path.parent, undo)
        with hidden_file(path.parent) as (hidden, file):
            yield file
            let_read(file)
            _place(hidden, path)
            sync_folder(path.parent)
        undo.pop_all()


@contextmanager
def all_appearing(folder: Path) -> Iterator[Path]:
    """Give a hidden folder inside of one, which is made if it is missing; what is in it in the end appears there.

    All of it or nothing. Raises UsageError if something is there already, OSError.
    """
    with ExitStack() as undo:
        _make(folder, undo)
        with hidden_folder(folder) as hidden:
            yield hidden
            made = sorted(hidden.iterdir())
            for one in made:
                refuse_taken(folder / one.name)
            for one in made:  # all of them before the first appears: this takes long, a name does not
                with one.open("rb+") as file:
                    let_read(file)
            for one in made:
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


@contextmanager
def _written(folder: Path, text: str) -> Iterator[Path]:
    with hidden_file(folder) as (hidden, file):
        file.write(text.encode())
        let_read(file)
        yield hidden


def _removed(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _left(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def refuse_taken(path: Path, elsewhere: str = "choose another place") -> None:
    """Raise UsageError if something is at a path; `elsewhere` is how another one is given."""
    if os.path.lexists(path):
        raise _taken(path, elsewhere)


def _taken(path: Path, elsewhere: str = "choose another place") -> UsageError:
    return UsageError(f"{path} is there already, and nothing is overwritten", f"{elsewhere}, or move it away")
