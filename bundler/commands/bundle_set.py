"""`bundle-set`: all files of a release in one set, which holds each distinct part once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.new_files import all_appearing, refuse_taken
from bundler.adapters.par2 import MOST_FILES, Layout, Par2, layout, recovery_files
from bundler.adapters.process import run
from bundler.errors import IntegrityError, UsageError
from bundler.progress import Progress
from bundler.release.to_carry import to_carry
from bundler.session import Session
from bundler.transfer.form import RefusedError
from bundler.transfer.make_set import SetPlan, plan, write_set
from bundler.transfer.opened import opened, refuse_full
from bundler.transfer.script import script
from bundler.transfer.volumes import SCRIPT, Volumes, taken_by, volumes_of


@dataclass(frozen=True)
class SetOrder:
    """Where a set goes, in volumes of how many bytes (0: one file), and how many percent of its blocks repair it."""

    out: Path
    volume: int = 0
    parity: float = 0


@dataclass(frozen=True)
class SetMade:
    """A set that was made: the bytes of its files together, and each file of it by name, with its size.

    `volumes` are those that hold it, `recovery` those that repair them as `parity` says.
    """

    out: Path
    files: int
    unpacked: int
    volumes: Mapping[str, int]
    recovery: Mapping[str, int]
    parity: Layout | None

    @property
    def size(self) -> int:
        """The set's size in bytes, without what repairs it."""
        return sum(self.volumes.values())


def bundle_set(session: Session, subject: str, order: SetOrder) -> SetMade:
    """Verify a folder or a release, make a set of it, and prove that each file can be made of that.

    Raises PreflightError for what is not whole, UsageError if something is in the way, IntegrityError if a file changed
    meanwhile, WorkError.
    """
    name, folder = order.out.name, order.out.parent
    par2 = Par2(session.env, run) if order.parity else None
    for one in taken_by(order.out):
        refuse_taken(one, "give --out another name")
    files = to_carry(session, subject)
    if order.out.resolve() in (path.resolve() for path, _ in files.values()):
        raise UsageError(f"{order.out} is a file of what is carried", "give another --out")
    try:
        planned = _planned(session.progress, files)
        names = volumes_of(name, planned.size, order.volume)
        parity = _layout(order, planned.size, names) if par2 else None
        with all_appearing(folder) as hidden:
            refuse_full(hidden, planned.size + (parity.size if parity else 0), "choose --out elsewhere")
            volumes = Volumes(hidden, name, order.volume)
            with session.progress.task(f"writing {name}", planned.content) as task:
                write_set(planned, volumes.write, task.advance)
            volumes.close()
            (hidden / f"{name}{SCRIPT}").write_bytes(script())
            _prove(session.progress, hidden / name)
            if par2 and parity:
                session.progress.say(f"making what repairs {name}")
                par2.create(hidden, name, parity, _recovery(order, parity))
            recovery = {one: (hidden / one).stat().st_size for one in recovery_files(hidden, name)}
    except RefusedError as error:
        raise IntegrityError(f"{subject}: {error}", "nothing was written; run again") from error
    unpacked = sum(one.size for one in planned.files)
    return SetMade(order.out, len(planned.files), unpacked, volumes.sizes, recovery, parity)


def _planned(progress: Progress, files: Mapping[str, tuple[Path, str]]) -> SetPlan:
    size = sum(path.stat().st_size for path, _ in files.values())
    with progress.task(f"comparing {len(files)} files", size) as task:
        return plan(files, task.advance)


def _layout(order: SetOrder, size: int, names: Sequence[str]) -> Layout:
    """How what repairs the volumes is made. Raises UsageError if that takes too many files."""
    limit = order.volume or size
    sizes = {name: min(limit, size - number * limit) for number, name in enumerate(names)}
    found = layout(sizes, order.parity)
    if _recovery(order, found) > MOST_FILES:
        hint = f"give a larger --volume, or a smaller --parity: {MOST_FILES} volumes of it are the most"
        raise UsageError(f"--parity takes {_recovery(order, found)} volumes of recovery data", hint)
    return found


def _recovery(order: SetOrder, found: Layout) -> int:
    """How many recovery files there are, none larger than a volume."""
    return math.ceil(found.size / order.volume) if order.volume else 1


def _prove(progress: Progress, base: Path) -> None:
    """Make every file of a set, to nowhere. Raises IntegrityError."""
    with opened(base) as whole, progress.task(f"proving {base.name}", whole.unpacked) as task:
        for name in whole.header.files:
            whole.write(name, lambda data: task.advance(len(data)))
