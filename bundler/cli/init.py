"""`aiws-bundle init`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.output import print_document, print_table
from bundler.commands.init import InitReport, folder_for, init
from bundler.errors import UsageError
from bundler.kinds.beginning import Wish
from bundler.terminal import Json, say, say_long


@click.command("init")
@click.argument("application", metavar="NAME[==VERSION]")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--targets",
    metavar="SELECTORS",
    multiple=True,
    help="The hosts, such as debian-12,ubuntu-24.04. [default: those of targets.yaml; the newest Debian and Ubuntu]",
)
@click.option("--program", metavar="NAME", default="", help="Its program. [default: the one that is called as it is]")
@click.option("--serve", metavar="ARGUMENTS", help='How the program serves HTTP, such as "--port {port}".')
@click.option("--ready", metavar="PATH", multiple=True, help="Where it answers with 200 then, such as /health.")
@click.option("--name", metavar="COMPONENT", default="", help="What to call it. [default: as the application]")
@click.option("--repository", metavar="OWNER/REPO", default="", help="Where its archives will be released.")
@click.pass_obj
def command(
    options: Options,
    application: str,
    folder: Path | None,
    targets: tuple[str, ...],
    program: str,
    serve: str | None,
    ready: tuple[str, ...],
    name: str,
    repository: str,
) -> int:
    """Begin to ship an application: write its manifests, which lock, build and rehearse as they are.

    NAME is what the package index calls it, NAME[EXTRA] with an extra; without a version the newest that is past the
    cooldown. DIR is the folder of manifests (or --manifests): a new one, or one that gets one more application. Nothing
    that stands there is overwritten; targets.yaml gets a line for a host that it has not. Nothing of it is run.
    """
    if folder and options.manifests:
        raise UsageError("the folder is given twice: as DIR, and with --manifests")
    wish = Wish(application, name, program, _words(serve), ready, repository)
    selectors = [word.strip() for text in targets for word in text.split(",") if word.strip()]
    report = init(options.session(), folder_for(folder or options.manifests), wish, selectors)
    if options.json:
        print_document(_json(report))
    else:
        _show(report)
    return 0


def _words(serve: str | None) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(serve or ""))
    except ValueError as error:
        raise UsageError(f"--serve {serve!r} cannot be read: {error}") from error


def _show(report: InitReport) -> None:
    print_table([(f"{label}:", text) for label, text in report.found.items()])
    say()
    for what, paths in (("wrote", report.made), ("added hosts to", report.changed)):
        for path in paths:
            say_long(f"{what} {_short(path)}")
    for note in report.notes:
        say_long(f"note: {note}")
    say()
    say("next:")
    for line in report.commands:
        say(f"  {line}")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _json(report: InitReport) -> Mapping[str, Json]:
    return {
        "component": report.component,
        "folder": str(report.folder),
        "made": [str(path) for path in report.made],
        "changed": [str(path) for path in report.changed],
        "found": dict(report.found),
        "notes": list(report.notes),
        "commands": list(report.commands),
    }
