"""`aiws-bundle summary`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.output import print_document
from bundler.commands.summary import Summary, Summed, summary
from bundler.errors import UsageError
from bundler.model.markdown import coded
from bundler.sizes import size_text
from bundler.terminal import Json, json_text, say_document

_SHORT = 12


@click.command("summary")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--github-output",
    "outputs",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add a step's outputs there (GITHUB_OUTPUT): folder, sums, archives (JSON), digest (of SHA256SUMS).",
)
@click.pass_obj
def command(options: Options, folder: Path, outputs: Path | None) -> int:
    """Sum up a folder of archives, for the page of a workflow's run.

    DIR is a folder that `build` filled. Prints Markdown: each archive with what it is for, its size, how many packages
    it holds and its SHA-256. Nothing is judged (`verify` does that): SBOMs and the beginnings of archives tell.
    """
    found = summary(folder)
    if outputs:
        text = "".join(f"{line}\n" for line in _outputs(found))
        with outputs.open("a", encoding="utf-8") as file:
            file.write(text)
    if options.json:
        print_document(_json(found))
    else:
        say_document("\n".join(_markdown(found)))
    return 0


def _markdown(found: Summary) -> Iterator[str]:
    """The page. An archive's name has no markup in it; what it says that it is for stands as code."""
    many = len(found.archives)
    yield f"### {many} archive{'' if many == 1 else 's'}, {size_text(sum(one.size for one in found.archives))}"
    yield ""
    yield "| archive | for | size | packages | SHA-256 |"
    yield "|---|---|--:|--:|---|"
    for one in found.archives:
        sha256 = coded(one.sha256[:_SHORT] or "-")
        cells = (one.asset, coded(one.host), size_text(one.size), str(one.packages), sha256)
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield f"`sha256sum SHA256SUMS` tells `{found.digest}`."


def _outputs(found: Summary) -> Iterator[str]:
    """A line an output, as GitHub Actions reads them. Raises UsageError for a folder whose name is no line."""
    if not str(found.folder).isprintable():
        raise UsageError(f"{str(found.folder)!r} is no name that an output can have", "give the folder another name")
    yield f"folder={found.folder}"
    yield f"sums={found.folder / 'SHA256SUMS'}"
    yield f"digest={found.digest}"
    yield f"archives={json_text([_archive_json(one) for one in found.archives], indent=None, ascii_only=True)}"


def _json(found: Summary) -> Mapping[str, Json]:
    return {
        "folder": str(found.folder),
        "sums": found.digest,
        "archives": [_archive_json(one) for one in found.archives],
    }


def _archive_json(one: Summed) -> Json:
    return {
        "asset": one.asset,
        "for": one.host,
        "size": one.size,
        "sha256": one.sha256 or None,
        "packages": one.packages,
    }
