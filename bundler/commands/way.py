"""`apply OLD OWNER/REPO@TAG`: the archive of a release that takes the place of one at hand, in the fewest bytes."""

from __future__ import annotations

from pathlib import Path

from bundler.errors import UsageError
from bundler.model.sidecar import SidecarFacts
from bundler.release.way import Reader, Way
from bundler.session import Session


def take(session: Session, old: Path, address: tuple[str, str], out: Path, told: SidecarFacts, *, dry_run: bool) -> Way:
    """Put the archive of a release into `out`, and tell which way was taken; in a dry run, which would be.

    `address` is a repository and a tag, or a channel; `told` says whose signatures count. Nothing is done if `old` is
    that archive. Raises UsageError, IntegrityError, UnreachableError, OSError.
    """
    if not old.is_file():
        raise UsageError(f"{old} is not there", "give the archive that is to become the newer one")
    repository, tag = address
    with session.github(repository) as github:
        reader = Reader.of(session, github, old, tag, told)
        way = reader.way()
        return way if dry_run or not way.steps else reader.go(out)
