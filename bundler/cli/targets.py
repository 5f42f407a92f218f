"""`aiws-bundle targets`."""

from __future__ import annotations

import click

from bundler.cli import Options
from bundler.cli.output import component_json, print_table
from bundler.commands.check import TargetFacts, targets
from bundler.kinds.manifests import part_components
from bundler.kinds.prebuilt.state import check_components
from bundler.terminal import Json, say, say_json


@click.command("targets")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--github-matrix", is_flag=True, help="Print one line of JSON for a GitHub Actions matrix.")
@click.pass_obj
def command(options: Options, selectors: tuple[str, ...], github_matrix: bool) -> int:
    """List the targets, and what each needs; without SELECTOR, all."""
    settings = options.settings()
    found = targets(settings, selectors or ("all",))
    components = check_components(settings, part_components(settings, None)[1])
    if github_matrix:
        say_json({"include": [facts.matrix() for facts in found]}, indent=None)
    elif options.json:
        say_json({"targets": [_json(facts) for facts in found], "components": [component_json(c) for c in components]})
    else:
        rows = [("target", "glibc", "Python", "requirement", "lock")]
        rows += [(f.target.name, _glibc(f), _python(f), f.request.requirement, f.lock) for f in found]
        print_table(rows)
        if components:
            say()
            released = [(c.name, c.release or c.detail, c.age or "-", c.state) for c in components]
            print_table([("component", "release", "published", "lock"), *released])
    return 0


def _glibc(facts: TargetFacts) -> str:
    return f"2.{facts.target.glibc_minor}"


def _python(facts: TargetFacts) -> str:
    return f"{facts.request.python.version}{' portable' if facts.request.portable else ''}"


def _json(facts: TargetFacts) -> Json:
    return {
        **facts.matrix(),
        "glibc": _glibc(facts),
        "python": facts.request.python.version,
        "portable": facts.request.portable,
        "requirement": facts.request.requirement,
        "requirements": list(facts.request.requirements),
        "lock": facts.lock,
    }
