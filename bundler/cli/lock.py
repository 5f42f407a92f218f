"""`aiws-bundle lock`."""

from __future__ import annotations

import click

from bundler.cli import Options, complain
from bundler.cli.output import Json, error_json, print_json, print_table
from bundler.errors import UsageError
from bundler.model.request import parse_versions
from bundler.pipeline.lock import LockOutcome, LockReport, check_locks, lock


@click.command("lock")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--component", "components", multiple=True, default=["litellm"], help="What to lock. [default: litellm]")
@click.option("--check", is_flag=True, help="Only say whether the locks match the manifests; asks no network.")
@click.option("--upgrade", is_flag=True, help="Resolve anew instead of keeping the versions that are locked.")
@click.option("--exclude-newer", metavar="DATE", help="Ignore files uploaded after DATE (UTC).")
@click.option("--set", "versions", metavar="NAME=VERSION", multiple=True, help="Override one version for this run.")
@click.pass_obj
def command(
    options: Options,
    selectors: tuple[str, ...],
    components: tuple[str, ...],
    check: bool,
    upgrade: bool,
    exclude_newer: str | None,
    versions: tuple[str, ...],
) -> int:
    """Resolve targets and write their locks; without SELECTOR, all targets.

    A lock that matches the manifests is left alone unless --upgrade, --exclude-newer or --set asks for a new one.
    """
    if check and (upgrade or exclude_newer or versions):
        raise UsageError("--check only compares: it takes no --upgrade, --exclude-newer or --set")
    settings = options.settings()
    selectors = selectors or ("all",)
    if check:
        report = check_locks(settings, selectors, components)
    else:
        report = lock(
            settings, selectors, components,
            upgrade=upgrade, exclude_newer=exclude_newer, versions=parse_versions(versions),
        )  # fmt: skip
    if options.json:
        print_json(_json(report))
    else:
        _show(report)
    return report.exit_code


def _show(report: LockReport) -> None:
    rows = [("target", "lock", "packages", "")]
    rows += [(o.target, o.state, str(o.packages or "-"), _detail(o)) for o in report.outcomes]
    print_table(rows, right=(2,))
    seen: set[tuple[str, ...]] = set()
    for outcome in report.outcomes:
        if 0 < len(outcome.changes) < outcome.packages and outcome.changes not in seen:
            seen.add(outcome.changes)
            print(f"\n{outcome.target}:", *outcome.changes, sep="\n  ")
    if lacking := [o for o in report.outcomes if o.lacking]:
        print(f"\nwithout database support ({len(lacking)}): {lacking[0].lacking}")
        print("  `aiws-bundle lock` adds it where that can be reached, or through AIWS_MIRRORS")
    if stale := [o.target for o in report.outcomes if o.state in ("stale", "missing")]:
        print(f"\nrun `aiws-bundle lock {' '.join(stale)}`")
    for outcome in report.outcomes:
        if outcome.error:
            complain(outcome.error)


def _detail(outcome: LockOutcome) -> str:
    return "; ".join(filter(None, (outcome.detail, "without database support" if outcome.lacking else "")))


def _json(report: LockReport) -> Json:
    return {
        "locks": [
            {
                "target": outcome.target,
                "state": outcome.state,
                "packages": outcome.packages,
                "detail": outcome.detail,
                "lacking": outcome.lacking,
                "changes": list(outcome.changes),
                "error": error_json(outcome.error),
            }
            for outcome in report.outcomes
        ]
    }
