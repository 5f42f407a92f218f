"""A set, repaired aside with the recovery files beside it: the volumes themselves are only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path

from bundler.adapters.own_folder import ELSEWHERE
from bundler.adapters.par2 import Par2, recovery_files
from bundler.adapters.par2_packets import FIRST, Recovery, recovery_sets
from bundler.adapters.regular import open_regular
from bundler.adapters.salvage import salvage
from bundler.errors import IntegrityError
from bundler.transfer.damage import ANEW, DAMAGED, SURPLUS, Faults, Told, fault_lines, faults, own_names, told
from bundler.transfer.opened import refuse_full
from bundler.transfer.volumes import base_of, there


@contextmanager
def repaired(path: Path, par2: Callable[[], Par2], folder: Path, say: Callable[[str], None]) -> Iterator[Path]:
    """Give a set that is whole: itself, or a copy in `folder`, empty before, in which what was damaged is repaired.

    What was damaged is said. Raises IntegrityError if it is too much, or nothing is there to repair with; WorkError,
    also if there is no room; UsageError if no program is there.
    """
    base = base_of(path)
    known = told(base)
    if known.fault:
        say(f"{known.fault}; {known.source or 'nothing else'} tells what the volumes are")
    found = faults(base, known)
    if not found:
        yield base
        return
    for name in there(base):
        if found.get(name, DAMAGED) == DAMAGED:  # programs take what is whole of the damaged ones
            (folder / name).symlink_to((base.parent / name).absolute())
    if bad := {name: fault for name, fault in found.items() if fault != SURPLUS}:
        recovery = _fitting(base, known, bad)
        _refuse_hopeless(base, recovery, bad)
        size = recovery.size + sum(recovery.files[name].size for name in bad)
        refuse_full(folder, size, ELSEWHERE, ", which a repair takes")
        say(f"repairing {', '.join(bad)}")
        _repair(base, known, bad, recovery, par2(), folder)
    say(f"goes on with a repaired copy: {', '.join(f'{name} {fault}' for name, fault in found.items())}")
    yield folder / base.name


def _repair(base: Path, known: Told, bad: Faults, recovery: Recovery, par2: Par2, folder: Path) -> None:
    """Repair the volumes that are bad in a folder, where links lead to those that can be read."""
    for name, volume in there(base).items():
        if bad.get(name, DAMAGED) != DAMAGED:  # no program reads on after what cannot be read
            _write(folder / name, salvage(volume))
    file = folder / f"{base.name}.par2"
    _write(file, recovery.written())
    if not par2.repair(folder, file.name):
        raise _too_much(base, recovery, bad)
    file.unlink()
    for name in bad:
        if not (folder / name).is_file() or known.digest_of(folder / name) != known.digests[name]:
            raise _not_repaired(base, {name: bad[name]}, f"it was repaired to something else than {known.source} tells")


def _fitting(base: Path, known: Told, bad: Faults) -> Recovery:
    """The recovery data beside a set that is of these very volumes. Raises IntegrityError if none is."""
    names = recovery_files(base.parent, base.name)
    if not names:
        raise _not_repaired(base, bad, "there are no recovery files beside it")
    for one in recovery_sets([base.parent / name for name in names], own_names(base)):
        if one.files.keys() == known.digests.keys() and all(
            (one.files[name].size, one.files[name].first) == _beginning(base.parent / name)
            for name in known.digests
            if name not in bad
        ):
            return one
    raise _not_repaired(base, bad, f"the recovery files beside it are of another set: {names[0]} and its like")


def _refuse_hopeless(base: Path, recovery: Recovery, bad: Faults) -> None:
    """Raise IntegrityError if more is missing than there are recovery blocks, whatever a description claims."""
    volumes, missing = there(base), 0
    for name in bad:
        size = volumes[name].stat().st_size if name in volumes else 0
        missing += max(0, recovery.files[name].blocks(recovery.block) - -(-size // recovery.block))
    if missing > recovery.blocks:
        raise _too_much(base, recovery, bad)


def _too_much(base: Path, recovery: Recovery, bad: Faults) -> IntegrityError:
    blocks = f"{recovery.blocks} recovery blocks of {recovery.block} bytes"
    return _not_repaired(base, bad, f"more is damaged than {blocks} repair")


def _beginning(path: Path) -> tuple[int, str]:
    """A file's size and the MD5 of its beginning, as descriptions tell them."""
    with open_regular(path) as file:
        return path.stat().st_size, md5(file.read(FIRST), usedforsecurity=False).hexdigest()


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("xb") as file:
        for data in pieces:
            file.write(data)


def _not_repaired(base: Path, bad: Faults, why: str) -> IntegrityError:
    return IntegrityError(f"{base} cannot be repaired: {why}{fault_lines(bad)}", ANEW)
