"""`aiws-bundle diff`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundler.cli import Options
from bundler.cli.html_option import with_html, write_page
from bundler.cli.output import print_document, print_table
from bundler.commands.diff import DiffReport, diff, page_of
from bundler.model.changes import Shared
from bundler.model.comparison import Comparison, Gain, Pair, Totals
from bundler.model.comparison_text import MOST_GAINS, alone, gains, markdown, more_gains, sharing, totals
from bundler.model.item_change import ItemChange
from bundler.model.markdown import coded
from bundler.terminal import Json, Style, Styled, say, say_document, say_long

if TYPE_CHECKING:
    from bundler.terminal import Part

_STYLES: dict[str, Style] = {
    "opened": "bad",
    "closed": "good",
    **dict.fromkeys(("rebuilt", "startup", "publisher", "licence", "down"), "caution"),
}
_FORMS = """\
OLD and NEW are each

\b
  an archive, or a folder of archives
  OWNER/REPO@TAG           a release on GitHub
  @TAG                     one in the repository that the manifests say
  manifests                a folder of manifests: its locks as they are
  REV, or REV:FOLDER       those of a git revision: HEAD~1, or HEAD~1:manifests
"""


@click.command("diff", epilog=_FORMS)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="[NEW]", required=False, default="")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for pull requests and release notes.")
@click.option("--all", "every", is_flag=True, help=f"Print all that gained or lost, not the first {MOST_GAINS}.")
@click.option("--deep", is_flag=True, help="Read archives whole: what only their files tell is compared too.")
@click.option(
    "--advisories",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Tell what advisories were opened or closed: a snapshot, or what OSV exports.",
)
@click.option("--exit-code", "tell", is_flag=True, help="End with 1 if anything differs.")
@with_html
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Downloads at once.")
@click.pass_obj
def command(
    options: Options,
    old: str,
    new: str,
    as_markdown: bool,
    every: bool,
    deep: bool,
    advisories: Path | None,
    html: Path | None,
    tell: bool,
    jobs: int,
) -> int:
    """Tell what differs between archives, releases or locks, and where the megabytes went.

    Without NEW, OLD is compared with the locks of the manifests at hand. Nothing is judged (`verify` does that), and
    of an archive only its beginning is read, or the SBOM beside it.
    """
    report = diff(options.session(jobs=jobs), old, new, deep=deep, advisories=advisories)
    if html:
        write_page(html, page_of(report))
    comparison, most = report.comparison, len(report.comparison.gains) if every else MOST_GAINS
    if options.json:
        print_document(_json(report))
    elif as_markdown:
        say_document(markdown(comparison, f"From {coded(report.old)} to {coded(report.new)}", most=most))
    else:
        _show(report, most)
    return 1 if tell and comparison.differs else 0


def _show(report: DiffReport, most: int) -> None:
    comparison = report.comparison
    if not comparison.differs:
        say_long(f"{report.old} and {report.new}: nothing differs ({len(comparison.pairs)} compared)")
        return
    say_long(f"{report.old} -> {report.new}")
    if len(rows := totals(comparison)) > 1:
        print_table(rows, right=(1, 3, 5))
    for line in alone(comparison):
        say_long(line)
    if rows := gains(comparison, most):
        say()
        say("Where the megabytes went:")
        print_table(rows, right=(0,))
        if rest := more_gains(comparison, most):
            say(f"{rest} (--all)")
    for group in comparison.shared:
        say()
        say_long(f"{sharing(group, comparison)}:")
        for change in group.changes:
            say("  ", _styled(change))


def _styled(change: ItemChange) -> Part:
    return Styled(str(change), _STYLES[change.event]) if change.event in _STYLES else str(change)


def _json(report: DiffReport) -> Mapping[str, Json]:
    comparison = report.comparison
    return {
        "old": report.old,
        "new": report.new,
        "differs": comparison.differs,
        "archives": [_pair(pair) for pair in comparison.pairs],
        "only_old": list(comparison.only_old),
        "only_new": list(comparison.only_new),
        "gains": [_gain(gain) for gain in comparison.gains],
        "changes": _changes(comparison),
    }


def _pair(pair: Pair) -> Json:
    return {
        "name": pair.name,
        "before": _totals(pair.before),
        "after": _totals(pair.after),
        "gains": [_gain(gain) for gain in pair.gains],
    }


def _totals(one: Totals) -> Json:
    return {"packages": one.items, "size": one.size, "file": one.file or None}


def _gain(gain: Gain) -> Json:
    return {
        "kind": gain.kind,
        "name": gain.name,
        "before": list(gain.before),
        "after": list(gain.after),
        "least": gain.least,
        "most": gain.most,
        "total": gain.total,
        "archives": gain.archives,
    }


def _changes(comparison: Comparison) -> Json:
    return [_group(group) for group in comparison.shared]


def _group(group: Shared[ItemChange]) -> Json:
    return {
        "targets": list(group.targets),
        "changes": [
            {
                "event": change.event,
                "kind": change.kind,
                "name": change.name,
                "before": change.before or None,
                "after": change.after or None,
                "version": change.version or None,
            }
            for change in group.changes
        ],
    }
