"""`report`: gather the delivery record of a folder of archives, and of what other jobs found out about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bundler.adapters.digest import sha256_of
from bundler.adapters.read_archive import read_member
from bundler.adapters.regular import read_regular
from bundler.errors import BundleError, UsageError
from bundler.kinds.prebuilt import component_manifest
from bundler.kinds.wheelhouse.members import archive_manifest
from bundler.model.bundle import MANIFEST
from bundler.release.folder import fill, look
from bundler.release.record import (
    DeliveredAsset,
    DeliveryRecord,
    Failure,
    RehearsalRecord,
    Verification,
    only_published,
    parse,
)
from bundler.session import Settings

T = TypeVar("T")
_LARGEST_MANIFEST = 8 << 20
_LARGEST_DOCUMENT = 32 << 20
_NO_RUN = ("", "")


def gather(
    settings: Settings,
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
    verified, unverified = _documents(Verification, verifications)
    rehearsed, unrehearsed = _documents(RehearsalRecord, rehearsals)
    more, disagreements = only_published(assets, verified)
    run, attempt = _run(settings.env)
    return DeliveryRecord(
        repository=repository or settings.env.get("GITHUB_REPOSITORY", ""),
        tag=tag,
        commit=commit or settings.env.get("GITHUB_SHA", ""),
        run=run,
        attempt=attempt,
        assets=(*assets, *more),
        findings=(*findings, *disagreements),
        verifications=tuple(verified),
        rehearsals=tuple(rehearsed),
        unverified=unverified,
        unrehearsed=unrehearsed,
    )


def _documents(kind: type[T], paths: Sequence[Path]) -> tuple[list[T], dict[str, str]]:
    """The documents of a kind, and of those that tell a failure instead, which by the file's name."""
    found: list[T] = []
    failures: dict[str, str] = {}
    for path in paths:
        document = parse(kind, _read(path), str(path))
        if isinstance(document, Failure):
            failures[path.name] = document.error.message
        else:
            found.append(document)
    return found, failures


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise UsageError(f"{path} is not a file", "give a file with what --json printed")
    return read_regular(path, _LARGEST_DOCUMENT)


def _assets(folder: Path) -> tuple[list[DeliveredAsset], list[str]]:
    """Every file of the folder, and where it disagrees with SHA256SUMS and other sidecars."""
    found = look(folder)
    findings = [" ".join(finding.message.split()) for finding in found.findings if finding.grade != "note"]
    digests = {name: sha256 for name, (_, sha256) in found.files.items()}
    paths = [path for name in digests if (path := folder / name).is_file()]
    return [_described(path, digests[path.name] or sha256_of(path)) for path in paths], findings


def _described(path: Path, sha256: str) -> DeliveredAsset:
    """One file, with what its manifest.json says if it is an archive."""
    size = path.stat().st_size
    try:
        content = read_member(path, path.name, MANIFEST, _LARGEST_MANIFEST) if path.name.endswith(".tar.gz") else None
        if content is None:
            return DeliveredAsset(path.name, size, sha256)
        facts = archive_manifest.parse(content)
    except BundleError:
        return _component(path, size, sha256)
    host = f"{facts.distro} {facts.version} {facts.arch}"
    version = facts.requirement.partition("==")[2]
    return DeliveredAsset(path.name, size, sha256, facts.component, version, host, facts.commit)


def _component(path: Path, size: int, sha256: str) -> DeliveredAsset:
    try:
        facts = component_manifest.parse(read_member(path, path.name, MANIFEST, _LARGEST_MANIFEST) or b"")
    except BundleError:
        return DeliveredAsset(path.name, size, sha256)
    return DeliveredAsset(path.name, size, sha256, facts.component, source=facts.commit)


def _run(env: Mapping[str, str]) -> tuple[str, str]:
    """The address of the workflow run that this is part of, and which attempt of it (GitHub's default variables)."""
    server, repository = env.get("GITHUB_SERVER_URL", ""), env.get("GITHUB_REPOSITORY", "")
    number = env.get("GITHUB_RUN_ID", "")
    if not (server and repository and number):
        return _NO_RUN
    return f"{server}/{repository}/actions/runs/{number}", env.get("GITHUB_RUN_ATTEMPT", "1")
