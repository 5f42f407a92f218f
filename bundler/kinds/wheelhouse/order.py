"""One archive of a wheelhouse: what decides its bytes, and the work of making it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError
from bundler.kinds.wheelhouse.build_state import build_lock_fault
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.recipe import Recipe
from bundler.kinds.wheelhouse.request import CONSUMERS_PIP
from bundler.model.bundle import File
from bundler.model.closure import Closure
from bundler.model.inventory import Inventory, Item, joined
from bundler.model.locked_wheel import LockedWheel
from bundler.model.pin import Pin
from bundler.model.release import BUILT_PREFIX
from bundler.model.wheel_items import wheel_items
from bundler.platforms import named

if TYPE_CHECKING:
    from bundler.adapters.apart import Work
    from bundler.adapters.archive import Written
    from bundler.bench import Bench
    from bundler.kinds.wheelhouse.pack import Proven, ReadWheel
    from bundler.payloads.payload import Payload


@dataclass(frozen=True)
class WheelhouseOrder:
    """One archive, for one target. `component` is the manifest's file stem."""

    component: str
    workspace: Workspace
    recipe: Recipe
    repository: str

    @property
    def target(self) -> str:
        """The target's name."""
        return self.recipe.request.target.name

    @property
    def label(self) -> str:
        """The target's name."""
        return self.target

    @property
    def called(self) -> str:
        """The component's name."""
        return self.recipe.request.component

    @property
    def release(self) -> tuple[str, str]:
        """The repository that it is released in, and in place of a tag its inputs."""
        return self.repository, f"{BUILT_PREFIX}{self.inputs[:12]}"

    @property
    def asset(self) -> str:
        """The archive's file name."""
        return self.recipe.asset

    @cached_property
    def inputs(self) -> str:
        """SHA-256 (hex) of all that decides its bytes; the lock is not parsed for it."""
        return self.recipe.inputs()

    @property
    def files(self) -> tuple[str, ...]:
        """Its manifest and its lock."""
        return f"{self.component}.yaml", f"locks/{self.recipe.lock_name}"

    @property
    def requirement(self) -> str:
        """What the manifest asks for, whatever the lock chose."""
        return self.recipe.request.requirement

    @property
    def lacking(self) -> tuple[tuple[str, str], ...]:
        """What it will be without, though the manifest asks for it: the name, and why."""
        return self.recipe.lacking

    def job(self) -> WheelhouseJob:
        """Read its lock. Raises LockError if that is stale or malformed."""
        lock = self.recipe.lock()
        if fault := build_lock_fault(self.workspace, self.recipe.request, lock):
            raise LockError(f"{self.recipe.lock_name} is stale: {fault}", self.recipe.request.again(self.target))
        return WheelhouseJob(self.recipe, lock)


