"""`aiws-bundle outdated`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import click

from bundler.cli import Options
from bundler.cli.output import alike, complain_of_all, error_json, print_document, print_table
from bundler.commands.outdated import outdated
from bundler.model.releases import Standing
from bundler.terminal import Json, Part, say, say_long


@click.command("outdated")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--component", "components", multiple=True, help="What to look at. [default: the only wheelhouse]")
@click.option("--exclude-newer", metavar="DATE", help="Ignore files uploaded after DATE (UTC). [default: today]")
@click.option("--all", "every", is_flag=True, help="Look at every newer release, not only for the newest that closes.")
@click.pass_obj
def command(
    options: Options, selectors: tuple[str, ...], components: tuple[str, ...], exclude_newer: str | None, every: bool
) -> int:
    """Tell which newer releases there are, and the newest that closes on each target; without SELECTOR, all.

    Each release is resolved for the target from wheels alone, as `lock` would do it. "proven": the wheels' own metadata
    shows that they close; "resolved": the index serves no metadata apart from the wheels. Nothing is written and no
    wheel is looked into: `lock` does that. After the newest 20 releases, older ones are searched by halves.
    """
    report = outdated(options.session(), selectors or ("all",), components, exclude_newer=exclude_newer, every=every)
    if options.json:
        print_document({"targets": [_json(one) for one in report.standings]})
    else:
        _show(report.standings, every=every)
    return report.exit_code


def _show(standings: Sequence[Standing], *, every: bool = False) -> None:
    rows: list[tuple[Part, ...]] = [("target", "manifest", "newest", "newest that closes", "packages", "")]
    for one in standings:
        newest, best = one.newer[0] if one.newer else "-", one.best
        closes = (best.version, str(best.packages), best.closes) if best else ("-", "-", one.detail)
        rows.append((one.target, one.version, newest, *closes))
    print_table(rows, right=(4,))
    for lines, targets in alike((_told(one, every=every), one.target) for one in standings).items():
        if lines:
            say()
            say_long(f"{'newer' if every else 'held back'} on {', '.join(targets)}:")
            for line in lines:
                say_long(f"  {line}")
    for lines, targets in alike((one.yanked, one.target) for one in standings if one.yanked).items():
        say()
        say_long(f"yanked since, yet locked on {', '.join(targets)}:")
        for line in lines:
            say_long(f"  {line}")
    complain_of_all((one.target, one.error) for one in standings if one.error)


def _told(standing: Standing, *, every: bool) -> tuple[str, ...]:
    """What holds releases above the newest that closes back, or what came of every one; alike ones in a line."""
    best = standing.best
    above = standing.tried[: standing.tried.index(best)] if best and not every else standing.tried
    came = [(one.reason or f"closes ({one.closes})", one.version) for one in above]
    runs = [(what, [version for _, version in run]) for what, run in groupby(came, key=lambda pair: pair[0])]
    return tuple(f"{_span(versions)}: {what}" for what, versions in runs)


def _span(versions: Sequence[str]) -> str:
    return versions[0] if len(versions) == 1 else f"{versions[0]} … {versions[-1]}"


def _json(one: Standing) -> Json:
    best = one.best
    return {
        "component": one.component,
        "target": one.target,
        "requirement": one.requirement,
        "newer": list(one.newer),
        "closes": best.version if best else None,
        "tried": [
            {"version": t.version, "closes": t.closes or None, "packages": t.packages, "reason": t.reason}
            for t in one.tried
        ],
        "yanked": list(one.yanked),
        "detail": one.detail,
        "error": error_json(one.error),
    }
