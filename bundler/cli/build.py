"""`aiws-bundle build`."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import complain_of_all, error_json, print_document, print_lacking, print_table, result, why
from bundler.sizes import size_text
from bundler.terminal import Json, Part

if TYPE_CHECKING:
    from bundler.commands.build import BuildReport

# Objects after which Python looks for garbage, in place of 700: what a build loads and reads stays.
_GARBAGE_AFTER = 300_000
_MIRROR_HELP = "Fetch addresses that start with FROM from TO; also in AIWS_MIRRORS. Digests are checked all the same."


def making(name: str, meant: str, text: str) -> click.Command:
    """The command `name`, which makes archives; `meant` is what it makes by default, `text` its help."""
    folder = click.Path(file_okay=False, path_type=Path)

    @click.pass_obj
    def make(
        options: Options,
        selectors: tuple[str, ...],
        components: tuple[str, ...],
        out: Path,
        offline: bool,
        jobs: int,
        force: bool,
        mirrors: tuple[str, ...],
    ) -> int:
        gc.set_threshold(_GARBAGE_AFTER)
        session = options.session(mirrors, jobs)
        with nullcontext(session) if offline else session.downloading() as session:
            from bundler.commands.build import build  # large: loaded while the other process loads what it takes

            report = build(session, selectors, components, out, command=name, offline=offline, force=force)
        if options.json:
            print_document(_json(report))
        else:
            _show(report)
        _close(options, report, name, components)
        return report.exit_code

    params: list[click.Parameter] = [
        click.Argument(["selectors"], metavar="SELECTOR...", nargs=-1, required=True),
        click.Option(["--component", "components"], multiple=True, help=f"What to make. [default: {meant}]"),
        click.Option(["--out"], type=folder, default=Path("dist"), help="Folder for the archives."),
        click.Option(["--offline"], is_flag=True, help="Ask no network: use the store only."),
        click.Option(["--jobs"], type=click.IntRange(1, 64), default=16, show_default=True, help="Downloads at once."),
        click.Option(["--force"], is_flag=True, help="Make anew what is finished already."),
        click.Option(["--mirror", "mirrors"], metavar="FROM=TO", multiple=True, help=_MIRROR_HELP),
    ]
    return click.Command(name, callback=make, params=params, help=text)


command = making(
    "build",
    "the only wheelhouse",
    "Build runtime archives from the committed locks.\n\n"
    "A SELECTOR is debian-12-amd64, debian-12, debian, linux-amd64, macos, arm64 or all.",
)


def _show(report: BuildReport) -> None:
    rows: list[tuple[Part, ...]] = [("target", "state", "size", f"archive in {report.folder}")]
    for outcome in report.outcomes:
        size = size_text(outcome.size) if outcome.size else "-"
        rows.append((outcome.label, result(outcome.state), size, outcome.asset))
    print_table(rows, right=(2,))
    print_lacking([(o.label, o.lacking) for o in report.outcomes], "`aiws-bundle lock` says why")
    complain_of_all((o.label, o.error) for o in report.outcomes if o.error)


def _close(options: Options, report: BuildReport, name: str, components: tuple[str, ...]) -> None:
    """Say what was made, and how to go on: what failed again, else what proves it."""
    made = [one for one in report.outcomes if one.state == "built"]
    failed = [one for one in report.outcomes if one.error]
    text = f"{len(made)} archive{'' if len(made) == 1 else 's'} made ({size_text(sum(one.size for one in made))})"
    text += f", {len(report.outcomes) - len(made) - len(failed)} as they were, {len(failed)} failed, in {report.folder}"
    out = () if report.folder == Path("dist") else ("--out", report.folder)
    named = [word for one in components for word in ("--component", one)]
    if targets := list(dict.fromkeys(one.target for one in failed if one.target)):
        close(options, text, [name, *targets, *named, *out])
    elif failed:
        close(options, text)
    else:
        close(options, text, ["verify", report.folder])


def _json(report: BuildReport) -> Mapping[str, Json]:
    return {
        "folder": str(report.folder),
        "archives": [
            {
                "target": outcome.label,
                "asset": outcome.asset,
                "state": outcome.state,
                "size": outcome.size or None,
                "sha256": outcome.sha256 or None,
                "lacking": why(outcome.lacking),
                "error": error_json(outcome.error),
            }
            for outcome in report.outcomes
        ],
    }
