"""`aiws-bundle sign`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.key_options import key_options, with_key
from bundler.cli.output import print_document
from bundler.commands.sign import Signing, SignReport, sign, write_public
from bundler.errors import UsageError
from bundler.model.moment import utc
from bundler.model.release import parse_commit, parse_tag
from bundler.model.sidecar import Place
from bundler.terminal import Json, say

_NO_KEY = "give --key FILE, or set AIWS_SIGNING_KEY_FILE; `aiws-bundle keygen` makes one"


@click.command("sign")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@with_key
@click.option("--tag", default="", help="The release whose assets DIR holds. [default: DIR is of no release]")
@click.option("--commit", metavar="SHA", default="", help="The commit of that release.")
@click.option("--date", "moment", metavar="DATE", default="", help="When that commit was made.")
@click.option("--as", "name", metavar="NAME", default="", help="Who signs, if trust.yaml does not name the key.")
@click.option("--rebuilt", is_flag=True, help="Sign only if the manifests and locks here make every archive anew.")
@click.option("--public", is_flag=True, help="Write allowed_signers and minisign.pub beside trust.yaml, of its keys.")
@click.pass_obj
def command(
    options: Options,
    folder: Path | None,
    key: Path | None,
    key_fd: int | None,
    password_fd: int | None,
    tag: str,
    commit: str,
    moment: str,
    name: str,
    rebuilt: bool,
    public: bool,
) -> int:
    """Sign a folder of archives, once it is verified: SHA256SUMS.minisig and SHA256SUMS.sig.

    DIR is a folder that `build` filled, or holds all assets of a release (--tag, --commit). Anybody can verify it with
    minisign or ssh-keygen. What is missing beside the archives, such as their provenance, is written before, and
    SHA256SUMS lists it; not so for a release or by a rebuilder, who sign SHA256SUMS as it is. A rebuilder's signatures
    are called by the key's name: SHA256SUMS.NAME.minisig and .sig. With --rebuilt every archive is made anew before, of
    the manifests and locks here, and nothing is signed unless the same bytes come out.
    """
    session = options.session()
    if public:
        if folder:
            raise UsageError("--public signs nothing, so it takes no DIR", "leave one of them out")
        _tell_public(write_public(session, datetime.now(UTC).date()), json=options.json)
        return 0
    if folder is None:
        raise UsageError("which folder is to be signed?", "for example: aiws-bundle sign dist")
    signer = session.signer(key_options(key, key_fd, password_fd))
    if signer is None:
        raise UsageError("no key to sign with", _NO_KEY)
    report = sign(session, folder, signer, Signing(_place(tag, commit, moment), name, rebuilt))
    if options.json:
        print_document(_json(report))
    else:
        _show(report)
        close(options, f"{report.folder} is signed", ["verify", report.folder])
    return 0


def _tell_public(written: Mapping[Path, bool], *, json: bool) -> None:
    states = {path: "written" if new else "unchanged" for path, new in written.items()}
    if json:
        print_document({"files": [{"path": str(path), "state": state} for path, state in states.items()]})
    else:
        for path, state in states.items():
            say(f"{state:9}  {path}")


def _place(tag: str, commit: str, moment: str) -> Place:
    """The release that a folder is of. Raises UsageError."""
    if not tag and (commit or moment):
        raise UsageError("--commit and --date are of a release", "give its --tag too")
    try:
        date = utc(moment) if moment else ""
    except ValueError as error:
        raise UsageError(f"--date {moment!r} is not a date", "for example 2027-01-31T12:00:00Z") from error
    return Place("", parse_tag(tag) if tag else "", parse_commit(commit) if commit else "", date)


def _show(report: SignReport) -> None:
    for name in report.beside:
        say(f"written: {report.folder / name}")
    for name in report.files:
        say(f"signed by {report.signed_by}: {report.folder / name}")


def _json(report: SignReport) -> Mapping[str, Json]:
    return {
        "folder": str(report.folder),
        "files": list(report.files),
        "beside": list(report.beside),
        "signed_by": report.signed_by,
        "key": report.key,
    }
