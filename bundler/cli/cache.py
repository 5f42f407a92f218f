"""`aiws-bundle cache path|info|prune`."""

from __future__ import annotations

import click

from bundler.cli import Options
from bundler.commands.cache import info, prune
from bundler.terminal import say, say_json, say_long


@click.group("cache")
def command() -> None:
    """Show or tidy the store of downloaded files."""


@command.command("path")
@click.pass_obj
def path_command(options: Options) -> int:
    """Print the store's folder."""
    folder = str(options.settings().cache_dir)
    if options.json:
        say_json({"path": folder})
    else:
        say(folder)
    return 0


@command.command("info")
@click.pass_obj
def info_command(options: Options) -> int:
    """Count what the store holds."""
    found = info(options.settings())
    if options.json:
        say_json({"path": str(found.folder), "files": found.files, "size": found.size, "unfinished": found.unfinished})
    else:
        say_long(
            f"{found.folder}: {found.files} files, {found.size / 1e6:.1f} MB; {found.unfinished} unfinished downloads"
        )
    return 0


@command.command("prune")
@click.option("--all", "everything", is_flag=True, help="Remove every file, whatever the locks name.")
@click.pass_obj
def prune_command(options: Options, everything: bool) -> int:
    """Remove what no lock or pin of the manifests names, and unfinished downloads."""
    files, size = prune(options.settings(), everything=everything)
    if options.json:
        say_json({"files": files, "size": size})
    else:
        say(f"removed {files} files, {size / 1e6:.1f} MB")
    return 0
