"""`aiws-bundle targets`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bundler.cli import Options
from bundler.cli.output import alike, print_document, print_table, result
from bundler.commands.targets import targets
from bundler.kinds.kind import Described
from bundler.kinds.to_come import ToCome
from bundler.terminal import Json, say, say_json, say_long


@click.command("targets")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--component", "components", multiple=True, help="Which component's. [default: all]")
@click.option("--github-matrix", is_flag=True, help="Print one line of JSON for a GitHub Actions matrix.")
@click.pass_obj
def command(options: Options, selectors: tuple[str, ...], components: tuple[str, ...], github_matrix: bool) -> int:
    """List the targets, what each needs and lacks, and how large its archive will be.

    Without SELECTOR, all. Sizes are MB of what is fetched for an archive, each file once, as its lock tells: in the
    archives of all targets of the component that are listed, in those of some, or in no other.
    """
    found = targets(options.session(), selectors or ("all",), components, sized=not github_matrix)
    hosts = [one for one in found.lines if one.matrix is not None]
    others = [one for one in found.lines if one.matrix is None]
    if github_matrix:
        say_json({"include": [dict(one.matrix or {}) for one in hosts]}, indent=None)
    elif options.json:
        lines = {"targets": [dict(o.document) for o in hosts], "components": [dict(o.document) for o in others]}
        print_document({**lines, "sizes": [_json(one) for one in found.to_come]})
    else:
        _show((*hosts, *others))
        for component in dict.fromkeys(one.component for one in found.to_come):
            _show_sizes(component, [one for one in found.to_come if one.component == component])
    return 0


def _show(lines: Sequence[Described]) -> None:
    tables: dict[tuple[str, ...], list[Described]] = {}
    for one in lines:
        tables.setdefault(tuple(heading for heading, _ in one.columns), []).append(one)
    for number, (headings, some) in enumerate(tables.items()):
        if number:
            say()
        print_table([headings, *([result(text) for _, text in one.columns] for one in some)])


def _show_sizes(component: str, to_come: Sequence[ToCome]) -> None:
    """Print how large the archives will be, and once for all whom it is true of what they lack."""
    say()
    say_long(f"{component}, in MB:")
    rows = [("target", "to come", "in all", "in some", "own", "lacks")]
    for one in to_come:
        shares = (_mb(one.by_all), _mb(one.by_some), _mb(one.own))
        lacks = ", ".join(lack.partition(":")[0] for lack in one.lacks) or "-"
        rows.append((one.target, f"{_mb(one.size)}{'+' if one.unsized else ''}", *shares, lacks))
    print_table(rows, right=(1, 2, 3, 4))
    for lack, names in alike((lack, one.target) for one in to_come for lack in one.lacks).items():
        say_long(f"  {lack} ({', '.join(names)})", "    ")
    if any(one.unsized for one in to_come):
        say_long("  +: what the lock tells no size of comes on top, such as the portable Python", "    ")


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}" if size else "-"


def _json(one: ToCome) -> Json:
    return {
        "component": one.component,
        "target": one.target,
        "size": one.size,
        "by_all": one.by_all,
        "by_some": one.by_some,
        "own": one.own,
        "unsized": one.unsized,
        "lacks": list(one.lacks),
    }
