"""`aiws-bundle targets`."""

from __future__ import annotations

import click

from bundler.cli import Options
from bundler.cli.output import print_table, result
from bundler.commands.targets import targets
from bundler.terminal import say, say_json


@click.command("targets")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--github-matrix", is_flag=True, help="Print one line of JSON for a GitHub Actions matrix.")
@click.pass_obj
def command(options: Options, selectors: tuple[str, ...], github_matrix: bool) -> int:
    """List the targets, and what each needs; without SELECTOR, all."""
    found = targets(options.session(), selectors or ("all",))
    hosts = [one for one in found if one.matrix is not None]
    components = [one for one in found if one.matrix is None]
    if github_matrix:
        say_json({"include": [dict(one.matrix or {}) for one in hosts]}, indent=None)
    elif options.json:
        say_json({"targets": [dict(o.document) for o in hosts], "components": [dict(o.document) for o in components]})
    else:
        for number, some in enumerate(filter(None, (hosts, components))):
            if number:
                say()
            headings = [heading for heading, _ in some[0].columns]
            print_table([headings, *([result(text) for _, text in one.columns] for one in some)])
    return 0
