"""What `aiws-bundle verify` prints, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bundler.cli.output import error_json, print_findings
from bundler.model.signatures import Signature, Signed
from bundler.model.verdict import Finding, Verdict
from bundler.release.folder import VerifyReport
from bundler.terminal import Json, Styled, say, say_block, say_long

if TYPE_CHECKING:
    from bundler.release.channel import ChannelView
    from bundler.release.rebuild import Rebuilt
    from bundler.release.verify import ReleaseReport

_OK, _NOT_OK = Styled("ok", "good"), Styled("NOT ok", "bad")
_BASES = {"manifests": "the manifests and locks here", "records": "what it says of itself"}


def show(report: VerifyReport) -> None:
    """Print what was found of files and folders."""
    _show_verdicts((str(path), verdict) for path, verdict in report.verdicts)
    for finding in report.folder_findings:
        if finding.grade != "note":
            say_block(f"  {finding.message}", "    ", _NOT_OK)
    _show_notes(report.folder_findings)
    for path, signed in report.signed:
        _show_signers(str(path), signed)


def _show_signers(where: str, signed: Signed) -> None:
    """Say who signed, and what of the release that says."""
    if not signed.signers:
        return
    names = ", ".join(f"{name} ({', '.join(forms)})" for name, forms in signed.signers.items())
    said = signed.said
    told = filter(None, (said.tag, f"commit {said.commit}" if said.commit else "", said.date)) if said else ()
    say_long("; ".join((f"        {where}: signed by {names}", ", ".join(told))).removesuffix("; "), " " * 8)


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


def show_release(report: ReleaseReport) -> None:
    """Print what was found of a release."""
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
    _show_signers(where, report.signed)
    if view := report.channel:
        followed = f"channel.json names {view.points_at.tag}" if view.points_at else "no channel.json to follow"
        say(f"        {view.name}: {followed}" + (f"; the newest release is {view.newest}" if view.newest else ""))


def show_rebuilt(one: Rebuilt) -> None:
    """Print what became of an archive that was made anew."""
    if one.error:
        say_long(f"  {one.name}: it could not be made anew", lead=_NOT_OK)
    elif one.findings:
        say_long(f"  {one.name}: made anew of {_BASES[one.basis]}, it differs", lead=_NOT_OK)
        print_findings(one.findings)
    else:
        say_long(f"      {one.name}: made anew of {_BASES[one.basis]}, the same bytes", " " * 8, _OK)
        if one.basis == "records":
            say_block(f"note    {one.name}: no manifests here make it, so this does not show who chose it", "    ")


def json_of(
    local: VerifyReport, remote: Sequence[ReleaseReport], rebuilt: Sequence[Rebuilt] | None = None, *, ok: bool
) -> Mapping[str, Json]:
    """All of it as one document; `ok`: nothing is wrong with anything. `rebuilt` is None where nobody asked for it."""
    made: dict[str, Json] = {"rebuilt": [_rebuilt(one) for one in rebuilt]} if rebuilt is not None else {}
    return {
        "ok": ok,
        "archives": [_archive(str(path), verdict) for path, verdict in local.verdicts],
        "folders": [finding.message for finding in local.folder_findings if finding.grade != "note"],
        "notes": [finding.message for finding in local.folder_findings if finding.grade == "note"],
        "signed": [{"path": str(path), **_signed(signed)} for path, signed in local.signed],
        "releases": [_release(report) for report in remote],
        "errors": [error_json(error) for error in local.errors],
        **made,
    }


def _rebuilt(one: Rebuilt) -> Json:
    return {
        "name": one.name,
        "ok": one.identical,
        "sha256": one.sha256 or None,
        "basis": one.basis,
        "findings": list(one.findings),
        "error": error_json(one.error),
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
        "signed": _signed(report.signed),
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


def _signed(signed: Signed) -> dict[str, Json]:
    said = signed.said
    return {
        "signers": [{"name": name, "forms": list(forms)} for name, forms in signed.signers.items()],
        "tag": said.tag or None if said else None,
        "commit": said.commit or None if said else None,
        "date": said.date or None if said else None,
        "signatures": [_signature(one) for one in signed.signatures],
    }


def _signature(one: Signature) -> Json:
    return {
        "file": one.file,
        "form": one.form,
        "key": one.key or None,
        "name": one.signer or None,
        "role": one.role,
        "state": one.state,
        "why": one.why or None,
    }
