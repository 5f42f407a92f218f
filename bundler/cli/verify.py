"""`aiws-bundle verify`."""

from __future__ import annotations

from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.output import Json, print_findings, print_json
from bundler.pipeline.verify import VerifyReport, verify
from bundler.sidecars.archive_manifest import ArchiveManifest


@click.command("verify")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def command(options: Options, paths: tuple[Path, ...]) -> int:
    """Prove that archives and dist folders are whole.

    Checks SHA256SUMS, each archive's own file list and layout, and that its wheels are exactly what a host will ask
    for. PATH is an archive or a folder of archives.
    """
    report = verify(paths, options.settings().progress)
    if options.json:
        print_json(_json(report))
    else:
        _show(report)
    return report.exit_code


def _show(report: VerifyReport) -> None:
    for path, verdict in report.verdicts:
        if verdict.good and verdict.facts and verdict.contents:
            wheels = len(verdict.contents.wheels)
            print(f"ok      {path}: {verdict.facts.requirement}, {wheels} wheels close on {_host(verdict.facts)}")
            continue
        print(f"NOT ok  {path}")
        print_findings((*verdict.integrity, *verdict.closure))
    for finding in report.folder_findings:
        print(f"NOT ok  {finding}")


def _host(facts: ArchiveManifest) -> str:
    return f"{facts.distro} {facts.version} {facts.arch} ({facts.python.source} Python {facts.python.version})"


def _json(report: VerifyReport) -> Json:
    return {
        "ok": report.exit_code == 0,
        "archives": [
            {
                "path": str(path),
                "ok": verdict.good,
                "integrity": list(verdict.integrity),
                "closure": list(verdict.closure),
                "tar_sha256": verdict.contents.tar_sha256 if verdict.contents else None,
            }
            for path, verdict in report.verdicts
        ],
        "folders": list(report.folder_findings),
    }
