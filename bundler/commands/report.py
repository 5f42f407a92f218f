"""`report`: gather the delivery record of a folder of archives, and of what other jobs found out about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.regular import read_regular
from bundler.errors import UsageError
from bundler.kinds import said_of
from bundler.kinds.kind import Said
from bundler.kinds.manifests import manifests_at_hand
from bundler.release.evidence import documents
from bundler.release.folder import fill, look
from bundler.release.home import home_of
from bundler.release.record import (
    DeliveredAsset,
    DeliveryRecord,
    RehearsalRecord,
    Verification,
    only_published,
)
from bundler.session import Session
from bundler.sidecars import sums
from bundler.words import ARCHIVE

_NO_RUN = ("", "")


def gather(
    session: Session,
    folder: Path,
    repository: str,
    tag: str,
    commit: str,
    verifications: Sequence[Path],
    rehearsals: Sequence[Path],
) -> DeliveryRecord:
    """Gather the record; what the folder's files disagree on is in its `findings`.

    Raises UsageError if the folder or a document is not there, or is of another kind.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", fill(folder))
    assets, findings = _assets(folder)
    verified, unverified = documents(Verification, verifications)
    rehearsed, unrehearsed = documents(RehearsalRecord, rehearsals)
    more, disagreements = only_published(assets, verified)
    run, attempt = _run(session.env)
    return DeliveryRecord(
        repository=repository or session.env.get("GITHUB_REPOSITORY", "") or _repository(session, tag),
        tag=tag,
        commit=commit or session.env.get("GITHUB_SHA", "") or _commit(tag, verified),
        run=run,
        attempt=attempt,
        assets=(*assets, *more),
        findings=(*findings, *disagreements),
        verifications=tuple(verified),
        rehearsals=tuple(rehearsed),
        unverified=unverified,
        unrehearsed=unrehearsed,
    )


def _assets(folder: Path) -> tuple[list[DeliveredAsset], list[str]]:
    """Every file of the folder, and where it disagrees with SHA256SUMS and other sidecars.

    Raises UsageError if SHA256SUMS is large or no file.
    """
    if (checksums := folder / sums.NAME).exists():
        read_regular(checksums, sums.LARGEST)
    found = look(folder)
    findings = [" ".join(finding.message.split()) for finding in found.findings if finding.grade != "note"]
    digests = {name: sha256 for name, (_, sha256) in found.files.items()}
    paths = [path for name in digests if (path := folder / name).is_file()]
    return [_described(path, digests[path.name] or sha256_of(path)) for path in paths], findings


def _described(path: Path, sha256: str) -> DeliveredAsset:
    """One file, with what it says of itself if it is an archive."""
    said = said_of(path) if path.name.endswith(ARCHIVE) else Said()
    size = path.stat().st_size
    return DeliveredAsset(path.name, size, sha256, said.component, said.version, said.host, said.inputs, said.commit)


def _repository(session: Session, tag: str) -> str:
    """The one that the manifests at hand release `tag` in; "" if they do not say."""
    with suppress(UsageError):
        return home_of(manifests_at_hand(session), tag).repository if tag else ""
    return ""


def _commit(tag: str, verifications: Sequence[Verification]) -> str:
    """The commit that the release was found at; "" if it was not looked at."""
    releases = (release for one in verifications for release in one.releases)
    return next((release.commit for release in releases if release.commit and tag in ("", release.tag)), "")


def _run(env: Mapping[str, str]) -> tuple[str, str]:
    """The address of the workflow run that this is part of, and which attempt of it (GitHub's default variables)."""
    server, repository = env.get("GITHUB_SERVER_URL", ""), env.get("GITHUB_REPOSITORY", "")
    number = env.get("GITHUB_RUN_ID", "")
    if not (server and repository and number):
        return _NO_RUN
    return f"{server}/{repository}/actions/runs/{number}", env.get("GITHUB_RUN_ATTEMPT", "1")
