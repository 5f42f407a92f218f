"""`aiws-bundle assemble`."""

from __future__ import annotations

from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.build import params, show


@click.command("assemble", params=params("the only all-in-one package"))
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
    """Assemble all-in-one offline packages from the committed locks.

    A SELECTOR is debian-12-amd64, debian-12, debian, linux-amd64, arm64 or all.
    """
    from bundler.commands.build import build

    session = options.session(mirrors, jobs)
    report = build(session, selectors, components, out, command="assemble", offline=offline, force=force)
    return show(report, json=options.json)
