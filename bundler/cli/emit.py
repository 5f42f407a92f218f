"""`aiws-bundle emit`."""

from __future__ import annotations

from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import print_document
from bundler.commands.emit import emit
from bundler.sidecars import sums
from bundler.terminal import Json, say


@click.command("emit")
@click.argument("path", metavar="SET", type=click.Path(path_type=Path))
@click.argument("words", metavar="[NAME|SELECTOR]...", nargs=-1)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("dist"),
    show_default=True,
    help="Where the files go; nothing there is replaced.",
)
@click.option(
    "--sums",
    "listing",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A SHA256SUMS that you verified: it has to list what is taken out.",
)
@click.option("--repair", is_flag=True, help="Repair what is damaged, aside, with the recovery files beside the set.")
@click.pass_obj
def command(options: Options, path: Path, words: tuple[str, ...], out: Path, listing: Path | None, repair: bool) -> int:
    """Take files out of a set, byte for byte: all of them, or those that are named.

    SET is what `bundle-set` made; of volumes it is their name without the number, and all lie in one folder. A
    SELECTOR such as debian-12-amd64, debian or arm64 brings the archives that are called so, what stands beside them,
    and SHA256SUMS with its signatures.

    Each file has the SHA-256 that the set tells; who made the set is told by the signatures in it, which `verify`
    checks once they are taken out.
    """
    made = emit(options.session(), path, words, out, listing, repair=repair)
    if options.json:
        files: Json = [{"name": name, "size": size} for name, size in made.files.items()]
        print_document({"set": str(path), "folder": str(made.out), "files": files})
        return 0
    for name in made.files:
        say(str(made.out / name))
    whole = sums.NAME in made.files
    partial = ["--ignore-missing"] if words else []
    close(options, f"{len(made.files)} files are in {made.out}", *([["verify", made.out, *partial]] if whole else []))
    return 0
