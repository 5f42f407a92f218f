"""`aiws-bundle check`."""

from __future__ import annotations

import click

from bundler.cli import Options
from bundler.commands.check import CheckReport, check
from bundler.terminal import Json, Styled, say, say_json, say_long


@click.command("check")
@click.pass_obj
def command(options: Options) -> int:
    """Check manifests and locks: every problem at once, with file and line. Asks no network."""
    report = check(options.session())
    if options.json:
        say_json(_json(report))
    else:
        _show(report)
    return report.exit_code


def _show(report: CheckReport) -> None:
    for problem in report.problems:
        say_long(str(problem))
    for note in report.notes:
        say_long(f" {note}", lead=Styled("note:", "aside"))
    count = len(report.problems)
    if count:
        say(Styled(f"{count} problem{'s' if count != 1 else ''}", "bad"))
    else:
        say(Styled("manifests and locks are sound", "good"))


def _json(report: CheckReport) -> Json:
    return {
        "ok": not report.problems,
        "problems": [
            {"file": problem.file, "line": problem.line, "column": problem.column, "message": problem.message}
            for problem in report.problems
        ],
        "notes": list(report.notes),
    }
