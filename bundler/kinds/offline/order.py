"""One all-in-one package: what decides its bytes, and the work of making it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.kinds.kind import Job, Order
from bundler.kinds.offline.lock import OfflineLock
from bundler.kinds.offline.manifest import Part
from bundler.kinds.offline.recipe import Recipe
from bundler.model.closure import Closure
from bundler.model.pin import Pin

if TYPE_CHECKING:
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
        return self.recipe.manifest.repository, f"built-{self.inputs[:12]}"

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

    def makes(self, bench: Bench) -> Mapping[str, Callable[[], Path]]:
        """What its parts make, and what collections make of their pins."""
        found = dict(chain.from_iterable(job.makes(bench).items() for _, _, job in self.parts))
        for _, one in self.lock.sections:
            found |= {made.pin.sha256: partial(bench.make, one, made) for made in one.made()}
        return found

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
        from bundler.kinds.offline.pack import plan  # large: loaded when a package is made

        for part, _, job in self.parts:
            if not part.archive:  # what makes its archive proves it first
                job.prove(bench)
        bundle = plan(self.recipe, self.lock, self.parts, self.closures(), bench)
        label = f"packing {self.recipe.asset.removesuffix('.tar.gz')}"
        with bench.session.progress.task(label, bundle.size, brief=True) as task:
            return write_archive(bundle, file, self.recipe.epoch, bench.session.cancelled.is_set, task.advance)

    def told(self, written: Written) -> str:
        """What was assembled."""
        from bundler.progress import megabytes

        return f"assembled {self.recipe.asset} ({megabytes(written.size)})"
