"""Bring a published release's bytes into the store, put parts together, and judge the archives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bundler.adapters.github import GitHub
from bundler.adapters.http import MissingError
from bundler.adapters.regular import chunks
from bundler.adapters.release_listing import Listing
from bundler.adapters.store import Blob
from bundler.errors import IntegrityError
from bundler.kinds.manifests import manifests_at_hand
from bundler.kinds.verify import judge
from bundler.model.release import Asset, disagreement
from bundler.model.trust import NOTHING_TRUSTED
from bundler.model.verdict import Verdict
from bundler.progress import Task
from bundler.session import Session
from bundler.sidecars import parts
from bundler.words import ARCHIVE


@dataclass(frozen=True)
class Judgement:
    """The verdicts on a release's archives, what disagrees on the way to them, and the files by name."""

    verdicts: tuple[Verdict, ...] = ()
    findings: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Nothing was found."""
        return not self.findings and all(verdict.good for verdict in self.verdicts)


def judge_release(
    session: Session, github: GitHub, label: str, listing: Listing, wholes: Mapping[str, Sequence[str]]
) -> Judgement:
    """Fetch every listed asset, join `wholes` (name -> its parts) and verify the archives.

    What the store has may have gone bad on disk: before a release is blamed, that is dropped and fetched once more.
    Raises UnreachableError if GitHub does not serve what is there.
    """
    fetching = _Fetching(session, github, label, listing)
    found = fetching.judged(wholes)
    if not found.good and session.store().discard_damaged(fetching.blobs(wholes)):
        session.progress.say(f"{label}: files in the store were damaged; once more")
        found = fetching.judged(wholes)
    return found


@dataclass(frozen=True)
class _Fetching:
    session: Session
    github: GitHub
    label: str
    listing: Listing

    def judged(self, wholes: Mapping[str, Sequence[str]]) -> Judgement:
        findings: list[str] = []
        there = self._fetched(findings)
        for name, names in wholes.items():
            if all(part in there for part in names):  # else a finding says what is wrong with the part
                try:
                    there[name] = self._joined(name, [there[part] for part in names])
                except IntegrityError as error:
                    findings.append(error.message)
        archives = [(path, name) for name, path in sorted(there.items()) if name.endswith(ARCHIVE)]
        manifests = manifests_at_hand(self.session)
        bad, trust = (manifests.known_bad, manifests.trust) if manifests else ({}, NOTHING_TRUSTED)
        verdicts = judge(archives, self.session.progress, bad, trust.licences)
        return Judgement(verdicts, tuple(findings), there)

    def blobs(self, wholes: Mapping[str, Sequence[str]]) -> Iterator[Blob]:
        """All that the store keeps of the release."""
        yield from map(self._blob, self._wanted())
        yield from map(self._whole, wholes)

    def _joined(self, name: str, split: Sequence[Path]) -> Path:
        """Put an asset together as consumers do. Raises IntegrityError."""
        whole, store = self._whole(name), self.session.store()
        # What the store has of an earlier run says nothing of the parts that are there now.
        if store.has(whole) and (actual := _sha256_of(split)) != whole.sha256:
            raise IntegrityError(
                f"{name}: its parts do not make it\n    expected {whole.sha256}\n    actual   {actual}"
            )
        return store.join(whole, split)

    def _wanted(self) -> list[Asset]:
        """What is checked by its digest here. Lists of parts were read, and so checked, before."""
        listed = [asset for name, asset in self.listing.assets.items() if name in self.listing.listed]
        return [asset for asset in listed if not asset.name.endswith(parts.SUFFIX)]

    def _blob(self, asset: Asset) -> Blob:
        return Blob(asset.name, self.listing.listed[asset.name], asset.size)

    def _whole(self, name: str) -> Blob:
        return Blob(name, self.listing.listed[name], None)

    def _fetched(self, findings: list[str]) -> dict[str, Path]:
        wanted = self._wanted()
        there: dict[str, Path] = {}
        with (
            self.session.progress.task(self.label, sum(asset.size for asset in wanted)) as task,
            ThreadPoolExecutor(self.session.jobs, "download") as pool,
        ):
            running = [(asset, pool.submit(self._fetch, asset, task)) for asset in wanted]
            try:
                for asset, future in running:
                    try:
                        there[asset.name] = future.result()
                    except IntegrityError as error:
                        findings.append(error.message)
                    except MissingError:
                        findings.append(disagreement(asset.name, None, asset.size, self.listing.listed[asset.name]))
            except BaseException:
                self.session.cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return there

    def _fetch(self, asset: Asset, task: Task) -> Path:
        address = self.github.asset_address(asset)
        return self.session.store().fetch(self._blob(asset), iter([address]), self.github, task)


def _sha256_of(split: Sequence[Path]) -> str:
    """The SHA-256 (hex) of files that are one after the other."""
    digest = hashlib.sha256()
    for path in split:
        for chunk in chunks(path):
            digest.update(chunk)
    return digest.hexdigest()
