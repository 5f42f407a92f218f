"""`aiws-bundle audit`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.output import complain, error_json, print_document, print_findings
from bundler.commands.audit import AuditOptions, AuditReport, Refused, Told, audit
from bundler.terminal import Json, Styled, say, say_block, say_long

_FILE = click.Path(dir_okay=False, path_type=Path)
_MOST_NAMED, _LONGEST_SUMMARY, _OLD = 4, 200, 30


@click.command("audit")
@click.argument("subjects", metavar="[SUBJECT]...", nargs=-1)
@click.option("--component", "components", multiple=True, help="Whose locks. [default: all]")
@click.option("--targets", metavar="SELECTOR", multiple=True, help="Which targets' locks. [default: all targets]")
@click.option(
    "--advisories",
    metavar="FILE",
    type=_FILE,
    help="A snapshot, or what OSV exports: records as JSON, one a line, or all.zip. [default: ask the package index]",
)
@click.option("--snapshot", metavar="FILE", type=_FILE, help="Write what is known today of exactly these packages.")
@click.option("--offline", is_flag=True, help="Ask nobody: use the advisories.json beside the archives.")
@click.pass_obj
def command(
    options: Options,
    subjects: tuple[str, ...],
    components: tuple[str, ...],
    targets: tuple[str, ...],
    advisories: Path | None,
    snapshot: Path | None,
    offline: bool,
) -> int:
    """Tell what is known to be wrong with what archives hold, or locks will bring.

    SUBJECT is an archive, a folder of archives, or OWNER/REPO@TAG (@TAG: in the manifests' own repository), which is
    verified on the way; without any, it is the committed locks that are looked at. Advisories come from FILE,
    from the package index, or, where that cannot be asked, from the advisories.json beside the archives. trust.yaml
    says which are accepted and until when, which licences may be shipped, and what is known to be bad. Ends with 1 if
    anything is found that is not accepted, 3 if something is not what it says, 4 if nobody can be asked.
    """
    today = datetime.now(UTC).date()
    report = audit(options.session(), subjects, AuditOptions(today, components, targets, advisories, snapshot, offline))
    if options.json:
        print_document(_json(report))
    else:
        _show(report)
    sys.stdout.flush()
    for error in report.audited.errors:
        complain(error)
    return report.exit_code


def _show(report: AuditReport) -> None:
    for one in report.issues:
        _show_issue(one, len(report.audited.all))
    for refused in report.refused:
        say_block(f" {refused.name} {refused.version}: {refused.reason}", "    ", Styled("licence", "bad"))
        say_long(f"    in {_named(refused.where, len(report.audited.all))}")
    if report.audited.faults:
        say(Styled("not what it says, or known to be bad:", "bad"))
        print_findings(report.audited.faults)
    for note in (*report.notes, *_uncovered(report)):
        say_block(f" {note}", "    ", Styled("note:", "aside"))
    say_long(_source(report))
    if report.written:
        say_long(f"wrote {report.written}")
    open_ones = [one for one in report.issues if one.stands]
    accepted = len(report.issues) - len(open_ones)
    more = f", {accepted} accepted" if accepted else ""
    held = f"{len(report.audited.all)} {'locks' if _locks(report) else 'archives'}"
    say(Styled(f"{held}: {len(open_ones)} advisories{more}", "bad" if report.exit_code else "good"))


def _show_issue(one: Told, of: int) -> None:
    issue = one.issue
    lead = Styled(issue.ids[0], "bad" if one.stands else "aside")
    gravity = f" ({issue.gravity})" if issue.gravity else ""
    say_long(f"{gravity} {issue.name}: {' '.join(issue.summary.split())[:_LONGEST_SUMMARY]}", "    ", lead)
    if issue.ids[1:]:
        say_long(f"    also {', '.join(issue.ids[1:])}", "      ")
    for version, fixed in issue.versions.items():
        judged = "" if issue.certain else " (it cannot be told whether this version is affected)"
        say_long(f"    {version}; not affected any more: {', '.join(fixed) or 'no version known'}{judged}", "      ")
    say_long(f"    in {_named(one.where, of)}", "      ")
    if one.chain[1:]:
        say_long(f"    brought by {' -> '.join(one.chain)}", "      ")
    if one.accepted:
        word = "was accepted until" if one.expired else "accepted until"
        say_long(f"    {word} {one.accepted.until}: {one.accepted.reason}", "      ")


def _named(names: Sequence[str], of: int) -> str:
    """Some names, or that it is all of them."""
    if len(names) == of > _MOST_NAMED:
        return f"all {of}"
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED + 1 else ""
    return ", ".join(names if not more else names[:_MOST_NAMED]) + more


def _uncovered(report: AuditReport) -> Sequence[str]:
    names = [f"{one.name} {one.version} ({one.ecosystem})" for one in report.uncovered]
    return (f"the advisories tell nothing of {_named(names, 0)}",) if names else ()


def _source(report: AuditReport) -> str:
    age = report.age
    old = "today" if age == 0 else f"{age} days old" if age > 0 else "of a day to come: is a clock wrong?"
    advice = "; a newer one may tell more" if age > _OLD else ""
    return f"advisories of {report.known.source}, as known on {report.known.made} ({old}{advice})"


def _locks(report: AuditReport) -> bool:
    return all(one.locked for one in report.audited.all)


def _json(report: AuditReport) -> Mapping[str, Json]:
    return {
        "ok": report.exit_code == 0,
        "archives": [one.name for one in report.audited.all],
        "advisories": {
            "source": report.known.source,
            "made": report.known.made.isoformat(),
            "age_days": report.age,
            "uncovered": [
                {"ecosystem": one.ecosystem, "name": one.name, "version": one.version} for one in report.uncovered
            ],
        },
        "issues": [_issue(one) for one in report.issues],
        "licences": [_refused(one) for one in report.refused],
        "faults": list(report.audited.faults),
        "notes": list(report.notes),
        "snapshot": str(report.written) if report.written else None,
        "errors": [error_json(error) for error in report.audited.errors],
    }


def _issue(one: Told) -> Json:
    accepted = one.accepted
    return {
        "id": one.issue.ids[0],
        "aliases": list(one.issue.ids[1:]),
        "ecosystem": one.issue.ecosystem,
        "name": one.issue.name,
        "versions": {version: list(fixed) for version, fixed in one.issue.versions.items()},
        "certain": one.issue.certain,
        "summary": one.issue.summary,
        "severity": one.issue.gravity or None,
        "archives": list(one.where),
        "brought_by": list(one.chain),
        "accepted": {"reason": accepted.reason, "until": accepted.until.isoformat(), "expired": one.expired}
        if accepted
        else None,
    }


def _refused(one: Refused) -> Json:
    return {"name": one.name, "version": one.version, "reason": one.reason, "archives": list(one.where)}
