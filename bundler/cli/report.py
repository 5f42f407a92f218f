"""`aiws-bundle report`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bundler.adapters.durable import write_whole
from bundler.cli import Options
from bundler.cli.html_option import with_html, write_page
from bundler.cli.output import complain, versioned
from bundler.commands.report import gather
from bundler.errors import IntegrityError
from bundler.model.release import parse_repository, parse_tag
from bundler.release.record import document, markdown
from bundler.terminal import json_text, one_line, say_document, say_json

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--repo",
    "repository",
    metavar="OWNER/REPO",
    default="",
    help="Where it was released. [default: GITHUB_REPOSITORY, or as the manifests say]",
)
@click.option("--tag", default="", help="The release's tag.")
@click.option("--commit", metavar="SHA", default="", help="The release's commit. [default: GITHUB_SHA]")
@click.option("--verification", "verifications", multiple=True, type=_FILE, help="What `--json verify` printed.")
@click.option("--rehearsal", "rehearsals", multiple=True, type=_FILE, help="What `--json rehearse` printed.")
@click.option("--out", type=_FILE, help="Write the record there too.")
@with_html
@click.pass_obj
def command(
    options: Options,
    folder: Path,
    repository: str,
    tag: str,
    commit: str,
    verifications: tuple[Path, ...],
    rehearsals: tuple[Path, ...],
    out: Path | None,
    html: Path | None,
) -> int:
    """Write the delivery record of a release.

    DIR is the folder of archives that was released. The record names the workflow run, every asset with its size and
    SHA-256, and the results of verifying and rehearsing. In a workflow it also goes to the run's summary page
    (GITHUB_STEP_SUMMARY). Failures that others found are recorded and end with 0; files that disagree with SHA256SUMS
    or with what was published end with 3.
    """
    record = gather(
        options.session(),
        folder,
        parse_repository(repository) if repository else "",
        parse_tag(tag) if tag else "",
        commit,
        verifications,
        rehearsals,
    )
    text = markdown(record)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    data = versioned(document(record))
    if out:
        write_whole(out, (f"{json_text(data)}\n" if options.json else text).encode())
    if html:
        from bundler.pages.delivery import delivery_page

        write_page(html, delivery_page(record))
    if options.json:
        say_json(data)
    else:
        say_document(text)
    if record.findings:
        complain(IntegrityError("\n  ".join((f"{folder} disagrees with itself:", *map(one_line, record.findings)))))
        return IntegrityError.exit_code
    return 0