@dataclass(frozen=True)
class WheelhouseJob:
    """The work of making an archive, which is written while its files come, and then proven."""

    recipe: Recipe
    lock: Lock

    @cached_property
    def _payloads(self) -> Sequence[Payload]:
        from bundler.payloads import payloads_of

        return payloads_of(self.lock.parts(self.recipe.python_part))

    def pins(self) -> Sequence[Pin]:
        """What its payloads are fetched from."""
        return [pin for payload in self._payloads for pin in payload.pins()]

    def kept(self) -> Sequence[Pin]:
        """The same: nothing else of it stays in the store."""
        return self.pins()

    def works(self) -> Mapping[str, Work]:
        """Of each of its wheels, what it says of itself."""
        from bundler.adapters.locked_reading import ReadLocked

        return {wheel.sha256: ReadLocked(wheel.filename, self._judges_code) for wheel in self.lock.wheels}

    def makes(self, bench: Bench) -> Mapping[str, Callable[[], Path]]:
        """What payloads make of their pins, and the component's own wheel, if it is built from source."""
        makers = bench.makers(self._payloads)
        wheel, request = self.lock.built, self.recipe.request
        if wheel is None:
            return makers
        from bundler.kinds.wheelhouse.sources import Sources  # large: loaded when asked for

        sources = bench.once("sources", lambda: Sources(bench.session, bench.network))
        return {**makers, wheel.sha256: lambda: sources.make(wheel, request)}

    def payloads(self) -> Sequence[Payload]:
        """Its wheels, the place for its Python, and what else the manifest asks for."""
        return self._payloads

    def closures(self) -> Sequence[Closure]:
        """All that is asked for, which all of its wheels are there for."""
        request = self.lock.effective(self.recipe.request)
        wanted = (*request.requirements, CONSUMERS_PIP)
        return [Closure(wanted, request.python, tuple(wheel.filename for wheel in self.lock.wheels))]

    def prove(self, bench: Bench) -> None:
        """Prove the wheels. Raises ProofError, IntegrityError."""
        self._proven(bench)

    def _read_ahead(self, bench: Bench, wheel: LockedWheel, pinned: Mapping[str, Item]) -> None:
        """Do what the proof and the sidecars take of one wheel: it needs no archive, and no other wheel."""
        from bundler.sidecars.table import ahead

        ahead(joined((pinned[wheel.sha256], *wheel_items((self._reader(bench)(wheel),), {}))))

    def _reader(self, bench: Bench) -> ReadWheel:
        from bundler.kinds.wheelhouse.pack import wheel_reader

        code = self._judges_code
        return bench.once(("wheels", code), lambda: wheel_reader(bench.ask, code=code))

    @property
    def _judges_code(self) -> bool:
        return named(self.recipe.request.python.platform)[0].JUDGES_CODE

    def _proven(self, bench: Bench) -> Proven:
        from bundler.kinds.wheelhouse.pack import prove_wheels

        read = self._reader(bench)
        request = self.lock.effective(self.recipe.request)
        return bench.once(("proven", self.recipe.asset), lambda: prove_wheels(request, self.lock, read))

    def write(self, bench: Bench, file: BinaryIO) -> Written:
        """Write the archive, each wheel once it is there, and prove the wheels.

        Raises ProofError, IntegrityError, WorkError: what was written is no archive then.
        """
        from bundler.adapters.archive import write_archive
        from bundler.kinds.wheelhouse.pack import plan, prove_carried

        pins, wheels = self.pins(), {wheel.sha256: wheel for wheel in self.lock.wheels}
        bench.arriving.wait([pin for pin in pins if pin.sha256 not in wheels])  # what is unpacked
        carried = [entry for payload in self._payloads for entry in bench.entries(payload)]
        prove_carried(self.recipe.request, carried)
        bundle = plan(self.recipe, self.lock, carried)
        # The sooner the proof, the less is left to do when the last has come: it needs no archive.
        pinned = {item.sha256: item for payload in self._payloads for item in payload.items()}
        for pin in pins:
            if wheel := wheels.get(pin.sha256):
                bench.arriving.then([pin], partial(self._read_ahead, bench, wheel, pinned))
        bench.arriving.then(pins, partial(self.prove, bench))

        def awaited(entry: File) -> None:
            if entry.sha256 in wheels:
                bench.arriving.there(entry.sha256)

        task = bench.packing(self.recipe.asset, bundle.size, pins)
        cancelled = bench.session.cancelled.is_set
        written = write_archive(bundle, file, self.recipe.epoch, cancelled, task.advance, awaited)
        bench.session.progress.stage(self.recipe.asset, "proving")
        self.prove(bench)
        return written

    def inventory(self, bench: Bench) -> Inventory:
        """What it holds, as the proof found it. Raises ProofError, IntegrityError."""
        from bundler.kinds.wheelhouse.inventory import inventory_of

        proven, recipe, request = self._proven(bench), self.recipe, self.recipe.request
        told = (request.component, request.target.host, recipe.python_part, recipe.inputs())
        return inventory_of(self.lock, *told, proven.wheels, proven.edges)

    def told(self, written: Written) -> str:
        """What was built."""
        from bundler.sizes import size_text

        return f"built {self.recipe.asset} ({size_text(written.size)}, {len(self.lock.wheels)} wheels)"
