"""`aiws-bundle cache path|info|prune`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.output import print_document, print_table
from bundler.commands.cache import CacheInfo, PruneReport, Share, info, prune
from bundler.sizes import size_text
from bundler.terminal import Json, say, say_long


@click.group("cache")
def command() -> None:
    """Show or tidy the store of downloaded files."""


@command.command("path")
@click.pass_obj
def path_command(options: Options) -> int:
    """Print the store's folder."""
    folder = str(options.session().cache_dir)
    if options.json:
        print_document({"path": folder})
    else:
        say(folder)
    return 0


@command.command("info")
@click.pass_obj
def info_command(options: Options) -> int:
    """Tell what the store holds: whose locks name it, how large it is, and when it was last used."""
    found = info(options.session())
    if options.json:
        print_document(_info_json(found))
    else:
        _show_info(found)
    return 0


def _show_info(found: CacheInfo) -> None:
    say_long(f"{found.folder}: {_amount(found.files, found.size)}; {found.unfinished} unfinished downloads")
    if found.shares:
        rows = [("named by the locks of", "files", "size", "last used")]
        rows += [(_owners(one), str(one.files), size_text(one.size), _day(one.used)) for one in found.shares]
        print_table(rows, right=(1, 2))
    if not found.known:
        say_long("There are no manifests here, so nobody can tell whose these are.")


def _owners(share: Share) -> str:
    return ", ".join(share.components) or "none here"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _info_json(found: CacheInfo) -> Mapping[str, Json]:
    return {
        "path": str(found.folder),
        "files": found.files,
        "size": found.size,
        "unfinished": found.unfinished,
        "manifests": found.known,
        "shares": [
            {
                "components": list(one.components),
                "files": one.files,
                "size": one.size,
                "last_used": datetime.fromtimestamp(one.used, UTC).isoformat(timespec="seconds"),
            }
            for one in found.shares
        ],
    }


@command.command("prune")
@click.option("--all", "everything", is_flag=True, help="Remove every file, whatever the locks name.")
@click.option(
    "--older-than",
    metavar="DURATION",
    help="Remove only what no build took for that long: 30d, 12h. A file's time of change tells when one last did.",
)
@click.option(
    "--keep",
    "also_keep",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also keep what the locks in DIR, a folder of another project's manifests, name; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would go.")
@click.pass_obj
def prune_command(
    options: Options, everything: bool, older_than: str | None, also_keep: tuple[Path, ...], dry_run: bool
) -> int:
    """Remove what no lock or pin here names, and unfinished downloads.

    All projects of a user share the store, but what the locks of other projects name is not known here, and goes: name
    their folders of manifests with --keep.
    """
    report = prune(
        options.session(), everything=everything, older_than=older_than, also_keep=also_keep, dry_run=dry_run
    )
    if options.json:
        print_document(_json(report))
    else:
        _show(report, everything)
    return 0


def _show(report: PruneReport, everything: bool) -> None:
    say(f"{'would remove' if report.dry_run else 'removed'} {_amount(report.files, report.size)}")
    if report.kept:
        say(f"kept {_amount(sum(one.files for one in report.kept), sum(one.size for one in report.kept))}:")
        for one in report.kept:
            say_long(f"  {one.why}: {_amount(one.files, one.size)}")
    if report.files and not everything:
        say_long("What locks of other projects name is not known here; --keep DIR keeps it too.")


def _amount(files: int, size: int) -> str:
    return f"{files} file{'s' * (files != 1)}, {size_text(size)}"


def _json(report: PruneReport) -> Mapping[str, Json]:
    return {
        "files": report.files,
        "size": report.size,
        "dry_run": report.dry_run,
        "kept": [{"why": one.why, "files": one.files, "size": one.size} for one in report.kept],
    }
