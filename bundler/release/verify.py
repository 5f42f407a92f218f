"""`verify OWNER/REPO@TAG`: a published release, its checksums, its archives, and the channel that follows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing, newest_runtime, read_small
from bundler.adapters.store import Blob, Store
from bundler.errors import BundleError, UnreachableError, from_os
from bundler.model.release import CHANNEL, Asset, Release, runtime_commit
from bundler.model.sidecar import NOTHING_TOLD, Place, SidecarFacts
from bundler.model.signatures import NOBODY, Signed
from bundler.model.verdict import Finding, Verdict
from bundler.release import beside
from bundler.release.channel import ChannelView, Following, Found, found
from bundler.release.delta_findings import delta_findings
from bundler.release.earlier import looked_up
from bundler.release.judge import Judgement, judge_release
from bundler.release.parts import joinable
from bundler.release.signed import signatures_of
from bundler.session import Session
from bundler.sidecars import parts


@dataclass(frozen=True)
class ReleaseReport:
    """A release as it was found: `assets` is name -> size and SHA-256, `findings` what disagrees.

    `signed` tells who signed it. With `error` the release could not be looked at, and nothing else is known of it.
    `files` are those at hand.
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
    signed: Signed = NOBODY
    files: Mapping[str, Path] = field(default_factory=dict)

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
    session: Session,
    addresses: Sequence[tuple[str, str]],
    told: SidecarFacts = NOTHING_TOLD,
    *,
    digests_only: bool,
    apply: bool = False,
) -> tuple[ReleaseReport, ...]:
    """Verify releases, each a repository and a tag; one that fails has an `error` and does not stop the others.

    `told` is what sidecars are told beside what is there: whom to trust. `apply`: apply deltas from archives that the
    store has.
    """
    return tuple(_attempted(session, *one, told, digests_only=digests_only, apply=apply) for one in addresses)


def _attempted(
    session: Session, repository: str, tag: str, told: SidecarFacts, *, digests_only: bool, apply: bool
) -> ReleaseReport:
    # What fails is cancelled, the next release is not.
    session = replace(session, cancelled=threading.Event())
    try:
        return verify_release(session, repository, tag, told, digests_only=digests_only, apply=apply)
    except BundleError as error:
        return ReleaseReport(repository, tag, error=error)
    except OSError as error:
        return ReleaseReport(repository, tag, error=from_os(error))


def verify_release(
    session: Session,
    repository: str,
    tag: str,
    told: SidecarFacts = NOTHING_TOLD,
    *,
    digests_only: bool,
    apply: bool = False,
) -> ReleaseReport:
    """Verify a published release from what GitHub serves, or from the digests that it tells.

    `apply`: apply deltas from archives that the store has.

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
        facts, text = _facts(it, judgement, told), partial(_text, store, github, it.listing)
        signed = signatures_of(_looked_up(store, github, facts), text)
        findings = chain(
            map(Finding, (*it.listing.findings(), *_tagged(it.place), *judgement.findings)),
            beside.findings(facts, text),
            delta_findings(facts, text, judgement.files.get, partial(_kept, store) if apply else _nothing_kept),
            signed.findings,
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
            signed=signed,
            files=judgement.files,
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


def _facts(found: Found, judgement: Judgement, told: SidecarFacts) -> SidecarFacts:
    """What sidecars are told: of assets that are at hand and of what is joined of them the bytes, too."""
    held = {verdict.name: verdict.inventory for verdict in judgement.verdicts if verdict.inventory}
    wholes = {name: found.listing.listed.get(name, "") for name in found.listing.split}
    told = beside.reading(told, judgement.files.get)
    return replace(told, files=found.listing.contents, wholes=wholes, place=found.place, inventories=held)


def _looked_up(store: Store, github: GitHub, facts: SidecarFacts) -> SidecarFacts:
    """The same, with the date of what nothing may be older than, if that is a release of this repository."""
    demand = facts.demand
    if demand is None or demand.floor is None:
        return facts
    return replace(facts, demand=replace(demand, floor=looked_up(store, github, demand.floor, facts)))


def _text(store: Store, github: GitHub, listing: Listing, name: str, limit: int) -> bytes:
    """The bytes of a small asset."""
    asset = next(asset for asset in listing.all() if asset.name == name)
    return read_small(store, github, asset, listing.digest(asset), limit)


def _kept(store: Store, sha256: str) -> Path | None:
    """Where the store has a file; None if it has not, or it went bad there."""
    path = store.take(Blob(sha256, sha256, None))
    return path if path and sha256_of(path) == sha256 else None


def _nothing_kept(sha256: str) -> Path | None:
    return None


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
