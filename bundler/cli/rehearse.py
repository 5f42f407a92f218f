"""`aiws-bundle rehearse`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import print_document, print_findings, print_table, result
from bundler.commands.rehearse import RehearsalReport, rehearse
from bundler.kinds.steps import Step
from bundler.sizes import size_text
from bundler.terminal import Json, Part, Styled, say, say_block, say_long


@click.command("rehearse")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="An unpacked root of the archive's distribution and architecture. [default: this host]",
)
@click.pass_obj
def command(options: Options, archive: Path, root: Path | None) -> int:
    """Install an archive where there is no network, and report.

    Runs what the consumers' installer runs, starts the program and asks it as its manifest's `rehearsal:` says,
    installs a second time, then does the same with the archive's own install.sh. A root that has systemd, dbus and sudo
    is booted then, and the consumers' role followed: another user, sudo, a service (as root, with systemd-container
    installed). Of a component that another repository releases the program is started. Nothing is written to the root;
    every attempt to reach the network is listed. -v shows all that a failed program wrote. An archive for macOS takes a
    Mac with Apple silicon, and no --root: its install.sh and its program are tried in the system's own sandbox.
    """
    report = rehearse(options.session(), archive, root)
    if options.json:
        print_document(_json(report))
    else:
        _show(report, verbose=options.verbose)
    good = report.exit_code == 0
    text = f"{archive} {'installs and works without a network' if good else 'is not fit to be published'}"
    close(options, text, *([["publish", archive.parent, "--help"]] if good else []))
    return report.exit_code


def _show(report: RehearsalReport, *, verbose: bool = False) -> None:
    if report.rehearsal is None:
        say(result("NOT ok"), f"  {report.archive} does not verify, so it is not rehearsed:")
        print_findings((*report.verdict.integrity, *report.verdict.closure))
        return
    rows: list[tuple[Part, ...]] = [("step", "seconds", "result", "")]
    for step in report.rehearsal.steps:
        detail = step.detail.splitlines()[0] if step.detail and step.good else ""
        rows.append((step.name, f"{step.seconds:.1f}", result(step.result), detail))
    print_table(rows, right=(1,))
    measures = report.rehearsal.measures
    versions = ", ".join(f"{name} {version}" for name, version in measures.versions.items())
    say()
    say_long(f"{versions}; {size_text(measures.disk_bytes)} on disk")
    for note in report.rehearsal.notes:
        say_long(f"note: {note}")
    attempts = [(step.name, attempt) for step in report.rehearsal.steps for attempt in step.attempts]
    none = f"not known: {report.rehearsal.unlisted}" if report.rehearsal.unlisted else "none"
    say_long(f"attempts to reach the network:{'' if attempts else f' {none}'}")
    for name, attempt in attempts:
        say_long(f"  {attempt.what}  by {attempt.program or 'a program that was gone'}  during: {name}")
    for step in report.rehearsal.steps:
        if not step.good:
            _show_failure(step, verbose=verbose)


def _show_failure(step: Step, *, verbose: bool) -> None:
    say()
    say_block(f" {step.name}\n{step.detail}", lead=Styled("FAILED:", "bad"))
    for attempt in step.attempts:
        say_long(f"it asked the network for {attempt.what}, which a host without network cannot give")
    if verbose and step.log:
        say()
        say_block(f"all that it wrote:\n{step.log.rstrip()}")
    elif step.log:
        say("-v shows all that it wrote")


def _json(report: RehearsalReport) -> Mapping[str, Json]:
    rehearsal = report.rehearsal
    return {
        "archive": str(report.archive),
        "sha256": report.sha256,
        "root": str(report.root),
        "ok": report.exit_code == 0,
        "integrity": list(report.verdict.integrity),
        "closure": list(report.verdict.closure),
        "versions": dict(rehearsal.measures.versions) if rehearsal else {},
        "disk_bytes": rehearsal.measures.disk_bytes if rehearsal else 0,
        "manifest": rehearsal.manifest if rehearsal and rehearsal.manifest else None,
        "notes": list(rehearsal.notes) if rehearsal else [],
        "unlisted": rehearsal.unlisted if rehearsal and rehearsal.unlisted else None,
        "steps": [_step(step) for step in (rehearsal.steps if rehearsal else ())],
    }


def _step(step: Step) -> Json:
    return {
        "name": step.name,
        "seconds": round(step.seconds, 2),
        "ok": step.good,
        "skipped": step.skipped,
        "detail": step.detail,
        "attempts": [{"what": attempt.what, "program": attempt.program} for attempt in step.attempts],
        **({} if step.good else {"log": step.log}),
    }
