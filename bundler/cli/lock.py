"""`aiws-bundle lock`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bundler.cli import Options, complain
from bundler.cli.output import component_json, error_json, print_table
from bundler.commands.lock import check_locks, lock
from bundler.errors import UsageError
from bundler.model.outcome import Outcome, age_of, named
from bundler.model.versions import parse_versions
from bundler.terminal import Json, say, say_json


@click.command("lock")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--component", "components", multiple=True, help="What to lock. [default: the only wheelhouse]")
@click.option("--check", is_flag=True, help="Only say whether the locks match the manifests; asks no network.")
@click.option("--upgrade", is_flag=True, help="Resolve anew instead of keeping the versions that are locked.")
@click.option("--exclude-newer", metavar="DATE", help="Ignore files uploaded after DATE (UTC).")
@click.option("--deep", is_flag=True, help="Of released components, also download and check every archive.")
@click.option("--set", "versions", metavar="NAME=VERSION", multiple=True, help="Override one version for this run.")
@click.pass_obj
def command(
    options: Options,
    selectors: tuple[str, ...],
    components: tuple[str, ...],
    check: bool,
    upgrade: bool,
    exclude_newer: str | None,
    deep: bool,
    versions: tuple[str, ...],
) -> int:
    """Resolve targets and write their locks; without SELECTOR, all targets.

    A lock that matches the manifests is left alone unless --upgrade, --exclude-newer or --set asks for a new one. A
    component that another repository releases is locked to one release: its tag, and every archive's SHA-256.
    """
    if check and (upgrade or exclude_newer or versions or deep):
        raise UsageError("--check only compares: it takes no --upgrade, --exclude-newer, --deep or --set")
    settings = options.settings()
    selectors = selectors or ("all",)
    if check:
        report = check_locks(settings, selectors, components)
    else:
        report = lock(
            settings, selectors, components,
            upgrade=upgrade, exclude_newer=exclude_newer, versions=parse_versions(versions), deep=deep,
        )  # fmt: skip
    hosts = [one for one in report.outcomes if one.target]
    locked = [one for one in report.outcomes if not one.target]
    if options.json:
        say_json({"components": [component_json(one) for one in locked], "locks": [_json(one) for one in hosts]})
    else:
        _show(hosts)
        _show_components(locked)
    return report.exit_code


def _show_components(locked: Sequence[Outcome]) -> None:
    if not locked:
        return
    rows = [("component", "lock", "archives", "release", "published")]
    rows += [
        (o.component, o.state, str(len(o.release.archives)), named(o.release), age_of(o.release))
        if o.release
        else (o.component, o.state, "-", "-", "-")
        for o in locked
    ]
    print_table(rows, right=(2,))
    for one in locked:
        if one.error:
            complain(one.error)
        elif one.detail:
            say()
            say(f"{one.component}: {one.detail}")


def _show(outcomes: Sequence[Outcome]) -> None:
    if not outcomes:
        return
    rows = [("target", "lock", "packages", "")]
    rows += [(o.target, o.state, str(o.packages or "-"), _detail(o)) for o in outcomes]
    print_table(rows, right=(2,))
    seen: set[tuple[str, ...]] = set()
    for outcome in outcomes:
        if 0 < len(outcome.changes) < outcome.packages and outcome.changes not in seen:
            seen.add(outcome.changes)
            say()
            say(f"{outcome.target}:")
            for change in outcome.changes:
                say(f"  {change}")
    if lacking := [o for o in outcomes if o.lacking]:
        say()
        say(f"without database support ({len(lacking)}): {lacking[0].lacking}")
        say("  `aiws-bundle lock` adds it where that can be reached, or through AIWS_MIRRORS")
    if stale := [o.target for o in outcomes if o.state in ("stale", "missing")]:
        say()
        say(f"run `aiws-bundle lock {' '.join(stale)}`")
    for outcome in outcomes:
        if outcome.error:
            complain(outcome.error)


def _detail(outcome: Outcome) -> str:
    return "; ".join(filter(None, (outcome.detail, "without database support" if outcome.lacking else "")))


def _json(outcome: Outcome) -> Json:
    return {
        "component": outcome.component,
        "target": outcome.target,
        "state": outcome.state,
        "packages": outcome.packages,
        "detail": outcome.detail,
        "lacking": outcome.lacking,
        "changes": list(outcome.changes),
        "error": error_json(outcome.error),
    }
