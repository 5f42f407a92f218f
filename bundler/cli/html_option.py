"""The option by which a command writes a page to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import click

from bundler.errors import UsageError

P = ParamSpec("P")
_FILE = click.Path(dir_okay=False, path_type=Path)


def with_html(command: Callable[P, int]) -> Callable[P, int]:
    """Add `--html FILE` to a command, which takes it as `html`."""
    told = "Write a page to look at there too: one file, which asks no network."
    return click.option("--html", metavar="FILE", type=_FILE, help=told)(command)


def write_page(path: Path, page: str) -> None:
    """Write a page, whole or not at all. Raises UsageError for standard output, WorkError."""
    from bundler.adapters.durable import write_whole

    if str(path) == "-":
        raise UsageError("a page is not written to standard output", "give --html a file's name")
    write_whole(path, page.encode())
