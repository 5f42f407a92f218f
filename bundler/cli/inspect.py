"""`aiws-bundle inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.output import print_table
from bundler.commands.inspect import inspect
from bundler.kinds.kind import Inspection
from bundler.terminal import Json, say, say_json

_BIGGEST = 10


@click.command("inspect")
@click.argument("archive", type=click.Path(path_type=Path))
@click.pass_obj
def command(options: Options, archive: Path) -> int:
    """Show what is inside an archive: packages, versions, sizes, Python, the biggest files.

    Nothing is judged: `verify` does that.
    """
    found = inspect(archive)
    if options.json:
        say_json(_json(found))
    else:
        _show(found)
    return 0


def _biggest(found: Inspection) -> list[tuple[str, int]]:
    return sorted(found.files.items(), key=lambda pair: -pair[1])[:_BIGGEST]


def _show(found: Inspection) -> None:
    say(f"{found.path}: {found.path.stat().st_size / 1e6:.1f} MB")
    print_table([(f"  {label:<12}", text) for label, text in found.lines])
    say()
    say(f"The {min(_BIGGEST, len(found.files))} biggest of {len(found.files)} files:")
    print_table([(f"{size / 1e6:.1f} MB", path) for path, size in _biggest(found)], right=(0,))
    if found.packages:
        say()
        say(f"{len(found.packages)} packages, {sum(size for _, _, size in found.packages) / 1e6:.1f} MB:")
        print_table([(name, version, f"{size / 1e3:.0f} kB") for name, version, size in found.packages], right=(2,))


def _json(found: Inspection) -> Json:
    return {
        "archive": str(found.path),
        "size": found.path.stat().st_size,
        **found.document,
        "packages": [{"name": name, "version": version, "size": size} for name, version, size in found.packages],
        "biggest": [{"path": path, "size": size} for path, size in _biggest(found)],
    }
