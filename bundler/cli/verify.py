"""`aiws-bundle verify`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundler.cli import Options
from bundler.cli.output import complain, error_json, print_findings
from bundler.kinds.manifests import known_bad
from bundler.model.release import parse_address
from bundler.model.verdict import Finding, Verdict
from bundler.release.folder import VerifyReport, verify_each
from bundler.terminal import Json, Styled, say, say_block, say_json, say_long

if TYPE_CHECKING:
    from bundler.release.channel import ChannelView
    from bundler.release.verify import ReleaseReport
    from bundler.session import Session

_OK, _NOT_OK = Styled("ok", "good"), Styled("NOT ok", "bad")
# As in errors.py; 0 if there is nothing.
_GRAVEST_FIRST = (3, 2, 4, 1, 0)


@click.command("verify")
@click.argument("subjects", metavar="PATH|OWNER/REPO@TAG...", nargs=-1, required=True)
@click.option("--digests-only", is_flag=True, help="Download no archives: compare the digests that GitHub tells.")
@click.option("--ignore-missing", is_flag=True, help="A folder may lack files that its SHA256SUMS lists.")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Downloads at once.")
@click.pass_obj
def command(options: Options, subjects: tuple[str, ...], digests_only: bool, ignore_missing: bool, jobs: int) -> int:
    """Prove that archives, dist folders and published releases are whole.

    Checks SHA256SUMS, each archive's own file list and layout, and that its wheels are exactly what a host will ask
    for, none of them known to be bad to the manifests at hand. PATH is an archive or a folder of archives.
    OWNER/REPO@TAG is a release on GitHub: what it serves is downloaded to the store, parts are joined, and the moving
    release latest-runtime is compared with the one that it follows.
    """
    session = options.session(jobs=jobs)
    released = {word: address for word in subjects if not Path(word).exists() and (address := parse_address(word))}
    local = verify_each(
        [Path(word) for word in subjects if word not in released],
        session.progress,
        known_bad(session),
        partial=ignore_missing,
    )
    remote = _remote(session, list(released.values()), digests_only=digests_only) if released else []
    if options.json:
        say_json(_json(local, remote))
    else:
        _show(local)
        for report in remote:
            _show_release(report)
    sys.stdout.flush()
    for error in (*local.errors, *(report.error for report in remote if report.error)):
        complain(error)
    return _gravest(local, remote)


def _remote(session: Session, addresses: Sequence[tuple[str, str]], *, digests_only: bool) -> Sequence[ReleaseReport]:
    """Verify releases; what that takes (HTTP and TLS) is not loaded where nothing but files is verified."""
    from bundler.release.verify import verify_releases

    return verify_releases(session, addresses, digests_only=digests_only)


def _gravest(local: VerifyReport, remote: Sequence[ReleaseReport]) -> int:
    codes = {local.exit_code, *(report.exit_code for report in remote)}
    return next(code for code in _GRAVEST_FIRST if code in codes)


def _show(report: VerifyReport) -> None:
    _show_verdicts((str(path), verdict) for path, verdict in report.verdicts)
    for finding in report.folder_findings:
        if finding.grade != "note":
            say_block(f"  {finding.message}", "    ", _NOT_OK)
    _show_notes(report.folder_findings)


def _show_notes(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.grade == "note":
            say_block(f"note    {finding.message}", "    ")


def _show_verdicts(verdicts: Iterable[tuple[str, Verdict]]) -> None:
    for name, verdict in verdicts:
        if verdict.good:
            say_long(f"      {name}: {verdict.summary}", " " * 8, _OK)
        else:
            say_long(f"  {name}", lead=_NOT_OK)
            print_findings((*verdict.integrity, *verdict.closure))


def _show_release(report: ReleaseReport) -> None:
    _show_verdicts((verdict.name, verdict) for verdict in report.verdicts)
    where = f"{report.repository}@{report.tag}"
    if report.error:
        say_long(f"  {where}", lead=_NOT_OK)
        return
    if report.exit_code == 0:
        told = f"{where}: {len(report.assets)} assets, commit {report.commit}  {report.url}".rstrip()
        say_long(f"      {told}", " " * 8, _OK)
    else:
        say_long(f"  {where}  {report.url}".rstrip(), lead=_NOT_OK)
        print_findings([finding.message for finding in report.findings if finding.grade != "note"])
    _show_notes(report.findings)
    if view := report.channel:
        followed = f"channel.json names {view.points_at.tag}" if view.points_at else "no channel.json to follow"
        say(f"        {view.name}: {followed}" + (f"; the newest release is {view.newest}" if view.newest else ""))


def _json(local: VerifyReport, remote: Sequence[ReleaseReport]) -> Json:
    return {
        "ok": _gravest(local, remote) == 0,
        "archives": [_archive(str(path), verdict) for path, verdict in local.verdicts],
        "folders": [finding.message for finding in local.folder_findings if finding.grade != "note"],
        "notes": [finding.message for finding in local.folder_findings if finding.grade == "note"],
        "releases": [_release(report) for report in remote],
        "errors": [error_json(error) for error in local.errors],
    }


def _archive(path: str, verdict: Verdict) -> Json:
    return {
        "path": path,
        "ok": verdict.good,
        "integrity": list(verdict.integrity),
        "closure": list(verdict.closure),
        "tar_sha256": verdict.tar_sha256,
    }


def _release(report: ReleaseReport) -> Json:
    view = report.channel
    return {
        "repository": report.repository,
        "tag": report.tag,
        "commit": report.commit,
        "url": report.url,
        "ok": report.exit_code == 0,
        "findings": [finding.message for finding in report.findings if finding.grade != "note"],
        "notes": [finding.message for finding in report.findings if finding.grade == "note"],
        "archives": [_archive(verdict.name, verdict) for verdict in report.verdicts],
        "assets": [
            {"name": name, "size": size, "sha256": sha256} for name, (size, sha256) in sorted(report.assets.items())
        ],
        "channel": _channel(view) if view else None,
        "error": error_json(report.error),
    }


def _channel(view: ChannelView) -> Json:
    return {
        "name": view.name,
        "tag": view.points_at.tag if view.points_at else None,
        "commit": view.points_at.commit if view.points_at else None,
        "newest": view.newest or None,
    }
