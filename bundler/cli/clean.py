"""`aiws-bundle clean`."""

from __future__ import annotations

from pathlib import Path

import click

from bundler.adapters.sweep import Fate
from bundler.cli import Options
from bundler.cli.output import print_document
from bundler.commands.clean import clean
from bundler.sizes import size_text
from bundler.terminal import Json, say, say_long

_WIDTH = len("would be removed")


@click.command("clean")
@click.argument("folders", metavar="[DIR]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out",
    "outs",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Another folder of archives than dist, which is always meant; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would go.")
@click.pass_obj
def command(options: Options, folders: tuple[Path, ...], outs: tuple[Path, ...], dry_run: bool) -> int:
    """Remove what this tool made: folders of archives, the store, unpacked packages; name every path.

    Goes without asking: what `build` wrote into dist and each --out, as long as its bytes are what was written; all
    that is kept in the cache folder, which every project of a user shares, and which can be fetched again; and
    unpacked packages (ai-workspace-all-in-one-offline-*) in each DIR, at most four folders deep. [default: here]

    Everything else stays, and is told with the reason: links, other people's folders, changed files. So does what a
    run of this tool is at work with.
    """
    session = options.session()
    fates = clean(session, folders or (Path(),), (Path("dist"), *outs), dry_run=dry_run)
    told = [_told(fate, silent=options.json) for fate in fates]
    size = sum(fate.size for fate in told)
    if options.json:
        print_document({"dry_run": dry_run, "size": size, "paths": [_json(fate) for fate in told]})
    else:
        say(f"{'would free' if dry_run else 'freed'} {size_text(size)}")
    return 1 if any(fate.state == "failed" for fate in told) else 0


def _told(fate: Fate, *, silent: bool) -> Fate:
    """Say what became of a path, at once: a run that is interrupted has told what it did."""
    if not silent:
        say_long(f"{fate.state:{_WIDTH}}  {fate.path}{f': {fate.why}' if fate.why else ''}", " " * (_WIDTH + 2))
    return fate


def _json(fate: Fate) -> Json:
    return {"path": str(fate.path), "state": fate.state, "why": fate.why or None, "size": fate.size}
