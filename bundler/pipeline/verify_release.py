"""`verify OWNER/REPO@TAG`: a published release, its checksums, its archives, and the channel that follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bundler.adapters.github import GitHub
from bundler.adapters.store import Blob
from bundler.errors import BundleError, IntegrityError, UnreachableError
from bundler.model.release import CHANNEL, Asset, Release, disagreement
from bundler.pipeline.settings import Settings
from bundler.pipeline.verify import judge
from bundler.progress import Task
from bundler.sidecars import channel, parts, sha256sums
from bundler.sidecars.channel import Channel
from bundler.steps.read_release import LARGEST_TEXT, Listing, newest_runtime, read_small
from bundler.steps.verify_archive import Verdict


@dataclass(frozen=True)
class ChannelView:
    """What a channel points at: the release that channel.json names (None without one), and the newest release."""

    name: str
    points_at: Channel | None
    newest: str


@dataclass(frozen=True)
class ReleaseReport:
    """A release as it was found: `assets` is name -> size and SHA-256, `findings` what disagrees."""

    repository: str
    tag: str
    commit: str
    url: str
    assets: Mapping[str, tuple[int, str]]
    findings: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    channel: ChannelView | None

    @property
    def exit_code(self) -> int:
        """3 if anything disagrees; 1 if only a closure fails; else 0."""
        if self.findings or any(verdict.integrity for verdict in self.verdicts):
            return 3
        return 1 if any(verdict.closure for verdict in self.verdicts) else 0


def verify_release(settings: Settings, repository: str, tag: str, *, digests_only: bool) -> ReleaseReport:
    """Verify a published release from what GitHub serves, or from the digests that it tells.

    `latest-runtime` is verified as the release of that tag, and compared with the newest `runtime-*`; without a release
    of that tag, the newest one is verified. Raises UnreachableError if there is no such release.
    """
    with settings.github(repository) as github:
        newest = newest_runtime(github) if tag == CHANNEL else ""
        release = github.published(tag) or (github.published(newest) if newest else None)
        if release is None:
            raise UnreachableError(
                f"{repository} has no published release {tag}", "is the tag right? drafts do not count"
            )
        settings.progress.say(f"verifying {repository}@{release.tag_name}")
        opened = _Opened(settings, github, release, Listing.of(settings.store(), github, release))
        verdicts = () if digests_only else opened.verdicts()
        findings = [*opened.listing.findings(), *(opened.undigested() if digests_only else opened.findings)]
        view, drift = _Following(settings, github, opened, tag, newest).view()
        return ReleaseReport(
            repository=repository,
            tag=release.tag_name,
            commit=github.tag_commit(release.tag_name) or "",
            url=release.html_url,
            assets={asset.name: (asset.size, opened.listing.digest(asset)) for asset in opened.listing.all()},
            findings=tuple(dict.fromkeys(chain(findings, drift))),
            verdicts=verdicts,
            channel=view,
        )


class _Opened:
    """A release whose bytes are at hand: every asset is in the store once it is asked for."""

    def __init__(self, settings: Settings, github: GitHub, release: Release, listing: Listing) -> None:
        self._settings, self._github, self._store = settings, github, settings.store()
        self.release, self.listing = release, listing
        self.findings: list[str] = []

    def verdicts(self) -> tuple[Verdict, ...]:
        """Fetch all assets, join parts, and verify the archives. What disagrees is in `findings`."""
        there = self._fetch_all()
        for name in self.listing.split:
            try:
                there[name] = self._joined(name, there)
            except BundleError as error:
                self.findings.append(error.message)
        archives = [(path, name) for name, path in sorted(there.items()) if name.endswith(".tar.gz")]
        return judge(archives, self._settings.progress)

    def undigested(self) -> Iterator[str]:
        """The assets of which GitHub tells no digest."""
        for asset in self.listing.assets.values():
            if asset.sha256 is None:
                yield f"{asset.name}: GitHub tells no digest of it; verify without --digests-only"

    def _fetch_all(self) -> dict[str, Path]:
        wanted = [asset for name, asset in self.listing.assets.items() if name in self.listing.listed]
        there: dict[str, Path] = {}
        label = f"{self._github.repository}@{self.release.tag_name}"
        with (
            self._settings.progress.task(label, sum(asset.size for asset in wanted)) as task,
            ThreadPoolExecutor(self._settings.jobs, "download") as pool,
        ):
            running = [(asset.name, pool.submit(self._fetch, asset, task)) for asset in wanted]
            try:
                for name, future in running:
                    try:
                        there[name] = future.result()
                    except IntegrityError as error:
                        self.findings.append(error.message)
            except BaseException:
                self._settings.cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return there

    def _fetch(self, asset: Asset, task: Task) -> Path:
        blob = Blob(asset.name, self.listing.listed[asset.name], asset.size)
        return self._store.fetch(blob, iter([self._github.asset_address(asset)]), self._github, task)

    def _joined(self, name: str, there: Mapping[str, Path]) -> Path:
        """Put a large asset together as consumers do. Raises IntegrityError."""
        text = there.get(f"{name}{parts.SUFFIX}")
        if text is None or name not in self.listing.listed:
            raise IntegrityError(f"{name}: in parts, but {sha256sums.NAME} does not list it whole")
        names = parts.parse(text.read_bytes()[:LARGEST_TEXT], name)
        if missing := [part for part in names if part not in there]:
            raise IntegrityError(f"{missing[0]}: missing, so {name} cannot be put together")
        return self._store.join(Blob(name, self.listing.listed[name], None), [there[part] for part in names])


@dataclass(frozen=True)
class _Following:
    """The channel beside a release: which one it points at, and whether the two agree."""

    settings: Settings
    github: GitHub
    opened: _Opened
    asked: str
    newest: str

    def view(self) -> tuple[ChannelView | None, Sequence[str]]:
        """What the channel is, if it is what was asked for or follows this release; and where the two drift apart."""
        release, listing = self.opened.release, self.opened.listing
        if release.tag_name == CHANNEL:
            points_at, findings = self._read(listing)
            return ChannelView(CHANNEL, points_at, self.newest), [*findings, *self._drift(points_at)]
        if self.asked == CHANNEL:
            return ChannelView(CHANNEL, None, self.newest), ()
        moving = self.github.published(CHANNEL)
        if moving is None:
            return None, ()
        theirs = Listing.of(self.settings.store(), self.github, moving)
        points_at, findings = self._read(theirs)
        if points_at is None or points_at.tag != release.tag_name:
            return None, ()
        return ChannelView(CHANNEL, points_at, ""), [
            *findings,
            *_differences(CHANNEL, theirs, release.tag_name, listing),
        ]

    def _read(self, listing: Listing) -> tuple[Channel | None, tuple[str, ...]]:
        asset = listing.assets.get(channel.NAME)
        if asset is None:
            return None, ()
        try:
            return channel.parse(read_small(self.settings.store(), self.github, asset)), ()
        except IntegrityError as error:
            return None, (error.message,)

    def _drift(self, points_at: Channel | None) -> Iterator[str]:
        """Where the channel differs from the release that it points at, and that one from the newest."""
        tag = points_at.tag if points_at else self.newest
        if points_at and self.newest != points_at.tag:
            yield f"{CHANNEL} points at {points_at.tag}, the newest release is {self.newest or 'none'}"
        followed = self.github.published(tag) if tag else None
        if followed is None:
            yield f"{CHANNEL} points at {tag or 'nothing'}, which is not published"
            return
        mine, theirs = self.opened.listing, Listing.of(self.settings.store(), self.github, followed)
        yield from _differences(CHANNEL, mine, tag, theirs)
        for name, said in points_at.assets.items() if points_at else ():
            asset = mine.assets.get(name)
            if asset and mine.digest(asset) != said.sha256:
                yield f"{channel.NAME}: {disagreement(name, asset, said.size, said.sha256)}"
        commit = self.github.tag_commit(CHANNEL)
        if points_at and commit != points_at.commit:
            yield f"the tag {CHANNEL} is at {commit}, channel.json says {points_at.commit}"


def _differences(moving: str, mine: Listing, tag: str, theirs: Listing) -> Iterator[str]:
    """Where a channel's assets differ from those of the release that it follows."""
    for name in sorted({*mine.assets, *theirs.assets} - {channel.NAME}):
        ours, other = mine.assets.get(name), theirs.assets.get(name)
        have, want = (mine.digest(ours) if ours else "missing"), (theirs.digest(other) if other else "missing")
        if have != want:
            yield f"{name}: {moving} and {tag} drift apart\n    {moving} {have}\n    {tag} {want}"
