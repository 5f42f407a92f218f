"""`aiws-bundle targets`."""

from __future__ import annotations

import click

from bundler.cli import Options
from bundler.cli.output import print_table, result
from bundler.commands.targets import targets
from bundler.kinds.kind import Described
from bundler.terminal import say, say_json


@click.command("targets")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--component", "components", multiple=True, help="Which component's. [default: all]")
@click.option("--github-matrix", is_flag=True, help="Print one line of JSON for a GitHub Actions matrix.")
@click.pass_obj
def command(options: Options, selectors: tuple[str, ...], components: tuple[str, ...], github_matrix: bool) -> int:
    """List the targets, and what each needs; without SELECTOR, all."""
    found = targets(options.session(), selectors or ("all",), components)
    hosts = [one for one in found if one.matrix is not None]
    others = [one for one in found if one.matrix is None]
    if github_matrix:
        say_json({"include": [dict(one.matrix or {}) for one in hosts]}, indent=None)
    elif options.json:
        say_json({"targets": [dict(o.document) for o in hosts], "components": [dict(o.document) for o in others]})
    else:
        tables: dict[tuple[str, ...], list[Described]] = {}
        for one in (*hosts, *others):
            tables.setdefault(tuple(heading for heading, _ in one.columns), []).append(one)
        for number, (headings, some) in enumerate(tables.items()):
            if number:
                say()
            print_table([headings, *([result(text) for _, text in one.columns] for one in some)])
    return 0
