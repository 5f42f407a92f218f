"""`aiws-bundle check`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import click

from bundler.cli import Options
from bundler.cli.output import print_document
from bundler.commands.check import CheckReport, check
from bundler.terminal import Json, Styled, say, say_long


@click.command("check")
@click.pass_obj
def command(options: Options) -> int:
    """Check manifests and locks: every problem at once, with file and line. Asks no network."""
    report = check(options.session(), datetime.now(UTC).date())
    if options.json:
        print_document(_json(report))
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


def _json(report: CheckReport) -> Mapping[str, Json]:
    return {
        "ok": not report.problems,
        "problems": [
            {"file": problem.file, "line": problem.line, "column": problem.column, "message": problem.message}
            for problem in report.problems
        ],
        "notes": list(report.notes),
    }
