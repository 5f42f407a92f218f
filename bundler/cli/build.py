"""`aiws-bundle build`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bundler.cli import Options, complain
from bundler.cli.output import error_json, print_table
from bundler.commands.build import BuildReport, build
from bundler.terminal import Json, say, say_json, warn


@click.command("build")
@click.argument("selectors", metavar="SELECTOR...", nargs=-1, required=True)
@click.option("--component", "components", multiple=True, help="What to build. [default: the only wheelhouse]")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("dist"), help="Folder for the archives."
)
@click.option("--offline", is_flag=True, help="Ask no network: use the store only.")
@click.option("--jobs", type=click.IntRange(1, 64), default=16, show_default=True, help="Downloads at once.")
@click.option("--force", is_flag=True, help="Build anew what is finished already.")
@click.option(
    "--mirror",
    "mirrors",
    metavar="FROM=TO",
    multiple=True,
    help="Fetch addresses that start with FROM from TO; also in AIWS_MIRRORS. Digests are checked all the same.",
)
@click.pass_obj
def command(
    options: Options,
    selectors: tuple[str, ...],
    components: tuple[str, ...],
    out: Path,
    offline: bool,
    jobs: int,
    force: bool,
    mirrors: tuple[str, ...],
) -> int:
    """Build runtime archives from the committed locks.

    A SELECTOR is debian-12-amd64, debian-12, debian, linux-amd64, macos, arm64 or all.
    """
    settings = options.settings(mirrors, jobs)
    report = build(settings, selectors, components, out, offline=offline, force=force)
    if options.json:
        say_json(_json(report))
    else:
        _show(report)
    return report.exit_code


def _show(report: BuildReport) -> None:
    rows = [("target", "state", "MB", "archive")]
    for outcome in report.outcomes:
        size = f"{outcome.size / 1e6:.1f}" if outcome.size else "-"
        rows.append((outcome.label, outcome.state, size, str(report.folder / outcome.asset)))
    print_table(rows, right=(2,))
    if lacking := [outcome for outcome in report.outcomes if outcome.lacking]:
        named = ", ".join(outcome.label for outcome in lacking)
        say()
        say(f"without database support: {named}")
        say(f"  {lacking[0].lacking}; `aiws-bundle lock` says why")
    for outcome in report.outcomes:
        if outcome.error:
            sys.stdout.flush()
            warn()
            warn(f"{outcome.label} failed:")
            complain(outcome.error)


def _json(report: BuildReport) -> Json:
    return {
        "folder": str(report.folder),
        "archives": [
            {
                "target": outcome.label,
                "asset": outcome.asset,
                "state": outcome.state,
                "size": outcome.size or None,
                "sha256": outcome.sha256 or None,
                "lacking": outcome.lacking,
                "error": error_json(outcome.error),
            }
            for outcome in report.outcomes
        ],
    }
