"""`aiws-bundle verify`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import complain, print_document
from bundler.cli.verified import json_of, show, show_rebuilt, show_release
from bundler.errors import UsageError
from bundler.kinds.manifests import manifests_at_hand
from bundler.model.sidecar import NOTHING_TOLD, SidecarFacts
from bundler.model.signatures import Demand
from bundler.model.trust import NOTHING_TRUSTED, Trust
from bundler.release.folder import VerifyReport, verify_each
from bundler.release.from_set import unpacked
from bundler.release.home import addresses
from bundler.release.not_older import asked
from bundler.release.trusted import trusted

if TYPE_CHECKING:
    from bundler.release.rebuild import Rebuilt
    from bundler.release.verify import ReleaseReport
    from bundler.session import Session

# As in errors.py; 0 if there is nothing.
_GRAVEST_FIRST = (3, 2, 4, 1, 0)


@click.command("verify")
@click.argument("subjects", metavar="PATH|OWNER/REPO@TAG...", nargs=-1, required=True)
@click.option("--digests-only", is_flag=True, help="Download no archives: compare the digests that GitHub tells.")
@click.option("--ignore-missing", is_flag=True, help="A folder may lack files that its SHA256SUMS lists.")
@click.option("--rebuild", is_flag=True, help="Make each archive anew of the manifests and locks here, and compare.")
@click.option(
    "--require",
    "least",
    metavar="N",
    type=click.IntRange(0, 100),
    help="At least so many keys must have signed; 0: none. [default: as trust.yaml says]",
)
@click.option(
    "--trusted",
    "whom",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A trust.yaml, minisign.pub or allowed_signers that you got elsewhere, in place of the manifests'.",
)
@click.option(
    "--not-older-than",
    "oldest",
    metavar="TAG|DATE|DIR",
    help="The release that nothing may be older than: its TAG, DATE or TAG@DATE, or a folder that holds it.",
)
@click.option("--verify-time", "day", metavar="DATE", help="The day on which keys must be valid. [default: today]")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Downloads at once.")
@click.pass_obj
def command(
    options: Options,
    subjects: tuple[str, ...],
    digests_only: bool,
    ignore_missing: bool,
    rebuild: bool,
    least: int | None,
    whom: Path | None,
    oldest: str | None,
    day: str | None,
    jobs: int,
) -> int:
    """Prove that archives, dist folders and published releases are whole.

    Checks SHA256SUMS, each archive's own file list and layout, and that its wheels are exactly what a host will ask
    for, none of them known to be bad to the manifests at hand. PATH is an archive, a folder of archives, or a set:
    its volumes are compared with their digests, and all of its files are taken out into the cache folder for a while.
    OWNER/REPO@TAG is a release on GitHub (@TAG: in the manifests' own repository): what it serves is downloaded to the
    store, parts are joined, and the moving release latest-runtime is compared with the one that it follows.

    Signatures of SHA256SUMS are checked with the keys of trust.yaml, which says how many must have signed. An archive
    alone only agrees with itself: put SHA256SUMS and its signatures beside it.

    With --rebuild each archive is made anew: of the manifests and locks here, or where none make one of its name, of
    what it says of itself. What differs is told: which member, what of it, or only how it is packed. Deltas of a
    release whose old archive is in the store are applied; in a folder, those whose old archive is verified too.
    """
    if rebuild and digests_only:
        raise UsageError("--rebuild compares archives, and --digests-only downloads none", "give one of them")
    session = options.session(jobs=jobs)
    manifests = manifests_at_hand(session)
    trust = _trust(manifests.trust if manifests else NOTHING_TRUSTED, whom)
    told = replace(NOTHING_TOLD, partial=ignore_missing, trust=trust, today=_day(day))
    demand = Demand(least, insist=bool(whom or least) and least != 0)
    told = replace(told, demand=demand)
    if oldest is not None:
        told = replace(told, demand=replace(demand, floor=asked(oldest, told)))
    released = addresses(subjects, manifests)
    with unpacked(session, [Path(word) for word in subjects if word not in released]) as there:
        bad = manifests.known_bad if manifests else {}
        local = verify_each(list(there.paths.values()), session.progress, bad, told)
        wanted = list(released.values())
        remote = _remote(session, wanted, told, digests_only=digests_only, apply=rebuild) if wanted else []
        rebuilt = _rebuilt(session, local, remote) if rebuild else None
        local = there.told(local)
    code = _gravest(local, remote, rebuilt or ())
    if options.json:
        print_document(json_of(local, remote, rebuilt, ok=code == 0))
    else:
        show(local)
        for report in remote:
            show_release(report)
        for one in rebuilt or ():
            show_rebuilt(one)
    sys.stdout.flush()
    failed = [*(one.error for one in remote), *(one.error for one in rebuilt or ())]
    for error in (*local.errors, *filter(None, failed)):
        complain(error)
    _close(options, subjects, code)
    return code


def _close(options: Options, subjects: Sequence[str], code: int) -> None:
    """Say whether all is proven, and how to go on."""
    folders = [word for word in subjects if Path(word).is_dir()]
    if code:
        close(options, "not proven: do not install or publish it")
    elif folders:
        close(
            options, f"proven: {', '.join(subjects)}", ["sign", folders[0], "--help"], ["publish", folders[0], "--help"]
        )
    else:
        close(options, f"proven: {', '.join(subjects)}")


def _rebuilt(session: Session, local: VerifyReport, remote: Sequence[ReleaseReport]) -> Sequence[Rebuilt]:
    """Make every archive that was verified anew; what that takes is not loaded where none is."""
    from bundler.release.provenance import commit_beside
    from bundler.release.rebuild import Archive, rebuild

    archives = [Archive(path, path.name, commit_beside(path), one.sha256) for path, one in local.verdicts]
    for report in remote:
        archives += [Archive(report.files[one.name], one.name, report.commit, one.sha256) for one in report.verdicts]
    return rebuild(session, archives)


def _trust(own: Trust, path: Path | None) -> Trust:
    """What manifests say, with the keys of a file in the place of theirs. Raises UsageError, ManifestError."""
    other = trusted(path) if path else own
    return replace(own, keys=other.keys, require=other.require)


def _day(text: str | None) -> date:
    """The day that is meant, else today's (UTC). Raises UsageError."""
    try:
        return date.fromisoformat(text) if text else datetime.now(UTC).date()
    except ValueError as error:
        raise UsageError(f"--verify-time {text!r} is not a date", "for example 2027-01-31") from error


def _remote(
    session: Session, addresses: Sequence[tuple[str, str]], told: SidecarFacts, *, digests_only: bool, apply: bool
) -> Sequence[ReleaseReport]:
    """Verify releases; what that takes (HTTP and TLS) is not loaded where nothing but files is verified."""
    from bundler.release.verify import verify_releases

    return verify_releases(session, addresses, told, digests_only=digests_only, apply=apply)


def _gravest(local: VerifyReport, remote: Sequence[ReleaseReport], rebuilt: Sequence[Rebuilt]) -> int:
    codes = {local.exit_code, *(one.exit_code for one in remote), *(one.exit_code for one in rebuilt)}
    return next(code for code in _GRAVEST_FIRST if code in codes)
