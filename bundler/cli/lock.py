"""`aiws-bundle lock`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import (
    alike,
    complain_of_all,
    component_json,
    error_json,
    print_document,
    print_lacking,
    print_table,
    result,
    why,
)
from bundler.commands.lock import check_locks, lock
from bundler.errors import UsageError
from bundler.model.advice import lock_again
from bundler.model.care import shared_concerns
from bundler.model.changes import Change, Shared, shared
from bundler.model.markdown import block
from bundler.model.outcome import Outcome, age_of, named
from bundler.model.versions import parse_versions
from bundler.terminal import Json, Part, one_line, say, say_long


@click.command("lock")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option("--component", "components", multiple=True, help="What to lock. [default: the only wheelhouse]")
@click.option("--check", is_flag=True, help="Only say whether the locks match the manifests; asks no network.")
@click.option("--upgrade", is_flag=True, help="Resolve anew instead of keeping the versions that are locked.")
@click.option("--exclude-newer", metavar="DATE", help="Ignore files uploaded after DATE (UTC).")
@click.option("--deep", is_flag=True, help="Of released components, also download and check every archive.")
@click.option(
    "--summary", type=click.Path(dir_okay=False, path_type=Path), help="Write what changed there, as Markdown."
)
@click.option(
    "--set",
    "versions",
    metavar="NAME=VERSION",
    multiple=True,
    help="Lock another version of a project, in this run; it beats overrides.",
)
@click.pass_obj
def command(
    options: Options,
    selectors: tuple[str, ...],
    components: tuple[str, ...],
    check: bool,
    upgrade: bool,
    exclude_newer: str | None,
    deep: bool,
    summary: Path | None,
    versions: tuple[str, ...],
) -> int:
    """Resolve targets and write their locks; without SELECTOR, all targets.

    A lock that matches the manifests is left alone unless --upgrade, --exclude-newer or --set asks for a new one. A
    component that another repository releases is locked to one release: its tag, and every archive's SHA-256.
    """
    if check and (upgrade or exclude_newer or versions or deep or summary):
        raise UsageError("--check only compares: it takes no --upgrade, --exclude-newer, --deep, --summary or --set")
    session = options.session()
    selectors = selectors or ("all",)
    if check:
        report = check_locks(session, selectors, components)
    else:
        report = lock(
            session, selectors, components,
            upgrade=upgrade, exclude_newer=exclude_newer, versions=parse_versions(versions), deep=deep,
        )  # fmt: skip
    hosts = [one for one in report.outcomes if one.target]
    locked = [one for one in report.outcomes if not one.target]
    if summary:
        summary.write_text(_markdown(report.diff, hosts), encoding="utf-8")
    if options.json:
        documents = {"components": [component_json(one) for one in locked], "locks": [_json(one) for one in hosts]}
        print_document({**documents, "diff": [_shared_json(one) for one in report.diff]})
    else:
        _show(hosts)
        _show_components(locked)
    _close(options, report.outcomes)
    return report.exit_code


def _close(options: Options, outcomes: Sequence[Outcome]) -> None:
    """Say how many locks there are, and how to go on; where something is wrong it was told with what helps."""
    counts = Counter(one.state for one in outcomes)
    text = ", ".join(f"{number} {state}" for state, number in counts.items())
    wrong = any(one.error or one.state in ("stale", "missing") for one in outcomes)
    close(options, f"locks: {text or 'none'}", *([] if wrong else [["check"]]))


def _show_components(locked: Sequence[Outcome]) -> None:
    if not locked:
        return
    rows: list[tuple[Part, ...]] = [("component", "lock", "archives", "release", "published")]
    rows += [
        (o.component, result(o.state), str(len(o.release.archives)), named(o.release), age_of(o.release))
        if o.release
        else (o.component, result(o.state), "-", "-", "-")
        for o in locked
    ]
    print_table(rows, right=(2,))
    for one in locked:
        if one.detail and not one.error:
            say()
            say_long(f"{one.component}: {one.detail}")
    complain_of_all((one.component, one.error) for one in locked if one.error)


def _show(outcomes: Sequence[Outcome]) -> None:
    if not outcomes:
        return
    sized = any(o.sizes for o in outcomes)
    rows: list[tuple[Part, ...]] = [("target", "lock", "packages", *(("MB of wheels",) if sized else ()), "")]
    rows += [
        (o.target, result(o.state), str(o.packages or "-"), *((_size(o.sizes),) if sized else ()), _detail(o))
        for o in outcomes
    ]
    print_table(rows, right=(2, 3) if sized else (2,))
    for group in shared((o.target, o.changes) for o in outcomes if len(o.changes) < o.packages):
        say()
        say_long(f"{', '.join(group.targets)}:")
        for change in group.changes:
            say(f"  {change}")
    if concerns := _concerns(outcomes):
        say()
        say_long("look at these twice:")
        for line in concerns:
            say_long(f"  {line}")
    for beaten, names in alike((o.beats, o.target) for o in outcomes if o.beats).items():
        say()
        say_long(f"--set beats {beaten}, which an override chose for {', '.join(names)}")
    command = _again([replace(o, target="") for o in outcomes if o.lacking]).removeprefix("run ")
    advice = f"{command} adds it where its parts can be reached, directly or through AIWS_MIRRORS"
    print_lacking([(o.target, o.lacking) for o in outcomes], advice)
    if stale := [o for o in outcomes if o.state in ("stale", "missing")]:
        say()
        say_long(_again(stale))
    complain_of_all((o.target, o.error) for o in outcomes if o.error)


def _concerns(outcomes: Sequence[Outcome]) -> list[str]:
    """What to look at twice, a line each, with the targets that it is true of."""
    number = sum(o.state == "locked" for o in outcomes)
    return [
        f"{concern} ({', '.join(targets) if len(targets) < max(number, 2) else f'all {number} that were locked'})"
        for concern, targets in shared_concerns((o.target, o.concerns) for o in outcomes)
    ]


def _again(outcomes: Sequence[Outcome]) -> str:
    """What locks these once more."""
    return lock_again((o.target for o in outcomes if o.target), (o.named for o in outcomes if o.named))


def _detail(outcome: Outcome) -> str:
    return "; ".join(filter(None, (outcome.detail, *(f"without {name} support" for name, _ in outcome.lacking))))


def _size(sizes: tuple[int, ...]) -> str:
    """What the wheels take, and how that changed: `154.6 (+2.1)`."""
    if not sizes:
        return "-"
    before, after = (size / 1e6 for size in sizes)
    return f"{after:.1f} ({after - before:+.1f})" if before else f"{after:.1f}"


def _markdown(diff: Sequence[Shared[Change]], outcomes: Sequence[Outcome]) -> str:
    """What changed, as the body of a pull request; empty if nothing did."""
    sections = []
    if concerns := _concerns(outcomes):
        sections.append(f"### Look at these twice\n\n{block(concerns)}\n")
    for group in diff:
        changes = block(map(str, group.changes))
        sections.append(f"### {one_line(', '.join(group.targets))}\n\n{changes}\n")
    if diff:
        sizes = block(f"{o.target} {_size(o.sizes)}" for o in outcomes if o.changes)
        sections.append(f"### MB of wheels\n\n{sizes}\n")
    return "\n".join(sections)


def _shared_json(group: Shared[Change]) -> Json:
    """Changes and the targets that share them; `files` are those of which only the file is another one."""
    added = {change.project: change.after for change in group.changes if not change.before}
    removed = {change.project: change.before for change in group.changes if not change.after}
    both = [change for change in group.changes if change.before and change.after]
    return {
        "targets": list(group.targets),
        "added": dict(added),
        "removed": dict(removed),
        "changed": {c.project: {"from": c.before, "to": c.after} for c in both if not c.file},
        "files": {c.project: c.file for c in both if c.file},
    }


def _json(outcome: Outcome) -> Json:
    return {
        "component": outcome.component,
        "target": outcome.target,
        "state": outcome.state,
        "packages": outcome.packages,
        "detail": outcome.detail,
        "lacking": why(outcome.lacking),
        "changes": [str(change) for change in outcome.changes],
        "concerns": [
            {"sign": one.sign, "project": one.project, "before": one.before, "after": one.after, "why": one.why}
            for one in outcome.concerns
        ],
        "sizes": {"before": outcome.sizes[0], "after": outcome.sizes[1]} if outcome.sizes else None,
        "beats": outcome.beats,
        "error": error_json(outcome.error),
    }
