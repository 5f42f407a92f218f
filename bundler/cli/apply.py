"""`aiws-bundle apply`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import print_document
from bundler.cli.way_taken import way_taken
from bundler.commands.apply import Applied, AppliedReport, apply
from bundler.errors import UsageError
from bundler.kinds.manifests import manifests_at_hand
from bundler.model.sidecar import NOTHING_TOLD
from bundler.model.signatures import Demand
from bundler.model.trust import NOTHING_TRUSTED
from bundler.release.home import address_of
from bundler.release.trusted import trusted
from bundler.sidecars.sums import NAME
from bundler.sizes import size_text
from bundler.terminal import Json, say_long

_PATH = click.Path(exists=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("apply")
@click.argument("old", metavar="OLD", type=_PATH)
@click.argument("delta", metavar="DELTA|OWNER/REPO@TAG")
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder for the new archive. [default: here]",
)
@click.option("--sums", metavar="FILE", type=_FILE, help="The list that names it. [default: SHA256SUMS beside DELTA]")
@click.option(
    "--trusted",
    "whom",
    metavar="FILE",
    type=_FILE,
    help="A trust.yaml, minisign.pub or allowed_signers whose keys must have signed that list.",
)
@click.option("--dry-run", is_flag=True, help="Of a release: say which way would be taken, and download no archive.")
@click.pass_obj
def command(
    options: Options, old: Path, delta: str, out: Path, sums: Path | None, whom: Path | None, dry_run: bool
) -> int:
    """Make the new archive of the old one and a delta.

    OLD may be a folder of archives, and DELTA one of deltas: those are applied that an archive is there for. What is
    made has the size and SHA-256 that the delta says and SHA256SUMS lists, or is not there; the old archive stays as it
    is. Signatures of SHA256SUMS count by the keys of trust.yaml, as for `verify`.

    Of a release (OWNER/REPO@TAG, @TAG, or a channel) the archive that takes OLD's place is made in the fewest bytes: of
    a delta, of several over releases between, or of none if the archive itself is smaller or nothing leads to it.
    """
    session = options.session()
    manifests = manifests_at_hand(session)
    own = manifests.trust if manifests else NOTHING_TRUSTED
    other = trusted(whom) if whom else own
    told = replace(
        NOTHING_TOLD,
        trust=replace(own, keys=other.keys, require=other.require),
        today=datetime.now(UTC).date(),
        demand=Demand(None, insist=bool(whom)),
    )
    if not Path(delta).exists() and (address := address_of(delta, lambda: manifests)):
        if sums:
            raise UsageError("--sums is for a delta at hand", "a release has a SHA256SUMS of its own")
        from bundler.commands.way import take  # HTTP and TLS: large

        way = take(session, old, address, out, told, dry_run=dry_run)
        return way_taken(options, way, old, out, dry_run=dry_run)
    if dry_run:
        raise UsageError("--dry-run is for a release", "give OWNER/REPO@TAG in place of the delta")
    report = apply(old, _existing(delta), out, sums, told)
    if options.json:
        print_document(_json(report))
        return 0
    for one in report.made:
        say_long(f"made {one.path} ({size_text(one.size)}) of {one.old.name} and {one.delta.name}")
    checked = "as SHA256SUMS lists it" if all(one.listed for one in report.made) else "as the delta says"
    names = ", ".join(report.signed.signers)
    following = [("verify", out, "--ignore-missing")] if (out / NAME).is_file() else []
    close(options, f"{checked}{f', which {names} signed' if names else ''}", *following)
    return 0


def _existing(word: str) -> Path:
    """The path that a word is. Raises UsageError if nothing is there."""
    if not (path := Path(word)).exists():
        raise UsageError(f"{word} is not there", "give a delta, a folder of them, or OWNER/REPO@TAG")
    return path


def _json(report: AppliedReport) -> Mapping[str, Json]:
    return {"archives": [_made(one) for one in report.made], "signers": list(report.signed.signers)}


def _made(one: Applied) -> Json:
    return {
        "path": str(one.path),
        "size": one.size,
        "sha256": one.sha256,
        "old": str(one.old),
        "delta": str(one.delta),
        "listed": one.listed,
    }
