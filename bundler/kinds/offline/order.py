"""One all-in-one package: what decides its bytes, and the work of making it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.kinds.kind import Job, Order
from bundler.kinds.offline.manifest import Part
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.places import MANIFEST
from bundler.kinds.offline.recipe import Recipe
from bundler.model.bundle import Bundle, File
from bundler.model.closure import Closure
from bundler.model.inventory import Inventory
from bundler.model.pin import Pin
from bundler.model.release import BUILT_PREFIX

if TYPE_CHECKING:
    from bundler.adapters.apart import Work
    from bundler.adapters.archive import Written
    from bundler.bench import Bench
    from bundler.payloads.payload import Payload


@dataclass(frozen=True)
class OfflineOrder:
    """One package, for one target."""

    recipe: Recipe

    @property
    def component(self) -> str:
        """The manifest's file stem."""
        return self.recipe.component

    @property
    def target(self) -> str:
        """The target's name."""
        return self.recipe.host.name

    @property
    def label(self) -> str:
        """The target's name."""
        return self.target

    @property
    def called(self) -> str:
        """The component's name."""
        return self.recipe.manifest.component

    @property
    def asset(self) -> str:
        """The archive's file name."""
        return self.recipe.asset

    @property
    def inputs(self) -> str:
        """SHA-256 (hex) of all that decides its bytes."""
        return self.recipe.inputs

    @property
    def files(self) -> tuple[str, ...]:
        """Its manifest and its lock, and those of its parts."""
        parts = chain.from_iterable(order.files for _, order in self.recipe.parts)
        return f"{self.component}.yaml", f"locks/{self.recipe.lock_name}", *parts

    @property
    def requirement(self) -> str:
        """Nothing: its parts are chosen by themselves."""
        return ""

    @property
    def lacking(self) -> tuple[tuple[str, str], ...]:
        """What its parts are without, though their manifests ask for it."""
        return tuple(chain.from_iterable(order.lacking for _, order in self.recipe.parts))

    @property
    def release(self) -> tuple[str, str]:
        """The repository, and in place of a tag its inputs."""
        return self.recipe.manifest.repository, f"{BUILT_PREFIX}{self.inputs[:12]}"

    def job(self) -> OfflineJob:
        """Read its lock and those of its parts. Raises LockError if one is stale or malformed."""
        lock = self.recipe.lock()
        return OfflineJob(self.recipe, lock, tuple((part, order, order.job()) for part, order in self.recipe.parts))


@dataclass(frozen=True)
class OfflineJob:
    """The work of making a package: what its parts are made of, and its collections."""

    recipe: Recipe
    lock: OfflineLock
    parts: tuple[tuple[Part, Order, Job], ...]

    def pins(self) -> Sequence[Pin]:
        """What is fetched or made for its parts, then for its collections."""
        return [*chain.from_iterable(job.pins() for _, _, job in self.parts), *self.lock.pins()]

    def kept(self) -> Sequence[Pin]:
        """The same, and what its parts keep."""
        return [*chain.from_iterable(job.kept() for _, _, job in self.parts), *self.lock.pins()]

    def works(self) -> Mapping[str, Work]:
        """What its parts make of theirs."""
        return dict(chain.from_iterable(job.works().items() for _, _, job in self.parts))

    def makes(self, bench: Bench) -> Mapping[str, Callable[[], Path]]:
        """What its parts make, and what collections make of their pins."""
        found = dict(chain.from_iterable(job.makes(bench).items() for _, _, job in self.parts))
        return found | bench.makers(self.payloads())

    def payloads(self) -> Sequence[Payload]:
        """Its collections."""
        return [one for _, one in self.lock.sections]

    def closures(self) -> Sequence[Closure]:
        """Those of the parts whose packages it carries."""
        return [one for part, _, job in self.parts if part.contents for one in job.closures()]

    def prove(self, bench: Bench) -> None:
        """Prove its parts. Raises ProofError, IntegrityError."""
        for _, _, job in self.parts:
            job.prove(bench)

    def write(self, bench: Bench, file: BinaryIO) -> Written:
        """Prove its parts, and write the package. Raises ProofError, IntegrityError."""
        from bundler.adapters.archive import write_archive

        bench.arriving.wait(self.pins())
        for part, _, job in self.parts:
            if not part.archive:  # what makes its archive proves it first
                job.prove(bench)
        bundle = self._plan(bench)
        task = bench.packing(self.recipe.asset, bundle.size, ())
        return write_archive(bundle, file, self.recipe.epoch, bench.session.cancelled.is_set, task.advance)

    def _plan(self, bench: Bench) -> Bundle:
        from bundler.kinds.offline.pack import plan  # large: loaded when a package is made

        key = ("plan", self.recipe.asset)
        return bench.once(key, lambda: plan(self.recipe, self.lock, self.parts, self.closures(), bench))

    def inventory(self, bench: Bench) -> Inventory:
        """What it holds, as its parts and collections tell. Raises ProofError, IntegrityError."""
        from bundler.kinds.offline import package
        from bundler.kinds.offline.inventory import inventory_of, wheels_of

        told = [(part, order.asset, job.closures(), job.inventory(bench)) for part, order, job in self.parts]
        parts = {asset: held for part, asset, _, held in told if part.archive and held}
        closures = [wheels_of(held, one) for part, _, closures, held in told if part.contents for one in closures]
        entries = [entry for entry in self._plan(bench).entries if isinstance(entry, File)]
        facts = next(one.content for one in entries if one.path == MANIFEST and isinstance(one.content, bytes))
        sized = {one.path: (one.size, one.sha256) for one in entries}
        return inventory_of(package.parse(facts), self.lock, closures, parts, sized)

    def told(self, written: Written) -> str:
        """What was assembled."""
        from bundler.sizes import size_text

        return f"assembled {self.recipe.asset} ({size_text(written.size)})"
