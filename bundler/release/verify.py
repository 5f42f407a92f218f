"""`verify OWNER/REPO@TAG`: a published release, its checksums, its archives, and the channel that follows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from bundler.adapters.github import GitHub
from bundler.adapters.regular import chunks
from bundler.adapters.release_listing import Listing, newest_runtime, read_small
from bundler.adapters.store import Store
from bundler.errors import BundleError, UnreachableError, from_os
from bundler.model.release import CHANNEL, Asset, Release, runtime_commit
from bundler.model.sidecar import Place, SidecarFacts, UnreadError
from bundler.model.verdict import Finding, Verdict
from bundler.release import beside
from bundler.release.channel import ChannelView, Following, Found, found
from bundler.release.judge import Judgement, judge_release
from bundler.release.parts import joinable
from bundler.session import Session
from bundler.sidecars import parts


@dataclass(frozen=True)
class ReleaseReport:
    """A release as it was found: `assets` is name -> size and SHA-256, `findings` what disagrees.

    With `error` the release could not be looked at, and nothing else is known of it.
    """

    repository: str
    tag: str
    commit: str = ""
    url: str = ""
    assets: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    channel: ChannelView | None = None
    error: BundleError | None = None

    @property
    def exit_code(self) -> int:
        """That of `error`; 3 if anything disagrees; 1 if only a closure fails; else 0."""
        if self.error:
            return self.error.exit_code
        grades = {finding.grade for finding in self.findings}
        if "integrity" in grades or any(verdict.integrity for verdict in self.verdicts):
            return 3
        return 1 if any(verdict.closure for verdict in self.verdicts) else 0


def verify_releases(
    session: Session, addresses: Sequence[tuple[str, str]], *, digests_only: bool
) -> tuple[ReleaseReport, ...]:
    """Verify releases, each a repository and a tag; one that fails has an `error` and does not stop the others."""
    return tuple(_attempted(session, *address, digests_only=digests_only) for address in addresses)


def _attempted(session: Session, repository: str, tag: str, *, digests_only: bool) -> ReleaseReport:
    # What fails is cancelled, the next release is not.
    session = replace(session, cancelled=threading.Event())
    try:
        return verify_release(session, repository, tag, digests_only=digests_only)
    except BundleError as error:
        return ReleaseReport(repository, tag, error=error)
    except OSError as error:
        return ReleaseReport(repository, tag, error=from_os(error))


def verify_release(session: Session, repository: str, tag: str, *, digests_only: bool) -> ReleaseReport:
    """Verify a published release from what GitHub serves, or from the digests that it tells.

    `latest-runtime` is verified as the release of that tag, and compared with the newest `runtime-*`; without a release
    of that tag, the newest one is verified. Raises UnreachableError if there is no such release.
    """
    with session.github(repository) as github:
        newest = newest_runtime(github) if tag == CHANNEL else ""
        release = _release(github, tag, newest)
        session.progress.say(f"verifying {repository}@{release.tag_name}")
        store = session.store()
        it = found(store, github, release)
        judgement = _judged(session, github, it, digests_only=digests_only)
        view, drift = Following(store, github, newest).view(it, tag)
        findings = chain(
            map(Finding, (*it.listing.findings(), *_tagged(it.place), *judgement.findings)),
            _beside(store, github, it, judgement.files),
            map(Finding, drift),
        )
        return ReleaseReport(
            repository=repository,
            tag=it.place.tag,
            commit=it.place.commit,
            url=release.html_url,
            assets=it.listing.contents,
            findings=tuple(dict.fromkeys(findings)),
            verdicts=judgement.verdicts,
            channel=view,
        )


def _release(github: GitHub, tag: str, newest: str) -> Release:
    release = github.published(tag) or (github.published(newest) if newest else None)
    if release is None:
        raise UnreachableError(
            f"{github.repository} has no published release {tag}", "is the tag right? drafts do not count"
        )
    return release


def _judged(session: Session, github: GitHub, found: Found, *, digests_only: bool) -> Judgement:
    """Judge what the release holds: its archives, or with `digests_only` that digests are told alone."""
    listing = found.listing
    if digests_only:
        return Judgement(findings=tuple(_undigested(listing)))
    wholes = joinable(listing.assets, listing.listed, partial(_list_of_parts, session.store(), github, listing))
    return judge_release(session, github, f"{github.repository}@{found.place.tag}", listing, wholes)


def _list_of_parts(store: Store, github: GitHub, listing: Listing, asset: Asset) -> bytes:
    return read_small(store, github, asset, listing.digest(asset), parts.LARGEST)


def _beside(store: Store, github: GitHub, found: Found, files: Mapping[str, Path]) -> Iterator[Finding]:
    """What the sidecars find wrong; `files` are the assets that are at hand, and what is joined of them."""
    assets = {asset.name: asset for asset in found.listing.all()}
    wholes = {name: found.listing.listed.get(name, "") for name in found.listing.split}

    def text(name: str, limit: int) -> bytes:
        return read_small(store, github, assets[name], found.listing.digest(assets[name]), limit)

    def read(name: str) -> Iterator[bytes]:
        if name not in files:
            raise UnreadError(name)
        return chunks(files[name])

    return beside.findings(SidecarFacts(found.listing.contents, read, wholes=wholes, place=found.place), text)


def _undigested(listing: Listing) -> Iterator[str]:
    """The assets of which GitHub tells no digest."""
    for asset in listing.assets.values():
        if asset.sha256 is None:
            yield f"{asset.name}: GitHub tells no digest of it; verify without --digests-only"


def _tagged(place: Place) -> Iterator[str]:
    """A runtime release's tag says which commit its git tag is at."""
    expected = runtime_commit(place.tag)
    if expected and not place.commit.startswith(expected):
        yield (
            f"the git tag {place.tag} is not at the commit that it names\n"
            f"    expected {expected}…\n    actual   {place.commit or 'missing'}"
        )
