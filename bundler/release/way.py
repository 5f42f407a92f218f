"""The way from an archive at hand to the one that takes its place in a release: found, and gone step by step."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.digest import sha256_of
from bundler.adapters.github import GitHub
from bundler.adapters.new_files import appearing, refuse_taken
from bundler.adapters.own_folder import in_use
from bundler.adapters.regular import open_regular
from bundler.errors import BundleError, IntegrityError, UnreachableError, UsageError
from bundler.kinds import held_in
from bundler.model.inventory import Inventory
from bundler.model.sidecar import SidecarFacts
from bundler.model.ways import DeltaName, Step, cheapest
from bundler.progress import Task
from bundler.release.brought import Brought, followed
from bundler.release.since import earlier
from bundler.session import Session
from bundler.transfer.applied import header_of, write_applied

# How many releases before the wanted one are looked at for deltas to come by.
MOST_RELEASES = 20


@dataclass(frozen=True)
class Way:
    """How an archive of a release is had: what is downloaded, in its order; nothing if it is at hand already.

    `size` is that of the archive in bytes.
    """

    repository: str
    tag: str
    archive: str
    sha256: str
    size: int
    steps: tuple[Step, ...]

    @property
    def downloaded(self) -> int:
        """How many bytes are downloaded."""
        return sum(step.size for step in self.steps)

    @property
    def saved(self) -> int:
        """How many bytes less than the archive itself."""
        return self.size - self.downloaded


class _UnfitError(Exception):
    """A delta that is what its release lists, and cannot be applied here; or one that cannot be `had`."""

    def __init__(self, step: Step, why: str, *, had: bool = True) -> None:
        super().__init__(why)
        self.step, self.had = step, had


@dataclass(frozen=True)
class Reader:
    """Goes from the archive `old`, whose SHA-256 is `start`, to `archive` of the release `wanted`.

    `releases` are those that were looked at, by their tags.
    """

    session: Session
    old: Path
    start: str
    wanted: Brought
    archive: str
    releases: Mapping[str, Brought]

    @classmethod
    def of(cls, session: Session, github: GitHub, old: Path, tag: str, told: SidecarFacts) -> Reader:
        """Look at the release of a tag, or that a channel follows, and at as many before it as may help.

        Raises UsageError if it has no archive in the place of `old`, IntegrityError if it is not whole or not signed as
        `told` wants it, UnreachableError.
        """
        store = session.store()
        start = sha256_of(old)
        wanted = followed(store, github, tag)
        wanted.check_signed(told)
        archive = wanted.like(old.name, lambda: _held(old))
        if archive is None:
            hint = f"it has {', '.join(sorted(wanted.archives)) or 'none'}"
            raise UsageError(f"{github.repository}@{wanted.tag} has no archive in the place of {old}", hint)
        releases = {wanted.tag: wanted}
        for before in islice(earlier(list(github.releases()), wanted.tag), MOST_RELEASES):
            # No way leads over a release of before the one that `old` is of.
            if any(start in its.archives.values() for its in releases.values()):
                break
            try:
                releases[before.tag_name] = Brought.of(store, github, before)
            except IntegrityError as error:
                session.progress.say(f"note: {before.tag_name} is left aside: {error.message}")
        return cls(session, old, start, wanted, archive, releases)

    def way(self, without: Collection[Step] = ()) -> Way:
        """The way with the fewest bytes that have to be downloaded."""
        sha256, size = self.wanted.archives[self.archive], self.wanted.size(self.archive)
        steps = (step for step in self._steps() if step not in without)
        found = cheapest(steps, self.start, sha256)
        if found is None:
            raise IntegrityError(f"{self.archive}: {self.wanted.tag} lists no way to it")
        return Way(self.wanted.github.repository, self.wanted.tag, self.archive, sha256, size, found)

    def _steps(self) -> Iterator[Step]:
        wanted = self.wanted
        yield Step(wanted.tag, self.archive, wanted.needed(self.archive), "", wanted.archives[self.archive])
        for its in self.releases.values():
            for name in sorted(its.listing.assets.keys() & its.listing.listed.keys()):
                if (said := DeltaName.parse(name)) and said.archive in its.archives:
                    yield Step(its.tag, name, its.missing(name), said.old, its.archives[said.archive])

    def go(self, out: Path) -> Way:
        """Put the archive into a folder, the way with the fewest bytes that works here. The old one is only read.

        Raises UsageError if something is there already, IntegrityError if what a release serves is not what it lists, a
        delta of it is not what its name says, or makes something else; UnreachableError, OSError.
        """
        refuse_taken(out / self.archive)
        unfit: set[Step] = set()
        while True:
            way = self.way(unfit)
            try:
                self._go(way, out / self.archive)
            except _UnfitError as error:
                taken = "another way" if error.had else "the archive itself"
                self.session.progress.say(f"note: {taken} is taken: {error}")
                unfit.add(error.step)
                if not error.had:  # the others are where this one was to be
                    unfit.update(step for step in self._steps() if step.old and step.size)
            else:
                return way

    def _go(self, way: Way, target: Path) -> None:
        at, digest = self.old, self.start
        with (
            in_use(self.session.cache_dir, TEMPORARY) as place,
            tempfile.TemporaryDirectory(dir=place) as folder,
            self.session.progress.task(f"{way.archive} of {way.tag}", way.downloaded) as task,
        ):
            for number, step in enumerate(way.steps):
                last = step is way.steps[-1]
                made = target if last else Path(folder, str(number))
                opened: AbstractContextManager[BinaryIO] = appearing(target) if last else made.open("xb")
                with opened as file:
                    self._step(step, at, digest, file, task)
                if number:
                    at.unlink()
                at, digest = made, step.new

    def _step(self, step: Step, at: Path, digest: str, file: BinaryIO, task: Task) -> None:
        """Write what a step makes of the file `at`."""
        its = self.releases[step.tag]
        if not step.old:
            with open_regular(its.bring(step.name, task)) as whole:
                shutil.copyfileobj(whole, file, 1 << 20)
            return
        try:
            delta = its.fetch(step.name, task)
        except UnreachableError as error:
            raise _UnfitError(step, error.message, had=False) from error
        header, said = header_of(delta, step.name), DeltaName.parse(step.name)
        told = (header.old_sha256, header.new.sha256, header.new.name)
        if said is None or told != (digest, step.new, said.archive):
            raise IntegrityError(
                f"{step.name} of {step.tag} does not lead from this archive to the one that its release lists\n"
                f"    expected {digest} to {step.new}\n    actual   {header.old_sha256} to {header.new.sha256}",
                "`aiws-bundle verify` tells all; take the archive itself if the rest of the release is sound",
            )
        try:
            write_applied(at, delta, step.name, file.write)
        except IntegrityError as error:
            raise _UnfitError(step, error.message) from error


def _held(path: Path) -> Inventory | None:
    """What an archive says that it holds; None if it does not say."""
    try:
        return held_in(path, path.name)
    except BundleError:
        return None
